//! A session with the server: one `psql` that is asked one thing after the other.
//!
//! Owns the marks that tell where an answer ends. Must not know what is asked.

use std::time::Duration;

use rand::RngExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::{DatabaseName, Postgres, PostgresError};
use crate::{
    docker::{Pipe, PipeOutput},
    programs::{ENDING, LONGEST_ANSWER},
};

/// A `psql` that waits for questions.
pub(super) struct Session {
    pipe: Pipe,
    lines: BufReader<PipeOutput>,
    mark: String,
}

impl Session {
    /// Starts one. Whether it could connect shows at the first question.
    pub(super) async fn open(postgres: &Postgres, database: &DatabaseName) -> Result<Self, PostgresError> {
        let database = connection(database);
        let mut pipe = postgres
            .pipe(&[
                "psql",
                "-X",
                "-q",
                "-A",
                "-t",
                "--no-password",
                "-v",
                "ON_ERROR_STOP=1",
                "-v",
                "VERBOSITY=terse",
                "--username",
                &postgres.user,
                "--dbname",
                &database,
            ])
            .await?;
        let lines = BufReader::new(pipe.take_output());
        // Nothing that a table holds can be taken for it.
        let mark = format!("end-of-answer-{:032x}", rand::rng().random::<u128>());
        Ok(Self { pipe, lines, mark })
    }

    /// The lines that statements answer with.
    pub(super) async fn ask(
        &mut self,
        statements: &str,
        deadline: Duration,
    ) -> Result<Vec<String>, PostgresError> {
        let asked = format!("{statements};\n\\echo {}\n", self.mark);
        let exchange = async {
            if let Some(input) = self.pipe.input.as_mut() {
                // One that ended says why on its standard error.
                let written = async {
                    input.write_all(asked.as_bytes()).await?;
                    input.flush().await
                };
                written.await.ok();
            }
            self.answer().await
        };
        match tokio::time::timeout(deadline, exchange).await {
            Ok(Ok(Some(answer))) => Ok(answer),
            Ok(Ok(None)) => Err(self.why_it_ended().await),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(PostgresError::Deadline(deadline)),
        }
    }

    /// The lines until the mark; none when the session ended before it.
    async fn answer(&mut self) -> Result<Option<Vec<String>>, PostgresError> {
        let (mut answer, mut length) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            let room = u64::try_from(LONGEST_ANSWER - length).unwrap_or_default();
            let read = (&mut self.lines).take(room).read_line(&mut line).await;
            length += read.map_err(PostgresError::Stream)?;
            let Some(whole) = line.strip_suffix('\n') else {
                return if length >= LONGEST_ANSWER {
                    Err(PostgresError::TooLong(LONGEST_ANSWER))
                } else {
                    Ok(None)
                };
            };
            if whole == self.mark {
                return Ok(Some(answer));
            }
            answer.push(whole.to_owned());
        }
    }

    /// The session's end is waited for here, so that what it complained of is known.
    async fn why_it_ended(&mut self) -> PostgresError {
        match self.pipe.end(ENDING).await {
            Ok(end) => PostgresError::SessionEnded { complaints: end.complaints.join("\n") },
            Err(error) => PostgresError::Docker(error),
        }
    }

    /// Ends it.
    pub(super) async fn close(mut self) -> Result<(), PostgresError> {
        self.pipe.end(ENDING).await.map(drop).map_err(PostgresError::Docker)
    }
}

/// How a program is told which database is meant: a bare name could be taken for a whole connection string.
pub(super) fn connection(database: &DatabaseName) -> String {
    let quoted = database.0.replace('\\', "\\\\").replace('\'', "\\'");
    format!("dbname='{quoted}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_and_not_a_connection() {
        let text = |name: &str| connection(&DatabaseName(name.to_owned()));
        assert_eq!(text("shop"), "dbname='shop'");
        assert_eq!(text("host=elsewhere"), "dbname='host=elsewhere'");
        assert_eq!(text(r"it's\one"), r"dbname='it\'s\\one'");
    }
}
