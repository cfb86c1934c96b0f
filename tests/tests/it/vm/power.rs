//! A droplet that loses its power in mid release: afterwards exactly one release is there, whole, and the next one works. Its
//! timer makes a backup every minute meanwhile.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{
    account, backups, units,
    world::{World, eventually, http},
};

/// How long a droplet may take from the loss of its power until the app serves again.
const BACK: Duration = Duration::from_mins(5);
const CONTAINERS: &str =
    "docker ps --all --format '{{.Label \"com.docker.compose.service\"}} {{.State}}' | sort";
const KEPT: &str = "docker network ls --format 'network {{.Name}}' | sort; docker volume ls --format 'volume {{.Name}}' | sort";

/// One loss, ten in a long run. Their moments are spread over the time that a release takes; TIDEGATE_POWER_SEED moves them.
#[test]
fn a_release_survives_the_loss_of_power() {
    let losses = if std::env::var_os("TIDEGATE_LONG").is_some() { 10 } else { 1 };
    let tide = Tide::start();
    tide.loses_power_when_it_is_up();
    backups::punctual(&tide.world);
    tide.write(1);
    tide.world.tidegate(&["deploy"]).ok("the first deploy");
    tide.write(2);
    let lasts = tide.world.tidegate(&["deploy"]).ok("the second deploy").took;
    units::is_active(&tide.world);
    let kept = tide.on_host(KEPT);
    let share = seed();
    tide.world.say(&format!("TIDEGATE_POWER_SEED={share}; a release lasts {lasts:.0?}"));
    let mut served = 2;
    for loss in 0..losses {
        let moment = lasts.mul_f64((f64::from(loss) + f64::from(share) / 1000.0) / f64::from(losses));
        served = tide.loses_power(served, 3 + loss, moment);
        assert_eq!(tide.on_host(KEPT), kept, "networks and volumes");
    }
    let last = served + 1;
    let made = backups::newer_than(&tide.world, None);
    tide.world.say(&format!("the timer made the backup {made}"));
    let (at, due) = (backups::schedule_in(&tide.world, 150), Instant::now() + Duration::from_secs(155));
    tide.write_with(last, &at);
    tide.world.tidegate(&["deploy"]).ok("the deploy after the loss of power");
    tide.serves_whole(last, last);
    units::loses_the_poller(&tide.world);
    tide.sleeps_through(due);
    units::all_came_back(&tide.world);
    units::stops_and_starts(&tide.world);
    backups::come_back(&tide.world);
    tide.world.tidegate(&["down", "--yes"]).ok("down");
    tide.world.stop();
}

/// Thousandths of the time between two losses.
fn seed() -> u32 {
    let given = std::env::var("TIDEGATE_POWER_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_millis())
}

/// The fleet `tide`: one droplet and a small app.
struct Tide {
    world: World,
    address: String,
    id: serde_json::Value,
}

impl Tide {
    fn start() -> Self {
        let world = World::start("power");
        world.write("compose.yaml", include_str!("power.yaml"));
        world.write(".env.production", "");
        world.init("tide", &["--env-file", ".env.production"]);
        world.tidegate(&["up", "--yes"]).ok("up");
        let address = account::addresses(&world).into_values().next().unwrap();
        let id = account::droplets(&world)[0]["id"].clone();
        Self { world, address, id }
    }

    fn write(&self, version: u32) {
        self.write_with(version, backups::EVERY_MINUTE);
    }

    fn write_with(&self, version: u32, backup_at: &str) {
        self.world.write(".env.production", &format!("VERSION={version}\nBACKUP_AT={backup_at}\n"));
    }

    /// The droplet is off when its backup is due, and makes it when it is on again.
    fn sleeps_through(&self, due: Instant) {
        let before = backups::newest_by_timer(&self.world).unwrap();
        account::act(&self.world, &self.id, "power_off");
        assert!(Instant::now() < due, "the droplet was still on when its backup was due");
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        account::act(&self.world, &self.id, "power_on");
        backups::newer_than(&self.world, before.as_deref());
        self.world.say("the backup that the droplet slept through was made up for");
    }

    fn on_host(&self, script: &str) -> String {
        self.world.on_host(&["sh", "-c", script])
    }

    /// `up` is at its end, the power goes: what was installed and enrolled a moment ago is there afterwards.
    fn loses_power_when_it_is_up(&self) {
        let boot = self.world.boot();
        account::act(&self.world, &self.id, "power_cycle");
        let begun = Instant::now();
        self.world.boots_after(&boot, BACK);
        self.world.say(&format!("power lost after up: the agent is back after {:.0?}", begun.elapsed()));
    }

    /// The power goes at this moment of the release of `version`, and comes back; the version that serves then.
    fn loses_power(&self, before: u32, version: u32, moment: Duration) -> u32 {
        self.write(version);
        let boot = self.world.boot();
        let mut deploy = self.world.spawn(&["deploy"]);
        std::thread::sleep(moment);
        account::act(&self.world, &self.id, "power_cycle");
        let begun = Instant::now();
        // Whoever waits on a workstation would wait on: the connection is silent from now on.
        deploy.kill().ok();
        deploy.wait().unwrap();
        self.world.boots_after(&boot, BACK);
        let release = eventually("the release ended", BACK.saturating_sub(begun.elapsed()), || {
            let status = self.world.tidegate(&["status", "--json"]);
            if status.code != 0 {
                return Err(status.text());
            }
            let app = status.json()[0]["apps"][0].clone();
            match app["release"]["release"].as_u64() {
                Some(release) if app["running_release"].is_null() => Ok(release),
                _ => Err(app.to_string()),
            }
        });
        let served = eventually("the app answers", BACK.saturating_sub(begun.elapsed()), || {
            match http(&self.address, "GET", "any.test", "/", "")? {
                (200, page) => page.trim().parse::<u32>().map_err(|error| error.to_string()),
                other => Err(format!("{other:?}")),
            }
        });
        self.world.say(&format!(
            "power lost {moment:.1?} into the release of {version}: {served} (r{release}) serves after {:.0?}",
            begun.elapsed()
        ));
        assert!([before, version].contains(&served), "{served} serves, after {before} and before {version}");
        self.serves_whole(served, version);
        served
    }

    /// All of the app is of this version; the database has its revision, and none above `most`.
    fn serves_whole(&self, version: u32, most: u32) {
        let page = http(&self.address, "GET", "any.test", "/", "");
        assert_eq!(page, Ok((200, format!("{version}\n"))));
        assert_eq!(self.on_host(CONTAINERS), " running\ndb running\npoller running\nweb running\n");
        let poller =
            self.world.tidegate(&["exec", "poller", "--", "sh", "-c", "echo $VERSION"]).ok("the poller");
        assert_eq!(poller.stdout.trim(), version.to_string(), "the poller's version");
        let query =
            ["exec", "db", "--", "psql", "-U", "postgres", "-At", "-c", "SELECT number FROM revision"];
        let rows = self.world.tidegate(&query).ok("the database").stdout;
        let revisions: Vec<u32> = rows.lines().map(|row| row.parse().unwrap()).collect();
        assert!(revisions.contains(&version) && revisions.iter().all(|one| *one <= most), "{revisions:?}");
    }
}
