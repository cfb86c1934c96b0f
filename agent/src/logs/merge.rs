//! Several logs as one, by time.
//!
//! Owns the order. Must not know where lines come from. Holds one line of each log.

use futures::{Stream, StreamExt, future::join_all, stream};

use super::{Lines, LogLine, LogsError};

/// The lines of all logs, oldest first. Each log has to be in order itself. An error ends the whole.
pub(super) fn by_time(logs: Vec<Lines>) -> impl Stream<Item = Result<LogLine, LogsError>> + Send {
    let heads = logs.into_iter().map(|log| (None, log)).collect();
    stream::unfold(Some(heads), |state| async move {
        let mut heads: Vec<Head> = state?;
        join_all(heads.iter_mut().map(fill)).await;
        heads.retain(|(head, _)| head.is_some());
        if let Some(failed) = heads.iter_mut().find(|(head, _)| matches!(head, Some(Err(_)))) {
            return failed.0.take().map(|error| (error, None));
        }
        let oldest = heads.iter_mut().min_by_key(|(head, _)| match head {
            Some(Ok(line)) => Some(line.at),
            _ => None,
        })?;
        let line = oldest.0.take()?;
        Some((line, Some(heads)))
    })
}

type Head = (Option<Result<LogLine, LogsError>>, Lines);

async fn fill((head, log): &mut Head) {
    if head.is_none() {
        *head = log.next().await;
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use jiff::Timestamp;

    use super::*;
    use crate::docker_stream::Channel;

    fn line(container: &str, second: i64) -> LogLine {
        LogLine {
            service: "web".to_owned(),
            container: container.to_owned(),
            at: Timestamp::from_second(second).unwrap(),
            channel: Channel::Stdout,
            text: Vec::new(),
        }
    }

    fn log(container: &str, seconds: &[i64]) -> Lines {
        let lines: Vec<_> = seconds.iter().map(|second| Ok(line(container, *second))).collect();
        stream::iter(lines).boxed()
    }

    #[tokio::test]
    async fn lines_come_by_time_and_keep_their_own_order() {
        let merged: Vec<_> = by_time(vec![log("a", &[1, 4, 4, 9]), log("b", &[]), log("c", &[2, 3, 10])])
            .try_collect()
            .await
            .unwrap();
        let order: Vec<_> =
            merged.iter().map(|line| (line.container.as_str(), line.at.as_second())).collect();
        assert_eq!(order, [("a", 1), ("c", 2), ("c", 3), ("a", 4), ("a", 4), ("a", 9), ("c", 10)]);
    }

    #[tokio::test]
    async fn an_error_is_passed_on_and_ends_it() {
        let broken = stream::iter([Err(LogsError::NoApp { app: "x".to_owned() })]).boxed();
        let all: Vec<_> = by_time(vec![log("a", &[1]), broken]).collect().await;
        assert_eq!(all.len(), 1);
        assert!(all.first().unwrap().is_err());
    }
}
