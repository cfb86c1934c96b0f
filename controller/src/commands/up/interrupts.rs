//! What Ctrl-C means to `up`, by how far it is. Owns the listening; must not touch the cloud.

use tidegate_saga::Cancel;
use tokio::sync::watch;

use crate::{failure::Failure, output::Printer};

/// The interrupts of one run.
#[derive(Debug)]
pub(super) struct Interrupts {
    /// Told of the first one: the saga takes back what this run made.
    pub cancel: Cancel,
    seen: watch::Receiver<u32>,
}

impl Interrupts {
    /// Listens from now on.
    pub(super) fn listen(printer: &Printer) -> Self {
        let cancel = Cancel::new();
        let (sender, seen) = watch::channel(0_u32);
        let (handle, printer) = (cancel.clone(), printer.clone());
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if *sender.borrow() == 0 {
                    printer.note("interrupted: taking back what this run made (once more: stop at once)");
                    handle.cancel("it was interrupted");
                }
                sender.send_modify(|count| *count = count.saturating_add(1));
            }
        });
        Self { cancel, seen }
    }

    /// Does the work while it changes the cloud: a first interrupt takes it back, a second one stops in the middle.
    pub(super) async fn around<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        self.until(2, work).await
    }

    /// Does the work while all is made and agents are waited for: nothing is to be taken back, so the first one stops.
    pub(super) async fn around_waiting<T>(
        &self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        self.until(1, work).await
    }

    async fn until<T>(&self, count: u32, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let mut seen = self.seen.clone();
        let stop = async {
            // Without a listener there are no interrupts.
            if seen.wait_for(|seen| *seen >= count).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            outcome = work => outcome,
            () = stop => Err(Failure::interrupted("`up` was stopped before its end")
                .hint("`tidegate up` goes on where it stopped, `tidegate down` takes everything back")
                .into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind_of};

    fn seen(count: u32) -> Interrupts {
        Interrupts { cancel: Cancel::new(), seen: watch::channel(count).1 }
    }

    #[tokio::test]
    async fn the_second_one_stops_a_change_and_the_first_one_a_wait() {
        let stopped = seen(2).around(std::future::pending::<anyhow::Result<()>>()).await.unwrap_err();
        assert_eq!(kind_of(&stopped), Kind::Interrupted);
        let stopped = seen(1).around_waiting(std::future::pending::<anyhow::Result<()>>()).await.unwrap_err();
        assert!(format!("{stopped:#}").contains("stopped before its end"));
        assert_eq!(seen(1).around(async { Ok(7) }).await.unwrap(), 7);
    }
}
