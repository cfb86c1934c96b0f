//! Which course comes next, and when its agent is killed: every edge once, then random moments.

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt as _, rngs::StdRng};

use super::{app::Course, victim::When};

/// From so many attempts on every edge is taken; with fewer, some.
const ALL_EDGES: u64 = 400;
/// Which edges are taken when not all are.
const STRIDE: i64 = 5;
/// How long a release is taken to last before one was seen whole.
const UNKNOWN: Duration = Duration::from_secs(8);

/// One job's share.
pub struct Schedule {
    /// Where all that is random comes from.
    pub random: StdRng,
    turn: usize,
    stride: i64,
    /// The next edge of each course, while it has more.
    edges: BTreeMap<Course, i64>,
    /// How long a release of each course takes that nobody kills.
    lasts: BTreeMap<Course, Duration>,
}

impl Schedule {
    /// For job `number` of `jobs`, which make `count` attempts together.
    pub fn new((number, jobs): (u64, u64), count: u64, mut random: StdRng) -> Self {
        let share = i64::try_from(jobs).unwrap();
        let own = i64::try_from(number).unwrap() + 1;
        let (stride, shift) =
            if count >= ALL_EDGES { (share, 0) } else { (STRIDE * share, random.random_range(0..STRIDE)) };
        let edges = Course::ALL.into_iter().map(|course| (course, own + shift * share)).collect();
        Self { random, turn: 0, stride, edges, lasts: BTreeMap::new() }
    }

    /// What is done next.
    pub fn next(&mut self) -> (Course, When) {
        let course = *Course::ALL.iter().cycle().nth(self.turn).unwrap();
        self.turn += 1;
        if let Some(edge) = self.edges.get_mut(&course) {
            let records = *edge;
            *edge += self.stride;
            return (course, When::Records(records));
        }
        let lasts = self.lasts.get(&course).copied().unwrap_or(UNKNOWN);
        (course, When::After(self.random.random_range(Duration::ZERO..lasts)))
    }

    /// Takes note of one that came to its end before it could be killed: it has no further edges.
    pub fn learn(&mut self, (course, when): (Course, When), killed: Option<i64>, lasted: Duration) {
        if killed.is_none() {
            self.lasts.insert(course, lasted);
            if matches!(when, When::Records(_)) {
                self.edges.remove(&course);
            }
        }
    }

    /// When an agent that goes on is killed as well.
    pub fn delay(&mut self) -> Duration {
        self.random.random_range(Duration::ZERO..Duration::from_secs(3))
    }
}
