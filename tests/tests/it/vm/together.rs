//! Three droplets that release together: real machines, which ask each other over their VPC.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::Child,
    time::Duration,
};

use super::{
    account,
    world::{World, eventually, http},
};

/// Three emulated machines share this one's processors: a health check that starts a process may take most of a minute.
const COMPOSE: &str = r#"x-tidegate: { watch: 5s, drain: 1s }
services:
  web:
    image: probe:1
    init: true
    command: [sh, -c, "mkdir -p /tmp/www && echo ${VERSION} >/tmp/www/index.html && exec httpd -f -p 8000 -h /tmp/www"]
    healthcheck: { test: "test ! -e /flags/sick-${VERSION}", interval: 15s, timeout: 90s, retries: 2 }
    volumes: ["flags:/flags:ro"]
    x-tidegate:
      place: all
      ingress: { port: 8000 }
      gate: { stable: 2s, timeout: 5m }
volumes:
  flags: {}
"#;

struct Trio {
    world: World,
    addresses: BTreeMap<String, String>,
}

/// All serve the first release; one that is sick on a single droplet switches nowhere; one whose controller is killed ends in
/// one release everywhere; and the next one works.
#[test]
#[ignore = "long: three emulated machines; script/test --layer vm --long"]
fn three_droplets_serve_one_release() {
    let trio = Trio::start();
    trio.deploy("v1").ok("the first deploy");
    trio.all_serve(&["v1"]);

    trio.sick("v2");
    let failed = trio.deploy("v2");
    trio.world.say(&format!("sick on one of three:\n{}", failed.text()));
    assert_eq!(failed.code, 1, "{}", failed.text());
    trio.all_serve(&["v1"]);

    trio.write("v3");
    let mut killed = trio.world.spawn(&["deploy"]);
    trio.world.say(&format!("the controller is killed after {}", first_step(&mut killed)));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let served = trio.all_serve(&["v1", "v3"]);
    trio.world.say(&format!("the controller was killed; all serve {served}"));

    let last = trio.deploy("v4").ok("the last deploy");
    trio.world.say(&last.text());
    trio.all_serve(&["v4"]);
    trio.world.tidegate(&["down", "--yes"]).ok("down");
    trio.world.stop();
}

/// Waits until a deploy tells its first step; which that is.
fn first_step(deploy: &mut Child) -> String {
    let lines = BufReader::new(deploy.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut seen = lines.skip_while(|line| !line.contains('✓'));
    seen.next().unwrap()
}

impl Trio {
    fn start() -> Self {
        let world = World::start("together");
        world.write("compose.yaml", COMPOSE);
        world.write(".env.production", "");
        world.init("trio", &["--env-file", ".env.production"]);
        let fleet = world.read("tidegate.toml");
        let three = fleet.replacen("firewall = [", "count = 3\nfirewall = [", 1);
        world.write(
            "tidegate.toml",
            &three.replacen("[app.trio]\n", "[app.trio]\nrollout = \"together\"\n", 1),
        );
        let said = world.tidegate(&["up", "--yes"]).ok("up");
        world.say(&format!("up in {:.0?}\n{}", said.took, said.text()));
        let addresses = account::addresses(&world);
        assert_eq!(addresses.len(), 3, "{addresses:?}");
        Self { world, addresses }
    }

    fn write(&self, version: &str) {
        self.world.write(".env.production", &format!("VERSION={version}\n"));
    }

    fn deploy(&self, version: &str) -> super::world::Said {
        self.write(version);
        self.world.tidegate(&["deploy"])
    }

    /// Makes a version unhealthy on one droplet.
    fn sick(&self, version: &str) {
        let flag = format!("touch /var/lib/docker/volumes/trio_flags/_data/sick-{version}");
        let second = ["exec", "--host", "--droplet", "web-2", "--", "sh", "-c", &flag];
        self.world.tidegate(&second).ok("a flag on a droplet");
    }

    /// No release is under way, and all serve the same one of these; which.
    fn all_serve(&self, versions: &[&str]) -> String {
        eventually("all serve one release", Duration::from_mins(4), || {
            let status = self.world.tidegate(&["status", "--json"]).ok("status").json();
            let droplets = status.as_array().unwrap();
            if droplets.iter().any(|one| !one["apps"][0]["running_release"].is_null()) {
                return Err(status.to_string());
            }
            let mut pages = BTreeMap::new();
            for (name, address) in &self.addresses {
                pages.insert(http(address, "GET", "any.test", "/", "")?, name);
            }
            match pages.keys().next() {
                Some((200, page)) if pages.len() == 1 && versions.contains(&page.trim()) => {
                    Ok(page.trim().to_owned())
                }
                _ => Err(format!("{pages:?}")),
            }
        })
    }
}
