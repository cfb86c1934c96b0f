//! The example product, with the limits and the hardening of its production file.

use serde_json::Value;
use tidegate_tests::docker::Image;

use super::World;

const DATABASE: &str = "--env=DATABASE_URL=postgresql://shop:secret@db:5432/shop";
const REDIS: &str = "--env=REDIS_URL=redis://redis:6379/0";
/// What web and worker have in common.
const APP: [&str; 7] = [
    "--network=shop",
    "--cap-drop=ALL",
    "--read-only",
    "--tmpfs=/tmp:mode=1777,size=16m",
    "--memory=256m",
    DATABASE,
    REDIS,
];

struct Shop {
    world: World,
}

impl Shop {
    async fn open() -> Self {
        let world = World::with(&[Image::Postgres, Image::Redis, Image::ShopWeb]).await;
        world.docker(&["network", "create", "shop"]);
        world.docker(&[
            "run",
            "-d",
            "--name=db",
            "--network=shop",
            "--env=POSTGRES_USER=shop",
            "--env=POSTGRES_PASSWORD=secret",
            "postgres:17",
        ]);
        world.docker(&["run", "-d", "--name=redis", "--network=shop", "redis:8"]);
        world.eventually("db", &["pg_isready", "--host=127.0.0.1", "--username=shop"]);
        let shop = Self { world };
        shop.app("migrate", &["--rm"], &["alembic", "upgrade", "head"]);
        shop.app("web", &["-d"], &[]);
        shop.app("worker", &["-d"], &["python3", "-m", "shop.worker"]);
        shop.world.eventually("web", &["healthcheck", "web"]);
        shop.world.eventually("worker", &["healthcheck", "worker"]);
        shop
    }

    fn app(&self, name: &str, options: &[&str], command: &[&str]) {
        let name = format!("--name={name}");
        self.world.docker(&[&["run", &name], options, &APP, &["shop/web:dev"], command].concat());
    }

    /// Status and JSON of a request to web.
    fn ask(&self, path: &str, body: Option<&str>) -> (u16, Value) {
        let url = format!("http://{}:8000{path}", self.world.address("web"));
        let mut command = self.world.docker.command("curl");
        command.args(["--silent", "--max-time", "20", "--write-out", "\n%{http_code}", &url]);
        if let Some(body) = body {
            command.args(["--data", body]);
        }
        let answer = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let (text, status) = answer.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(text).unwrap_or(Value::Null))
    }

    fn order(&self, item: &str) -> i64 {
        let (status, order) =
            self.ask("/api/orders", Some(&format!(r#"{{"item": "{item}", "quantity": 2}}"#)));
        assert_eq!(status, 201, "{order}");
        order["id"].as_i64().unwrap()
    }

    fn becomes_packed(&self, id: i64) {
        let begun = std::time::Instant::now();
        while self.ask(&format!("/api/orders/{id}"), None).1["status"] != "packed" {
            assert!(begun.elapsed().as_secs() < 60, "order {id} was not packed within a minute");
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    }
}

#[tokio::test]
async fn an_order_is_written_packed_and_read() {
    let shop = Shop::open().await;
    let id = shop.order("salt");
    shop.becomes_packed(id);
    let (status, list) = shop.ask("/api/orders", None);
    assert_eq!((status, &list["orders"][0]["item"]), (200, &Value::from("salt")));

    for wrong in [
        "{",
        "[]",
        r#"{"item": ""}"#,
        r#"{"item": "a", "quantity": 0}"#,
        r#"{"item": "a", "quantity": true}"#,
    ] {
        let (status, answer) = shop.ask("/api/orders", Some(wrong));
        assert_eq!(status, 400, "{wrong}: {answer}");
        assert!(answer["error"].is_string(), "{wrong}: {answer}");
    }
    assert_eq!(shop.ask("/api/orders/9999999999999999999", None).0, 404);
    assert_eq!(shop.ask("/api/orders", None).1["orders"].as_array().unwrap().len(), 1);
    let revision = shop.world.docker(&["exec", "web", "alembic", "current"]);
    assert!(revision.contains("(head)"), "{revision}");
    shop.world.docker(&["exec", "web", "alembic", "upgrade", "head"]);
}

#[tokio::test]
async fn health_tells_which_part_is_down_and_recovers() {
    let shop = Shop::open().await;
    let (status, report) = shop.ask("/health", None);
    assert_eq!(status, 200, "{report}");
    for key in ["status", "uptime", "timestamp", "database", "redis"] {
        assert!(!report[key].is_null(), "no {key}: {report}");
    }

    for (container, key) in [("redis", "redis"), ("db", "database")] {
        shop.world.docker(&["stop", container]);
        let (status, report) = shop.ask("/health", None);
        assert_eq!(status, 503, "{container} is down: {report}");
        assert_eq!(report["status"], "unhealthy");
        assert!(report[key].as_str().unwrap().starts_with("unreachable"), "{report}");
        let healthcheck = shop.world.run(&["exec", "web", "healthcheck", "web"]);
        assert_eq!(healthcheck.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&healthcheck.stdout).contains("503"));
        shop.world.docker(&["start", container]);
        shop.world.eventually("web", &["healthcheck", "web"]);
    }
}

#[tokio::test]
async fn an_order_that_the_queue_lost_is_packed_all_the_same() {
    let shop = Shop::open().await;
    shop.world.docker(&["stop", "redis"]);
    let id = shop.order("driftwood");
    shop.world.docker(&["start", "redis"]);
    shop.becomes_packed(id);
}

#[tokio::test]
async fn both_end_in_order_when_they_are_asked_to() {
    let shop = Shop::open().await;
    for (container, last_words) in [("worker", "ended"), ("web", "Shutting down")] {
        shop.world.docker(&["stop", "--time", "25", container]);
        let code = shop.world.docker(&["inspect", "--format", "{{.State.ExitCode}}", container]);
        assert_eq!(code.trim(), "0", "{container}");
        let log = shop.world.docker(&["logs", container]);
        assert!(log.contains(last_words), "{container}:\n{log}");
    }
}
