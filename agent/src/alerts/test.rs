//! Whether messages arrive, tried on purpose.

use futures::future::join_all;

use super::{Alerts, AlertsError, Inner, message::AlertMessage, settings::PING};
use crate::release::chain;

/// How a test of one receiver ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The receiver, or "ping".
    pub receiver: String,
    /// Why it was not taken; none when it was.
    pub failure: Option<String>,
}

impl Alerts {
    /// Sends a message to all receivers now, past the queue, and asks for the ping's address.
    ///
    /// # Errors
    /// When it is not known who the receivers are.
    pub async fn test(&self) -> Result<Vec<Tested>, AlertsError> {
        let Inner { transports, clock, ids, .. } = &*self.inner;
        let Some(kept) = self.kept().await? else { return Ok(Vec::new()) };
        let message = AlertMessage::test((ids(), clock.now()), &kept.about());
        let smtp = kept.settings.smtp.as_ref();
        let tests = kept.settings.receivers.iter().map(|receiver| async {
            let sent = transports.send(receiver, smtp, &message).await;
            Tested { receiver: receiver.name.to_string(), failure: sent.err().map(|error| chain(&error)) }
        });
        let ping = async {
            let asked = transports.ping(kept.settings.ping.as_ref()?).await;
            let failure = asked.err().map(|error| chain(&error));
            Some(Tested { receiver: PING.to_owned(), failure })
        };
        let (mut tested, ping) = tokio::join!(join_all(tests), ping);
        tested.extend(ping);
        Ok(tested)
    }
}
