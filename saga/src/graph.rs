//! A saga as a value: its nodes and what comes before what. Building one checks it; running it is the runner's.

use crate::{Node, NodeName, NodeNameError, NodePlan};
use std::{collections::BTreeSet, fmt};

/// A checked graph of nodes over a context `C`.
pub struct Saga<C> {
    name: String,
    entries: Vec<Entry<C>>,
    pivot: Option<NodeName>,
}

struct Entry<C> {
    plan: NodePlan,
    node: Box<dyn Node<C>>,
}

/// Collects the nodes of a [`Saga`].
pub struct SagaBuilder<C> {
    name: String,
    nodes: Vec<Unchecked<C>>,
    pivot: Option<String>,
}

struct Unchecked<C> {
    name: String,
    after: Vec<String>,
    node: Box<dyn Node<C>>,
}

/// Why nodes do not make a saga. All of these are mistakes of whoever wrote it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A name that is none.
    #[error("a step has a bad name")]
    Name(#[source] NodeNameError),
    /// The same name twice.
    #[error("two steps are called {0}: give each its own name")]
    Duplicate(NodeName),
    /// A dependency that is not there.
    #[error("step {node} comes after {dependency}, which is not among the steps listed before it")]
    Unknown {
        /// Whose dependency.
        node: NodeName,
        /// Which name.
        dependency: NodeName,
    },
    /// A pivot that is not a node.
    #[error("the pivot {0} is not among the steps")]
    PivotUnknown(NodeName),
    /// A node that could be under way while the pivot is.
    #[error("step {0} is neither before nor after the pivot: name its dependencies")]
    PivotLoose(NodeName),
}

impl<C> fmt::Debug for Saga<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saga").field("name", &self.name).field("plans", &self.plans()).finish_non_exhaustive()
    }
}

impl<C> fmt::Debug for SagaBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<C: Sync> Saga<C> {
    /// Begins a saga of the given kind.
    pub fn builder(name: impl Into<String>) -> SagaBuilder<C> {
        SagaBuilder { name: name.into(), nodes: Vec::new(), pivot: None }
    }
}

impl<C> Saga<C> {
    /// What kind of saga it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its nodes, each after those that it depends on.
    pub fn plans(&self) -> Vec<NodePlan> {
        self.entries.iter().map(|entry| entry.plan.clone()).collect()
    }

    /// The node after which there is no way back.
    pub fn pivot(&self) -> Option<&NodeName> {
        self.pivot.as_ref()
    }

    pub(crate) fn node(&self, name: &NodeName) -> Option<&dyn Node<C>> {
        self.entries.iter().find(|entry| entry.plan.name == *name).map(|entry| entry.node.as_ref())
    }

    /// All nodes that come before `name`, directly or not.
    pub(crate) fn ancestors(&self, name: &NodeName) -> BTreeSet<NodeName> {
        let plans: Vec<_> = self.entries.iter().map(|entry| &entry.plan).collect();
        ancestors(&plans, name)
    }
}

impl<C: Sync> SagaBuilder<C> {
    /// Adds a node that comes after the named ones, which have to be added before it.
    #[must_use]
    pub fn node<'n>(
        mut self,
        name: impl Into<String>,
        after: impl IntoIterator<Item = &'n str>,
        node: impl Node<C> + 'static,
    ) -> Self {
        let after = after.into_iter().map(str::to_owned).collect();
        self.nodes.push(Unchecked { name: name.into(), after, node: Box::new(node) });
        self
    }

    /// Names the node after whose success there is no way back.
    #[must_use]
    pub fn pivot(mut self, name: impl Into<String>) -> Self {
        self.pivot = Some(name.into());
        self
    }

    /// Checks the graph.
    ///
    /// # Errors
    /// When a name is bad or there twice, a dependency is not listed before, or a node is beside the pivot.
    pub fn build(self) -> Result<Saga<C>, GraphError> {
        let mut entries: Vec<Entry<C>> = Vec::with_capacity(self.nodes.len());
        for Unchecked { name, after, node } in self.nodes {
            let name = NodeName::new(name).map_err(GraphError::Name)?;
            if entries.iter().any(|entry| entry.plan.name == name) {
                return Err(GraphError::Duplicate(name));
            }
            let after: Vec<_> =
                after.into_iter().map(NodeName::new).collect::<Result<_, _>>().map_err(GraphError::Name)?;
            if let Some(missing) = after.iter().find(|a| !entries.iter().any(|e| e.plan.name == **a)) {
                return Err(GraphError::Unknown { node: name, dependency: missing.clone() });
            }
            entries.push(Entry { plan: NodePlan { name, after }, node });
        }
        let pivot = self.pivot.map(NodeName::new).transpose().map_err(GraphError::Name)?;
        if let Some(pivot) = &pivot {
            check_pivot(&entries.iter().map(|entry| &entry.plan).collect::<Vec<_>>(), pivot)?;
        }
        Ok(Saga { name: self.name, entries, pivot })
    }
}

fn check_pivot(plans: &[&NodePlan], pivot: &NodeName) -> Result<(), GraphError> {
    if !plans.iter().any(|plan| plan.name == *pivot) {
        return Err(GraphError::PivotUnknown(pivot.clone()));
    }
    let before = ancestors(plans, pivot);
    for plan in plans {
        let beside = plan.name != *pivot
            && !before.contains(&plan.name)
            && !ancestors(plans, &plan.name).contains(pivot);
        if beside {
            return Err(GraphError::PivotLoose(plan.name.clone()));
        }
    }
    Ok(())
}

fn ancestors(plans: &[&NodePlan], name: &NodeName) -> BTreeSet<NodeName> {
    let mut found = BTreeSet::new();
    let mut open = vec![name.clone()];
    while let Some(next) = open.pop() {
        for plan in plans.iter().filter(|plan| plan.name == next) {
            open.extend(plan.after.iter().filter(|after| found.insert((*after).clone())).cloned());
        }
    }
    found
}
