//! What health finds of a real Docker's containers and of a real disk arrives where it is to be told, and its end too.

use bollard::query_parameters::{StartContainerOptions, StopContainerOptionsBuilder};
use tidegate_agent::{alerts::send::Roots, health::Level, release::ReleaseState};
use tidegate_proto::v1::{SetAlertsRequest, alert_receiver::Kind};

use super::{
    health::site::Site as Droplet,
    release::fixture::{App, Fixture, ended},
};
use crate::{
    alerts::site::{Site, hook, receiver, request},
    support::{
        smtp::{Offers, Smtp},
        webhook::Webhook,
    },
};

const MB: u64 = 1_000_000;
const COMPOSE: &str = "services:
  web:
    image: probe:1
    init: true
    restart: unless-stopped
    command: [sleep, '1000']
    x-tidegate: { gate: { stable: 200ms, timeout: 30s } }
";
const CONTAINER: &str = "app.shop.container.shop-web-1";

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_container_and_a_full_disk_are_told_and_that_they_are_well_again() {
    let fixture = Fixture::as_on_a_droplet(4000 * MB, &[]).await;
    let droplet = Droplet::new(&fixture, &[fixture.docker.data().to_owned()]).await;
    assert_eq!(ended(&fixture.release(&App::new("shop", COMPOSE)).await), ReleaseState::Released);
    droplet.until(|told| told.values().all(|(level, _)| *level == Level::Good)).await;

    let (mut site, webhook, smtp) = (Site::new(), Webhook::start().await, Smtp::start(Offers::StartTls));
    let mut settings = request(vec![hook("hook", &webhook)]);
    if let Some(smtp) = &smtp {
        site.roots = Roots::Only(smtp.ca.clone());
        settings.receivers.push(receiver("mail", Kind::Email("ops@example.org".to_owned())));
        settings = SetAlertsRequest { smtp: Some(smtp.settings()), ..settings };
    }
    let running = site.start_over(&droplet.health);
    running.alerts.set(settings).await.unwrap();

    let now = StopContainerOptionsBuilder::default().t(0).build();
    fixture.docker.client().stop_container("shop-web-1", Some(now)).await.unwrap();
    let told = droplet.until(|_| !webhook.items("firing", CONTAINER).is_empty()).await;
    let item = &webhook.items("firing", CONTAINER)[0];
    let (_, why) = &told[CONTAINER];
    assert!(why.starts_with("ended with exit code "), "{told:?}");
    assert!(item["why"].as_str().unwrap().starts_with("ended with exit code "), "{item}");
    fixture.docker.client().start_container("shop-web-1", None::<StartContainerOptions>).await.unwrap();
    droplet.until(|_| !webhook.items("resolved", CONTAINER).is_empty()).await;

    let disk = format!("host.disk:{}", fixture.docker.data().display());
    fixture.docker.leave_on_disk(MB).unwrap();
    droplet.until(|_| webhook.items("firing", &disk).iter().any(|item| item["level"] == "critical")).await;
    fixture.docker.resize_disk(4000 * MB).unwrap();
    droplet.until(|_| !webhook.items("resolved", &disk).is_empty()).await;

    if let Some(smtp) = &smtp {
        let has = |part: &str| smtp.mails().iter().any(|mail| mail["text"].as_str().unwrap().contains(part));
        droplet.until(|_| has("\r\nRESOLVED disk ")).await;
        assert!(has("  ended with exit code ") && has(CONTAINER) && has("RESOLVED container shop-web-1"));
    }
    running.stop().await;
}
