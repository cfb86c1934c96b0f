//! Why systemd did not do what was asked.

/// Why systemd did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SystemdError {
    /// No system bus: this machine was not started by systemd, or its D-Bus does not run.
    #[error("the system's D-Bus does not answer: is the package dbus installed and running?")]
    Bus(#[source] zbus::Error),
    /// A call was refused.
    #[error("systemd refused {method}")]
    Call {
        /// Which call.
        method: &'static str,
        /// What it said.
        source: zbus::Error,
    },
    /// The unit ended without its program having run.
    #[error("the unit did not start its program: {0}")]
    NotStarted(String),
    /// The connection to the bus broke while the command ran.
    #[error("the connection to the system's D-Bus broke: it is not known how the command ends")]
    Lost,
    /// A signal or a reply has another form than expected.
    #[error("systemd sent a message of an unexpected form")]
    Form(#[source] zbus::Error),
}
