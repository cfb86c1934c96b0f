//! Commands that a release runs once, each in a one-off container: the migration and the jobs.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::apps::ServiceName;

/// A command that a release runs once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCommand {
    /// With whose image and settings.
    pub service: ServiceName,
    /// The command.
    pub command: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// The jobs, each list in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedJobs {
    /// Before the migration.
    pub before: Vec<PlannedCommand>,
    /// After the drain.
    pub after: Vec<PlannedCommand>,
}

/// When a job is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Before the migration, while the old release serves.
    Before,
    /// After the switch, when the old containers are stopped.
    After,
}

/// Which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobName {
    /// In which of the two lists.
    pub when: When,
    /// Its place there, from 1.
    pub number: usize,
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.when, self.number)
    }
}

impl PlannedJobs {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// The jobs of one list in their order, with their names.
    pub fn of(&self, when: When) -> impl Iterator<Item = (JobName, &PlannedCommand)> {
        let list = match when {
            When::Before => &self.before,
            When::After => &self.after,
        };
        (1..).map(move |number| JobName { when, number }).zip(list)
    }

    /// All jobs with their names.
    pub fn all(&self) -> impl Iterator<Item = (JobName, &PlannedCommand)> {
        self.of(When::Before).chain(self.of(When::After))
    }
}
