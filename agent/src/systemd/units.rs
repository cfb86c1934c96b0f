//! Units that failed.

use super::{Systemd, SystemdError, call, timers::listed};

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
}
