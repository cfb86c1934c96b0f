//! The whole conformance corpus, found through `TIDEGATE_COMPOSE_CASES`, under both versions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegate_compose::{
    Compatibility, LoadOptions, Loaded, OsFiles, Project, Service, Warning, hash, labels, load, names,
};

/// Cases that are known to differ, with the reason; exact in both directions.
const KNOWN_GAPS: &[(&str, &str)] = &[];

struct Version {
    compat: Compatibility,
    key: &'static str,
    infix: &'static str,
}

const VERSIONS: &[Version] = &[
    Version { compat: Compatibility::V2_40, key: "2.40.3", infix: ".2.40" },
    Version { compat: Compatibility::V2_26, key: "2.26.1", infix: "" },
];

struct Case<'a> {
    entry: &'a Value,
    folder: PathBuf,
    version: &'a Version,
}

impl Case<'_> {
    fn expected(&self, ending: &str) -> Option<String> {
        let name = format!("expected{}.{ending}", self.version.infix);
        fs_err::read_to_string(self.folder.join(name)).ok()
    }

    fn options(&self) -> LoadOptions {
        let mut options = LoadOptions {
            working_directory: "/case".into(),
            home: Some("/home/user".into()),
            compatibility: self.version.compat,
            environment: [
                ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
                ("HOME", "/home/user"),
                ("DOCKER_HOST", "unix:///var/run/docker.sock"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
            ..options_of(self.entry)
        };
        for (name, value) in self.entry["env"].as_object().unwrap() {
            options.environment.insert(name.clone(), value.as_str().unwrap().to_owned());
        }
        options
    }

    fn load(&self, options: &LoadOptions) -> Result<Loaded, tidegate_compose::LoadErrors> {
        load(&OsFiles::new("/case", self.folder.join("in")), options)
    }

    /// The first difference from what was recorded.
    fn difference(&self) -> Option<String> {
        let mut options = self.options();
        let result = self.load(&options);
        if let Some(error) = self.expected("error") {
            let recorded: Value = serde_json::from_str(&error).unwrap();
            return match result {
                Ok(_) => Some(format!("accepted, but: {}", recorded["message"])),
                Err(errors) => {
                    let class = errors.class().name();
                    let wanted = recorded["class"].as_str().unwrap();
                    (class != wanted).then(|| format!("class {class} instead of {wanted}: {errors}"))
                }
            };
        }
        let loaded = match result {
            Ok(loaded) => loaded,
            Err(errors) => return Some(format!("refused: {errors}")),
        };
        if let Some(found) = self.compare(&loaded, "") {
            return Some(found);
        }
        self.expected("all-profiles.json")?;
        options.profiles = vec!["*".into()];
        match self.load(&options) {
            Ok(loaded) => self.compare(&loaded, "all-profiles."),
            Err(errors) => Some(format!("all profiles refused: {errors}")),
        }
    }

    fn compare(&self, loaded: &Loaded, prefix: &str) -> Option<String> {
        let expected = self.expected(&format!("{prefix}json")).unwrap().replace("$$", "$");
        let found = loaded.project.to_json().to_pretty();
        if found.trim_end() != expected.trim_end() {
            return Some(format!("{prefix}json: {}", first_difference(&found, &expected)));
        }
        let hashes = self.expected(&format!("{prefix}hashes")).unwrap_or_default();
        let compat = self.version.compat;
        let found: Vec<String> = loaded
            .project
            .services
            .iter()
            .map(|(name, service)| format!("{name} {}", hash::printed(service, compat)))
            .collect();
        let expected: Vec<&str> = hashes.lines().filter(|line| !line.is_empty()).collect();
        if found == expected {
            let more = || self.compare_warnings(loaded).or_else(|| self.compare_labels(loaded));
            return if prefix.is_empty() { more() } else { None };
        }
        let json: Vec<String> =
            loaded.project.services.values().map(|s| hash::service_json(s, compat)).collect();
        let json = json.join("\n");
        Some(format!("{prefix}hashes: {found:?} instead of {expected:?}\n{json}"))
    }

    fn compare_warnings(&self, loaded: &Loaded) -> Option<String> {
        // Ours has its place beside it; theirs names the file in this one.
        let text = |warning: &Warning| match &warning.place {
            Some(place) if warning.message.contains("`version`") => {
                format!("{}: {}", place.file, warning.message)
            }
            _ => warning.message.clone(),
        };
        let ours: BTreeSet<String> = loaded.warnings.iter().map(text).collect();
        let theirs = self.entry["result"][self.version.key]["warnings"].as_array();
        let theirs: BTreeSet<String> =
            theirs.into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect();
        (ours != theirs).then(|| format!("warnings {ours:?} instead of {theirs:?}"))
    }

    /// Labels of containers, networks and volumes as `up` wrote them, config-hash included.
    fn compare_labels(&self, loaded: &Loaded) -> Option<String> {
        let name = format!("requests{}.json", self.version.infix);
        let recorded = fs_err::read_to_string(self.folder.join(name)).ok()?;
        let recorded: Value = serde_json::from_str(&recorded).unwrap();
        let containers = recorded["containers"].as_object().into_iter().flatten();
        let differs = containers.into_iter().find_map(|(name, container)| {
            self.container_differs(&loaded.project, name, &text_map(&container["body"]["Labels"]))
        });
        differs.or_else(|| resources_differ(&loaded.project, &recorded))
    }

    fn container_differs(
        &self,
        project: &Project,
        name: &str,
        theirs: &BTreeMap<String, String>,
    ) -> Option<String> {
        let service = &project.services[&theirs[labels::SERVICE]];
        // docker compose adds to these services before it hashes them: a mount, variables, a config.
        if service.use_api_socket || !service.models.is_empty() || service.provider.is_some() {
            return None;
        }
        let called = |service: &Service, number| match service.container_name.as_str() {
            "" => names::container_name(&project.name, &service.name, number),
            given => given.to_owned(),
        };
        let number: u32 = theirs[labels::CONTAINER_NUMBER].parse().unwrap();
        let resolved = hash::resolved(service, &|name| {
            Some(sha256(&format!("container:{}", called(&project.services[name], 1))))
        });
        let facts = labels::ContainerFacts {
            instance: labels::Instance::Replica(number),
            image_id: theirs.get(labels::IMAGE).map(String::as_str),
            replaces: None,
            config_hash: &hash::service(&resolved, self.version.compat),
        };
        let ours = labels::container(project, service, &facts);
        if sorted(ours.clone()) != sorted(theirs.clone()) {
            return Some(format!("labels of {name}: {ours:#?} instead of {theirs:#?}"));
        }
        let wanted = called(service, number);
        (wanted != name).then(|| format!("name {wanted} instead of {name}"))
    }
}

/// What a case's arguments say; `~` is the home of the recordings.
pub(crate) fn options_of(entry: &Value) -> LoadOptions {
    let mut options = LoadOptions { home: Some("/home/user".into()), ..LoadOptions::default() };
    let mut args = entry["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap());
    while let Some(arg) = args.next() {
        if arg == "--compatibility" {
            continue;
        }
        let value = args.next().unwrap().to_owned();
        match arg {
            "-f" | "--file" => options.compose_files.push(value),
            "--env-file" => options.env_files.push(value),
            "--profile" => options.profiles.push(value),
            "--project-directory" => options.project_directory = Some(value),
            "-p" | "--project-name" => options.project_name = Some(value),
            other => panic!("unknown argument {other}"),
        }
    }
    options
}

fn resources_differ(project: &Project, recorded: &Value) -> Option<String> {
    let made = |kind: &str| -> Vec<(String, BTreeMap<String, String>)> {
        let made = recorded[kind].as_object().into_iter().flatten();
        made.map(|(name, made)| (name.clone(), text_map(&made["Labels"]))).collect()
    };
    for (name, theirs) in made("networks") {
        let key = &theirs[labels::NETWORK];
        let ours = labels::network(project, key, &project.networks[key]);
        if ours != theirs || project.networks[key].name != name {
            return Some(format!("labels of network {name}: {ours:#?} instead of {theirs:#?}"));
        }
    }
    for (name, theirs) in made("volumes") {
        let key = &theirs[labels::VOLUME];
        let ours = labels::volume(project, key, &project.volumes[key]);
        if ours != theirs || project.volumes[key].name != name {
            return Some(format!("labels of volume {name}: {ours:#?} instead of {theirs:#?}"));
        }
    }
    None
}

fn text_map(value: &Value) -> BTreeMap<String, String> {
    let fields = value.as_object().into_iter().flatten();
    fields.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// The label with dependencies is written in random order.
fn sorted(mut labels: BTreeMap<String, String>) -> BTreeMap<String, String> {
    if let Some(list) = labels.get_mut(labels::DEPENDS_ON) {
        let mut entries: Vec<&str> = list.split(',').collect();
        entries.sort_unstable();
        *list = entries.join(",");
    }
    labels
}

fn sha256(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    hex::encode(Sha256::digest(text))
}

fn first_difference(found: &str, expected: &str) -> String {
    let lines = found.lines().zip(expected.lines()).enumerate();
    for (number, (ours, theirs)) in lines {
        if ours != theirs {
            let before: Vec<&str> = found.lines().take(number).collect();
            let context = before.iter().rev().take(6).rev().copied().collect::<Vec<_>>().join("\n");
            return format!("line {}: {ours:?} instead of {theirs:?}, after\n{context}", number + 1);
        }
    }
    format!("{} lines instead of {}", found.lines().count(), expected.lines().count())
}

#[test]
fn every_recorded_case() {
    let Some(folder) = std::env::var_os("TIDEGATE_COMPOSE_CASES") else {
        println!("skipped: TIDEGATE_COMPOSE_CASES is not set, the conformance corpus was not run");
        return;
    };
    let folder = Path::new(&folder);
    let index = fs_err::read_to_string(folder.join("index.json")).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    let mut table: BTreeMap<(String, &str), (u32, u32)> = BTreeMap::new();
    let mut features: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut failures: BTreeMap<String, String> = BTreeMap::new();
    for entry in index["cases"].as_array().unwrap() {
        let name = entry["name"].as_str().unwrap();
        for version in VERSIONS {
            let case = Case { entry, folder: folder.join("cases").join(name), version };
            let source = name.split('-').next().unwrap().to_owned();
            let row = table.entry((source, version.key)).or_default();
            row.1 += 1;
            let difference = case.difference();
            let passed = u32::from(difference.is_none());
            for feature in entry["features"].as_array().into_iter().flatten() {
                let row = features.entry(feature.as_str().unwrap()).or_default();
                *row = (row.0 + passed, row.1 + 1);
            }
            row.0 += passed;
            match difference {
                None => {}
                Some(difference) => {
                    failures.insert(format!("{name} {}", version.key), difference);
                }
            }
        }
    }
    for ((source, version), (passed, total)) in &table {
        println!("{source:8} {version:7} {passed:4}/{total}");
    }
    let features: Vec<String> =
        features.iter().map(|(feature, (passed, total))| format!("{feature} {passed}/{total}")).collect();
    println!("by feature, both versions: {}", features.join(", "));
    let known: BTreeSet<String> = KNOWN_GAPS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let failed: BTreeSet<String> = failures.keys().cloned().collect();
    for name in failed.difference(&known) {
        println!("FAILED {name}: {}", failures[name]);
    }
    for name in known.difference(&failed) {
        println!("PASSES though listed as a gap: {name}");
    }
    assert_eq!(failed, known, "cases that differ, and those listed as known gaps");
}
