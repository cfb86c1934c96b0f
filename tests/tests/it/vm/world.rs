//! One sandbox with its state, one project directory, and the programs run in it as a user runs them.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tidegate_tests::programs::{self, Program};

/// Where the droplets of each world are, so that two of them stand side by side, apart from a developer's own.
const NETWORKS: [(&str, &str); 3] =
    [("whole-way", "127.0.71.0"), ("power", "127.0.72.0"), ("together", "127.0.73.0")];
/// A passphrase that must never be seen anywhere.
pub const PASSPHRASE: &str = "correct-horse-battery-7421";

/// Tells the id of the kernel's present boot.
const BOOT: [&str; 2] = ["cat", "/proc/sys/kernel/random/boot_id"];

/// What a run of a program left: its exit code and what it said.
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Said {
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub fn ok(self, what: &str) -> Self {
        assert_eq!(
            self.code, 0,
            "{what}: exit {}\n--- stdout\n{}\n--- stderr\n{}",
            self.code, self.stdout, self.stderr
        );
        self
    }

    /// The refusal has this code and names all of these.
    #[track_caller]
    pub fn refused(self, code: i32, names: &[&str]) -> Self {
        let text = self.text();
        assert_eq!(self.code, code, "expected a refusal with {code}:\n{text}");
        for name in names {
            assert!(text.contains(name), "the message does not name `{name}`:\n{text}");
        }
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}):\n{}", self.stdout))
    }
}

pub struct World {
    pub root: PathBuf,
    pub project: PathBuf,
    pub sandbox: Value,
}

impl World {
    /// Starts a sandbox with nothing in it.
    pub fn start(name: &str) -> Self {
        let root = programs::target_directory().unwrap().join(format!("vm-{name}"));
        let mut world = Self { project: root.join("project"), root, sandbox: Value::Null };
        if world.root.exists() {
            let _ = world.run(Program::Sandbox, &["reset", "--yes"]);
            fs_err::remove_dir_all(&world.root).unwrap();
        }
        fs_err::create_dir_all(&world.project).unwrap();
        let agent = programs::path(Program::Agent).unwrap();
        let (_, network) = NETWORKS.iter().find(|(world, _)| *world == name).unwrap();
        let free = ["--listen", "127.0.0.1:0", "--registry-port", "0"];
        let own = ["--public-net", network, "--agent", agent.to_str().unwrap()];
        world.run(Program::Sandbox, &[&["start"], &free[..], &own].concat()).ok("sandbox start");
        world.sandbox = world.run(Program::Sandbox, &["status", "--json"]).ok("sandbox status").json();
        world
    }

    /// The sandbox that a failed run left running.
    pub fn found(name: &str) -> Self {
        let root = programs::target_directory().unwrap().join(format!("vm-{name}"));
        let mut world = Self { project: root.join("project"), root, sandbox: Value::Null };
        world.sandbox = world.run(Program::Sandbox, &["status", "--json"]).ok("sandbox status").json();
        world
    }

    pub fn say(&self, text: &str) {
        eprintln!("[{:>7}] {text}", since_the_start());
    }

    fn command(&self, program: Program) -> Command {
        let mut command = Command::new(programs::path(program).unwrap());
        command
            .current_dir(&self.project)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("HOME", std::env::var("HOME").unwrap_or_default())
            .env("TIDEGATE_SANDBOX_DIR", self.root.join("sandbox"))
            .env("TIDEGATE_STATE_DIR", self.root.join("state"))
            .env("TIDEGATE_CA_PASSPHRASE", PASSPHRASE)
            .stdin(Stdio::null());
        if let Some(cache) = std::env::var_os("TIDEGATE_CACHE_DIR") {
            command.env("TIDEGATE_CACHE_DIR", cache);
        }
        if let Some(url) = self.sandbox["api_url"].as_str() {
            command.env("DIGITALOCEAN_API_URL", url).env("DIGITALOCEAN_TOKEN", self.token());
        }
        command
    }

    pub fn token(&self) -> &str {
        self.sandbox["tokens"]["full"].as_str().unwrap_or_default()
    }

    pub fn run(&self, program: Program, arguments: &[&str]) -> Said {
        self.finish(self.command(program).args(arguments), None)
    }

    pub fn tidegate(&self, arguments: &[&str]) -> Said {
        self.run(Program::Controller, arguments)
    }

    /// With a changed environment: a value of `None` takes the variable away.
    pub fn tidegate_with(&self, environment: &[(&str, Option<&str>)], arguments: &[&str]) -> Said {
        let mut command = self.command(Program::Controller);
        for (name, value) in environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        self.finish(command.args(arguments), None)
    }

    pub fn tidegate_stdin(&self, arguments: &[&str], stdin: &[u8]) -> Said {
        self.finish(self.command(Program::Controller).args(arguments), Some(stdin))
    }

    /// Starts the controller and leaves it running.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(Program::Controller)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn finish(&self, command: &mut Command, stdin: Option<&[u8]>) -> Said {
        let begun = Instant::now();
        let mut child = command
            .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if let Some(bytes) = stdin {
            use std::io::Write as _;
            child.stdin.take().unwrap().write_all(bytes).unwrap();
        }
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        Said {
            code: status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            took: begun.elapsed(),
        }
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.project.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.project.join(path)).unwrap()
    }

    /// `init` of a fleet of one droplet with an app of the same name.
    pub fn init(&self, fleet: &str, more: &[&str]) {
        let agent = |key: &str| self.sandbox[key].as_str().unwrap().to_owned();
        let (url, sha256) = (agent("agent_url"), agent("agent_sha256"));
        let mut arguments = vec!["init", "--fleet", fleet, "--app", fleet, "--region", "fra1"];
        arguments.extend([
            "--size",
            "s-2vcpu-2gb",
            "--image",
            "debian-13-x64",
            "--admin-address",
            "anywhere",
        ]);
        arguments.extend(["--agent-url", &url, "--agent-sha256", &sha256]);
        arguments.extend(more);
        self.tidegate(&arguments).ok("init");
    }

    /// On the only droplet itself; what the command said.
    pub fn on_host(&self, command: &[&str]) -> String {
        self.try_on_host(command).ok(&format!("{command:?} on the droplet")).stdout
    }

    fn try_on_host(&self, command: &[&str]) -> Said {
        self.tidegate(&[&["exec", "--host", "--"], command].concat())
    }

    /// Names the droplet's present boot.
    pub fn boot(&self) -> String {
        self.on_host(&BOOT)
    }

    /// Waits until the droplet has booted after this boot, and its agent answers.
    pub fn boots_after(&self, boot: &str, limit: Duration) {
        eventually("another boot", limit, || {
            let said = self.try_on_host(&BOOT);
            if said.code == 0 && said.stdout != boot { Ok(()) } else { Err(said.text()) }
        });
    }

    /// Copies the example product into the project.
    pub fn take_example(&self) {
        copy(&repository().join("deployment/example"), &self.project);
    }

    pub fn stop(self) {
        self.run(Program::Sandbox, &["reset", "--yes"]).ok("sandbox reset");
        fs_err::remove_dir_all(&self.root).unwrap();
    }
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs_err::copy(entry.path(), target).unwrap();
        }
    }
}

/// Asks until the answer is there; panics with the last word when the time is over.
#[track_caller]
pub fn eventually<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(last) => assert!(begun.elapsed() < limit, "{what}: not within {limit:?}; last: {last}"),
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// A plain HTTP/1.1 exchange with a droplet's ingress; the answer's status and body.
pub fn http(
    address: &str,
    method: &str,
    host: &str,
    path: &str,
    body: &str,
) -> Result<(u16, String), String> {
    use std::{io::Write as _, net::TcpStream};
    let mut stream = TcpStream::connect((address, 80)).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(|error| error.to_string())?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream.take(4 << 20).read_to_end(&mut answer).map_err(|error| error.to_string())?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or("no status line")?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    Ok((status, body))
}

fn since_the_start() -> String {
    use std::sync::OnceLock;
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    format!("{:.1} s", BEGUN.get_or_init(Instant::now).elapsed().as_secs_f64())
}
