//! Droplets as real machines. They need QEMU and root (ports below 1024 of their own loopback addresses); the machine image
//! is built when it is missing.

use std::{
    net::Ipv4Addr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::running::{Api, Sandbox};

/// A cold boot takes half a minute on a quiet machine without KVM, and minutes on a busy one.
const BOOT: Duration = Duration::from_mins(5);

/// A service on port 80: tells about the machine, keeps a file, and asks a neighbour.
const USER_DATA: &str = r"#cloud-config
write_files:
- path: /opt/probe.py
  content: |
    import http.server, json, os, socket, subprocess, urllib.request
    def text(path):
        return open(path).read().strip() if os.path.exists(path) else None
    class Probe(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            out = lambda *command: subprocess.run(command, capture_output=True, text=True).stdout.strip()
            if self.path == '/boot':
                docker = socket.socket(socket.AF_UNIX)
                docker.settimeout(20)
                docker.connect('/run/docker.sock')
                docker.sendall(b'GET /_ping HTTP/1.0\r\n\r\n')
                answer = {'boot': text('/proc/sys/kernel/random/boot_id'), 'docker': '200 OK' in docker.recv(64).decode()}
            elif self.path.startswith('/neighbour/'):
                answer = json.load(urllib.request.urlopen('http://%s/' % self.path.split('/')[2], timeout=20))
            else:
                answer = {
                    'hostname': out('hostname'), 'boot': text('/proc/sys/kernel/random/boot_id'), 'kept': text('/root/kept'),
                    'first_boots': text('/root/first_boots'), 'docker': out('docker', 'info', '-f', '{{.ServerVersion}}'),
                    'compose': out('docker', 'compose', 'ls', '--format', 'json'), 'addresses': out('hostname', '-I').split(),
                    'registry': out('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', 'http://10.0.2.100:5000/v2/'),
                    'agent': out('sh', '-c', 'curl -sf http://10.0.2.100:8080/tidegate-agent | sha256sum | cut -c1-64'),
                    'metadata': out('curl', '-s', 'http://169.254.169.254/metadata/v1/id'),
                    'disk_gib': os.statvfs('/').f_blocks * os.statvfs('/').f_frsize / 2**30,
                }
            self.answer(answer)
        def do_POST(self):
            with open('/root/kept', 'wb') as kept:
                kept.write(self.rfile.read(int(self.headers['content-length'])))
                os.fsync(kept.fileno())
            os.sync()
            self.answer('kept')
        def answer(self, value):
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header('content-length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)
    http.server.ThreadingHTTPServer(('', 80), Probe).serve_forever()
- path: /etc/systemd/system/probe.service
  content: |
    [Service]
    ExecStart=/usr/bin/python3 /opt/probe.py
    [Install]
    WantedBy=multi-user.target
runcmd:
- echo once >> /root/first_boots
- systemctl enable --now probe.service
";

fn can_boot() -> bool {
    let qemu = Command::new("qemu-system-x86_64").arg("--version").output().is_ok();
    let low_ports = std::net::TcpListener::bind("127.0.15.1:80").is_ok();
    if !qemu || !low_ports {
        println!("skipped: needs qemu-system-x86_64 (script/setup-sandbox installs it) and root");
    }
    qemu && low_ports
}

/// Reads the ssh banner: a connection alone says nothing, for QEMU accepts it before the guest listens.
async fn ssh_answers(address: Ipv4Addr) -> bool {
    let banner = async {
        let mut stream = TcpStream::connect((address, 22)).await.ok()?;
        let mut start = [0; 4];
        stream.read_exact(&mut start).await.ok()?;
        stream.shutdown().await.ok();
        Some(start == *b"SSH-")
    };
    timeout(Duration::from_secs(5), banner).await.ok().flatten().unwrap_or(false)
}

async fn until_ssh(address: Ipv4Addr) {
    let until = Instant::now() + BOOT;
    while !ssh_answers(address).await {
        assert!(Instant::now() < until, "ssh at {address} does not answer");
        sleep(Duration::from_millis(250)).await;
    }
}

/// What the probe of a droplet tells, if it answers.
async fn probe(address: Ipv4Addr, path: &str) -> Option<Value> {
    let client = reqwest::Client::builder().timeout(Duration::from_mins(1)).build().unwrap();
    let answer = client.get(format!("http://{address}{path}")).send().await.ok()?;
    answer.json().await.ok()
}

/// Waits for the probe of another boot than `before`, with Docker up.
async fn until_up(address: Ipv4Addr, before: Option<&Value>) -> Value {
    let until = Instant::now() + BOOT;
    loop {
        if let Some(up) = probe(address, "/boot").await
            && Some(&up["boot"]) != before
            && up["docker"] == true
        {
            return probe(address, "/").await.unwrap();
        }
        assert!(Instant::now() < until, "the droplet at {address} does not come up");
        sleep(Duration::from_millis(500)).await;
    }
}

async fn keep(address: Ipv4Addr, text: &'static str) {
    let answer = reqwest::Client::new().post(format!("http://{address}/")).body(text).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap(), "kept");
}

fn machine(sandbox: &Sandbox, id: u64) -> Value {
    let status = sandbox.status();
    let droplets = status["droplets"].as_array().unwrap();
    droplets.iter().find(|droplet| droplet["droplet_id"] == id).cloned().unwrap_or(Value::Null)
}

fn kill_daemon(sandbox: &Sandbox) {
    let pid = sandbox.status()["pid"].to_string();
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    while Path::new("/proc").join(&pid).join("exe").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

struct Stopwatch(Instant);

impl Stopwatch {
    fn lap(&mut self, what: &str) {
        println!("{:6.1} s  {what}", self.0.elapsed().as_secs_f32());
        self.0 = Instant::now();
    }
}

#[tokio::test]
async fn the_life_of_a_droplet() {
    if !can_boot() {
        return;
    }
    let sandbox = Sandbox::new("qemu");
    let agent = sandbox.path().join("agent");
    fs_err::write(&agent, vec![7; 3_000_000]).unwrap();
    let mut watch = Stopwatch(Instant::now());
    sandbox.start(&["--agent", agent.to_str().unwrap()]);
    let api = sandbox.api();
    watch.lap("sandbox started");

    let (id, address) = api.create(&["web-1"], USER_DATA).await[0];
    until_ssh(address).await;
    watch.lap("created, ssh answers");
    let first = until_up(address, None).await;
    watch.lap("user data ran, Docker answers");
    as_in_a_cloud(&first, id, &sandbox.status());
    let pid = machine(&sandbox, id)["pid"].clone();

    // A daemon that is killed leaves the machine running; the next one has it again, with its metadata.
    kill_daemon(&sandbox);
    assert_eq!(machine(&sandbox, id)["machine"], "running");
    sandbox.start(&[]);
    let api = sandbox.api();
    assert_eq!(machine(&sandbox, id)["pid"], pid);
    let same = until_up(address, None).await;
    assert_eq!(same["boot"], first["boot"]);
    assert_eq!(same["metadata"], id.to_string());
    assert_eq!(same["registry"], "200");
    watch.lap("daemon killed and started again");

    keep(address, "through a reboot").await;
    api.act(id, "reboot").await;
    watch.lap("reboot action done");
    let second = until_up(address, Some(&first["boot"])).await;
    watch.lap("up again after the reboot");
    assert_eq!(second["kept"], "through a reboot");
    assert_eq!(second["first_boots"], "once", "cloud-init knows that it is the same droplet");
    assert_eq!(machine(&sandbox, id)["pid"], pid);

    keep(address, "through a power loss").await;
    api.act(id, "power_off").await;
    assert_eq!(machine(&sandbox, id)["machine"], "off");
    assert_eq!(api.get(&format!("/v2/droplets/{id}")).await.1["droplet"]["status"], "off");
    api.act(id, "power_on").await;
    watch.lap("powered off and on");
    let third = until_up(address, Some(&second["boot"])).await;
    watch.lap("up again after the power loss");
    assert_eq!(third["kept"], "through a power loss");

    // The sandbox stops and starts: the droplet sleeps and wakes.
    sandbox.ok(&["stop"]);
    watch.lap("sandbox stopped, droplet shut down");
    assert_eq!(machine(&sandbox, id)["machine"], "off");
    sandbox.start(&[]);
    let api = sandbox.api();
    assert_eq!(api.get(&format!("/v2/droplets/{id}")).await.1["droplet"]["status"], "active");
    until_ssh(address).await;
    watch.lap("sandbox started, droplet answers");

    let pid = machine(&sandbox, id)["pid"].to_string();
    api.delete(&format!("/v2/droplets/{id}")).await;
    gone(&api, &sandbox, id).await;
    assert!(!Path::new("/proc").join(&pid).join("exe").exists(), "QEMU still runs");
    watch.lap("deleted");
}

fn as_in_a_cloud(told: &Value, id: u64, status: &Value) {
    assert_eq!(told["hostname"], "web-1");
    assert_eq!(told["metadata"], id.to_string());
    assert_eq!(told["registry"], "200");
    assert_eq!(told["agent"], status["agent_sha256"]);
    assert_eq!(told["compose"], "[]");
    assert!(told["disk_gib"].as_f64().unwrap() > 20.0, "{told}");
}

async fn gone(api: &Api, sandbox: &Sandbox, id: u64) {
    let until = Instant::now() + Duration::from_mins(1);
    let dir = sandbox.state().join("machines").join(id.to_string());
    while api.get(&format!("/v2/droplets/{id}")).await.0 != 404 || dir.exists() {
        assert!(Instant::now() < until, "droplet {id} does not go away");
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn droplets_of_a_vpc_reach_each_other() {
    if !can_boot() {
        return;
    }
    let sandbox = Sandbox::new("qemu");
    sandbox.start(&[]);
    let api = sandbox.api();
    let vpc =
        api.post("/v2/vpcs", json!({"name": "net", "region": "fra1", "ip_range": "10.77.0.0/20"})).await;
    let vpc = vpc["vpc"]["id"].as_str().unwrap().to_owned();
    let begun = Instant::now();
    let droplets = api.create_in(&vpc, &["a", "b"], USER_DATA).await;
    let mut told = Vec::new();
    for (_, address) in &droplets {
        told.push(until_up(*address, None).await);
    }
    println!("{:6.1} s  two droplets up", begun.elapsed().as_secs_f32());
    let private = |of: &Value| {
        let addresses = of["addresses"].as_array().unwrap();
        addresses
            .iter()
            .filter_map(Value::as_str)
            .find(|address| address.starts_with("10.77."))
            .unwrap()
            .to_owned()
    };
    let (_, first) = droplets[0];
    for _daemon in 0..2 {
        let neighbour = probe(first, &format!("/neighbour/{}", private(&told[1]))).await.unwrap();
        assert_eq!(neighbour["hostname"], "b");
        kill_daemon(&sandbox);
        sandbox.start(&[]);
    }
}
