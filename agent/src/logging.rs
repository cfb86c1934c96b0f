//! Where log lines go: the journal where systemd started the agent, else standard error.
//!
//! Owns the set-up, done once. Must not decide what is logged.

use tracing::Subscriber;
use tracing_subscriber::{
    filter::Targets,
    layer::{Layer, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter cannot be read.
    #[error(
        "{0:?} is not a log level or a list of targets with levels (`info`, `tidegate_agent=debug,h2=warn`)"
    )]
    Filter(String, #[source] tracing_subscriber::filter::ParseError),
    /// A log was set up before.
    #[error("logging was set up twice")]
    Twice,
}

/// Starts logging what `filter` lets through: a level, or targets with levels.
///
/// # Errors
/// When the filter cannot be read.
pub fn start(filter: &str) -> Result<(), LoggingError> {
    let targets: Targets =
        filter.parse().map_err(|source| LoggingError::Filter(filter.to_owned(), source))?;
    let registry = tracing_subscriber::registry();
    if let Some(journal) = journal() {
        log_crate_to_journal();
        // Not `try_init`: that would take the `log` crate too, which the journal's own logger has.
        let subscriber = registry.with(journal.with_filter(targets));
        return tracing::subscriber::set_global_default(subscriber).map_err(|_| LoggingError::Twice);
    }
    let stderr = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    registry.with(stderr.with_filter(targets)).try_init().map_err(|_| LoggingError::Twice)
}

fn journal<S>() -> Option<impl Layer<S>>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    if !systemd_journal_logger::connected_to_journal() {
        return None;
    }
    // Without the prefix the fields of events stand in the journal under their own names.
    tracing_journald::layer().ok().map(|layer| layer.with_field_prefix(None))
}

/// Libraries write through `log`; only what they warn of is worth keeping.
fn log_crate_to_journal() {
    if let Ok(logger) = systemd_journal_logger::JournalLog::new()
        && logger.install().is_ok()
    {
        log::set_max_level(log::LevelFilter::Warn);
    }
}
