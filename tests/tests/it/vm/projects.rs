//! Ten projects on the droplet's Docker, beside the docker compose that Debian has for it: what tidegate deployed it leaves
//! alone, and what it made needs no release.

use std::fmt::Write as _;

use super::shop::Shop;

/// A project begins at a line `== NAME`; `IMAGE` is an image that the droplet has.
const PROJECTS: &str = include_str!("projects.txt");
/// Where the agent keeps the one directory of each app.
const APPS: &str = "/var/lib/tidegate/apps";

pub fn both_tools_see_ten_projects(shop: &Shop) {
    let world = &shop.world;
    let fleet = world.read("tidegate.toml");
    let registry = world.sandbox["registry_from_droplet"].as_str().unwrap();
    let projects: Vec<(&str, &str)> =
        PROJECTS.split("== ").skip(1).map(|project| project.split_once('\n').unwrap()).collect();
    assert_eq!(projects.len(), 10);
    let (droplets, _) = fleet.split_once("[app.shop]").unwrap();
    let mut apps = droplets.to_owned();
    world.write("token.txt", "not much of a secret\n");
    for (name, text) in &projects {
        let gate = "    x-tidegate: { gate: { stable: 1s } }\n";
        let image = format!("    image: {registry}/shop/web:dev\n{gate}");
        world.write(&format!("{name}.yaml"), &text.replace("    image: IMAGE\n", &image));
        writeln!(apps, "[app.{name}]\ncompose = [\"{name}.yaml\"]\ndroplets = \"web\"").unwrap();
    }
    world.write("tidegate.toml", &apps);

    for (name, _) in &projects {
        let said = world.tidegate(&["deploy", "--app", name]).ok(&format!("deploy of {name}"));
        world.say(&format!("{name} in {:.0?}", said.took));
    }
    for (name, _) in &projects {
        let before = containers(shop, name);
        compose(shop, name, "up --detach --quiet-pull");
        assert_eq!(containers(shop, name), before, "docker compose changed {name}");
        compose(shop, name, "down --timeout 1");
        compose(shop, name, "up --detach --quiet-pull");
        let plan = world.tidegate(&["deploy", "--app", name, "--dry-run", "--json"]).ok("a dry run").json();
        let changes = plan[0]["changes"].as_array().unwrap();
        assert!(!changes.is_empty() && changes.iter().all(|one| one["kind"] == "keep"), "{name}: {plan}");
        world.tidegate(&["remove", "--app", name, "--volumes", "--yes"]).ok(&format!("removal of {name}"));
    }
    world.write("tidegate.toml", &fleet);
    let left = shop.on_host(&["docker", "ps", "-a", "--format", "{{.Names}}"]);
    assert_eq!(left.lines().count(), 5, "four services and the ingress, but: {left}");
}

/// Ids and times of start.
fn containers(shop: &Shop, project: &str) -> String {
    let script = format!(
        "docker inspect --format '{{{{.Id}}}} {{{{.State.StartedAt}}}}' $(docker ps -aq --filter label=com.docker.compose.project={project}) | sort"
    );
    let found = shop.on_host(&["sh", "-c", &script]);
    assert!(!found.is_empty(), "{project} has no container");
    found
}

fn compose(shop: &Shop, project: &str, command: &str) {
    let script = format!(
        "docker compose --project-name {project} --project-directory {APPS}/{project} --file {APPS}/{project}/{project}.yaml {command} 2>&1"
    );
    shop.on_host(&["sh", "-c", &script]);
}
