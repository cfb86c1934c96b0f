//! How a command ends: the one enum of endings, the exit codes made from it, and the hints that ride on errors. It must
//! not print.

use anyhow::Error;

use crate::{
    agents::{AgentError, EnrolError, TargetError},
    apply::up::UpError,
    backup_keys::KeysError,
    cloud::CloudError,
    environ::EnvironError,
    fleet::FleetError,
    plan::CheckError,
    release::{buckets::BucketsError, bundle::BundleError, placement::PlacementError},
};

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is done.
    Done,
    /// Differences were found and `--exit-code` was given.
    Differences,
    /// A command on a droplet ended with this code.
    Command(u8),
}

/// Why a command failed, as far as the exit code cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Failed and undone, or nothing was changed.
    Failed,
    /// Wrong usage or input; nothing was changed.
    Input,
    /// Something is half done or unknown and needs a hand.
    InDoubt,
    /// The user interrupted it.
    Interrupted,
}

/// The exit code of an ending; documented in the README and ARCHITECTURE.md.
pub fn exit_code(ending: &Result<Outcome, Kind>) -> u8 {
    match ending {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Differences) => 3,
        Ok(Outcome::Command(code)) => *code,
        Err(Kind::Failed) => 1,
        Err(Kind::Input) => 2,
        Err(Kind::InDoubt) => 4,
        Err(Kind::Interrupted) => 130,
    }
}

/// An error a command makes itself: what failed, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    kind: Kind,
    what: String,
    hints: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// Failed and undone, or nothing was changed.
    pub fn failed(what: impl Into<String>) -> Self {
        Self::new(Kind::Failed, what)
    }

    /// Wrong usage or input.
    pub fn input(what: impl Into<String>) -> Self {
        Self::new(Kind::Input, what)
    }

    /// Half done or unknown.
    pub fn in_doubt(what: impl Into<String>) -> Self {
        Self::new(Kind::InDoubt, what)
    }

    /// Interrupted by the user.
    pub fn interrupted(what: impl Into<String>) -> Self {
        Self::new(Kind::Interrupted, what)
    }

    fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), hints: Vec::new(), source: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// The ending an error stands for: the outermost error that knows decides.
pub fn kind_of(error: &Error) -> Kind {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.kind;
        }
        if let Some(cloud) = cause.downcast_ref::<CloudError>() {
            return if cloud.is_ambiguous() { Kind::InDoubt } else { Kind::Failed };
        }
        if let Some(agent) = cause.downcast_ref::<AgentError>() {
            return if agent.is_input() { Kind::Input } else { Kind::Failed };
        }
        if cause.is::<EnrolError>() {
            return Kind::InDoubt;
        }
        if let Some(up) = cause.downcast_ref::<UpError>() {
            return if matches!(up, UpError::Undone(_)) { Kind::Failed } else { Kind::InDoubt };
        }
        if is_input(cause) {
            return Kind::Input;
        }
    }
    Kind::Failed
}

fn is_input(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.is::<FleetError>()
        || cause.is::<EnvironError>()
        || cause.is::<CheckError>()
        || cause.is::<TargetError>()
        || cause.is::<BucketsError>()
        || cause.is::<BundleError>()
        || cause.is::<PlacementError>()
        || cause.is::<KeysError>()
}

/// Hints of all errors in the chain, each once, outermost first.
pub fn hints_of(error: &Error) -> Vec<String> {
    let mut hints: Vec<String> = Vec::new();
    let mut add = |hint: String| {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    };
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            failure.hints.iter().cloned().for_each(&mut add);
        }
        if let Some(cloud) = cause.downcast_ref::<CloudError>() {
            cloud.hint().into_iter().for_each(&mut add);
        }
        if let Some(enrol) = cause.downcast_ref::<EnrolError>() {
            enrol.hint().into_iter().for_each(&mut add);
        }
        if let Some(agent) = cause.downcast_ref::<AgentError>() {
            agent.hint().into_iter().for_each(&mut add);
        }
        if let Some(up) = cause.downcast_ref::<UpError>() {
            up.hint().into_iter().for_each(&mut add);
        }
        if let Some(target) = cause.downcast_ref::<TargetError>() {
            add(target.hint());
        }
        if let Some(bundle) = cause.downcast_ref::<BundleError>() {
            bundle.hint().map(str::to_owned).into_iter().for_each(&mut add);
        }
    }
    hints
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_architecture() {
        let codes = [
            (Ok(Outcome::Done), 0),
            (Ok(Outcome::Differences), 3),
            (Ok(Outcome::Command(127)), 127),
            (Err(Kind::Failed), 1),
            (Err(Kind::Input), 2),
            (Err(Kind::InDoubt), 4),
            (Err(Kind::Interrupted), 130),
        ];
        for (ending, code) in codes {
            assert_eq!(exit_code(&ending), code, "{ending:?}");
        }
    }

    #[test]
    fn hints_are_gathered_once_and_the_outermost_kind_counts() {
        let inner = Failure::failed("inner").hint("do this");
        let outer = Failure::in_doubt("outer").hint("do this").hint("or that").because(inner);
        let error = Err::<(), _>(outer).context("context").unwrap_err();
        assert_eq!(hints_of(&error), ["do this", "or that"]);
        assert_eq!(kind_of(&error), Kind::InDoubt);
    }
}
