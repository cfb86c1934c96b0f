//! Asks the others until the end of a vote is known. Every call has its deadline, every wait its jitter; what follows from
//! the answers is decided in [`super::decide`].

use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use jiff::Timestamp;
use tidegate_saga::Cancel;
use tokio::time::{sleep, timeout};

use super::{
    Doubt, Participant, PeerError, Peers, Resolution, Standing, Together, Vote,
    decide::{self, Heard, Lease, Reason, Verdict},
    words,
};
use crate::{
    apps::{AppName, ReleaseNumber},
    clock::Clock,
    release::{Failure, chain},
};

/// Between two rounds.
const PACE: Duration = Duration::from_millis(500);
/// The same while the release is in doubt: it doubles up to this.
const SLOWEST: Duration = Duration::from_secs(15);
/// How long an agent may take to answer, connecting included.
const PATIENCE: Duration = Duration::from_secs(3);

/// One agent's part in one vote.
pub struct Talk<'a> {
    /// Who takes part.
    pub together: &'a Together,
    /// The app and its release here.
    pub release: (&'a AppName, ReleaseNumber),
    /// Reaches the others.
    pub peers: &'a dyn Peers,
    /// The time of day.
    pub clock: &'a dyn Clock,
    /// When the vote began here.
    pub since: Timestamp,
    /// Numbers from 0 to 1.
    pub jitter: &'a (dyn Fn() -> f64 + Send + Sync),
    /// Whether it is in doubt, and what an operator says about that.
    pub standing: &'a Standing,
    /// Is told how it goes.
    pub notices: &'a dyn Notices,
}

/// Is told how a vote goes.
pub trait Notices: Send + Sync {
    /// For whom it waits now.
    fn waiting(&self, text: String) -> BoxFuture<'_, ()>;

    /// The end cannot be known.
    fn in_doubt(&self, failure: Failure) -> BoxFuture<'_, ()>;
}

/// Which of the two votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ballot {
    /// Is everybody ready?
    Agree,
    /// Does everybody serve?
    Finish,
}

/// What one of the others answered.
pub(super) struct Answer<'a> {
    pub(super) peer: &'a Participant,
    pub(super) heard: Heard,
    /// Why it did not answer; empty when it did.
    pub(super) trouble: String,
}

/// What was heard in one round: of the one that decides, unless that is this agent, and of others.
struct Round<'a> {
    decider: Option<Answer<'a>>,
    others: Vec<Answer<'a>>,
}

/// Votes *ready*, and waits for what comes of it.
///
/// # Errors
/// The release is to be taken back, and why.
pub async fn agree(talk: &Talk<'_>, cancel: &Cancel) -> Result<(), Failure> {
    tokio::select! {
        biased;
        decided = talk.until_decided(Ballot::Agree) => decided,
        why = cancel.cancelled() => Err(words::cancelled(why)),
    }
}

/// Votes *serving*, and waits for what comes of it. Only where this agent decides does a cancel count.
///
/// # Errors
/// The release is to be taken back, and why.
pub async fn finish(talk: &Talk<'_>, cancel: &Cancel) -> Result<(), Failure> {
    let decided = talk.until_decided(Ballot::Finish);
    if talk.together.decider().is_none() {
        return tokio::select! {
            biased;
            decided = decided => decided,
            why = cancel.cancelled() => Err(words::cancelled(why)),
        };
    }
    let resolution = tokio::select! {
        biased;
        decided = decided => return decided,
        resolution = talk.standing.resolved() => resolution,
    };
    talk.standing.set(None);
    match resolution {
        Resolution::Keep { .. } => Ok(()),
        Resolution::Undo { actor } => Err(words::resolved(&actor)),
    }
}

/// Waits until the one that decides has migrated the database that all share; its name.
///
/// # Errors
/// The release is to be taken back, and why.
pub async fn migrated(talk: &Talk<'_>, cancel: &Cancel) -> Result<String, Failure> {
    let Some(decider) = talk.together.decider() else {
        return Ok(talk.together.own_name().to_owned());
    };
    tokio::select! {
        biased;
        migrated = talk.until_migrated(decider) => migrated.map(|()| decider.name.clone()),
        why = cancel.cancelled() => Err(words::cancelled(why)),
    }
}

impl Talk<'_> {
    async fn until_migrated(&self, decider: &Participant) -> Result<(), Failure> {
        let mut told = String::new();
        loop {
            let answer = self.ask_one(decider).await;
            match answer.heard {
                Heard::Told(outcome) if outcome.vote == Vote::Failed => {
                    return Err(words::another(Some(&answer)));
                }
                Heard::Told(outcome) if outcome.migrated => return Ok(()),
                Heard::Told(_) | Heard::Nothing if self.lease() == Lease::Over => {
                    return Err(words::not_migrated(self.together.lease(), &answer));
                }
                Heard::Told(_) | Heard::Nothing => {}
            }
            let text = words::waiting(&[&answer]);
            if text != told {
                told.clone_from(&text);
                self.notices.waiting(text).await;
            }
            sleep(self.pause(0)).await;
        }
    }

    async fn until_decided(&self, ballot: Ballot) -> Result<(), Failure> {
        let mut told = String::new();
        let mut doubtful: u32 = 0;
        loop {
            let round = self.ask().await;
            let verdict = self.judge(ballot, &round);
            if verdict != Verdict::InDoubt {
                self.standing.set(None);
                doubtful = 0;
            }
            match verdict {
                Verdict::Go => return Ok(()),
                Verdict::Undo(reason) => return Err(self.failure(ballot, reason, &round)),
                Verdict::Wait => {
                    let text = words::waiting(&round.silent_or_behind(ballot));
                    if text != told {
                        told.clone_from(&text);
                        self.notices.waiting(text).await;
                    }
                }
                Verdict::InDoubt => {
                    self.doubt(&round).await;
                    doubtful = doubtful.saturating_add(1);
                }
            }
            sleep(self.pause(doubtful)).await;
        }
    }

    /// The one that decides is asked alone as long as it answers: what it says is all there is to know.
    async fn ask(&self) -> Round<'_> {
        let decider = match self.together.decider() {
            Some(decider) => Some(self.ask_one(decider).await),
            None => None,
        };
        if decider.as_ref().is_some_and(|answer| answer.heard != Heard::Nothing) {
            return Round { decider, others: Vec::new() };
        }
        let others = join_all(self.together.others().map(|peer| self.ask_one(peer))).await;
        Round { decider, others }
    }

    async fn ask_one<'t>(&'t self, peer: &'t Participant) -> Answer<'t> {
        let (app, _) = self.release;
        let asked = timeout(PATIENCE, self.peers.outcome(peer, app, self.together.rollout())).await;
        let (heard, trouble) = match asked {
            Ok(Ok(outcome)) => (Heard::Told(outcome), String::new()),
            Ok(Err(error)) => (Heard::Nothing, told(&error)),
            Err(_) => (Heard::Nothing, format!("it did not answer within {} s", PATIENCE.as_secs())),
        };
        Answer { peer, heard, trouble }
    }

    fn judge(&self, ballot: Ballot, round: &Round<'_>) -> Verdict {
        let others: Vec<Heard> = round.others.iter().map(|answer| answer.heard).collect();
        match (ballot, round.decider.as_ref().map(|answer| answer.heard)) {
            (Ballot::Agree, None) => decide::agree_first(&others, self.lease()),
            (Ballot::Finish, None) => decide::finish_first(&others, self.lease()),
            (Ballot::Agree, Some(decider)) => decide::agree(decider, &others, self.lease()),
            (Ballot::Finish, Some(decider)) => decide::finish(decider, &others, self.lease()),
        }
    }

    fn lease(&self) -> Lease {
        let waited = Duration::try_from(self.clock.now().duration_since(self.since)).unwrap_or_default();
        if waited < self.together.lease() { Lease::Runs } else { Lease::Over }
    }

    fn failure(&self, ballot: Ballot, reason: Reason, round: &Round<'_>) -> Failure {
        match reason {
            Reason::Another => words::another(round.all().find(|answer| answer.has_failed())),
            Reason::Late => words::late(ballot, self.together.lease(), &round.silent_or_behind(ballot)),
        }
    }

    async fn doubt(&self, round: &Round<'_>) {
        let known = self.standing.doubt();
        let (_, release) = self.release;
        let failure = words::in_doubt(release, self.release.0, (self.together, round.decider.as_ref()));
        let since = known.as_ref().map_or_else(|| self.clock.now(), |known| known.since);
        self.standing.set(Some(Doubt { since, failure: failure.clone() }));
        if known.is_none() {
            self.notices.in_doubt(failure).await;
        }
    }

    fn pause(&self, doubtful: u32) -> Duration {
        let full = PACE.saturating_mul(1 << doubtful.min(6)).min(SLOWEST);
        full.mul_f64(0.75 + 0.5 * (self.jitter)().clamp(0.0, 1.0)).min(SLOWEST)
    }
}

impl<'a> Round<'a> {
    fn all(&self) -> impl Iterator<Item = &Answer<'a>> {
        self.decider.iter().chain(&self.others)
    }

    /// For whom it waits: where somebody else decides that is the one, else all that are not as far.
    fn silent_or_behind(&self, ballot: Ballot) -> Vec<&Answer<'a>> {
        match &self.decider {
            Some(decider) => vec![decider],
            None => self.others.iter().filter(|answer| answer.is_behind(ballot)).collect(),
        }
    }
}

impl Answer<'_> {
    fn has_failed(&self) -> bool {
        matches!(self.heard, Heard::Told(outcome) if outcome.vote == Vote::Failed)
    }

    fn is_behind(&self, ballot: Ballot) -> bool {
        let Heard::Told(outcome) = self.heard else { return true };
        match ballot {
            Ballot::Agree => !matches!(outcome.vote, Vote::Ready | Vote::Serving),
            Ballot::Finish => outcome.vote != Vote::Serving,
        }
    }
}

fn told(error: &PeerError) -> String {
    chain(error)
}
