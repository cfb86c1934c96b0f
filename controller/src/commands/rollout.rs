//! A release carried to droplets and followed: what `deploy` and `rollback` have in common. So many droplets at a time, or
//! all of them together, as the fleet file says.

mod attended;
mod failures;
mod together;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use tidegate_proto::v1::{self, DeployRequest, RollbackRequest};

use super::{context::Context, reach::Reach, release_tags};
use crate::{
    agents::{AgentError, Target},
    apply::release_tags::Serves,
    fleet::Rollout,
    names::Name,
    output::{Format, Printer},
    release::{
        follow::{Begin, Ended, FollowError, follow},
        placement::Placement,
    },
};

/// What is carried out.
#[derive(Debug)]
pub(super) enum Wanted<'a> {
    /// A new release, with what of it is each droplet's part.
    Deploy(&'a DeployRequest, &'a Placement),
    /// An earlier one again.
    Rollback(&'a RollbackRequest),
    /// Nothing: the latest one is followed.
    Attach,
}

impl Wanted<'_> {
    /// Whether the first droplet migrates for all of them.
    fn migrates_first(&self) -> bool {
        matches!(self, Self::Deploy(_, placement) if placement.migrates_first())
    }

    /// With a key of its own for each droplet, so that a repeated request joins the release that it began.
    fn begin(&self, target: &Target, together: Option<&v1::Together>) -> Begin {
        let idempotency_key = hex::encode(rand::random::<[u8; 16]>());
        let together = together.cloned();
        match self {
            Self::Deploy(request, placement) => {
                let request = placement.request(&target.short, request);
                Begin::Deploy(Box::new(DeployRequest { idempotency_key, together, ..request }))
            }
            Self::Rollback(request) => {
                Begin::Rollback(RollbackRequest { idempotency_key, together, ..(*request).clone() })
            }
            Self::Attach => Begin::Attach,
        }
    }
}

/// An app and the droplets that are meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meant<'a> {
    /// The app.
    pub app: &'a Name,
    /// How its droplets come to a release.
    pub rollout: Rollout,
    /// Its droplets, or the one that was named.
    pub targets: &'a [Target],
}

/// How one droplet's part ended, as far as that is known here.
type Followed = Result<Ended, FollowError>;

/// Carries it to the droplets and follows. What ended is printed for programs, whether it went well or not.
pub(super) async fn carry(
    context: &Context,
    reach: &Reach,
    meant: Meant<'_>,
    wanted: &Wanted<'_>,
) -> anyhow::Result<Vec<Ended>> {
    let alone = meant.targets.len() < 2;
    let followed = match (meant.rollout, wanted) {
        (_, Wanted::Attach) => Crew::new(context, reach, meant).all(wanted, None).await?,
        (Rollout::Together, _) if !alone => together::carry(context, reach, meant, wanted).await?,
        (Rollout::Together | Rollout::Rolling { .. }, _) => {
            check(reach, meant.targets).await?;
            Crew::new(context, reach, meant).rolling(wanted, meant.rollout).await?
        }
    };
    if !matches!(wanted, Wanted::Attach) {
        tag(context, reach, (meant, &followed)).await;
    }
    let ended: Vec<Ended> = followed.iter().filter_map(|one| one.as_ref().ok()).cloned().collect();
    print(&context.printer, &ended);
    match failures::of(meant, followed) {
        Some(failure) => Err(failure),
        None => Ok(ended),
    }
}

/// Tags the droplets on which the release serves.
async fn tag(context: &Context, reach: &Reach, (meant, followed): (Meant<'_>, &[Followed])) {
    let serving = |followed: &Followed| match followed {
        Ok(Ended { state: "released", release, droplet, .. }) => {
            let target = meant.targets.iter().find(|target| target.short == *droplet)?;
            Some((target, Serves::Release(*release)))
        }
        _ => None,
    };
    let served: Vec<_> = followed.iter().filter_map(serving).collect();
    release_tags::set(context, reach, (meant.app, &served)).await;
}

/// How the latest release ends on each of these droplets, whatever that end is.
pub(super) async fn endings(
    context: &Context,
    reach: &Reach,
    meant: Meant<'_>,
) -> anyhow::Result<Vec<Ended>> {
    let followed = Crew::new(context, reach, meant).all(&Wanted::Attach, None).await?;
    let ended = followed.into_iter().collect::<Result<Vec<_>, _>>();
    Ok(ended.map_err(AgentError::from)?)
}

/// All of them before any is touched: an agent of another version refuses the whole release.
async fn check(reach: &Reach, targets: &[Target]) -> anyhow::Result<()> {
    for target in targets {
        reach.checked(target).await?;
    }
    Ok(())
}

/// For programs; people were told as it went.
pub(super) fn print(printer: &Printer, released: &[Ended]) {
    if printer.format() == Format::Json {
        printer.json(&released);
    }
}

/// Droplets whose releases are followed, several at a time.
struct Crew<'a> {
    context: &'a Context,
    reach: &'a Reach,
    meant: Meant<'a>,
    /// Places of those that are followed now.
    under_way: Mutex<Vec<usize>>,
}

impl<'a> Crew<'a> {
    fn new(context: &'a Context, reach: &'a Reach, meant: Meant<'a>) -> Self {
        Self { context, reach, meant, under_way: Mutex::default() }
    }

    /// So many at a time. A droplet whose release fails keeps the old one, and those after it are not touched.
    async fn rolling(&self, wanted: &Wanted<'_>, rollout: Rollout) -> anyhow::Result<Vec<Followed>> {
        let width = match rollout {
            Rollout::Rolling { max_unavailable } => usize::try_from(max_unavailable.get()).unwrap_or(1),
            Rollout::Together => 1,
        };
        let lines = if width.min(self.meant.targets.len()) > 1 { Lines::Named } else { Lines::Bare };
        // On the heap: the futures of whole releases are large.
        let work = Box::pin(async {
            let mut waiting = self.meant.targets.iter().enumerate();
            let mut running = FuturesUnordered::new();
            let mut done = BTreeMap::new();
            let mut has_failed = false;
            loop {
                // The others' new code needs the schema that the first one makes.
                let width = if wanted.migrates_first() && done.is_empty() { 1 } else { width };
                while !has_failed && running.len() < width {
                    let Some((place, target)) = waiting.next() else { break };
                    running.push(self.one((place, target), wanted.begin(target, None), lines));
                }
                let Some((place, followed)) = running.next().await else { break };
                has_failed |= !failures::is_released(&followed);
                done.insert(place, followed);
            }
            done.into_values().collect()
        });
        self.attended(work).await
    }

    /// All at once.
    async fn all(
        &self,
        wanted: &Wanted<'_>,
        together: Option<&v1::Together>,
    ) -> anyhow::Result<Vec<Followed>> {
        let lines = if self.meant.targets.len() > 1 { Lines::Named } else { Lines::Bare };
        // On the heap: the futures of whole releases are large.
        let work = Box::pin(async {
            let mut running = FuturesUnordered::new();
            for (place, target) in self.meant.targets.iter().enumerate() {
                running.push(self.one((place, target), wanted.begin(target, together), lines));
            }
            let mut done = BTreeMap::new();
            let mut is_off = false;
            loop {
                let (place, followed) = tokio::select! {
                    next = running.next() => match next {
                        Some(next) => next,
                        None => break,
                    },
                    // A request that was on its way may have begun a release since.
                    () = tokio::time::sleep(together::AGAIN), if is_off => {
                        together::call_off(self).await;
                        continue;
                    }
                };
                // One that does not even begin: the others would wait for it.
                if matches!(followed, Err(FollowError::NotBegun(_))) && together.is_some() && !is_off {
                    is_off = true;
                    together::announce(self, place);
                    together::call_off(self).await;
                }
                done.insert(place, followed);
            }
            done.into_values().collect()
        });
        self.attended(work).await
    }

    /// Follows one release, and tells how it went.
    async fn one(&self, (place, target): (usize, &Target), begin: Begin, lines: Lines) -> (usize, Followed) {
        let printer = match lines {
            Lines::Bare => self.context.printer.clone(),
            Lines::Named => self.context.printer.of(&target.short),
        };
        self.lock().push(place);
        // On the heap: the future of a whole release is large.
        let followed =
            Box::pin(follow(&self.reach.caller, target, self.meant.app.as_str(), begin, &printer)).await;
        self.lock().retain(|own| *own != place);
        if let Ok(ended) = &followed
            && failures::is_released(&followed)
        {
            self.context.printer.note(ended.describe());
        }
        (place, followed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        // A list of numbers is never half changed.
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The droplets whose release is followed now.
    fn under_way(&self) -> Vec<&'a Target> {
        let places = self.lock().clone();
        places.into_iter().filter_map(|place| self.meant.targets.get(place)).collect()
    }
}

/// How the lines about one droplet begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// It is the only one at the time.
    Bare,
    /// With its name.
    Named,
}
