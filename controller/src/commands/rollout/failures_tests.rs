use super::*;
use crate::{
    agents::Target,
    failure::{exit_code, hints_of, kind_of},
    fleet::Rollout,
    names::Name,
};

fn target(number: u8) -> Target {
    Target {
        name: format!("shop-production-web-{number}"),
        short: format!("web-{number}"),
        droplet: tidegate_proto::names::DropletId::new(u64::from(number)).unwrap(),
        address: [127, 0, 1, number].into(),
        private_address: None,
    }
}

fn ended(number: u8, state: &'static str, what: &str) -> Ended {
    let failure = (!what.is_empty()).then(|| FailureView {
        what: what.to_owned(),
        place: format!("place-{number}"),
        cause: "the cause".to_owned(),
        hint: "the hint".to_owned(),
        details: vec!["a last line".to_owned()],
    });
    let droplet = format!("web-{number}");
    Ended { droplet, release: 7, state, took_seconds: 1.0, interrupted: Vec::new(), failure }
}

/// The error as a user sees it, with its exit code.
fn shown(ended: Vec<Ended>) -> String {
    let targets = [target(1), target(2), target(3)];
    let app: Name = "shop".parse().unwrap();
    let meant = Meant { app: &app, rollout: Rollout::Together, targets: &targets };
    let Some(error) = of(meant, ended.into_iter().map(Ok).collect()) else { return "no failure".to_owned() };
    let code = exit_code(&Err(kind_of(&error)));
    format!("exit {code}\n{error:#}\nhint: {}", hints_of(&error).join("\nhint: "))
}

#[test]
fn all_is_well_when_all_have_it() {
    let followed = vec![ended(1, "released", ""), ended(2, "superseded", "")];
    assert_eq!(shown(followed), "no failure");
}

#[test]
fn one_that_failed_is_told_as_it_told_it() {
    let followed = vec![ended(1, "released", ""), ended(2, "undone", "service web did not pass its gate")];
    insta::assert_snapshot!(shown(followed));
}

#[test]
fn several_are_told_droplet_by_droplet() {
    insta::assert_snapshot!(shown(vec![
        ended(1, "undone", "the release failed on web-2"),
        ended(2, "undone", "service web did not pass its gate"),
        ended(3, "undone", "the release failed on web-2"),
    ]));
}

#[test]
fn doubt_has_an_exit_code_of_its_own() {
    let doubt = "r7 is in doubt on web-2: it serves, and whether it stays cannot be known";
    insta::assert_snapshot!(shown(vec![ended(1, "released", ""), ended(2, IN_DOUBT, doubt)]));
    insta::assert_snapshot!(shown(vec![ended(1, "undone", "it broke"), ended(2, IN_DOUBT, doubt)]));
}
