//! Sequences of commands and changes of files, as docker compose answered them before a recording stand-in for the engine:
//! the plan asks for the same changes. `TIDEGATE_COMPOSE_CASES` names the recordings.
//!
//! A model of the engine is brought forward by the recorded requests, step by step, so that each step is compared from the
//! state in which docker compose met it.

mod model;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use model::Model;
use requests::{Request, Requests};
use serde_json::Value;
use tidegate_compose::{Compatibility, LoadOptions, Loaded, MemoryFiles, load, x_tidegate};

use super::{planner, planner::Wanted};
use crate::{apps::AppName, docker::support};

/// Differences that are meant, and why. `steps` are `scenario/step`, from 1; `what` begins the difference.
struct Justified {
    steps: &'static [&'static str],
    what: &'static str,
    reason: &'static str,
}

const JUSTIFIED: &[Justified] = &[
    Justified {
        steps: &["scenario-orphans-warn/2"],
        what: "tidegate alone: ",
        reason: "a service that left the file is taken away with its release; docker compose only warns of it",
    },
    Justified {
        steps: &["scenario-stop-then-up/3"],
        what: "docker compose alone: start web",
        reason: "a container without restart policy that ended with exit code 0 has done its work; docker compose runs it again",
    },
    Justified {
        steps: &["scenario-network-mode-service/3"],
        what: "docker compose alone: stop b",
        reason: "docker compose stops a dependant twice: before the one that it depends on goes, and when it goes itself",
    },
    Justified {
        steps: &["scenario-network-external-present/1"],
        what: "container app/",
        reason: "docker compose 2.26 names an external network by its id; to Docker both are the same",
    },
];

/// What is left out of every body, and why.
const NOT_COMPARED: &[(&str, &str)] = &[
    ("tidegate.release", "the one label of ours"),
    (
        "com.docker.compose.replace",
        "docker compose makes the new container under another name and renames it; tidegate gives it the next number, so \
         that old and new can stand side by side, and docker compose takes any number",
    ),
    ("com.docker.compose.container-number", "as above; compared where nothing is replaced"),
];

/// Steps that are no plain `up`, and what stands for them.
fn incomparable(arguments: &[&str]) -> Option<&'static str> {
    let mut words = arguments.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "--env-file" => drop(words.next()),
            "up" => break,
            "--compatibility" => return Some("--compatibility: tidegate has no names with underscores"),
            "run" => return Some("run: one-off containers are asked for outside of a plan"),
            "create" | "start" | "stop" | "kill" | "rm" | "down" => return Some("another command than up"),
            _ => return Some("an option that tidegate does not have"),
        }
    }
    let plain = ["-d", "--no-build", "--quiet-pull", "--wait"];
    words.find(|word| !plain.contains(word)).map(|word| match word {
        "--force-recreate" | "--always-recreate-deps" | "-y" | "--remove-orphans" | "--no-start" => {
            "an option that tidegate does not have"
        }
        _ => "a service is named: tidegate releases whole projects",
    })
}

#[derive(Default)]
struct Tally {
    compared: u32,
    requests: usize,
    bodies: usize,
    left_out: BTreeMap<&'static str, u32>,
    justified: BTreeSet<(String, &'static str)>,
    wrong: Vec<String>,
}

#[test]
fn plans_ask_for_what_docker_compose_asked_for() {
    #[expect(clippy::disallowed_methods, reason = "where the recordings are is a matter of the machine")]
    let Ok(folder) = std::env::var("TIDEGATE_COMPOSE_CASES") else {
        println!("skipped: TIDEGATE_COMPOSE_CASES does not name the recordings of docker compose");
        return;
    };
    let mut tally = Tally::default();
    let mut scenarios = 0;
    let mut entries: Vec<_> = fs_err::read_dir(Path::new(&folder).join("scenarios")).unwrap().collect();
    entries.sort_by_key(|entry| entry.as_ref().unwrap().path());
    for entry in entries {
        let text = fs_err::read_to_string(entry.unwrap().path()).unwrap();
        let scenario: Value = serde_json::from_str(&text).unwrap();
        scenarios += 1;
        for compatibility in [Compatibility::V2_40, Compatibility::V2_26] {
            replay(&scenario, compatibility, &mut tally);
        }
    }
    println!(
        "{scenarios} scenarios, both versions: {} steps compared, with {} requests and {} bodies; not comparable:",
        tally.compared, tally.requests, tally.bodies
    );
    for (reason, count) in &tally.left_out {
        println!("  {count:3} {reason}");
    }
    for (what, reason) in &tally.justified {
        println!("  justified: {what}: {reason}");
    }
    let used: BTreeSet<&str> = tally.justified.iter().map(|(_, reason)| *reason).collect();
    let unused = JUSTIFIED.iter().filter(|row| !used.contains(row.reason)).map(|row| row.what);
    assert_eq!(unused.collect::<Vec<_>>(), [""; 0], "rows that justify nothing");
    assert!(tally.wrong.is_empty(), "{}\n{}", tally.wrong.len(), tally.wrong.join("\n"));
    assert!(tally.compared >= 80, "{} are too few", tally.compared);
}

fn replay(scenario: &Value, compatibility: Compatibility, tally: &mut Tally) {
    let name = scenario["name"].as_str().unwrap();
    let recorded = scenario["expected"][compatibility.version()].as_array().unwrap();
    let mut model = Model::default();
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (index, step) in scenario["steps"].as_array().unwrap().iter().enumerate() {
        for (path, content) in step["files"].as_object().into_iter().flatten() {
            match content.as_str() {
                Some(content) => drop(files.insert(path.clone(), content.to_owned())),
                None => drop(files.remove(path)),
            }
        }
        model.told(&step["engine"]);
        let place = format!("{name}/{} {}", index + 1, compatibility.version());
        let theirs = Requests::recorded(&recorded[index], &model);
        let arguments: Vec<&str> =
            step["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        match incomparable(&arguments) {
            Some(reason) => *tally.left_out.entry(reason).or_default() += 1,
            None => match ours(step, (&files, compatibility, &arguments), (&model, &theirs)) {
                Ok(ours) => compare(&place, (&ours, &theirs), tally),
                Err(problem) => tally.wrong.push(format!("{place}: {problem}")),
            },
        }
        for operation in recorded[index]["operations"].as_array().into_iter().flatten() {
            model.apply(operation);
        }
    }
}

fn ours(
    step: &Value,
    (files, compatibility, arguments): (&BTreeMap<String, String>, Compatibility, &[&str]),
    (model, theirs): (&Model, &Requests),
) -> Result<Requests, String> {
    let loaded = project(step, (files, compatibility, arguments))?;
    let project = loaded.project;
    let unsupported = support::unsupported(&project);
    if !unsupported.is_empty() {
        return Err(format!("{unsupported:?}"));
    }
    let extension = x_tidegate::read(&project, &loaded.files);
    let extension = extension.map_err(|errors| format!("{errors:?}"))?;
    let app = AppName::new("case").unwrap();
    // What belongs to another project is another app's, which an admin has to allow; docker compose only warns.
    let shared = ["network:case_n", "volume:case_vol"].map(str::to_owned).into();
    let (given, interrupt) = (BTreeMap::new(), crate::release::Interrupt::Refused);
    let wanted = Wanted {
        app: &app,
        project: &project,
        extension: &extension,
        files: &given,
        shared: &shared,
        still: None,
        interrupt,
    };
    let world = model.world(&project);
    let plan = planner::plan(wanted, &world).map_err(|failures| format!("refused: {failures:?}"))?;
    Ok(Requests::planned(&plan, &project, (model, theirs)))
}

fn project(
    step: &Value,
    (files, compatibility, arguments): (&BTreeMap<String, String>, Compatibility, &[&str]),
) -> Result<Loaded, String> {
    let mut sources = MemoryFiles::new();
    for (path, content) in files {
        sources.insert(&format!("/case/{path}"), content.clone());
    }
    let environment = step["env"].as_object().into_iter().flatten();
    let env_files =
        arguments.windows(2).filter(|pair| pair[0] == "--env-file").map(|pair| pair[1].to_owned());
    let options = LoadOptions {
        working_directory: "/case".to_owned(),
        home: Some("/home/user".to_owned()),
        environment: environment.map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect(),
        env_files: env_files.collect(),
        compatibility,
        ..LoadOptions::default()
    };
    load(&sources, &options).map_err(|errors| format!("{errors:?}"))
}

fn compare(place: &str, (ours, theirs): (&Requests, &Requests), tally: &mut Tally) {
    tally.compared += 1;
    tally.requests += ours.list.len();
    tally.bodies += ours.list.iter().filter(|request| request.body.is_some()).count();
    let mut problems = ours.disorder();
    let mut left: Vec<&Request> = theirs.list.iter().collect();
    for own in &ours.list {
        // Replicas are asked for in any order.
        let same = |their: &&Request| their.what == own.what;
        let equal = left.iter().position(|their| same(their) && their.body == own.body);
        let Some(at) = equal.or_else(|| left.iter().position(same)) else {
            // A step in which a service failed: docker compose stops there, and tidegate takes everything back.
            if theirs.failed && own.body.is_none() {
                continue;
            }
            problems.push(format!("tidegate alone: {}", own.what));
            continue;
        };
        let their = left.remove(at);
        if own.body != their.body {
            let none = Value::Null;
            let sides = (own.body.as_ref().unwrap_or(&none), their.body.as_ref().unwrap_or(&none));
            problems.extend(requests::differences(&own.what, sides));
        }
    }
    problems.extend(left.iter().map(|their| format!("docker compose alone: {}", their.what)));
    for problem in problems {
        let step = place.split(' ').next().unwrap_or_default();
        let row = JUSTIFIED.iter().find(|row| row.steps.contains(&step) && problem.starts_with(row.what));
        match row {
            Some(row) => drop(tally.justified.insert((format!("{step} {problem}"), row.reason))),
            None => tally.wrong.push(format!("{place}: {problem}")),
        }
    }
}
