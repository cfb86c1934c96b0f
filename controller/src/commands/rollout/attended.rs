//! Who interrupts is asked what it is to mean: releases do not hang on this terminal.

use tidegate_proto::v1::CancelReleaseRequest;

use super::Crew;
use crate::{
    agents::{AgentError, Target},
    failure::Failure,
    output::Printer,
};

enum Answer {
    Detach,
    Undo,
    Follow,
}

impl Crew<'_> {
    /// Does the work; an interruption alone takes nothing back.
    pub(super) async fn attended<T>(&self, mut work: impl Future<Output = T> + Unpin) -> anyhow::Result<T> {
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                _ = tokio::signal::ctrl_c() => match asked(&self.context.printer).await {
                    Answer::Detach => return Err(detached(&self.under_way())),
                    Answer::Undo => self.undo().await?,
                    Answer::Follow => {}
                },
            }
        }
    }

    async fn undo(&self) -> Result<(), AgentError> {
        let mut told = false;
        for target in self.under_way() {
            let release = self.cancel(target).await?;
            if release != 0 {
                told = true;
                self.context.printer.note(format!("r{release} on {} is told to turn back", target.short));
            }
        }
        if !told {
            self.context.printer.note("nothing is under way any more");
        }
        Ok(())
    }

    /// Has the release taken back that is under way on a droplet; its number, or 0.
    pub(super) async fn cancel(&self, target: &Target) -> Result<u64, AgentError> {
        let agent = self.reach.connect(target).await?;
        let mut client = agent.client();
        let request = CancelReleaseRequest { app: self.meant.app.to_string() };
        Ok(agent.call(client.cancel_release(request)).await?.release)
    }
}

async fn asked(printer: &Printer) -> Answer {
    if !printer.can_ask() {
        return Answer::Detach;
    }
    let printer = printer.clone();
    let question = "The release goes on without this terminal. Detach, undo it, or follow on? [d/u/f]";
    let asked = tokio::task::spawn_blocking(move || printer.ask(question)).await;
    let answer = asked.ok().and_then(Result::ok).unwrap_or_default();
    match answer.trim().to_lowercase().as_str() {
        "u" | "undo" => Answer::Undo,
        "f" | "follow" => Answer::Follow,
        _ => Answer::Detach,
    }
}

fn detached(targets: &[&Target]) -> anyhow::Error {
    let shorts: Vec<&str> = targets.iter().map(|target| target.short.as_str()).collect();
    Failure::interrupted(format!("the release goes on on {} without this terminal", shorts.join(", ")))
        .hint("`tidegate deploy --attach` follows it again, `tidegate deploy --cancel` has it taken back")
        .into()
}
