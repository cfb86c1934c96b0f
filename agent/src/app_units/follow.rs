//! Following an app: what its unit is told, when it changes.

use std::time::Duration;

use futures::Stream;
use tokio::time::{Instant, sleep};

use super::{Standing, Stands, standing};
use crate::{apps::AppName, release::Engine};

/// Between looks.
const LOOK: Duration = Duration::from_secs(10);
/// Between looks until it serves first.
const QUICK: Duration = Duration::from_secs(1);
/// How long something has to be wrong before it is told: Docker may start a container again at once.
const FAILS_AFTER: Duration = Duration::from_secs(30);

/// How an app stands now, and again whenever that is another. Ends never by itself; while Docker does not answer it tells nothing.
pub fn follow(engine: Engine, app: AppName) -> impl Stream<Item = Standing> + Send {
    let course = Course { engine, app, told: None, bad_since: None };
    futures::stream::unfold(course, |mut course| async move {
        let next = course.next().await;
        Some((next, course))
    })
}

struct Course {
    engine: Engine,
    app: AppName,
    told: Option<Standing>,
    bad_since: Option<Instant>,
}

impl Course {
    async fn next(&mut self) -> Standing {
        loop {
            match standing::look(&self.engine, &self.app).await {
                Ok(seen) => {
                    let seen = damped(seen, self.bad_for());
                    self.bad_since = match seen.stands {
                        Stands::Fails | Stands::Coming => self.bad_since.or_else(|| Some(Instant::now())),
                        _ => None,
                    };
                    if self.told.as_ref() != Some(&seen) {
                        self.told = Some(seen.clone());
                        return seen;
                    }
                }
                Err(error) => {
                    tracing::debug!(app = %self.app, error = crate::release::chain(&error), "the app could not be looked at");
                }
            }
            let serves = self.told.as_ref().is_some_and(|told| told.stands == Stands::Serves);
            sleep(if serves { LOOK } else { QUICK }).await;
        }
    }

    fn bad_for(&self) -> Duration {
        self.bad_since.map(|since| since.elapsed()).unwrap_or_default()
    }
}

/// What is wrong for a moment only is not told as that yet.
fn damped(seen: Standing, bad_for: Duration) -> Standing {
    let stands = match seen.stands {
        Stands::Fails if bad_for < FAILS_AFTER => Stands::Coming,
        other => other,
    };
    Standing { stands, ..seen }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_for_a_moment_is_not_told_yet() {
        let told = |stands, seconds| {
            damped(Standing { stands, line: String::new() }, Duration::from_secs(seconds)).stands
        };
        assert_eq!(told(Stands::Fails, 5), Stands::Coming);
        assert_eq!(told(Stands::Fails, 31), Stands::Fails);
        assert_eq!(told(Stands::Stopped, 0), Stands::Stopped);
    }
}
