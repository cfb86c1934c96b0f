//! Bad input: a clear error, the right exit code, nothing changed.

use super::{
    account::{droplets, list},
    shop::Shop,
};

/// Everything that can be wrong before a droplet is made.
pub fn before_anything_is_made(shop: &mut Shop) {
    let world = &shop.world;
    let token = ["DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN"];
    world.tidegate_with(&[(token[0], None)], &["plan"]).refused(2, &["token", "DIGITALOCEAN_TOKEN"]);
    world.tidegate_with(&[(token[0], Some("dop_v1_wrong"))], &["plan"]).refused(1, &["token"]);
    let read_only = world.sandbox["tokens"]["read_only"].as_str().unwrap().to_owned();
    world.tidegate_with(&[(token[0], Some(&read_only))], &["up", "--yes"]).refused(1, &["not authorized"]);
    let dead = [("DIGITALOCEAN_API_URL", Some("http://127.0.0.1:9"))];
    world.tidegate_with(&dead, &["plan"]).refused(1, &["127.0.0.1:9"]);
    let plain = [("DIGITALOCEAN_API_URL", Some("http://198.51.100.1"))];
    world.tidegate_with(&plain, &["plan"]).refused(2, &["https"]);

    let file = world.read("tidegate.toml");
    for (from, to, names) in [
        ("fra1", "fra9", ["fra9", "fra1"]),
        ("s-2vcpu-2gb", "s-2vcpu-3gb", ["s-2vcpu-3gb", "s-2vcpu-2gb"]),
        ("debian-13-x64", "debian-31-x64", ["debian-31-x64", "debian-13-x64"]),
        ("region", "regoin", ["regoin", "region"]),
    ] {
        world.write("tidegate.toml", &file.replacen(from, to, 1));
        world.tidegate(&["up", "--yes"]).refused(2, &names);
    }
    world.write("tidegate.toml", &format!("{file}\n[droplet.web]\nsize = 1\n"));
    world.tidegate(&["plan"]).refused(2, &["tidegate.toml:"]);
    world.write("tidegate.toml", &file);
    for kind in ["droplets", "account/keys", "firewalls"] {
        assert_eq!(list(&shop.world, kind).len(), 0, "{kind} were made by refused commands");
    }
}

/// Apps that are refused on an empty droplet.
pub fn of_apps(shop: &Shop) {
    let world = &shop.world;
    let (compose, fleet) = (world.read("compose.yaml"), world.read("tidegate.toml"));
    let refused = |text: &str, code: i32, names: &[&str]| {
        world.write("compose.yaml", text);
        world.tidegate(&["deploy"]).refused(code, names);
    };
    refused("services: [", 2, &["compose.yaml:1"]);
    refused(
        &compose.replacen("healthcheck:", "heathcheck:", 1),
        2,
        &["heathcheck", "healthcheck", "compose.yaml:"],
    );
    refused(&compose.replace("${TAG:-dev}", "${NOT_SET:?say which}"), 2, &["NOT_SET", "say which"]);
    refused(&compose.replace("kind: compatible, ", ""), 2, &["kind", "compatible"]);
    let privileged = compose.replacen("    healthcheck:", "    privileged: true\n    healthcheck:", 1);
    refused(&privileged, 2, &["privileged", "web"]);
    let socket = compose.replacen(
        "    healthcheck:",
        "    volumes: [\"/var/run/docker.sock:/var/run/docker.sock\"]\n    healthcheck:",
        1,
    );
    refused(&socket, 2, &["docker.sock"]);
    world.write("compose.yaml", &compose);
    world.write("tidegate.toml", &fleet.replace("compose.yaml", "compse.yaml"));
    world.tidegate(&["deploy"]).refused(2, &["compse.yaml"]);
    world.write("tidegate.toml", &fleet);
    assert_eq!(shop.on_host(&["docker", "ps", "-aq"]).trim(), "", "refused apps left containers");
}

/// Releases that fail beside one that serves.
pub fn of_releases(shop: &Shop) {
    let world = &shop.world;
    let compose = world.read("compose.yaml");
    let (before, containers) = (shop.served_release(), shop.on_host(&["docker", "ps", "-q", "--no-trunc"]));
    let fails = |what: &str, text: &str, names: &[&str]| {
        world.write("compose.yaml", text);
        let said = world.tidegate(&["deploy"]);
        assert!([1, 2].contains(&said.code), "{what}: exit {}\n{}", said.code, said.text());
        for name in names {
            assert!(said.text().contains(name), "{what} does not name `{name}`:\n{}", said.text());
        }
        assert_eq!(shop.get("/health").unwrap().0, 200, "{what}");
        assert_eq!(shop.served_release(), before, "{what}");
    };
    fails("a missing image", &compose.replace("/shop/web:", "/shop/webb:"), &["shop/webb"]);
    fails("a failing migration", &compose.replace("upgrade, head", "upgrade, nowhere"), &["nowhere"]);
    let sick = compose.replacen("test: [CMD, healthcheck, web]", "test: [CMD, \"false\"]", 1).replacen(
        "start_period: 60s",
        "start_period: 1s",
        1,
    );
    fails("a service that never gets healthy", &sick, &["web", "gate"]);
    let port = compose.replacen("  worker:\n", "  worker:\n    ports: [\"22:22\"]\n", 1);
    fails("a host port that is taken", &port, &["22"]);
    world.write("compose.yaml", &compose);
    assert_eq!(
        shop.on_host(&["docker", "ps", "-q", "--no-trunc"]),
        containers,
        "a failed release left something"
    );
    assert_eq!(droplets(&shop.world).len(), 1);
}
