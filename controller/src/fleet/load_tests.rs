use super::*;

const GOOD: &str = r#"
fleet  = "shop"
region = "fra1"

[droplet.web]
size  = "s-2vcpu-4gb"
image = "debian-13-x64"
firewall = ["public-web"]

[firewall.public-web]
inbound = [
  { ports = "80,443", from = ["anywhere"] },
  { ports = "22,7443", from = ["admins"] },
]

[addresses]
admins = ["198.51.100.7/32"]

[app.shop]
compose  = ["compose.yaml", "compose.production.yaml"]
droplets = "web"
env_file = ".env.production"

[environment.staging]
droplet.web = { size = "s-1vcpu-1gb" }
"#;

fn parse_for(text: &str, environment: &str) -> Result<Fleet, FleetError> {
    parse(text, "tidegate.toml", Path::new("."), &environment.parse().unwrap())
}

fn wrong(text: &str) -> String {
    parse_for(text, "production").unwrap_err().to_string()
}

#[test]
fn the_file_of_the_readme_is_understood() {
    let fleet = parse_for(GOOD, "production").unwrap();
    assert_eq!(fleet.scope.tag(), "tidegate:shop:production");
    let web = fleet.roles.get(&"web".parse().unwrap()).unwrap();
    assert_eq!((web.size.value.as_str(), web.count), ("s-2vcpu-4gb", 1));
    assert_eq!(fleet.at(&web.size), "tidegate.toml:6:9");
    let app = fleet.apps.get(&"shop".parse().unwrap()).unwrap();
    assert_eq!(app.compose.len(), 2);
    assert_eq!(fleet.roles_of(app).len(), 1);
}

#[test]
fn an_environment_is_laid_over_the_base() {
    let fleet = parse_for(GOOD, "staging").unwrap();
    let web = fleet.roles.get(&"web".parse().unwrap()).unwrap();
    assert_eq!(web.size.value, "s-1vcpu-1gb");
    assert_eq!(web.image.value, "debian-13-x64");
    assert_eq!(fleet.scope.base(), "shop-staging");
}

#[test]
fn an_environment_that_is_not_there_is_named_with_those_that_are() {
    insta::assert_snapshot!(parse_for(GOOD, "stagin").unwrap_err());
}

#[test]
fn every_problem_is_told_at_once() {
    insta::assert_snapshot!(wrong(
        r#"
fleet  = "Shop"
regoin = "fra1"

[droplet.web]
size  = 4
image = "debian-13-x64"
count = -1
firewall = ["public-wep"]
backups = true

[firewall.public-web]
inbound = [
  { ports = "80;443", from = ["anywhere"] },
  { ports = "7443", from = ["admin"], protokol = "tcp" },
  { ports = "22" },
]

[addresses]
admins = ["198.51.100.7/33"]

[app.shop]
droplets = "wbe"

[loadbalancer.web]
to = "web"

[agent]
url = "file:///x"
sha256 = "abc"
enrol_within = "1s"
"#
    ));
}

#[test]
fn a_duplicate_key_is_told_with_its_place() {
    insta::assert_snapshot!(wrong("fleet = \"a\"\nregion = \"fra1\"\nfleet = \"b\"\n"));
}

#[test]
fn what_is_not_toml_is_told_with_its_place() {
    insta::assert_snapshot!(wrong("fleet = \"a\nregion == 3\n"));
}

#[test]
fn an_empty_file_lacks_what_is_required() {
    insta::assert_snapshot!(wrong(""));
}

#[test]
fn an_error_in_another_environment_is_found_too() {
    insta::assert_snapshot!(wrong(&GOOD.replace("s-1vcpu-1gb\" }", "s-1vcpu-1gb\", counts = 2 }")));
}

#[test]
fn a_droplet_whose_agent_cannot_be_reached_is_refused() {
    insta::assert_snapshot!(wrong(&GOOD.replace("22,7443", "22")));
}

fn rollout(lines: &str) -> super::super::Rollout {
    let text = GOOD.replace("droplets = \"web\"", &format!("droplets = \"web\"\n{lines}"));
    let fleet = parse_for(&text, "production").unwrap();
    fleet.apps.get(&"shop".parse().unwrap()).unwrap().rollout
}

#[test]
fn an_app_says_how_its_droplets_come_to_a_release() {
    use super::super::Rollout::{Rolling, Together};

    let rolling = |number| Rolling { max_unavailable: std::num::NonZeroU32::new(number).unwrap() };
    assert_eq!(rollout(""), rolling(1));
    assert_eq!(rollout("rollout = \"rolling\""), rolling(1));
    assert_eq!(rollout("max_unavailable = 3"), rolling(3));
    assert_eq!(rollout("rollout = \"together\""), Together);
}

#[test]
fn a_rollout_that_makes_no_sense_is_refused() {
    let refused =
        |lines: &str| wrong(&GOOD.replace("droplets = \"web\"", &format!("droplets = \"web\"\n{lines}")));
    insta::assert_snapshot!(refused("rollout = \"all\""));
    insta::assert_snapshot!(refused("max_unavailable = 0"));
    insta::assert_snapshot!(refused("rollout = \"together\"\nmax_unavailable = 2"));
}

proptest::proptest! {
    #[test]
    fn no_file_makes_the_parser_panic(text in "(\\PC|\n|\\[|\\]|=|\"){0,80}") {
        drop(parse_for(&text, "production"));
    }

    #[test]
    fn no_cut_of_a_good_file_makes_the_parser_panic(cut in 0..GOOD.len()) {
        drop(parse_for(GOOD.get(..cut).unwrap_or(""), "production"));
    }
}
