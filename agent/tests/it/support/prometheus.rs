//! A real Prometheus, with its configuration as `deployment/monitoring` has it, and the dashboards beside it.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

const VARIABLE: &str = "TIDEGATE_PROMETHEUS";
const MONITORING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deployment/monitoring");
const PATIENCE: Duration = Duration::from_secs(30);

/// A file of `deployment/monitoring`.
pub fn monitoring(path: &str) -> PathBuf {
    Path::new(MONITORING).join(path)
}

/// The programs.
pub struct Programs {
    prometheus: OsString,
}

impl Programs {
    /// None where they are not named; that is said.
    pub fn named() -> Option<Self> {
        let named = std::env::var_os(VARIABLE).map(|prometheus| Self { prometheus });
        if named.is_none() {
            println!(
                "skipped: {VARIABLE} does not name the program `prometheus`; `script/setup metrics` fetches it"
            );
        }
        named
    }

    /// Runs the tool that stands beside it, with this on its standard input.
    pub fn promtool(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut child = Command::new(Path::new(&self.prometheus).with_file_name("promtool"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

/// A Prometheus that collects from one agent, once a second. It ends with the test.
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Prometheus {
    pub fn start(programs: &Programs, agent: SocketAddr) -> Self {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        let read = |name: &str| fs_err::read_to_string(monitoring(name)).unwrap();
        let quick = read("prometheus.yml")
            .replace("scrape_interval: 30s", "scrape_interval: 1s")
            .replace("scrape_timeout: 10s", "scrape_timeout: 1s")
            .replace("evaluation_interval: 30s", "evaluation_interval: 1s");
        assert!(!quick.contains("30s"), "{quick}");
        fs_err::write(path("prometheus.yml"), quick).unwrap();
        fs_err::write(path("rules.yml"), read("rules.yml")).unwrap();
        let droplets = read("droplets.yml").replace("127.0.0.1:9477", &agent.to_string());
        fs_err::write(path("droplets.yml"), droplets).unwrap();
        // Nobody else asks for this one in the moment between.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let log = fs_err::File::create(path("log")).unwrap().into_parts().0;
        let child = Command::new(&programs.prometheus)
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, address, directory }
    }

    /// What an expression comes to now: one value for each series.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let answer = self.get(&format!("/api/v1/query?query={}", encoded(expression)))?;
        let answer: Value = serde_json::from_str(&answer).map_err(|error| format!("{error}: {answer}"))?;
        match answer["data"]["result"].as_array() {
            Some(result) => Ok(result.clone()),
            None => Err(answer.to_string()),
        }
    }

    /// Waits until it is so.
    pub fn until(&self, expression: &str) {
        let begun = Instant::now();
        loop {
            let answer = self.query(expression);
            if answer.as_ref().is_ok_and(|result| !result.is_empty()) {
                return;
            }
            let log = || fs_err::read_to_string(self.directory.path().join("log")).unwrap();
            assert!(begun.elapsed() < PATIENCE, "{expression}: {answer:?}\n{}", log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn get(&self, path: &str) -> Result<String, String> {
        let exchange = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            // An answer to HTTP/1.0 comes in one piece.
            write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = exchange().map_err(|error| error.to_string())?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        body.ok_or(answer)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn encoded(text: &str) -> String {
    let percent = |byte: u8| ['%'].into_iter().chain(format!("{byte:02X}").chars().collect::<Vec<_>>());
    text.bytes().flat_map(percent).collect()
}

/// An expression of a dashboard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    pub dashboard: String,
    pub panel: String,
    pub expression: String,
}

/// All expressions of a dashboard, as they are with everything chosen.
pub fn asked(dashboard: &str) -> BTreeSet<Asked> {
    let read = fs_err::read_to_string(monitoring(&format!("grafana/dashboards/{dashboard}.json"))).unwrap();
    let read: Value = serde_json::from_str(&read).unwrap();
    let asked = |panel: &str, expression: &str| Asked {
        dashboard: dashboard.to_owned(),
        panel: panel.to_owned(),
        expression: expression.replace("$instance", ".*").replace("$app", ".*"),
    };
    let mut found = BTreeSet::new();
    for panel in read["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            found.insert(asked(panel["title"].as_str().unwrap(), target["expr"].as_str().unwrap()));
        }
    }
    for variable in read["templating"]["list"].as_array().unwrap() {
        let query = variable["query"]["query"].as_str().unwrap();
        // label_values(SERIES, LABEL)
        let inner = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
        let (series, label) = inner.rsplit_once(", ").unwrap();
        found.insert(asked(variable["name"].as_str().unwrap(), &format!("count by ({label}) ({series})")));
    }
    found
}

/// Asks everything that the dashboards ask; what has no answer has to be among these, each with the reason why.
pub fn all_answer(prometheus: &Prometheus, dashboards: &[&str], empty: &[(&str, &str)]) {
    let mut asked_for = BTreeSet::new();
    let mut wrong = Vec::new();
    for asked in dashboards.iter().flat_map(|dashboard| asked(dashboard)) {
        let answer = prometheus.query(&asked.expression);
        let is_empty = empty.iter().any(|(part, _)| asked.expression.contains(part));
        asked_for.insert(asked.expression.clone());
        match answer {
            Ok(result) if result.is_empty() == is_empty => {}
            other => wrong.push(format!("{asked:?}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (part, why) in empty {
        assert!(asked_for.iter().any(|asked| asked.contains(part)), "nobody asks for {part} ({why})");
    }
    println!("{} expressions were answered, {} had nothing to tell", asked_for.len(), empty.len());
}
