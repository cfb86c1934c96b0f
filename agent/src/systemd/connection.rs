//! The connection to systemd over D-Bus, and a call on it.
//!
//! Owns the one connection to the system bus, made when it is first needed and made again when it broke, and the deadline of
//! a call. Must not know what is asked.

use std::time::Duration;

use tokio::sync::Mutex;
use zbus::{Connection, DynamicType, Message, OwnedVariant};

use super::SystemdError;

pub(crate) const DESTINATION: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
pub(crate) const UNIT: &str = "org.freedesktop.systemd1.Unit";
pub(crate) const SERVICE: &str = "org.freedesktop.systemd1.Service";
pub(crate) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// systemd answers in milliseconds; on a machine under heavy load in seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// The connection to systemd.
#[derive(Debug, Default)]
pub struct Systemd {
    /// The bus's address; none: the system's.
    bus: Option<String>,
    connection: Mutex<Option<Connection>>,
}

impl Systemd {
    /// By another bus than the system's, at this address: for tests.
    pub fn on_bus(address: String) -> Self {
        Self { bus: Some(address), connection: Mutex::default() }
    }

    /// Whether the connection over which units were started still stands.
    pub(crate) async fn is_connected(&self) -> bool {
        self.connection.lock().await.as_ref().is_some_and(|connection| !connection.is_closed())
    }

    /// One property of a unit; a unit that is not loaded is loaded for it.
    pub(crate) async fn property(
        &self,
        path: &str,
        interface: &str,
        name: &str,
    ) -> Result<OwnedVariant, SystemdError> {
        let connection = self.connection().await?;
        let body = (interface, name);
        let source = |source| SystemdError::Call { method: "Get", source };
        let reply = connection
            .call_method(Some(DESTINATION), path, Some(PROPERTIES), "Get", &body)
            .await
            .map_err(source)?;
        reply.body().deserialize().map_err(SystemdError::Form)
    }

    /// The connection, made anew when it broke.
    pub(crate) async fn connection(&self) -> Result<Connection, SystemdError> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        let bus = match &self.bus {
            None => zbus::connection::Builder::system(),
            Some(address) => zbus::connection::Builder::address(address.as_str()),
        };
        let connection = bus.method_timeout(CALL_TIMEOUT).build().await.map_err(SystemdError::Bus)?;
        Ok(slot.insert(connection).clone())
    }
}

/// Calls the manager.
pub(crate) async fn call<B>(
    connection: &Connection,
    method: &'static str,
    body: &B,
) -> Result<Message, SystemdError>
where
    B: serde::Serialize + DynamicType,
{
    connection
        .call_method(Some(DESTINATION), MANAGER_PATH, Some(MANAGER), method, body)
        .await
        .map_err(|source| SystemdError::Call { method, source })
}

/// Whether there is no such unit, or nothing of it runs.
pub(crate) fn is_gone(error: &SystemdError) -> bool {
    let SystemdError::Call { source: zbus::Error::MethodError(name, _, _), .. } = error else {
        return false;
    };
    matches!(name.as_str(), "org.freedesktop.systemd1.NoSuchUnit" | "org.freedesktop.systemd1.NoSuchProcess")
}

/// A unit's object path: everything but letters and digits is written as `_` and two hex digits.
pub(crate) fn unit_path(name: &str) -> String {
    use std::fmt::Write;

    let mut path = String::from("/org/freedesktop/systemd1/unit/");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() {
            path.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            write!(path, "_{byte:02x}").ok();
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_as_systemd_does() {
        assert_eq!(
            unit_path("tidegate-exec-a1.service"),
            "/org/freedesktop/systemd1/unit/tidegate_2dexec_2da1_2eservice"
        );
    }
}
