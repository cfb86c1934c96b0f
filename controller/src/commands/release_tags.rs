//! Droplets are tagged with the release that serves on them: after `deploy`, `rollback` and `remove`, as far as there is a
//! token and it may. What fails is told in one line and changes nothing about the release.

use futures::future::join_all;

use super::{context::Context, reach::Reach};
use crate::{
    agents::Target,
    apply::release_tags::{self, Serves},
    names::Name,
};

/// Sets the tags of these droplets.
pub(super) async fn set(context: &Context, reach: &Reach, (app, served): (&Name, &[(&Target, Serves)])) {
    if served.is_empty() {
        return;
    }
    let client = context.environ(&reach.fleet).and_then(|environ| context.client(&environ));
    let client = match client {
        Ok(client) => client,
        Err(error) => {
            context.printer.note(format!("note: the droplets are not tagged with the release: {error:#}"));
            return;
        }
    };
    let client = &client;
    let setting = served.iter().map(|(target, serves)| async move {
        let told =
            release_tags::set(client, (&reach.fleet.scope, app), (target.droplet.get(), *serves)).await;
        (target, told)
    });
    for (target, told) in join_all(setting).await {
        if let Err(error) = told {
            let error = anyhow::Error::new(error);
            let what =
                format!("{} does not carry the tag of its release, which serves all the same", target.short);
            context.printer.note(format!("warning: {what}: {error:#}"));
        }
    }
}
