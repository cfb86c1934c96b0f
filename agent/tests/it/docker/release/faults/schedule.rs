//! Which course comes next, what goes wrong in it, and when: the agent is killed at every edge once, then at random moments;
//! each few times it is something else that goes wrong, at a random moment.

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt as _, rngs::StdRng};

use super::{app::Course, fault::Fault, registry, victim::When};

/// From so many attempts on every edge is taken; with fewer, some.
const ALL_EDGES: u64 = 600;
/// Which edges are taken when not all are.
const STRIDE: i64 = 5;
/// Edges that every release has; one of them is taken before a release was seen whole.
const EARLY: std::ops::Range<i64> = 1..9;
/// Once in so many attempts it is not the agent that is killed.
const OTHER: usize = 4;
/// How long after their start most of the services of a release are being replaced or taken back.
const MIDDLE: std::ops::Range<Duration> = Duration::from_secs(3)..Duration::from_secs(16);

/// What goes wrong in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variety {
    /// Everything in turn.
    All,
    /// The disk alone, full for good in the middle of releases that would be taken back anyway: the hardest place, because
    /// Docker cannot write down what the undo starts and stops.
    FullDisk,
}

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub course: Course,
    pub fault: Fault,
    pub when: When,
}

/// One job's share.
pub struct Schedule {
    /// Where all that is random comes from.
    pub random: StdRng,
    variety: Variety,
    turn: usize,
    /// Which of the faults that are not the agent's comes next.
    other: usize,
    /// Which course comes next.
    course: usize,
    stride: i64,
    /// The next edge of each course, while it has more.
    edges: BTreeMap<Course, i64>,
    /// How long a release of each course takes that nobody kills.
    lasts: BTreeMap<Course, Duration>,
}

impl Schedule {
    /// For job `number` of `jobs`, which make `count` attempts together.
    pub fn new((number, jobs): (u64, u64), (count, variety): (u64, Variety), mut random: StdRng) -> Self {
        let share = i64::try_from(jobs).unwrap();
        let own = i64::try_from(number).unwrap() + 1;
        let (stride, shift) =
            if count >= ALL_EDGES { (share, 0) } else { (STRIDE * share, random.random_range(0..STRIDE)) };
        let edges = Course::ALL.into_iter().map(|course| (course, own + shift * share)).collect();
        // The jobs begin at different places, so that a few attempts take all.
        let first = |of: usize| of * usize::try_from(number).unwrap() / usize::try_from(jobs).unwrap();
        let (other, course) = (first(4), first(Course::ALL.len()));
        Self { random, variety, turn: 0, other, course, stride, edges, lasts: BTreeMap::new() }
    }

    /// What is done next: one of these courses. Those that have edges left come first.
    pub fn next(&mut self, possible: &[Course]) -> Plan {
        self.turn += 1;
        if self.variety == Variety::FullDisk {
            let course = [Course::Poller, Course::SickNetworks][self.random.random_range(0..2)];
            return Plan {
                course,
                fault: Fault::DiskForGood,
                when: When::After(self.random.random_range(MIDDLE)),
            };
        }
        if self.turn.is_multiple_of(OTHER) {
            return self.other(possible);
        }
        let has_edges = |course: &Course| self.edges.contains_key(course);
        let mut due: Vec<Course> = possible.iter().copied().filter(has_edges).collect();
        if due.is_empty() {
            due = possible.to_vec();
        }
        let course = due[self.course % due.len()];
        self.course += 1;
        let when = match self.edges.get_mut(&course) {
            Some(edge) => {
                let records = *edge;
                *edge += self.stride;
                When::Records(records)
            }
            None => self.any_time(course),
        };
        Plan { course, fault: Fault::Agent, when }
    }

    fn other(&mut self, possible: &[Course]) -> Plan {
        self.other += 1;
        let course = possible[self.random.random_range(0..possible.len())];
        let fault = match self.other % 4 {
            0 => Fault::Docker,
            1 => Fault::Disk,
            2 => Fault::DiskForGood,
            _ => {
                let fault = Fault::Registry(self.random.random_range(registry::MIDDLE));
                return Plan { course: Course::Pull, fault, when: When::After(Duration::ZERO) };
            }
        };
        Plan { course, fault, when: self.any_time(course) }
    }

    fn any_time(&mut self, course: Course) -> When {
        match self.lasts.get(&course) {
            Some(lasts) => When::After(self.random.random_range(Duration::ZERO..*lasts)),
            None => When::Records(self.random.random_range(EARLY)),
        }
    }

    /// Takes note of one that came to its end before anything went wrong: it has no further edges.
    pub fn learn(&mut self, plan: Plan, struck: Option<i64>, lasted: Duration) {
        if struck.is_none() {
            self.lasts.insert(plan.course, lasted);
            if plan.fault == Fault::Agent && matches!(plan.when, When::Records(_)) {
                self.edges.remove(&plan.course);
            }
        }
    }

    /// The courses of which edges were not taken.
    pub fn left(&self) -> Vec<Course> {
        self.edges.keys().copied().collect()
    }

    /// When an agent that goes on is killed as well.
    pub fn delay(&mut self) -> Duration {
        self.random.random_range(Duration::ZERO..Duration::from_secs(3))
    }
}
