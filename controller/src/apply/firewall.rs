//! Firewalls, and the tags by which they find their droplets; a firewall is refused while its tag does not exist.

use futures::future::BoxFuture;
use tidegate_saga::{Inputs, Node, NodeFailure, NodeResult, Value};

use super::{
    lookup::{Found, find_or_make},
    work::{Made, Work, failure},
};
use crate::{
    cloud::{
        CloudError,
        firewalls::{self, Firewall, FirewallSpec},
        tags,
    },
    names::same_tag,
};

/// Makes a firewall.
#[derive(Debug)]
pub(super) struct CreateFirewall {
    pub spec: FirewallSpec,
}

/// Replaces the rules of one.
#[derive(Debug)]
pub(super) struct ChangeFirewall {
    pub id: String,
    pub before: Option<FirewallSpec>,
    pub spec: FirewallSpec,
}

/// Deletes one that is ours and no longer wanted.
#[derive(Debug)]
pub(super) struct DeleteFirewall {
    pub id: String,
    pub name: String,
}

impl CreateFirewall {
    async fn find(&self, work: &Work) -> Result<Option<Firewall>, CloudError> {
        let ours = |own: &Firewall| {
            let tagged = |tag| own.spec.tags.iter().any(|t| same_tag(t, tag));
            own.spec.name == self.spec.name && self.spec.tags.iter().all(|tag| tagged(tag))
        };
        Ok(firewalls::list(&work.client).await?.into_iter().find(ours))
    }
}

impl Node<Work> for CreateFirewall {
    fn forward<'a>(&'a self, work: &'a Work, inputs: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Value>> {
        Box::pin(async move {
            let told = |e| failure(&format!("the firewall {} could not be made", self.spec.name), &e);
            let step = work.printer.step(format!("firewall {}", self.spec.name));
            for tag in self.spec.all_tags() {
                tags::create(&work.client, tag).await.map_err(told)?;
            }
            let window = work.first_look(&format!("firewall {}", self.spec.name));
            let found = find_or_make(
                work,
                window,
                || Box::pin(self.find(work)),
                || Box::pin(firewalls::create(&work.client, &self.spec)),
            );
            let (firewall, found) = found.await.map_err(told)?;
            step.done("");
            let before = Made::<String>::own(inputs).is_some_and(|made| made.by_us);
            Ok(Made { id: firewall.id, by_us: before || found == Found::MadeByUs }.output())
        })
    }

    fn undo<'a>(&'a self, work: &'a Work, inputs: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>> {
        Box::pin(async move {
            let told = |e| failure(&format!("the firewall {} could not be deleted", self.spec.name), &e);
            let id = match Made::<String>::own(inputs) {
                Some(made) if !made.by_us => return Ok(()),
                Some(made) => Some(made.id),
                None => self.find(work).await.map_err(told)?.map(|own| own.id),
            };
            if let Some(id) = id {
                firewalls::delete(&work.client, &id).await.map_err(told)?;
            }
            let bare = tags::list(&work.client)
                .await
                .map_err(told)?
                .into_iter()
                .filter(|tag| tag.resources.count == 0);
            for tag in bare.filter(|tag| self.spec.all_tags().any(|own| same_tag(own, &tag.name))) {
                tags::delete(&work.client, &tag.name).await.map_err(told)?;
            }
            Ok(())
        })
    }
}

impl Node<Work> for ChangeFirewall {
    fn forward<'a>(&'a self, work: &'a Work, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Value>> {
        Box::pin(async move {
            let step = work.printer.step(format!("firewall {}", self.spec.name));
            let told = |e| failure(&format!("the firewall {} could not be changed", self.spec.name), &e);
            for tag in self.spec.all_tags() {
                tags::create(&work.client, tag).await.map_err(told)?;
            }
            let done = firewalls::replace(&work.client, &self.id, &self.spec).await;
            done.map_err(told)?;
            step.done("changed");
            Ok(Made { id: self.id.clone(), by_us: false }.output())
        })
    }

    fn undo<'a>(&'a self, work: &'a Work, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>> {
        Box::pin(async move {
            let before =
                self.before.as_ref().ok_or_else(|| NodeFailure::new("what it was before is not known"))?;
            let done = firewalls::replace(&work.client, &self.id, before).await;
            done.map_err(|e| {
                failure(&format!("the firewall {} could not be changed back", self.spec.name), &e)
            })
        })
    }
}

impl Node<Work> for DeleteFirewall {
    fn forward<'a>(&'a self, work: &'a Work, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Value>> {
        Box::pin(async move {
            let step = work.printer.step(format!("firewall {}", self.name));
            let done = firewalls::delete(&work.client, &self.id).await;
            done.map_err(|e| failure(&format!("the firewall {} could not be deleted", self.name), &e))?;
            step.done("deleted");
            Ok(Value::Null)
        })
    }

    fn undo<'a>(&'a self, _: &'a Work, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>> {
        // Comes after the pivot: never called.
        Box::pin(async { Ok(()) })
    }
}
