//! Images with official names: what the example and the ingress rely on.

use tidegate_tests::docker::Image;

use super::World;

/// As the example runs a database: no capability, nothing writable but its volume.
const HARDENED: [&str; 8] = [
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--read-only",
    "--tmpfs=/tmp",
    "--user=999:999",
    "--restart=no",
    "--memory=512m",
    "--pids-limit=100",
];

#[tokio::test]
async fn postgres_makes_its_cluster_once_and_keeps_it() {
    let world = World::with(&[Image::Postgres]).await;
    let mut run = vec!["run", "-d", "--name=db", "--volume=data:/var/lib/postgresql/data"];
    run.extend(HARDENED);
    run.extend(["--tmpfs=/run/postgresql:uid=999,gid=999,mode=3775"]);
    run.extend([
        "--env=POSTGRES_USER=shop",
        "--env=POSTGRES_DB=orders",
        "--env=POSTGRES_PASSWORD=it's \"odd\"",
    ]);
    run.extend(["postgres:17", "-c", "max_connections=17"]);
    world.docker(&run);
    world.eventually("db", &["pg_isready", "--host=127.0.0.1", "--username=shop", "--dbname=orders"]);

    let psql = |sql: &str| world.docker(&["exec", "db", "psql", "-U", "shop", "-d", "orders", "-Atc", sql]);
    assert_eq!(psql("SHOW max_connections").trim(), "17");
    assert_eq!(psql("SHOW server_encoding").trim(), "UTF8");
    psql("CREATE TABLE kept AS SELECT 42 AS answer");

    let address = world.address("db");
    let by_network = |password: &str| {
        let password = format!("--env=PGPASSWORD={password}");
        world.run(&[
            "exec", &password, "db", "psql", "-h", &address, "-U", "shop", "-d", "orders", "-Atc", "SELECT 1",
        ])
    };
    assert!(by_network("it's \"odd\"").status.success());
    assert!(!by_network("wrong").status.success(), "a wrong password got in");
    let environment = world.docker(&["exec", "db", "sh", "-c", "tr '\\0' '\\n' </proc/1/environ"]);
    assert!(!environment.contains("odd"), "the server still has the password in its environment");

    world.docker(&["stop", "db"]);
    let log = world.docker(&["logs", "db"]);
    assert!(log.contains("received fast shutdown request"), "not stopped by SIGINT:\n{log}");
    assert!(log.contains("database system is shut down"), "{log}");
    world.docker(&["start", "db"]);
    world.eventually("db", &["pg_isready", "--host=127.0.0.1"]);
    assert_eq!(psql("SELECT answer FROM kept").trim(), "42");
    assert_eq!(world.docker(&["logs", "db"]).matches("the cluster is made").count(), 1);
}

#[tokio::test]
async fn postgres_takes_the_password_from_a_file_and_runs_scripts_once() {
    let world = World::with(&[Image::Postgres]).await;
    let script = "printf secret > /run/pw; chmod 644 /run/pw; \
        echo 'CREATE TABLE first AS SELECT 1 AS n;' > /docker-entrypoint-initdb.d/10.sql; \
        echo 'psql -U \"$POSTGRES_USER\" -d \"$POSTGRES_DB\" -c \"INSERT INTO first VALUES (2)\"' \
        > /docker-entrypoint-initdb.d/20.sh; exec docker-entrypoint.sh postgres";
    world.docker(&[
        "run",
        "-d",
        "--name=db",
        "--env=POSTGRES_PASSWORD_FILE=/run/pw",
        "--entrypoint=sh",
        "postgres:17",
        "-c",
        script,
    ]);
    world.eventually("db", &["pg_isready", "--host=127.0.0.1"]);
    let rows = world.docker(&["exec", "db", "psql", "-U", "postgres", "-Atc", "SELECT sum(n) FROM first"]);
    assert_eq!(rows.trim(), "3");
    assert_eq!(world.docker(&["exec", "db", "stat", "-c", "%U", "/proc/1"]).trim(), "postgres");
}

#[tokio::test]
async fn postgres_without_a_password_says_what_to_set() {
    let world = World::with(&[Image::Postgres]).await;
    let output = world.run(&["run", "--name=db", "postgres:17"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"), "{said}");
}

#[tokio::test]
async fn redis_reads_its_file_and_saves_when_it_is_stopped() {
    let world = World::with(&[Image::Redis]).await;
    let settings = world.docker.scratch().join("redis.conf");
    fs_err::write(&settings, "dir /data\nmaxmemory 20mb\nsave 300 1\n").unwrap();
    let mounted = format!("--volume={}:/etc/redis.conf:ro", settings.display());
    let mut run = vec!["run", "-d", "--name=redis", "--volume=kept:/data", mounted.as_str()];
    run.extend(HARDENED);
    run.extend(["redis:8", "redis-server", "/etc/redis.conf"]);
    world.docker(&run);
    world.eventually("redis", &["redis-cli", "ping"]);
    assert!(world.docker(&["exec", "redis", "redis-cli", "config", "get", "maxmemory"]).contains("20971520"));
    world.docker(&["exec", "redis", "redis-cli", "set", "answer", "42"]);
    world.docker(&["restart", "redis"]);
    world.eventually("redis", &["redis-cli", "ping"]);
    assert_eq!(world.docker(&["exec", "redis", "redis-cli", "get", "answer"]).trim(), "42");
}

#[tokio::test]
async fn redis_gives_up_root_and_answers_other_containers() {
    let world = World::with(&[Image::Redis]).await;
    world.docker(&["run", "-d", "--name=redis", "redis:8"]);
    world.eventually("redis", &["redis-cli", "ping"]);
    assert_eq!(world.docker(&["exec", "redis", "stat", "-c", "%U", "/proc/1", "/data"]), "redis\nredis\n");
    let address = world.address("redis");
    assert_eq!(world.docker(&["run", "--rm", "redis:8", "redis-cli", "-h", &address, "ping"]).trim(), "PONG");
}

#[tokio::test]
async fn caddy_serves_what_its_json_says() {
    let world = World::with(&[Image::Caddy]).await;
    let settings = world.docker.scratch().join("caddy.json");
    let routes = r#"{ "handle": [{ "handler": "static_response", "body": "served" }] }"#;
    let server = format!(r#"{{ "listen": [":80"], "routes": [{routes}] }}"#);
    fs_err::write(
        &settings,
        format!(r#"{{ "apps": {{ "http": {{ "servers": {{ "one": {server} }} }} }} }}"#),
    )
    .unwrap();
    let mounted = format!("--volume={}:/etc/caddy/caddy.json:ro", settings.display());
    world.docker(&[
        "run",
        "-d",
        "--name=caddy",
        "--read-only",
        "--tmpfs=/data",
        "--tmpfs=/config",
        &mounted,
        "caddy:2",
        "caddy",
        "run",
        "--config",
        "/etc/caddy/caddy.json",
    ]);
    assert_eq!(world.eventually("caddy", &["wget", "-qO-", "http://127.0.0.1/"]), "served");
}
