//! Waiting for what an agent does to its end, whether or not anybody waits.
//!
//! Owns what an interruption and a broken way mean then. Must not know what is done.

use crate::{agents::AgentError, failure::Failure};

/// Waits; an interruption ends the waiting, not the work. `what` is the work, `tells` says where its end is to be seen.
///
/// # Errors
/// When it is interrupted.
pub(super) async fn attended<T>(
    (what, tells): (&str, &str),
    work: impl Future<Output = T>,
) -> anyhow::Result<T> {
    tokio::select! {
        done = work => Ok(done),
        _ = tokio::signal::ctrl_c() => {
            let what = format!("the {what} goes on without this terminal");
            Err(Failure::interrupted(what).hint(tells).into())
        }
    }
}

/// What an error at the end of the work means: that the way broke says nothing about the work.
pub(super) fn ended_badly((what, tells): (&str, &str), error: AgentError) -> anyhow::Error {
    if !error.is_lost() {
        return error.into();
    }
    let what = format!("it is not known how the {what} ends: it may go on without this terminal");
    Failure::in_doubt(what).because(error).hint(tells).into()
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;
    use crate::{
        agents::CallError,
        failure::{Kind, hints_of, kind_of},
    };

    #[test]
    fn work_whose_end_is_not_known_is_in_doubt_and_what_was_refused_failed() {
        let lost = AgentError::Contract { droplet: "web-1".to_owned(), what: "nothing".to_owned() };
        let told = ended_badly(("backup of shop on web-1", "`tidegate backup list` tells"), lost);
        assert_eq!(kind_of(&told), Kind::InDoubt);
        assert!(hints_of(&told).iter().any(|hint| hint.contains("backup list")), "{told:?}");
        let busy = CallError::new("web-1", &Status::aborted("another run is under way"));
        let busy = AgentError::Call(Box::new(busy));
        assert_eq!(kind_of(&ended_badly(("backup", ""), busy)), Kind::Failed);
    }
}
