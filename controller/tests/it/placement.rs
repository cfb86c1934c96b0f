//! Services that may have to be alone, on a fleet of several droplets: told by `plan`, before there is a droplet.

use crate::world::World;

const APP: &str = "\n[app.shop]\ncompose = [\"compose.yaml\"]\ndroplets = \"web\"\n";

#[tokio::test]
async fn plan_refuses_a_poller_without_a_place_and_says_what_to_write() {
    let world = World::new().await;
    let compose = |place: &str| {
        let text = format!("services:\n  poller:\n    image: poller\n    x-tidegate: {{ {place} }}\n");
        fs_err::write(world.project().join("compose.yaml"), text).unwrap();
    };
    let file = world.project().join("tidegate.toml");
    let fleet = fs_err::read_to_string(&file).unwrap();
    let fleet = fleet.split("\n[app.").next().unwrap().to_owned() + APP;
    fs_err::write(&file, fleet).unwrap();
    compose("");
    assert_eq!(world.run(&["plan"]).code, 0, "one droplet is one place");

    world.edit("firewall = [\"public-web\"]", "firewall = [\"public-web\"]\ncount = 2");
    let said = world.run(&["plan"]);
    assert_eq!(said.code, 2, "{}", said.err);
    insta::assert_snapshot!(said.err);
    compose("place: one");
    assert_eq!(world.run(&["plan"]).code, 0);
    compose("place: webs");
    let said = world.run(&["plan"]);
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(said.err.contains("compose.yaml:4:19: service poller has its place on `webs`"), "{}", said.err);
    assert!(said.err.contains("`place: web`, if that is meant"), "{}", said.err);
    assert!(world.account().await.is_empty());
}
