//! `deploy` to three droplets together: real agents on addresses of this machine, which reach each other there too.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use prost::Message as _;
use secrecy::ExposeSecret as _;
use tidegate::{
    authority::Authority,
    names::{IntentId, Scope},
    state::{DropletRecord, Inventory, StateDir},
};
use tidegate_proto::{
    certificates::{CertificateRequest, PrivateKey, RootBundle, certificates_from_pem},
    names::DropletId,
};
use tidegate_tests::{
    docker::{Docker, Image},
    programs::{self, Program},
};

use crate::world::{Said, World};

/// When the agents enrolled; their certificates hold for two years.
fn now() -> jiff::Timestamp {
    tidegate::clock::Clock::system().now()
}

/// A droplet's agent as another process.
struct Site {
    _docker: Docker,
    directory: tempfile::TempDir,
    process: Child,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The fleet `shop` with three droplets.
struct Three {
    world: World,
    sites: Vec<Site>,
}

fn scope() -> Scope {
    Scope { fleet: "shop".parse().unwrap(), environment: "production".parse().unwrap() }
}

impl Three {
    async fn start(app: &str) -> Self {
        let world = World::new().await;
        fs_err::write(world.project().join("compose.yaml"), compose("v1")).unwrap();
        let file = world.project().join("tidegate.toml");
        let text = fs_err::read_to_string(&file).unwrap();
        let text = text.split("[app.").next().unwrap().replace("firewall = [", "count = 3\nfirewall = [");
        fs_err::write(file, format!("{text}[app.shop]\ncompose = \"compose.yaml\"\n{app}\n")).unwrap();
        let state = StateDir::new(&world.state(), &scope());
        let mut inventory = Inventory::default();
        let mut sites = Vec::new();
        let network = u8::try_from(std::process::id() % 200).unwrap() + 20;
        for number in 1..=3_u8 {
            let address = std::net::Ipv4Addr::new(127, 3, network, number);
            sites.push(site(&state, (u64::from(number), address)).await);
            let mut record = DropletRecord::wanted(IntentId::from_random([number; 12]), now());
            record.id = Some(number.into());
            record.address = Some(address);
            record.private_address = Some(address);
            record.enrolled = true;
            inventory.droplets.insert(format!("shop-production-web-{number}"), record);
        }
        inventory.save(&state).unwrap();
        Self { world, sites }
    }

    fn deploy(&self, version: &str) -> Said {
        fs_err::write(self.world.project().join("compose.yaml"), compose(version)).unwrap();
        self.world.run(&["deploy"])
    }

    fn state_of(&self, number: usize) -> PathBuf {
        self.sites[number - 1].directory.path().to_owned()
    }
}

fn compose(version: &str) -> String {
    format!(
        "x-tidegate: {{ watch: 1s }}\nservices:\n  web:\n    image: probe:1\n    init: true\n    command: [sh, -c, \"exec sleep 1000\"]\n    \
         environment: {{ VERSION: {version} }}\n    x-tidegate: {{ place: all, gate: {{ stable: 500ms, timeout: 30s }} }}\n"
    )
}

/// Where the state of an agent is on a droplet. Project directories are below it, so controller and agent have to agree on it.
const STATE_DIR: &str = "/var/lib/tidegate";
/// Puts the folder of the first argument there, for the program of the others alone.
const AS_ON_A_DROPLET: &str = "mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/tidegate && \
    mount --bind \"$1\" /var/lib/tidegate && shift && exec \"$@\"";

/// An enrolled agent that listens.
async fn site(state: &StateDir, (id, address): (u64, std::net::Ipv4Addr)) -> Site {
    let docker = Docker::start().await.unwrap();
    docker.load(Image::Probe).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for folder in ["etc", "state/pki", "run"] {
        fs_err::create_dir_all(path(folder)).unwrap();
    }
    enrol(state, id, (&path("state/pki"), &path("etc/ca.pem")));
    fs_err::write(path("serial"), id.to_string()).unwrap();
    let config = format!(
        "fleet = 'shop'\nenvironment = 'production'\nlisten = '{address}:7443'\n[docker]\nsocket = '{}'\n\
         logins = '{}'\n[droplet]\ndmi_serial = '{}'\nmetadata = '127.0.0.1:1'\n",
        docker.socket().display(),
        path("docker.json").display(),
        path("serial").display()
    );
    fs_err::write(path("etc/agent.toml"), config).unwrap();
    let log = fs_err::File::create(path("log")).unwrap();
    let process = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", AS_ON_A_DROPLET, "sh"])
        .arg(path("state"))
        .arg(programs::path(Program::Agent).unwrap())
        .arg("serve")
        .arg("--config")
        .arg(path("etc/agent.toml"))
        .args(["--state-dir", STATE_DIR, "--runtime-dir"])
        .arg(path("run"))
        .stdout(Stdio::null())
        .stderr(log.into_parts().0)
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect((address, 7443)).is_err() {
        assert!(Instant::now() < until, "{}", fs_err::read_to_string(path("log")).unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Site { _docker: docker, directory, process }
}

/// What the enrolment leaves on a droplet.
fn enrol(state: &StateDir, id: u64, (pki, ca): (&Path, &Path)) {
    let authority = Authority::load(state, &scope()).unwrap();
    let key = PrivateKey::generate().unwrap();
    let request = CertificateRequest::new(&key).unwrap();
    let chain = authority.sign_agent(&request, DropletId::new(id).unwrap(), now()).unwrap();
    let root = fs_err::read_to_string(state.fleet_dir().join("root.pem")).unwrap();
    let roots = RootBundle::new(1, certificates_from_pem(&root).unwrap()).unwrap();
    let identity = format!("{}{}", key.to_pem().expose_secret(), chain.to_pem());
    fs_err::write(pki.join("identity.pem"), identity).unwrap();
    fs_err::write(pki.join("roots.pb"), roots.to_proto().encode_to_vec()).unwrap();
    let record = serde_json::json!({
        "version": 1, "droplet_id": id, "serial": id, "enrolment_id": "test", "enrolled_at": now().to_string(),
        "token": "00"
    });
    fs_err::write(pki.join("enrolment.json"), record.to_string()).unwrap();
    fs_err::write(ca, root).unwrap();
}

/// How often a droplet's line tells that a step ended well.
fn steps(said: &str, droplet: &str, step: &str) -> usize {
    let ended = |line: &&str| {
        let rest = line.strip_prefix(droplet).and_then(|rest| rest.trim_start().strip_prefix("✓ "));
        rest.and_then(|rest| rest.strip_prefix(step)).is_some_and(|rest| rest.starts_with(' '))
    };
    said.lines().filter(ended).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_droplets_are_released_or_none_and_nobody_needs_the_terminal() {
    let three = Three::start("rollout = \"together\"").await;
    let said = three.deploy("v1");
    assert_eq!(said.code, 0, "{}", said.err);
    for droplet in ["web-1", "web-2", "web-3"] {
        for step in ["prepare", "create", "gate web", "agree", "watch", "finish", "commit"] {
            assert_eq!(steps(&said.err, droplet, step), 1, "{droplet} {step}: {}", said.err);
        }
        assert!(said.err.contains(&format!("Released r1 on {droplet} in ")), "{}", said.err);
    }

    // One refuses: the others are called off, and nothing is changed.
    fs_err::write(three.state_of(3).join("etc/policy.toml"), "nonsense").unwrap();
    let said = three.deploy("v2");
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.err.contains("web-3 does not begin"), "{}", said.err);
    assert!(said.err.contains("the droplet's policy cannot be read"), "{}", said.err);
    fs_err::remove_file(three.state_of(3).join("etc/policy.toml")).unwrap();
    let status = three.world.run(&["status", "--json"]);
    assert_eq!(status.out.matches("\"state\":\"released\"").count(), 3, "{}", status.out);
    assert_eq!(status.out.matches("\"release\":1,").count(), 3, "{}", status.out);

    // The controller is killed: the agents go on without it.
    fs_err::write(three.world.project().join("compose.yaml"), compose("v3")).unwrap();
    let mut child =
        three.world.command(&["deploy"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let begun = stderr.lines().map(Result::unwrap).filter(|line| line.contains("prepare")).take(3).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(begun, 3, "all releases have begun");
    let said = three.world.run(&["deploy", "--attach", "--json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(said.out.matches("\"state\":\"released\"").count(), 3, "{}", said.out);

    let said = three.world.run(&["rollback"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(steps(&said.err, "web-1", "finish"), 1, "{}", said.err);
    let said = three.world.run(&["resolve", "shop", "--droplet", "web-2", "--keep"]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.err.contains("no release of shop is in doubt on this droplet"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_droplets_at_a_time_and_the_rest_stays_when_one_fails() {
    let three = Three::start("max_unavailable = 2").await;
    let said = three.deploy("v1");
    assert_eq!(said.code, 0, "{}", said.err);
    // Those that are under way at once have their names in front.
    assert_eq!(steps(&said.err, "web-2", "gate web"), 1, "{}", said.err);
    assert_eq!(steps(&said.err, "web-2", "agree"), 0, "{}", said.err);
    fs_err::write(three.state_of(1).join("etc/policy.toml"), "nonsense").unwrap();
    let said = three.deploy("v2");
    assert_eq!(said.code, 2, "{}", said.err);
    let status = three.world.run(&["status", "--json"]);
    // The second was under way with the first, the third was not touched.
    assert_eq!(status.out.matches("\"release\":2,").count(), 1, "{}", status.out);
}
