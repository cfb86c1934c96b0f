//! A system bus of the test's own, a real one, on which somebody stands where systemd's services would and says what the test
//! wants them to say: how far the clock is off, and which units failed. The questions and the answers are real ones.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use tempfile::TempDir;
use zbus::{Connection, Message, MessageStream, OwnedObjectPath, Structure, Variant};

const CONFIGURATION: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;
const SYSTEMD: &str = "org.freedesktop.systemd1";
const CLOCK: [&str; 2] = ["org.freedesktop.timedate1", "org.freedesktop.timesync1"];
/// A systemd for one user's units, with a bus of its own. It does not start on a machine that was not booted with systemd; where
/// this one was not, it sees another `/run/systemd` than everybody else.
const MANAGER: &str = r#"
if ! test -d /run/systemd/system; then
  mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && mkdir /run/systemd/system || exit 1
fi
exec /lib/systemd/systemd --user --unit=basic.target
"#;
const PATIENCE: Duration = Duration::from_secs(20);

/// What is said there.
#[derive(Clone, Debug)]
pub struct Says {
    pub is_synchronised: bool,
    /// How far the clock was behind when a time server was asked, in microseconds.
    pub behind: u64,
    pub failed_units: Vec<String>,
}

/// A bus. It ends with the test.
pub struct Bus {
    daemon: Child,
    directory: TempDir,
    says: Arc<Mutex<Says>>,
}

const SAYS: Says = Says { is_synchronised: true, behind: 3000, failed_units: Vec::new() };

impl Bus {
    /// None where there is no `dbus-daemon`; that is said.
    pub async fn start() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("bus.conf");
        let socket = socket(directory.path());
        fs_err::write(&file, CONFIGURATION.replace("SOCKET", &socket)).unwrap();
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", file.display())).args(["--nofork", "--nopidfile"]);
        let daemon = match command.stdin(Stdio::null()).spawn() {
            Ok(daemon) => daemon,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                println!("skipped: there is no dbus-daemon; `script/setup packages` installs it");
                return None;
            }
            Err(error) => panic!("dbus-daemon: {error}"),
        };
        let bus = Self { daemon, directory, says: Arc::new(Mutex::new(SAYS)) };
        let began = bus.has_begun().await;
        assert!(began, "dbus-daemon does not start");
        bus.stand_in(&[&[SYSTEMD], CLOCK.as_slice()].concat()).await;
        Some(bus)
    }

    /// One with a real systemd, whose units are the test's. None where there is none, which is said. Needs root.
    pub async fn with_systemd() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let daemon = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", MANAGER])
            .envs(environment(directory.path()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bus = Self { daemon, directory, says: Arc::new(Mutex::new(SAYS)) };
        if !bus.has_begun().await || !bus.systemd(&["systemctl", "--user", "list-units"]) {
            println!(
                "skipped: systemd --user does not start here with a bus of its own (package dbus-user-session)"
            );
            return None;
        }
        bus.stand_in(&CLOCK).await;
        Some(bus)
    }

    /// Runs a command of systemd's for its units; whether it succeeded.
    pub fn systemd(&self, command: &[&str]) -> bool {
        let (program, arguments) = command.split_first().unwrap();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(environment(self.directory.path()))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.stdin(Stdio::null()).status().unwrap().success()
    }

    async fn has_begun(&self) -> bool {
        let begun = Instant::now();
        while !Path::new(&socket(self.directory.path())).exists() {
            if begun.elapsed() > PATIENCE {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Stands where these would.
    async fn stand_in(&self, names: &[&'static str]) {
        let mut builder = zbus::connection::Builder::address(self.address().as_str());
        for name in names {
            builder = builder.name(*name);
        }
        let connection = builder.build().await.unwrap();
        tokio::spawn(serve(connection, self.says.clone()));
    }

    pub fn address(&self) -> String {
        format!("unix:path={}", socket(self.directory.path()))
    }

    pub fn says(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.says.lock().unwrap());
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // A systemd ends its units first.
        let pid = i32::try_from(self.daemon.id()).ok().and_then(rustix::process::Pid::from_raw);
        pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
        let begun = Instant::now();
        while matches!(self.daemon.try_wait(), Ok(None)) && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.daemon.kill().ok();
        self.daemon.wait().ok();
    }
}

/// Nothing of the user's own.
fn environment(directory: &Path) -> [(&'static str, String); 4] {
    let own = directory.display().to_string();
    let bus = format!("unix:path={}", socket(directory));
    [
        ("XDG_RUNTIME_DIR", own.clone()),
        ("HOME", own.clone()),
        ("XDG_CONFIG_HOME", own),
        ("DBUS_SESSION_BUS_ADDRESS", bus),
    ]
}

fn socket(directory: &Path) -> String {
    directory.join("bus").display().to_string()
}

async fn serve(connection: Connection, says: Arc<Mutex<Says>>) {
    let mut calls = MessageStream::from(&connection);
    while let Some(Ok(call)) = calls.next().await {
        if call.message_type() == zbus::message::Type::MethodCall {
            let says = says.lock().unwrap().clone();
            answer(&connection, &call, &says).await;
        }
    }
}

async fn answer(connection: &Connection, call: &Message, says: &Says) {
    let header = call.header();
    match header.member().map(|member| member.as_str().to_owned()).as_deref() {
        Some("ListUnitsFiltered") => {
            let path = |name: &str| OwnedObjectPath::try_from(name.to_owned()).unwrap();
            let unit = |name: &String| {
                let word = |word: &str| word.to_owned();
                let texts =
                    (name.clone(), name.clone(), word("loaded"), word("failed"), word("failed"), word(""));
                (
                    texts.0,
                    texts.1,
                    texts.2,
                    texts.3,
                    texts.4,
                    texts.5,
                    path("/unit"),
                    0_u32,
                    word(""),
                    path("/"),
                )
            };
            let units: Vec<_> = says.failed_units.iter().map(unit).collect();
            connection.reply(&header, &units).await.unwrap();
        }
        Some("Get") => {
            let (_, property): (String, String) = call.body().deserialize().unwrap();
            let value = match property.as_str() {
                "NTPSynchronized" => Variant::from(says.is_synchronised),
                "NTPMessage" => Variant::from(ntp_message(says.behind)),
                other => panic!("nobody is to ask for {other}"),
            };
            connection.reply(&header, &value).await.unwrap();
        }
        other => panic!("nobody is to call {other:?}"),
    }
}

/// A time server's answer, 10 ms away, to a clock that is so far behind.
fn ntp_message(behind: u64) -> Structure<'static> {
    let asked = 1_795_000_000_000_000_u64;
    let received = asked + 10_000 + behind;
    let sent = received + 100;
    let answered = asked + 20_100;
    let first = (0_u32, 4_u32, 4_u32, 2_u32, -23_i32, 0_u64, 0_u64, vec![1_u8, 2, 3, 4]);
    Structure::from((
        first.0, first.1, first.2, first.3, first.4, first.5, first.6, first.7, asked, received, sent,
        answered, false, 7_u64, 0_u64,
    ))
}
