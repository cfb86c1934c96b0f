//! Who takes part in a release on many droplets, as the caller said it and as it is kept with the release.

use std::{collections::BTreeSet, fmt, net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};
use tidegate_proto::names::DropletId;

/// Names one release on many droplets: 32 hexadecimal digits, chosen at random by the caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RolloutId(String);

/// One droplet of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// The droplet, whose agent has to show its certificate.
    pub droplet: DropletId,
    /// Where its agent answers the other agents.
    pub address: SocketAddr,
    /// How people call it.
    pub name: String,
}

/// What makes a release one of many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Together {
    rollout: RolloutId,
    participants: Vec<Participant>,
    lease: Duration,
    own: DropletId,
}

/// Why a request for a release on many droplets is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TogetherError {
    /// Not an id.
    #[error("a rollout is named by 32 hexadecimal digits in lower case, not by {0:?}")]
    Rollout(String),
    /// Too few or too many.
    #[error("a release has 1 to {MOST} participants, not {0}")]
    Count(usize),
    /// A droplet that is named twice.
    #[error("droplet {0} takes part twice")]
    Twice(DropletId),
    /// The called agent is not meant.
    #[error("this is droplet {own}, which is not among the participants")]
    NotMeant {
        /// Which droplet was called.
        own: DropletId,
    },
    /// A lease out of bounds.
    #[error("an agent waits 1 s to 1 h for the others, not {} s", .0.as_secs_f64())]
    Lease(Duration),
}

/// More droplets than a fleet has.
const MOST: usize = 500;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(1);

impl RolloutId {
    /// Checks and wraps an id.
    ///
    /// # Errors
    /// When it is not 32 hexadecimal digits.
    pub fn new(text: impl Into<String>) -> Result<Self, TogetherError> {
        let text = text.into();
        let fits = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self(text)) } else { Err(TogetherError::Rollout(text.chars().take(40).collect())) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RolloutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RolloutId {
    type Error = TogetherError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<RolloutId> for String {
    fn from(id: RolloutId) -> Self {
        id.0
    }
}

impl fmt::Display for Participant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.address)
    }
}

impl Together {
    /// Checks what a caller asked the agent of droplet `own` for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(
        rollout: RolloutId,
        participants: Vec<Participant>,
        lease: Duration,
        own: DropletId,
    ) -> Result<Self, TogetherError> {
        if participants.is_empty() || participants.len() > MOST {
            return Err(TogetherError::Count(participants.len()));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = participants.iter().find(|one| !seen.insert(one.droplet)) {
            return Err(TogetherError::Twice(twice.droplet));
        }
        if !seen.contains(&own) {
            return Err(TogetherError::NotMeant { own });
        }
        if !(SHORTEST..=LONGEST).contains(&lease) {
            return Err(TogetherError::Lease(lease));
        }
        Ok(Self { rollout, participants, lease, own })
    }

    /// Which release on many droplets it is.
    pub fn rollout(&self) -> &RolloutId {
        &self.rollout
    }

    /// How long the agent waits for the others in each of the two votes.
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// The participant that decides; none when this droplet does.
    pub fn decider(&self) -> Option<&Participant> {
        self.participants.first().filter(|first| first.droplet != self.own)
    }

    /// This droplet, as people call it.
    pub fn own_name(&self) -> &str {
        let own = self.participants.iter().find(|one| one.droplet == self.own);
        own.map_or("this droplet", |own| own.name.as_str())
    }

    /// All but this droplet, and but the one that decides.
    pub fn others(&self) -> impl Iterator<Item = &Participant> {
        self.participants.iter().skip(1).filter(|one| one.droplet != self.own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn participant(droplet: u64) -> Participant {
        Participant {
            droplet: DropletId::new(droplet).unwrap(),
            address: format!("10.10.0.{droplet}:7443").parse().unwrap(),
            name: format!("web-{droplet}"),
        }
    }

    fn asked(droplets: &[u64], lease: Duration, own: u64) -> Result<Together, TogetherError> {
        let rollout = RolloutId::new("0123456789abcdef0123456789abcdef").unwrap();
        let participants = droplets.iter().map(|droplet| participant(*droplet)).collect();
        Together::new(rollout, participants, lease, DropletId::new(own).unwrap())
    }

    #[test]
    fn the_first_decides_and_nobody_asks_itself() {
        let names = |together: &Together| together.others().map(|one| one.name.clone()).collect::<Vec<_>>();
        let minute = Duration::from_mins(1);
        let first = asked(&[4, 5, 6], minute, 4).unwrap();
        assert_eq!((first.decider(), names(&first)), (None, vec!["web-5".to_owned(), "web-6".to_owned()]));
        let last = asked(&[4, 5, 6], minute, 6).unwrap();
        assert_eq!(last.decider().unwrap().to_string(), "web-4 (10.10.0.4:7443)");
        assert_eq!(names(&last), ["web-5"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let minute = Duration::from_mins(1);
        let refused = |asked: Result<Together, TogetherError>| asked.unwrap_err().to_string();
        assert_eq!(refused(asked(&[], minute, 4)), "a release has 1 to 500 participants, not 0");
        assert_eq!(refused(asked(&[4, 4], minute, 4)), "droplet 4 takes part twice");
        assert_eq!(
            refused(asked(&[4, 5], minute, 6)),
            "this is droplet 6, which is not among the participants"
        );
        assert_eq!(
            refused(asked(&[4], Duration::from_millis(500), 4)),
            "an agent waits 1 s to 1 h for the others, not 0.5 s"
        );
        for wrong in ["", "0123456789ABCDEF0123456789ABCDEF", "0123456789abcdef"] {
            assert!(RolloutId::new(wrong).is_err(), "{wrong}");
        }
    }
}
