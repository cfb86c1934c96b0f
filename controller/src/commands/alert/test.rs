//! `tidegate alert test`: every receiver gets a message from every droplet.

use futures::future::join_all;
use serde::Serialize;
use tidegate_proto::v1::TestAlertsRequest;

use super::{
    super::{context::Context, reach::Reach},
    NOBODY, On,
};
use crate::{
    agents::{self, Target},
    failure::{Failure, Outcome},
    output::Table,
};

/// What `--json` prints per droplet and receiver.
#[derive(Debug, Serialize)]
struct View {
    droplet: String,
    receiver: String,
    /// Why it was not taken; none: it was.
    failure: Option<String>,
}

pub(super) async fn run(context: &Context, on: &On) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let targets = agents::of_environment(&reach.fleet, &reach.inventory, on.selection())?;
    let asked = join_all(targets.iter().map(|target| tested(&reach, target))).await;
    let views: Vec<View> = asked.into_iter().flatten().collect();
    context.printer.result(&views, text(&views));
    let failed = views.iter().filter(|view| view.failure.is_some()).count();
    match failed {
        0 => Ok(Outcome::Done),
        failed => Err(Failure::failed(format!("{failed} of {} did not arrive", views.len())).into()),
    }
}

/// A droplet that does not answer, and one that tells nobody, have a line of their own.
async fn tested(reach: &Reach, target: &Target) -> Vec<View> {
    let asked = async {
        let agent = reach.connect(target).await?;
        let mut client = agent.client();
        anyhow::Ok(agent.call(client.test_alerts(TestAlertsRequest {})).await?)
    };
    let view =
        |receiver: String, failure: Option<String>| View { droplet: target.short.clone(), receiver, failure };
    match asked.await {
        Ok(told) if told.tests.is_empty() => vec![view(String::new(), Some(NOBODY.to_owned()))],
        Ok(told) => {
            let failure = |failure: String| Some(failure).filter(|failure| !failure.is_empty());
            told.tests.into_iter().map(|test| view(test.receiver, failure(test.failure))).collect()
        }
        Err(error) => vec![view(String::new(), Some(format!("{error:#}")))],
    }
}

fn text(views: &[View]) -> String {
    let mut table = Table::new(["DROPLET", "RECEIVER", "RESULT"]);
    for view in views {
        let receiver = if view.receiver.is_empty() { "-".to_owned() } else { view.receiver.clone() };
        let result = view.failure.clone().unwrap_or_else(|| "taken".to_owned());
        table.row([view.droplet.clone(), receiver, result]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_receiver_has_a_line() {
        let view = |receiver: &str, failure: Option<&str>| View {
            droplet: "web-1".to_owned(),
            receiver: receiver.to_owned(),
            failure: failure.map(str::to_owned),
        };
        let views = [
            view("email ops@example.com", None),
            view("slack SLACK_WEBHOOK", Some("the server answered with status 404: no_service")),
            view("ping", None),
            View { droplet: "web-2".to_owned(), ..view("", Some(NOBODY)) },
        ];
        insta::assert_snapshot!(text(&views));
    }
}
