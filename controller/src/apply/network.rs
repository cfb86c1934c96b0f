//! The private network: its name is unique, and its description is our mark.

use futures::future::BoxFuture;
use tidegate_saga::{Inputs, Node, NodeFailure, NodeResult, Value};

use super::{
    droplet::VPC,
    lookup::{Found, find_or_make},
    teardown::delete_vpc,
    work::{Made, Work, failure},
};
use crate::cloud::{
    CloudError,
    vpcs::{self, NewVpc, Vpc},
};

/// Makes the VPC, or finds the one that the plan saw.
#[derive(Debug)]
pub(super) struct VpcNode {
    pub name: String,
}

impl VpcNode {
    async fn find(&self, work: &Work) -> Result<Option<Vpc>, CloudError> {
        Ok(vpcs::list(&work.client).await?.into_iter().find(|vpc| vpc.name == self.name))
    }

    async fn make(&self, work: &Work) -> Result<Vpc, CloudError> {
        let new = NewVpc {
            name: self.name.clone(),
            description: work.scope.tag(),
            region: work.region.clone(),
            ip_range: None,
        };
        vpcs::create(&work.client, &new).await
    }
}

impl Node<Work> for VpcNode {
    fn forward<'a>(&'a self, work: &'a Work, inputs: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Value>> {
        Box::pin(async move {
            let step = work.printer.step(format!("vpc {}", self.name));
            let window = work.first_look(VPC);
            let found =
                find_or_make(work, window, || Box::pin(self.find(work)), || Box::pin(self.make(work)));
            let (vpc, found) =
                found.await.map_err(|e| failure("the private network could not be made", &e))?;
            if vpc.region != work.region {
                return Err(NodeFailure::new(format!(
                    "the private network {} is in {}, the file says {}: take the fleet down to move it",
                    self.name, vpc.region, work.region
                )));
            }
            step.done(&vpc.ip_range);
            let before = Made::<String>::own(inputs).is_some_and(|made| made.by_us);
            Ok(Made { id: vpc.id, by_us: before || found == Found::MadeByUs }.output())
        })
    }

    fn undo<'a>(&'a self, work: &'a Work, inputs: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>> {
        Box::pin(async move {
            let told = |e| failure("the private network could not be deleted", &e);
            let id = match Made::<String>::own(inputs) {
                Some(made) if !made.by_us => return Ok(()),
                Some(made) => Some(made.id),
                None => {
                    let ours = |vpc: &Vpc| vpc.description.as_deref() == Some(work.scope.tag().as_str());
                    self.find(work).await.map_err(told)?.filter(ours).map(|vpc| vpc.id)
                }
            };
            match id {
                Some(id) => delete_vpc(work, &id).await.map(drop).map_err(told),
                None => Ok(()),
            }
        })
    }
}
