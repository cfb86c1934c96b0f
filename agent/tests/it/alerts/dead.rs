//! The agent is dead: what its timer starts tells that, as the program it is.

use std::process::{Command, Output};

use tidegate_proto::grants::Role;

use super::site::{hook, request};
use crate::support::{agent::Droplet, enrolled, fleet::Fleet, webhook::Webhook};

/// As the unit starts it.
async fn timer(droplet: &Droplet) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate-agent"));
    command.args(["health", "--tell", "--socket"]).arg(droplet.socket());
    command.arg("--state-dir").arg(droplet.path("state")).arg("--dmi-serial").arg(droplet.path("serial"));
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_dead_agent_is_told_of_by_the_third_run_and_its_return_too() {
    let fleet = Fleet::new("production");
    let (droplet, agent) = enrolled(&fleet).await;
    let mut webhook = Webhook::start().await;
    let mut admin = fleet.dial(agent.address, &fleet.user(Role::Admin)).await;
    admin.set_alerts(request(vec![hook("hook", &webhook)])).await.unwrap();
    drop(admin);
    agent.stop().await;

    for _ in 0..2 {
        let ran = timer(&droplet).await;
        assert_eq!(ran.status.code(), Some(2), "{ran:?}");
        let said = String::from_utf8(ran.stdout).unwrap();
        assert!(said.starts_with("cannot tell: the agent does not answer"), "{said}");
    }
    assert!(webhook.got().is_empty());
    webhook.goes_away().await;
    let ran = timer(&droplet).await;
    let said = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.contains("\nnote: hook could not be told: ") && !said.contains("hunter2"), "{said}");
    webhook.comes_back().await;
    assert_eq!(timer(&droplet).await.status.code(), Some(2));
    let got = webhook.until(1).await;
    assert!(got[0].is_signed);
    let item = &got[0].body["firing"][0];
    assert_eq!((item["id"].as_str(), item["level"].as_str()), (Some("host.agent"), Some("critical")));
    assert!(item["why"].as_str().unwrap().starts_with("does not answer since 20"), "{item}");
    assert!(item["hint"].as_str().unwrap().contains("journalctl -u tidegate-agent"), "{item}");
    timer(&droplet).await;
    assert_eq!(webhook.got().len(), 1, "it is told once");

    let agent = droplet.start().await;
    let ran = timer(&droplet).await;
    assert_ne!(String::from_utf8(ran.stdout).unwrap().lines().last(), None);
    let got = webhook.until(2).await;
    let over = got.iter().find(|got| !got.body["resolved"].as_array().unwrap().is_empty()).unwrap();
    assert_eq!(over.body["resolved"][0]["why"], "answers again");
    assert!(!droplet.path("state/silent.json").exists());
    agent.stop().await;
}
