//! The fleet's ssh key: found by its material, because names are not unique.

use futures::future::BoxFuture;
use tidegate_saga::{Inputs, Node, NodeResult, Value};

use super::{
    lookup::{Found, find_or_make},
    work::{Made, Work, failure},
};
use crate::cloud::ssh_keys::{self, SshKey, same_key};

/// Adds the key to the account.
#[derive(Debug)]
pub(super) struct SshKeyNode {
    pub name: String,
    pub public_key: String,
}

impl SshKeyNode {
    async fn find(&self, work: &Work) -> Result<Option<SshKey>, crate::cloud::CloudError> {
        let keys = ssh_keys::list(&work.client).await?;
        Ok(keys.into_iter().find(|key| same_key(&key.public_key, &self.public_key)))
    }
}

impl Node<Work> for SshKeyNode {
    fn forward<'a>(&'a self, work: &'a Work, inputs: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Value>> {
        Box::pin(async move {
            let step = work.printer.step(format!("ssh key {}", self.name));
            // The list is limited to ten calls a minute, and a key that exists is refused anyway: no long look first.
            let found = find_or_make(
                work,
                std::time::Duration::ZERO,
                || Box::pin(self.find(work)),
                || Box::pin(ssh_keys::create(&work.client, &self.name, &self.public_key)),
            );
            let (key, found) = found.await.map_err(|e| failure("the ssh key could not be added", &e))?;
            step.done("");
            let before = Made::<u64>::own(inputs).is_some_and(|made| made.by_us);
            Ok(Made { id: key.id, by_us: before || found == Found::MadeByUs }.output())
        })
    }

    fn undo<'a>(&'a self, work: &'a Work, inputs: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>> {
        Box::pin(async move {
            let told = |e| failure("the ssh key could not be taken away", &e);
            let id = match Made::<u64>::own(inputs) {
                Some(made) if !made.by_us => return Ok(()),
                Some(made) => Some(made.id),
                None => {
                    self.find(work).await.map_err(told)?.filter(|key| key.name == self.name).map(|key| key.id)
                }
            };
            if let Some(id) = id {
                ssh_keys::delete(&work.client, id).await.map_err(told)?;
            }
            Ok(())
        })
    }
}
