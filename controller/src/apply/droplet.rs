//! Droplets: found by intent tag, never by name. A create counts only when the droplet is active and has an address;
//! what was accepted and then vanished is a failure.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tidegate_saga::{Inputs, Node, NodeFailure, NodeResult, Value};
use tokio::time::Instant;

use super::{
    lookup::{find_or_make, look_for},
    teardown::{delete_droplet, wait_gone},
    work::{Intent, Made, Work, failure},
};
use crate::{
    cloud::{
        CloudError,
        droplets::{self, Droplet, ImageChoice, NewDroplet},
    },
    names::same_tag,
    plan::DropletSpec,
};

/// Names of the nodes that droplets depend on.
pub(super) const SSH_KEY: &str = "ssh key";
pub(super) const VPC: &str = "vpc";

/// Makes a droplet, after deleting the one it replaces.
#[derive(Debug)]
pub(super) struct CreateDroplet {
    pub name: String,
    pub spec: DropletSpec,
    pub intent: Intent,
    pub replaces: Option<u64>,
    /// The API said no in so many words, so nothing can show later.
    pub refused: AtomicBool,
}

/// Deletes one that is ours and no longer wanted.
#[derive(Debug)]
pub(super) struct DeleteDroplet {
    pub id: u64,
    pub name: String,
}

/// What a created droplet is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CreatedDroplet {
    pub id: u64,
    pub address: std::net::Ipv4Addr,
}

impl CreateDroplet {
    async fn find(&self, work: &Work) -> Result<Option<Droplet>, CloudError> {
        let tag = self.intent.id.tag();
        let mut found = droplets::list_tagged(&work.client, &tag).await?;
        found.retain(|own| own.has_tag(&tag));
        found.sort_by_key(|own| own.id);
        Ok(found.into_iter().next())
    }

    async fn make(&self, work: &Work, inputs: &Inputs<'_>) -> Result<Droplet, CreateError> {
        let missing =
            |what: &str| CreateError::Missing(NodeFailure::new(format!("{what} is not known to this step")));
        let vpc = Made::<String>::of(inputs, VPC).ok_or_else(|| missing("the private network"))?;
        let ssh_key = Made::<u64>::of(inputs, SSH_KEY).ok_or_else(|| missing("the ssh key"))?;
        let token = work.enrolment_files.get(&self.intent.id).ok_or_else(|| missing("the one-time token"))?;
        let init = work.cloud_init.as_ref().ok_or_else(|| missing("the address of the agent"))?;
        let user_data = init
            .render(token)
            .map_err(|error| CreateError::Missing(NodeFailure::new(format!("{error:#}"))))?;
        let mut tags = self.spec.tags.clone();
        tags.push(self.intent.id.tag());
        let new = NewDroplet {
            name: self.name.clone(),
            region: work.region.clone(),
            size: self.spec.size.clone(),
            image: ImageChoice::parse(&self.spec.image),
            ssh_keys: vec![ssh_key.id],
            tags,
            user_data,
            vpc_uuid: vpc.id,
        };
        let window = work.first_look(&format!("droplet {}", self.name));
        let new = &new;
        let (droplet, _) = find_or_make(
            work,
            window,
            || Box::pin(self.find(work)),
            || Box::pin(droplets::create(&work.client, new)),
        )
        .await
        .map_err(CreateError::Cloud)?;
        Ok(droplet)
    }

    /// Waits until it is active and has an address. 404 straight after a create is lag, later it is loss.
    async fn settled(&self, work: &Work, id: u64) -> NodeResult<CreatedDroplet> {
        let until = Instant::now() + work.timing.create;
        let mut unseen_until = Instant::now() + work.timing.look_up * 4;
        loop {
            let looked = droplets::get(&work.client, id).await;
            match looked.map_err(|e| failure(&format!("{} could not be followed", self.name), &e))? {
                Some(droplet) => {
                    unseen_until = Instant::now() + work.timing.look_up;
                    if let (true, Some(address)) = (droplet.status == "active", droplet.public_address()) {
                        return Ok(CreatedDroplet { id, address });
                    }
                }
                None if Instant::now() >= unseen_until => {
                    return Err(NodeFailure::new(format!(
                        "{} was accepted as droplet {id} and then vanished: DigitalOcean could not make it",
                        self.name
                    )));
                }
                None => {}
            }
            if Instant::now() >= until {
                return Err(NodeFailure::new(format!(
                    "{} (droplet {id}) was not active with a public address within {} s",
                    self.name,
                    work.timing.create.as_secs()
                )));
            }
            work.waits.sleep(work.timing.poll).await;
        }
    }
}

enum CreateError {
    Cloud(CloudError),
    Missing(NodeFailure),
}

impl Node<Work> for CreateDroplet {
    fn forward<'a>(&'a self, work: &'a Work, inputs: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Value>> {
        Box::pin(async move {
            let step = work.printer.step(self.name.clone());
            if let Some(old) = self.replaces {
                delete_ours(work, old, &self.name).await?;
            }
            let droplet = match self.make(work, inputs).await {
                Ok(droplet) => droplet,
                Err(CreateError::Missing(failure)) => return Err(failure),
                Err(CreateError::Cloud(error)) => {
                    let certain = matches!(error, CloudError::Api(_) | CloudError::Unreachable { .. });
                    self.refused.store(certain, Ordering::Relaxed);
                    return Err(failure(&format!("{} could not be made", self.name), &error));
                }
            };
            step.now("starting");
            let created = self.settled(work, droplet.id).await?;
            step.done(&format!("created, {}", created.address));
            serde_json::to_value(created).map_err(|error| NodeFailure::new(error.to_string()))
        })
    }

    fn undo<'a>(&'a self, work: &'a Work, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>> {
        Box::pin(async move {
            let told = |e| failure(&format!("{} could not be deleted", self.name), &e);
            // Longer than the lag: a create that was cut off may still show.
            let refused = self.refused.load(Ordering::Relaxed);
            let mut window = if refused { std::time::Duration::ZERO } else { work.timing.look_up };
            while let Some(own) = look_for(work, window, &|| Box::pin(self.find(work))).await.map_err(told)? {
                delete_droplet(work, own.id).await.map_err(told)?;
                wait_gone(work, own.id).await.map_err(told)?;
                window = std::time::Duration::ZERO;
            }
            Ok(())
        })
    }
}

impl Node<Work> for DeleteDroplet {
    fn forward<'a>(&'a self, work: &'a Work, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Value>> {
        Box::pin(async move {
            let step = work.printer.step(self.name.clone());
            delete_ours(work, self.id, &self.name).await?;
            step.done("deleted");
            Ok(Value::Null)
        })
    }

    fn undo<'a>(&'a self, _: &'a Work, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>> {
        // Comes after the pivot: never called.
        Box::pin(async { Ok(()) })
    }
}

/// Deletes a droplet by id after looking that it still carries our tag.
async fn delete_ours(work: &Work, id: u64, name: &str) -> NodeResult<()> {
    let told = |e| failure(&format!("{name} (droplet {id}) could not be deleted"), &e);
    let Some(found) = droplets::get(&work.client, id).await.map_err(told)? else { return Ok(()) };
    if !found.tags.iter().any(|tag| same_tag(tag, &work.scope.tag())) {
        let message =
            format!("droplet {id} no longer carries the tag {}: it is left alone", work.scope.tag());
        return Err(NodeFailure::new(message));
    }
    delete_droplet(work, id).await.map_err(told)?;
    wait_gone(work, id).await.map_err(told)
}
