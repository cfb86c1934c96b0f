//! Units that failed, and where the machine is as a whole.

use super::{
    Systemd, SystemdError, call,
    connection::{MANAGER, MANAGER_PATH},
    is_gone,
    timers::listed,
};

impl Systemd {
    /// The names of the units that failed, whoever they belong to.
    ///
    /// # Errors
    /// When systemd cannot be asked, or answers in another form.
    pub async fn failed_units(&self) -> Result<Vec<String>, SystemdError> {
        let connection = self.connection().await?;
        let answer = call(&connection, "ListUnitsFiltered", &(["failed"].as_slice(),)).await?;
        Ok(listed(&answer)?.into_iter().map(|(name, _)| name).collect())
    }

    /// The loaded units whose names fit one of the patterns, with their states: `active`, `failed`, ...
    ///
    /// # Errors
    /// When systemd cannot be asked, or answers in another form.
    pub async fn units(&self, patterns: &[&str]) -> Result<Vec<(String, String)>, SystemdError> {
        let connection = self.connection().await?;
        let states: &[&str] = &[];
        listed(&call(&connection, "ListUnitsByPatterns", &(states, patterns)).await?)
    }

    /// Has systemd forget that a unit failed. One that is not loaded has not.
    ///
    /// # Errors
    /// When systemd cannot be asked.
    pub async fn reset_failed(&self, unit: &str) -> Result<(), SystemdError> {
        let connection = self.connection().await?;
        let outcome = call(&connection, "ResetFailedUnit", &(unit,)).await.map(drop);
        outcome.or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) })
    }

    /// Whether the machine is going down, or started anew.
    ///
    /// # Errors
    /// When systemd cannot be asked, or answers in another form.
    pub async fn is_going_down(&self) -> Result<bool, SystemdError> {
        let state = self.property(MANAGER_PATH, MANAGER, "SystemState").await?;
        let state = String::try_from(state).map_err(SystemdError::Form)?;
        Ok(state == "stopping")
    }
}
