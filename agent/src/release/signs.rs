//! Signs that a release turned bad after the switch: each brings the one before back. Pure; `steps/watch.rs` looks.
//!
//! A container is judged by what Docker says (gone, ended, started again, unhealthy, paused), by its probes (several
//! failures in a row), and a service by its answers at the ingress (share of 5xx).

use std::{collections::BTreeMap, fmt};

use super::{gate, plan::Ends};
use crate::{
    apps::ServiceName,
    docker::{Container, ContainerHealth, ContainerState},
    ingress::ResponseCounts,
};

/// A probe that fails so often in a row is a bad sign: a single failure may be a full queue or a lost packet.
pub const PROBE_FAILURES: u32 = 3;
/// Fewer answers than this say nothing about their share of errors.
pub const FEWEST_RESPONSES: u64 = 20;
/// A larger share of 5xx than this, in percent, is a bad sign.
pub const MOST_SERVER_ERRORS: u64 = 20;

/// How a probe of a container went so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeTally {
    failures_in_a_row: u32,
    last: String,
}

/// Why a release is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A container is not there any more.
    Gone,
    /// A container ended: how.
    Ended(String),
    /// Docker started a container again: what is known of its end.
    Restarted(String),
    /// Docker's own health check fails.
    Unhealthy,
    /// Somebody paused a container.
    Paused,
    /// A probe failed several times in a row: its last answer.
    Probe(String),
    /// Too many answers at the ingress are errors.
    ServerErrors(ResponseCounts),
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("its container is gone"),
            Self::Ended(why) | Self::Restarted(why) => f.write_str(why),
            Self::Unhealthy => f.write_str("its health check failed"),
            Self::Paused => f.write_str("it is paused"),
            Self::Probe(answer) => write!(f, "{PROBE_FAILURES} times in a row: {answer}"),
            Self::ServerErrors(ResponseCounts { total, server_errors }) => {
                write!(f, "{server_errors} of its {total} answers since the switch were server errors (5xx)")
            }
        }
    }
}

impl ProbeTally {
    /// Adds an answer.
    pub fn add(&mut self, answer: Result<(), String>) {
        match answer {
            Ok(()) => self.failures_in_a_row = 0,
            Err(answer) => {
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
                self.last = answer;
            }
        }
    }

    /// The sign, if it is one.
    pub fn sign(&self) -> Option<Sign> {
        (self.failures_in_a_row >= PROBE_FAILURES).then(|| Sign::Probe(self.last.clone()))
    }
}

/// What Docker's look at a container says; `restarts` is how often it had been started again when the watch began.
pub fn of_container(container: Option<&Container>, restarts: u64, ends: Ends) -> Option<Sign> {
    let Some(container) = container else { return Some(Sign::Gone) };
    if container.restarts > restarts || container.state == ContainerState::Restarting {
        return Some(Sign::Restarted(gate::keeps_ending(container)));
    }
    match container.state {
        ContainerState::Exited if container.exit_code == 0 && ends != Ends::Never => None,
        ContainerState::Exited | ContainerState::Dead => Some(Sign::Ended(gate::exit_reason(container))),
        ContainerState::Paused => Some(Sign::Paused),
        ContainerState::Running if container.health == ContainerHealth::Unhealthy => Some(Sign::Unhealthy),
        ContainerState::Running | ContainerState::Created | ContainerState::Restarting => None,
    }
}

/// What the answers at the ingress say: the first service that answers with too many errors.
pub fn of_responses(responses: &BTreeMap<ServiceName, ResponseCounts>) -> Option<(&ServiceName, Sign)> {
    let is_bad = |counts: &ResponseCounts| {
        counts.total >= FEWEST_RESPONSES
            && counts.server_errors.saturating_mul(100) > counts.total.saturating_mul(MOST_SERVER_ERRORS)
    };
    let found = responses.iter().find(|(_, counts)| is_bad(counts));
    found.map(|(service, counts)| (service, Sign::ServerErrors(*counts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers() {
        use ContainerHealth as H;
        use ContainerState as S;
        let judged = |state, health, (exit_code, restarts), ends| {
            let container = Container { state, health, restarts, exit_code, ..Container::default() };
            of_container(Some(&container), 1, ends).map(|sign| sign.to_string())
        };
        let bad = |text: &str| Some(text.to_owned());
        assert_eq!(judged(S::Running, H::Healthy, (0, 1), Ends::Never), None);
        assert_eq!(judged(S::Running, H::Starting, (0, 1), Ends::Never), None);
        assert_eq!(judged(S::Exited, H::None, (0, 0), Ends::Maybe), None);
        assert_eq!(judged(S::Exited, H::None, (0, 0), Ends::Never), bad("it ended with exit code 0"));
        assert_eq!(judged(S::Exited, H::None, (3, 0), Ends::Maybe), bad("it ended with exit code 3"));
        assert_eq!(judged(S::Running, H::Unhealthy, (0, 0), Ends::Never), bad("its health check failed"));
        assert_eq!(judged(S::Paused, H::None, (0, 0), Ends::Never), bad("it is paused"));
        let again = bad("it ended, and Docker started it again");
        assert_eq!(judged(S::Running, H::None, (0, 2), Ends::Never), again);
        let again = bad("it keeps ending, the last time with exit code 5");
        assert_eq!(judged(S::Restarting, H::None, (5, 1), Ends::Never), again);
        assert_eq!(of_container(None, 0, Ends::Never), Some(Sign::Gone));
    }

    #[test]
    fn a_probe_has_to_fail_three_times_in_a_row() {
        let mut tally = ProbeTally::default();
        let bad = || Err("GET :80/ answered 500".to_owned());
        for answer in [bad(), bad(), Ok(()), bad(), bad()] {
            tally.add(answer);
            assert_eq!(tally.sign(), None);
        }
        tally.add(bad());
        assert_eq!(tally.sign().unwrap().to_string(), "3 times in a row: GET :80/ answered 500");
    }

    #[test]
    fn more_than_a_fifth_of_enough_answers() {
        let judged = |total, server_errors| {
            let counts = ResponseCounts { total, server_errors };
            let responses = BTreeMap::from([
                (ServiceName::new("api"), ResponseCounts { total: 1000, server_errors: 1 }),
                (ServiceName::new("web"), counts),
            ]);
            of_responses(&responses).map(|(service, sign)| format!("{service}: {sign}"))
        };
        assert_eq!(judged(0, 0), None);
        assert_eq!(judged(19, 19), None);
        assert_eq!(judged(20, 4), None);
        assert_eq!(judged(100, 20), None);
        let told = "web: 5 of its 20 answers since the switch were server errors (5xx)";
        assert_eq!(judged(20, 5).as_deref(), Some(told));
    }
}
