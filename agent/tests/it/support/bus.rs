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
const NAMES: [&str; 3] =
    ["org.freedesktop.systemd1", "org.freedesktop.timedate1", "org.freedesktop.timesync1"];
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
        let says = Says { is_synchronised: true, behind: 3000, failed_units: Vec::new() };
        let bus = Self { daemon, directory, says: Arc::new(Mutex::new(says)) };
        let begun = Instant::now();
        while !Path::new(&socket).exists() {
            assert!(begun.elapsed() < PATIENCE, "dbus-daemon does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut builder = zbus::connection::Builder::address(bus.address().as_str());
        for name in NAMES {
            builder = builder.name(name);
        }
        let connection = builder.build().await.unwrap();
        tokio::spawn(serve(connection, bus.says.clone()));
        Some(bus)
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
        self.daemon.kill().ok();
        self.daemon.wait().ok();
    }
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
