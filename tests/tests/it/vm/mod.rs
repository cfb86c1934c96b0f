//! On virtual machines. `the_whole_way`: from nothing to a running app on a droplet, and back, in one test, because a machine
//! takes a minute to boot; its parts stand in modules, in the order in which they run. Beside it what has machines of its own.

mod account;
mod backups;
mod bad_input;
mod commands;
mod endings;
mod power;
mod projects;
mod resume;
mod secrets;
mod shop;
mod together;
mod units;
mod world;

use shop::Shop;
use world::World;

/// A part of the way.
type Part = (&'static str, fn(&mut Shop));

/// All parts, in order; each stands on what those before it left.
const PARTS: [Part; 15] = [
    ("before anything is made", |shop| bad_input::before_anything_is_made(shop)),
    ("up, killed and run again", |shop| resume::up_killed_and_run_again(shop)),
    ("the droplet is a machine", |shop| commands::the_droplet_is_a_machine(shop)),
    ("apps that are refused", |shop| bad_input::of_apps(shop)),
    ("the first release", |shop| shop.deploy_first()),
    ("a row is written and read", |shop| commands::a_row_is_written_and_read(shop)),
    ("commands", |shop| commands::everything_a_user_runs(shop)),
    ("maintenance", |shop| commands::maintenance_shows_a_page(shop)),
    ("docker compose", |shop| commands::docker_compose_knows_the_project(shop)),
    ("ten projects", |shop| projects::both_tools_see_ten_projects(shop)),
    ("the second release", |shop| commands::a_second_release_loses_no_request(shop)),
    ("releases that fail", |shop| bad_input::of_releases(shop)),
    ("agent killed in mid deploy", |shop| endings::agent_killed_in_mid_deploy(shop)),
    ("secrets", |shop| secrets::none_is_where_it_should_not_be(shop)),
    ("reboot", |shop| endings::after_a_reboot_all_is_there(shop)),
];

/// `TIDEGATE_WHOLE_WAY_FROM` names the part to begin with, in the world that a failed run left.
#[test]
#[ignore = "long: a quarter of an hour on an emulated machine; script/test --layer vm --long"]
fn the_whole_way() {
    let from = std::env::var("TIDEGATE_WHOLE_WAY_FROM").ok();
    let mut shop = match from {
        None => Shop::init(World::start("whole-way")),
        Some(_) => Shop::found(World::found("whole-way")),
    };
    let first = from.map_or(0, |from| {
        PARTS
            .iter()
            .position(|(name, _)| *name == from)
            .unwrap_or_else(|| panic!("no part is named {from:?}"))
    });
    for (name, part) in &PARTS[first..] {
        shop.world.say(&format!("== {name}"));
        part(&mut shop);
    }
    shop.world.say("== down");
    endings::down_leaves_nothing(shop);
}
