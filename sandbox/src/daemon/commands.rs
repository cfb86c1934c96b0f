//! `start`, `stop`, `status`, `reset` and `images`.

use std::{ffi::OsString, io::Write, path::Path, time::Duration};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    artefacts,
    control::{PushedImages, Question, StopRequest, ask},
    options::{
        Cli, Command, DriverName, ImagesAction, ImagesArgs, JsonArgs, Paths, ResetArgs, ServeArgs, StopArgs,
    },
    serve::{DaemonFile, base_of, containers_of, hold, serve},
    status::Status,
};
use crate::{
    files::last_lines,
    images::base::{Rebuild, SLUGS},
    process::Detached,
    qemu::{
        QemuDriver,
        command::{Accel, Host},
    },
    registry,
};

const ANSWER: Duration = Duration::from_secs(20);
/// The daemon starts the registry and takes up machines before it answers.
const START: Duration = Duration::from_mins(3);
/// What ending takes beyond the machines' own time.
const END: Duration = Duration::from_mins(2);
const PUSH: Duration = Duration::from_mins(10);

/// Runs a command.
///
/// # Errors
/// When it fails; the text says what, why, and what to do.
pub async fn run(cli: Cli, home: Option<&Path>, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let paths = Paths::new(&cli, home)?;
    match cli.command {
        Command::Serve(args) => serve(paths, args, out).await,
        Command::Start(args) => start(&paths, &args, out).await,
        Command::Stop(args) => stop(&paths, args, out).await,
        Command::Status(args) => status(&paths, args, out).await,
        Command::Reset(args) => reset(&paths, args, out).await,
        Command::Images(args) => images(&paths, args, out).await,
    }
}

async fn start(paths: &Paths, args: &ServeArgs, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    args.check()?;
    if let Some(program) = &args.agent {
        artefacts::keep_agent(&paths.agent(), program).context("the agent cannot be kept")?;
    }
    if let Some(status) = running(paths).await? {
        write!(out, "It runs already. {}", status.text())?;
        return Ok(());
    }
    if args.driver == DriverName::Qemu {
        build_base(paths, Rebuild::IfMissing, out).await?;
    }
    crate::files::private_dir(&paths.state)?;
    let program = std::env::current_exe().context("this program's file is not known")?;
    let daemon = Detached {
        program: &program,
        args: &serve_arguments(paths, args)?,
        dir: &paths.state,
        log: paths.log(),
    };
    let process = daemon
        .spawn()
        .with_context(|| format!("the daemon does not start, see {}", paths.log().display()))?;
    let deadline = Instant::now() + START;
    loop {
        if let Some(status) = running(paths).await? {
            write!(out, "{}", status.text())?;
            return Ok(());
        }
        if !process.is_alive()? {
            let said = last_lines(&fs_err::read_to_string(paths.log())?, 5);
            bail!("the sandbox did not start: {said} (all of it is in {})", paths.log().display());
        }
        if Instant::now() > deadline {
            bail!(
                "the sandbox does not answer after {} s; {} says more",
                START.as_secs(),
                paths.log().display()
            );
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn serve_arguments(paths: &Paths, args: &ServeArgs) -> anyhow::Result<Vec<String>> {
    let text = |path: &Path| -> anyhow::Result<String> {
        let name: OsString = path.into();
        name.into_string()
            .map_err(|name| anyhow::anyhow!("{} is not UTF-8; choose another directory", name.display()))
    };
    let mut list =
        vec!["--state-dir".to_owned(), text(&paths.state)?, "--recipes".to_owned(), text(&paths.recipes)?];
    // Only a chosen cache is passed on: recipes of containers have a default of their own.
    if let Some(cache) = &paths.chosen_cache {
        list.extend(["--cache-dir".to_owned(), text(cache)?]);
    }
    list.extend([
        "serve".to_owned(),
        format!("--listen={}", args.listen),
        format!("--public-net={}", args.public_net),
        format!("--driver={}", args.driver.as_str()),
        format!("--registry-port={}", args.registry_port),
    ]);
    Ok(list)
}

async fn running(paths: &Paths) -> anyhow::Result<Option<Status>> {
    Ok(ask(&paths.control_socket(), Question::Status, ANSWER).await?)
}

async fn status(paths: &Paths, args: JsonArgs, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let status = match running(paths).await? {
        Some(status) => status,
        None => Status::away(paths)?,
    };
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&status)?)?;
    } else {
        write!(out, "{}", status.text())?;
    }
    Ok(())
}

async fn stop(paths: &Paths, args: StopArgs, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let patience = Duration::from_secs(args.patience);
    let please = Question::Stop(StopRequest { patience_secs: args.patience });
    let daemon = DaemonFile::read(paths);
    if ask::<Value>(&paths.control_socket(), please, ANSWER).await?.is_some() {
        let process = daemon.context("the daemon answers, but its daemon.json is not readable")?.process;
        if !process.wait(patience + END).await? {
            bail!("the sandbox (process {}) still runs; {} says why", process.pid, paths.log().display());
        }
        writeln!(out, "The sandbox is stopped; its state is kept in {}.", paths.state.display())?;
        return Ok(());
    }
    if !paths.state.is_dir() {
        writeln!(out, "The sandbox does not run.")?;
        return Ok(());
    }
    // Its daemon is gone, which says nothing about its machines.
    let _lock = hold(paths)?;
    idle_driver(paths)?.sleep_all(patience).await?;
    registry::stop_left_over(&paths.registry()).await?;
    writeln!(out, "The sandbox did not run; machines that its last daemon left are stopped.")?;
    Ok(())
}

async fn reset(paths: &Paths, args: ResetArgs, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    if !paths.state.is_dir() {
        writeln!(out, "There is nothing to reset in {}.", paths.state.display())?;
        return Ok(());
    }
    if !args.yes {
        bail!(
            "this removes all droplets and the account in {}; say --yes if that is meant (images stay in the cache)",
            paths.state.display()
        );
    }
    let daemon = DaemonFile::read(paths);
    let please = Question::Stop(StopRequest { patience_secs: 0 });
    if ask::<Value>(&paths.control_socket(), please, ANSWER).await?.is_some()
        && let Some(daemon) = daemon
        && !daemon.process.wait(END).await?
    {
        bail!(
            "the sandbox (process {}) does not stop; {} says why",
            daemon.process.pid,
            paths.log().display()
        );
    }
    let lock = hold(paths)?;
    idle_driver(paths)?.destroy_all().await?;
    registry::stop_left_over(&paths.registry()).await?;
    drop(lock);
    fs_err::remove_dir_all(&paths.state)?;
    writeln!(out, "The sandbox is empty: droplets and account are gone, images are kept.")?;
    Ok(())
}

/// A driver that stops and removes machines, but starts none.
fn idle_driver(paths: &Paths) -> anyhow::Result<QemuDriver> {
    let host =
        Host { accel: Accel::Tcg, cpus: 1, registry_port: 0, artefacts_socket: paths.artefacts_socket() };
    Ok(QemuDriver::new(paths.machines(), base_of(paths), host)?)
}

async fn images(paths: &Paths, args: ImagesArgs, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    if let Some(ImagesAction::List(list)) = args.action {
        return list_images(paths, list, out);
    }
    let recipes = containers_of(paths);
    let known = recipes.recipes()?;
    if let Some(unknown) = args.only.iter().find(|name| *name != "base" && !known.contains(name)) {
        bail!("there is no recipe `{unknown}`; there are base, {}", known.join(", "));
    }
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    if wanted("base") {
        let rebuild = if args.rebuild { Rebuild::Always } else { Rebuild::IfMissing };
        build_base(paths, rebuild, out).await?;
    }
    for name in known.iter().filter(|name| wanted(name)) {
        let begun = Instant::now();
        write!(out, "container image {name} ... ")?;
        out.flush()?;
        let built = recipes.build(name).await?;
        writeln!(out, "{} ({:.1} s)", built.tags.join(", "), begun.elapsed().as_secs_f32())?;
    }
    if let Some(PushedImages { pushed }) = ask(&paths.control_socket(), Question::Images, PUSH).await?
        && !pushed.is_empty()
    {
        writeln!(out, "pushed to the registry: {}", pushed.join(", "))?;
    }
    Ok(())
}

async fn build_base(paths: &Paths, rebuild: Rebuild, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let images = base_of(paths);
    if rebuild == Rebuild::IfMissing && images.built()?.is_some() {
        return Ok(());
    }
    let begun = Instant::now();
    write!(out, "machine image {} (Debian packages; about a minute) ... ", SLUGS.join(", "))?;
    out.flush()?;
    images.build(rebuild).await.context("`script/setup-sandbox` installs what is needed for it")?;
    writeln!(out, "built in {:.1} s", begun.elapsed().as_secs_f32())?;
    Ok(())
}

fn list_images(paths: &Paths, args: JsonArgs, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let base = base_of(paths).built()?;
    let recipes = containers_of(paths);
    let built = recipes.built()?;
    let mut list = vec![json!({
        "kind": "machine",
        "recipe": "base",
        "names": SLUGS,
        "built": base.is_some(),
        "path": base.map(|image| image.dir),
    })];
    for recipe in recipes.recipes()? {
        let found = built.iter().find(|(built, _)| built.recipe == recipe);
        list.push(json!({
            "kind": "container",
            "recipe": recipe,
            "names": found.map(|(built, _)| &built.tags),
            "built": found.is_some(),
            "path": found.map(|(_, dir)| dir),
            "digest": found.map(|(built, _)| &built.digest),
            "size": found.map(|(built, _)| built.size),
        }));
    }
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(());
    }
    for image in &list {
        let text = |key: &str| image.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let names: Vec<&str> = image
            .get("names")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let state = if image.get("built") == Some(&Value::Bool(true)) { "built" } else { "not built" };
        writeln!(out, "{:<10} {:<12} {:<10} {}", text("kind"), text("recipe"), state, names.join(", "))?;
    }
    Ok(())
}
