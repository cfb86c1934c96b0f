//! The daemon: account, API, machines, registry and artefacts in one process. Told to end, it leaves the machines running;
//! told to stop, it shuts them down first.

use std::{fs::File, io, io::Write, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use rand::SeedableRng;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    artefacts,
    control::{self, Control, Order},
    options::{DriverName, Paths, ServeArgs},
    status::Running,
};
use crate::{
    account::{Account, AccountOptions},
    api,
    clock::SystemClock,
    files::{listen, private_dir, remove_if_there, replace_file},
    images::{base::BaseImages, cache::Cache, containers, containers::ContainerImages},
    machine::MachineDriver,
    none::NoMachines,
    process::ProcessId,
    qemu::{
        QemuDriver,
        command::{Accel, Host},
    },
    registry::{
        Registry,
        push::{self, Pushed},
    },
};

const DAEMON_FILE: &str = "daemon.json";
/// How long open requests may take to end.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// How long background work may take to reach its next step.
const CLOSE: Duration = Duration::from_secs(20);

/// `daemon.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct DaemonFile {
    /// The process.
    pub process: ProcessId,
    /// Where the API is.
    pub api_url: String,
}

impl DaemonFile {
    /// What the last daemon wrote, if it is readable.
    pub fn read(paths: &Paths) -> Option<Self> {
        let bytes = fs_err::read(paths.state.join(DAEMON_FILE)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// Holds the state directory against other daemons and commands.
///
/// # Errors
/// When someone else holds it.
pub fn hold(paths: &Paths) -> anyhow::Result<File> {
    private_dir(&paths.state)?;
    let mut options = fs_err::OpenOptions::new();
    let (lock, _path) = options.write(true).create(true).truncate(false).open(paths.lock())?.into_parts();
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        let holder = DaemonFile::read(paths)
            .map(|file| format!(" (process {})", file.process.pid))
            .unwrap_or_default();
        bail!(
            "a sandbox already uses {}{holder}; `tidegate-sandbox stop` stops it, --state-dir chooses another place",
            paths.state.display()
        );
    }
    Ok(lock)
}

/// Runs until it is told to end.
///
/// # Errors
/// When it cannot begin, or its API fails.
pub async fn serve(paths: Paths, args: ServeArgs, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    args.check()?;
    let _lock = hold(&paths)?;
    let listener = TcpListener::bind(args.listen).await.with_context(|| {
        format!("cannot listen on {}: another program may use it; choose another with --listen", args.listen)
    })?;
    let api_url = format!("http://{}", listener.local_addr()?);
    if let Some(program) = &args.agent {
        artefacts::keep_agent(&paths.agent(), program).context("the agent cannot be kept")?;
    }
    let machines = Machines::start(&paths, &args).await?;
    let account = open_account(&paths, &args, machines.driver()).await?;
    let (orders, ordered) = watch::channel(Order::Run);
    let control = Control {
        paths: paths.clone(),
        running: Running {
            api_url: api_url.clone(),
            driver: args.driver.as_str(),
            accelerator: machines.accelerator(),
            registry: machines.registry.as_ref().map(|registry| registry.address().to_string()),
        },
        account: Arc::clone(&account),
        registry: machines.registry.clone(),
        containers: containers_of(&paths),
        orders: orders.clone(),
    };
    let serving = [
        serve_socket(&paths.artefacts_socket(), artefacts::router(paths.agent()))?,
        serve_socket(&paths.control_socket(), control::router(control))?,
        AbortOnDropHandle::new(tokio::spawn(on_signal(orders)?)),
        push_in_background(machines.registry.clone(), containers_of(&paths)),
    ];
    write_down(&paths, &api_url)?;
    writeln!(out, "The sandbox's API is at {api_url}; control-c ends it and leaves the droplets running.")?;
    out.flush()?;

    let order = run(Arc::clone(&account), listener, ordered).await?;
    // First the account, so that it does not note machines as off that only sleep.
    if timeout(CLOSE, account.close()).await.is_err() {
        tracing::warn!("background work did not end; it is gone on with at the next start");
    }
    machines.end(order).await?;
    drop(serving);
    remove_if_there(&paths.state.join(DAEMON_FILE))?;
    remove_if_there(&paths.control_socket())?;
    Ok(())
}

async fn open_account(
    paths: &Paths,
    args: &ServeArgs,
    driver: Arc<dyn MachineDriver>,
) -> anyhow::Result<Arc<Account>> {
    let rng = rand::rngs::StdRng::try_from_rng(&mut rand::rngs::SysRng)
        .context("the system gives no random numbers")?;
    let mut options = AccountOptions::new(paths.account(), driver, Arc::new(SystemClock), rng);
    options.public_net = args.public_net;
    Ok(Account::open(options).await?)
}

fn write_down(paths: &Paths, api_url: &str) -> anyhow::Result<()> {
    let process = ProcessId::of(std::process::id())?.context("this process is not in /proc")?;
    let file = serde_json::to_vec(&DaemonFile { process, api_url: api_url.to_owned() })?;
    Ok(replace_file(&paths.state, DAEMON_FILE, &file)?)
}

async fn run(
    account: Arc<Account>,
    listener: TcpListener,
    mut orders: watch::Receiver<Order>,
) -> anyhow::Result<Order> {
    let closing = CancellationToken::new();
    let mut serving = tokio::spawn(api::serve(account, listener, closing.clone().cancelled_owned()));
    tokio::select! {
        ended = &mut serving => {
            ended?.context("the API ended")?;
            bail!("the API ended by itself");
        }
        changed = orders.wait_for(|order| *order != Order::Run) => { changed?; }
    }
    let order = *orders.borrow();
    closing.cancel();
    if timeout(LAST_REQUESTS, &mut serving).await.is_err() {
        serving.abort();
    }
    Ok(order)
}

fn on_signal(orders: watch::Sender<Order>) -> io::Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        orders.send_replace(Order::End);
    })
}

fn serve_socket(socket: &std::path::Path, app: axum::Router) -> io::Result<AbortOnDropHandle<()>> {
    let listener = listen(socket)?;
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "a socket is no longer served");
        }
    })))
}

/// The images of containers.
pub fn containers_of(paths: &Paths) -> ContainerImages {
    ContainerImages::new(&paths.recipes, Cache::new(paths.cache.clone()), paths.chosen_cache.clone())
}

/// The machine images.
pub fn base_of(paths: &Paths) -> BaseImages {
    BaseImages::new(paths.recipes.clone(), Cache::new(paths.cache.clone()))
}

/// Pushes what the cache has and the registry has not; returns the tags that were sent.
///
/// # Errors
/// When the cache cannot be read or the registry does not take an image.
pub async fn push_images(registry: &Registry, images: &ContainerImages) -> anyhow::Result<Vec<String>> {
    let mut sent = Vec::new();
    for (built, dir) in images.built()? {
        let image = containers::to_push(&built, &dir)?;
        for tag in &built.tags {
            if push::push(registry.address(), tag, &image).await? == Pushed::Now {
                sent.push(tag.clone());
            }
        }
    }
    Ok(sent)
}

fn push_in_background(registry: Option<Registry>, images: ContainerImages) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let Some(registry) = registry else { return };
        match push_images(&registry, &images).await {
            Ok(sent) if sent.is_empty() => {}
            Ok(sent) => tracing::info!(?sent, "images pushed"),
            Err(error) => tracing::warn!(error = format!("{error:#}"), "images could not be pushed"),
        }
    }))
}

/// The machines and what they need of this process.
struct Machines {
    qemu: Option<Arc<QemuDriver>>,
    accel: Accel,
    registry: Option<Registry>,
}

impl Machines {
    async fn start(paths: &Paths, args: &ServeArgs) -> anyhow::Result<Self> {
        let accel = accelerator()?;
        if args.driver == DriverName::None {
            return Ok(Self { qemu: None, accel, registry: None });
        }
        let registry =
            Registry::start(&paths.registry(), &paths.registry_storage(), args.registry_port).await?;
        let host = Host {
            accel,
            cpus: std::thread::available_parallelism()
                .map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(1)),
            registry_port: registry.address().port(),
            artefacts_socket: paths.artefacts_socket(),
        };
        let driver = QemuDriver::new(paths.machines(), base_of(paths), host)?;
        Ok(Self { qemu: Some(Arc::new(driver)), accel, registry: Some(registry) })
    }

    fn driver(&self) -> Arc<dyn MachineDriver> {
        match &self.qemu {
            Some(driver) => Arc::<QemuDriver>::clone(driver),
            None => Arc::new(NoMachines::new()),
        }
    }

    fn accelerator(&self) -> Option<&'static str> {
        self.qemu.as_ref().map(|_| match self.accel {
            Accel::Kvm => "kvm",
            Accel::Tcg => "tcg",
        })
    }

    async fn end(&self, order: Order) -> anyhow::Result<()> {
        if let (Order::Stop(patience), Some(driver)) = (order, &self.qemu) {
            driver.sleep_all(patience).await.context("a machine could not be stopped")?;
        }
        if let Some(registry) = &self.registry {
            registry.stop().await.context("the registry does not end")?;
        }
        Ok(())
    }
}

/// KVM where the processor really offers it: a `/dev/kvm` alone can be there and hang a guest.
fn accelerator() -> io::Result<Accel> {
    let flags = fs_err::read_to_string("/proc/cpuinfo")?;
    let offered = flags
        .lines()
        .filter_map(|line| line.strip_prefix("flags"))
        .any(|line| line.split_whitespace().any(|flag| flag == "vmx" || flag == "svm"));
    let usable = offered && fs_err::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
    Ok(if usable { Accel::Kvm } else { Accel::Tcg })
}
