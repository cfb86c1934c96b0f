//! Units with commands in them: start a transient one, signal it, stop it, learn how it ended.
//!
//! Owns the watch over such a unit. Must not know what the units run. The connection is [`crate::systemd`]'s.

use std::{collections::HashMap, num::NonZeroUsize};

use futures::StreamExt;
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedVariant};

use super::{exit_code, unit::Property};
use crate::{
    exec::{ExitCode, Signal},
    systemd::{DESTINATION, PROPERTIES, SERVICE, Systemd, SystemdError, UNIT, call, is_gone, unit_path},
};

impl Systemd {
    /// Starts a transient unit; what it tells is watched from before its start.
    pub(super) async fn start(
        &self,
        name: &str,
        properties: Vec<Property<'_>>,
    ) -> Result<UnitWatch, SystemdError> {
        let connection = self.connection().await?;
        let watch = UnitWatch::open(&connection, unit_path(name)).await?;
        let auxiliary: Vec<(String, Vec<Property<'_>>)> = Vec::new();
        call(&connection, "StartTransientUnit", &(name, "fail", properties, auxiliary)).await?;
        Ok(watch)
    }

    /// Sends a signal to all processes of the unit, as a terminal does to all in the foreground.
    pub(super) async fn signal(&self, name: &str, signal: Signal) -> Result<(), SystemdError> {
        let connection = self.connection().await?;
        let outcome = call(&connection, "KillUnit", &(name, "all", signal.number())).await.map(drop);
        // It may have ended just before; its end is on its way to us.
        outcome.or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) })
    }

    /// Ends the unit with all its processes.
    pub(super) async fn stop(&self, name: &str) -> Result<(), SystemdError> {
        let connection = self.connection().await?;
        let outcome = call(&connection, "StopUnit", &(name, "replace")).await.map(drop);
        outcome.or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) })
    }

    /// Lets systemd forget the unit once it has ended.
    pub(super) async fn release(&self, name: &str) {
        let released = match self.connection().await {
            Ok(connection) => call(&connection, "UnrefUnit", &(name,)).await,
            Err(error) => Err(error),
        };
        // With the connection the reference is gone as well.
        if let Err(error) = released {
            tracing::debug!(unit = name, %error, "the unit could not be released");
        }
    }
}

/// What systemd tells about one unit.
#[derive(Debug)]
pub(super) struct UnitWatch {
    path: String,
    signals: MessageStream,
    main_code: i32,
    main_status: i32,
    /// A signal said that it does not run any more; what that means may still have to be asked.
    may_have_ended: bool,
}

impl UnitWatch {
    async fn open(connection: &Connection, path: String) -> Result<Self, SystemdError> {
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender(DESTINATION)
            .interface(PROPERTIES)
            .member("PropertiesChanged")
            .path(path.clone())
            .build()
            .map_err(SystemdError::Form)?
            .into_owned();
        let signals = MessageStream::for_match_rule(rule, connection, NonZeroUsize::new(64))
            .await
            .map_err(|source| SystemdError::Call { method: "AddMatch", source })?;
        Ok(Self { path, signals, main_code: 0, main_status: 0, may_have_ended: false })
    }

    /// Waits for the end of the unit. Cancel-safe.
    pub(super) async fn ended(&mut self, systemd: &Systemd) -> Result<ExitCode, SystemdError> {
        loop {
            if self.may_have_ended {
                if let Some(exit) = self.conclude(systemd).await? {
                    return Ok(exit);
                }
                self.may_have_ended = false;
            }
            let message = self.signals.next().await.ok_or(SystemdError::Lost)?.map_err(SystemdError::Form)?;
            self.may_have_ended = self.note(&message)?;
        }
    }

    /// Takes a signal in; true when the unit does not run any more.
    fn note(&mut self, message: &Message) -> Result<bool, SystemdError> {
        let body = message.body();
        let (_interface, changed, _invalidated): (String, HashMap<String, OwnedVariant>, Vec<String>) =
            body.deserialize().map_err(SystemdError::Form)?;
        let number = |name: &str| changed.get(name).and_then(|value| i32::try_from(value).ok());
        self.main_code = number("ExecMainCode").unwrap_or(self.main_code);
        self.main_status = number("ExecMainStatus").unwrap_or(self.main_status);
        let state = changed.get("ActiveState").and_then(|value| <&str>::try_from(value).ok());
        Ok(matches!(state, Some("inactive" | "failed")))
    }

    async fn conclude(&self, systemd: &Systemd) -> Result<Option<ExitCode>, SystemdError> {
        if let Some(exit) = exit_code(self.main_code, self.main_status) {
            return Ok(Some(exit));
        }
        // Not told by a signal: asked for, the state first. It may be that from before the start, and the program may end
        // between two questions: what is asked after "failed" is final.
        let state = systemd.property(&self.path, UNIT, "ActiveState").await?;
        let number = async |name| -> Result<i32, SystemdError> {
            let value = systemd.property(&self.path, SERVICE, name).await?;
            Ok(i32::try_from(&value).unwrap_or(0))
        };
        if let Some(exit) = exit_code(number("ExecMainCode").await?, number("ExecMainStatus").await?) {
            return Ok(Some(exit));
        }
        if <&str>::try_from(&state).is_ok_and(|state| state == "failed") {
            let result = systemd.property(&self.path, SERVICE, "Result").await?;
            let result = <&str>::try_from(&result).unwrap_or("unknown").to_owned();
            return Err(SystemdError::NotStarted(result));
        }
        Ok(None)
    }
}
