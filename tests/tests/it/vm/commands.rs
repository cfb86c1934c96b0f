//! What a user does with a running droplet.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    shop::{HOST, Shop},
    world::{eventually, http},
};

pub fn the_droplet_is_a_machine(shop: &Shop) {
    let kernel = shop.on_host(&["uname", "-r"]);
    let own = fs_err::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_ne!(kernel.trim(), own.trim(), "the droplet shares this machine's kernel");
    assert!(shop.on_host(&["systemctl", "is-active", "tidegate-agent"]).contains("active"));
    assert!(shop.on_host(&["stat", "-f", "-c", "%T", "/sys/fs/cgroup"]).contains("cgroup2fs"));
    assert!(shop.on_host(&["docker", "info", "--format", "{{.CgroupVersion}}"]).trim() == "2");
    // Exit codes come through, a command that is not there and a death by signal included.
    shop.world.tidegate(&["exec", "--host", "--", "sh", "-c", "exit 7"]).refused(7, &[]);
    shop.world.tidegate(&["exec", "--host", "--", "no-such-command"]).refused(127, &["no-such-command"]);
    shop.world.tidegate(&["exec", "--host", "--", "sh", "-c", "kill -TERM $$"]).refused(143, &[]);
    let echoed = shop.world.tidegate_stdin(&["exec", "--host", "--", "tr", "a-z", "A-Z"], b"over and back\n");
    assert_eq!(echoed.ok("stdin on the droplet").stdout, "OVER AND BACK\n");
    commands_follow_each_other(shop);
}

/// After a command a unit waits for the next, which is not told from one in a unit of its own.
fn commands_follow_each_other(shop: &Shop) {
    const SCRIPT: &str = "env | grep -E '^(HOME|LOGNAME|PATH|SHELL|USER)=' | sort; pwd; id -un; id -Gn; umask; ulimit -n; \
                          cat /proc/self/cgroup | sed 's/exec-.*/exec/'; grep -E '^Sig(Blk|Ign)' /proc/self/status";
    // A user has a unit of its own.
    let first = shop
        .world
        .tidegate(&["exec", "--host", "--user", "root", "--", "sh", "-c", SCRIPT])
        .ok("by a user")
        .stdout;
    eventually("a unit waits", Duration::from_secs(30), || {
        let units = shop.world.tidegate(&[
            "exec",
            "--host",
            "--user",
            "root",
            "--",
            "systemctl",
            "list-units",
            "tidegate-exec-*",
        ]);
        if units.stdout.contains("Ready for a command") { Ok(()) } else { Err(units.text()) }
    });
    assert_eq!(shop.on_host(&["sh", "-c", SCRIPT]), first);
}

pub fn a_row_is_written_and_read(shop: &Shop) {
    let order = shop.order("a first lamp");
    let id = order["id"].as_i64().unwrap();
    let (status, body) = shop.get(&format!("/api/orders/{id}")).unwrap();
    assert_eq!((status, body.contains("a first lamp")), (200, true), "{body}");
    let (status, page) = shop.get("/").unwrap();
    assert_eq!((status, page.contains("<html")), (200, true));
    let (status, _) = http(&shop.address, "GET", "nobody.example.com", "/", "").unwrap();
    assert_ne!(status, 200, "a host that no app has was answered");
}

pub fn everything_a_user_runs(shop: &Shop) {
    let world = &shop.world;
    // Docker asks for the first time when an interval is over; the gate has asked before.
    let services = eventually("all are healthy", Duration::from_mins(2), || {
        let status = shop.status();
        let containers = status["apps"][0]["containers"].as_array().unwrap();
        if containers.iter().any(|c| c["health"] != "healthy") {
            return Err(status.to_string());
        }
        let mut services: Vec<String> =
            containers.iter().map(|c| c["service"].as_str().unwrap().to_owned()).collect();
        services.sort_unstable();
        Ok(services)
    });
    assert_eq!(services, ["db", "redis", "web", "worker"]);
    let current = world.tidegate(&["exec", "web", "--", "alembic", "current"]).ok("alembic current");
    assert!(current.stdout.contains("(head)"), "{}", current.stdout);
    world.tidegate(&["exec", "web", "--", "sh", "-c", "exit 9"]).refused(9, &[]);
    world.tidegate(&["exec", "web", "--", "no-such-command"]).refused(127, &[]);
    world.tidegate(&["exec", "web", "--", "sh", "-c", "kill -KILL $$"]).refused(137, &[]);
    let through = world.tidegate_stdin(&["exec", "web", "--", "cat"], b"stdin\n").ok("exec cat");
    assert_eq!(through.stdout, "stdin\n");
    world.tidegate(&["exec", "nobody", "--", "true"]).refused(2, &["nobody", "web"]);
    let once = world.tidegate(&["run", "web", "--", "python3", "-c", "print(6*7)"]).ok("run");
    assert_eq!(once.stdout.trim(), "42");
    let logs = world.tidegate(&["logs", "web", "--tail", "5"]).ok("logs");
    assert!(logs.stdout.lines().count() >= 1 && logs.stdout.contains("shop-web-"), "{}", logs.stdout);
    let since = world.tidegate(&["logs", "--since", "2m", "--json", "worker"]).ok("logs --json");
    for line in since.stdout.lines() {
        assert_eq!(serde_json::from_str::<serde_json::Value>(line).unwrap()["service"], "worker");
    }
    let audit = world.tidegate(&["audit", "log"]).ok("audit log");
    for action in ["enrol", "deploy", "exec"] {
        assert!(audit.stdout.contains(action), "no {action} in\n{}", audit.stdout);
    }
    let info = world.tidegate(&["info", "--json"]).ok("info").stdout;
    assert!(info.contains("shop-production-web-1"), "{info}");
    assert!(!world.tidegate(&["info"]).ok("info").stdout.is_empty());
}

/// On, seen by a visitor and in the status, on again, off.
pub fn maintenance_shows_a_page(shop: &Shop) {
    let world = &shop.world;
    world.tidegate(&["maintenance", "on", "shpo"]).refused(2, &["no app `shpo`", "did you mean `shop`?"]);
    let dry = world.tidegate(&["maintenance", "on", "shop", "--dry-run"]).ok("maintenance --dry-run");
    assert!(
        dry.stdout.contains("would be on") && dry.stdout.contains("Nothing was changed"),
        "{}",
        dry.stdout
    );
    assert_eq!(shop.get("/health").unwrap().0, 200);
    let on = world.tidegate(&["maintenance", "on", "shop", "--json"]).ok("maintenance on").json();
    assert_eq!((&on[0]["maintenance"], &on[0]["changed"]), (&"on".into(), &true.into()), "{on}");
    let (status, page) = shop.get("/health").unwrap();
    assert!(status == 503 && page.contains("Back soon"), "{status} {page}");
    assert_eq!(shop.status()["apps"][0]["maintenance"], true);
    let again = world.tidegate(&["maintenance", "on"]).ok("maintenance on");
    assert!(again.stdout.contains("is on already"), "{}", again.stdout);
    world.tidegate(&["maintenance", "off", "shop"]).ok("maintenance off");
    assert_eq!(shop.get("/health").unwrap().0, 200);
}

pub fn docker_compose_knows_the_project(shop: &Shop) {
    let list = shop.on_host(&["docker", "compose", "ls"]);
    assert!(list.contains("shop") && list.contains("running(4)"), "{list}");
    let project =
        ["docker", "compose", "--project-name", "shop", "ps", "--format", "{{.Service}} {{.State}}"];
    let containers = shop.on_host(&project);
    for service in ["web", "worker", "db", "redis"] {
        assert!(containers.contains(&format!("{service} running")), "{containers}");
    }
}

/// A changed value of web's environment is a new container; nobody may notice.
pub fn a_second_release_loses_no_request(shop: &mut Shop) {
    let before = shop.served_release();
    change(shop, "second");
    let stop = Arc::new(AtomicBool::new(false));
    let (address, told) = (shop.address.clone(), stop.clone());
    let load = std::thread::spawn(move || {
        let (mut requests, mut failed) = (0_u32, Vec::new());
        while !told.load(Ordering::Relaxed) {
            requests += 1;
            match http(&address, "GET", HOST, "/health", "") {
                Ok((200, _)) => {}
                other => failed.push(format!("{other:?}")),
            }
            std::thread::sleep(Duration::from_millis(150));
        }
        (requests, failed)
    });
    let said = shop.world.tidegate(&["deploy"]).ok("second deploy");
    stop.store(true, Ordering::Relaxed);
    let (requests, failed) = load.join().unwrap();
    shop.world.say(&format!(
        "second release in {:.0?}, {requests} requests meanwhile\n{}",
        said.took,
        said.text()
    ));
    assert!(failed.is_empty(), "{} of {requests} failed: {:?}", failed.len(), failed.first());
    assert!(requests > 10);
    assert_eq!(shop.served_release(), before + 1);
    let (_, health) = shop.get("/health").unwrap();
    assert!(health.contains("second"), "{health}");
}

/// Makes the next deploy a release with another version of web and worker.
pub fn change(shop: &Shop, version: &str) {
    let compose = shop.world.read("compose.yaml");
    let from =
        compose.lines().find(|line| line.trim_start().starts_with("SHOP_VERSION:")).unwrap().to_owned();
    shop.world.write("compose.yaml", &compose.replace(&from, &format!("      SHOP_VERSION: {version}")));
}
