//! Agents that vote over a bad network, simulated on paused time: links are cut and healed, agents are killed and start
//! again, steps fail, operators cancel, all at random from a seed that a failure names. The sagas, the votes and the
//! decisions are the real ones; what they release, the network and the disk are not. Whatever happens: no two agents end in
//! different releases, and once the network is whole and all agents run, all of them end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use tidegate_proto::names::DropletId;
use tidegate_saga::{
    Cancel, Inputs, Look, MemoryJournal, Node, NodeFailure, NodeResult, Phase, Record, Runner, Saga, State,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    Decision, Outcome, Participant, PeerError, Peers, Resolution, RolloutId, Standing, Together,
    outcome::{self, is_pledged},
    talk::{self, Notices, Talk},
};
use crate::{
    apps::{AppName, ReleaseNumber},
    clock::Clock,
    release::{Failure, ReleaseState},
};

const LEASE: Duration = Duration::from_secs(25);

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    fn millis(&mut self, bound: u64) -> Duration {
        Duration::from_millis(self.below(bound))
    }
}

/// The time of tokio's paused clock.
#[derive(Debug)]
struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH.checked_add(self.0.elapsed()).unwrap()
    }
}

/// What survives a kill of an agent.
#[derive(Clone, Default)]
struct Disk {
    journal: MemoryJournal,
    began: Arc<Mutex<BTreeMap<&'static str, Timestamp>>>,
}

impl Disk {
    fn state(&self) -> State {
        State::replay(&self.journal.records()).unwrap()
    }

    fn outcome(&self) -> Outcome {
        let state = self.state();
        if *state.phase() == Phase::Empty {
            return Outcome::UNKNOWN;
        }
        outcome::of(&state, ReleaseState::Running)
    }
}

struct World {
    disks: Vec<Disk>,
    broken: Mutex<Broken>,
    dice: Mutex<Dice>,
    clock: Arc<PausedClock>,
}

#[derive(Default)]
struct Broken {
    /// From, to: one direction.
    links: BTreeSet<(usize, usize)>,
    dead: BTreeSet<usize>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

impl World {
    fn dice(&self) -> MutexGuard<'_, Dice> {
        self.dice.lock().unwrap()
    }

    fn passes(&self, from: usize, to: usize) -> bool {
        let broken = self.broken.lock().unwrap();
        !broken.links.contains(&(from, to)) && !broken.dead.contains(&to)
    }
}

/// One agent's end of the network.
#[derive(Debug)]
struct Wire {
    world: Arc<World>,
    own: usize,
}

impl Wire {
    async fn carry(&self, from: usize, to: usize) -> Result<(), PeerError> {
        let delay = self.world.dice().millis(400);
        sleep(delay).await;
        if self.world.passes(from, to) {
            return Ok(());
        }
        // Some links refuse, some swallow.
        if self.world.dice().below(2) == 0 {
            std::future::pending::<()>().await;
        }
        Err(PeerError::Unreachable("the link is cut".into()))
    }
}

impl Peers for Wire {
    fn outcome<'a>(
        &'a self,
        peer: &'a Participant,
        _: &'a AppName,
        _: &'a RolloutId,
    ) -> BoxFuture<'a, Result<Outcome, PeerError>> {
        let to = usize::try_from(peer.droplet.get()).unwrap() - 1;
        Box::pin(async move {
            self.carry(self.own, to).await?;
            let answer = self.world.disks[to].outcome();
            // The answer is old when it arrives.
            self.carry(to, self.own).await?;
            Ok(answer)
        })
    }
}

struct SimContext {
    together: Together,
    wire: Wire,
    disk: Disk,
    standing: Standing,
    cancel: Cancel,
    pledged: bool,
    /// Of a hundred.
    fails: u64,
}

impl SimContext {
    async fn vote(&self, step: &'static str, inputs: &Inputs<'_>) -> Result<(), Failure> {
        let world = &self.wire.world;
        let since = *self.disk.began.lock().unwrap().entry(step).or_insert_with(|| world.clock.now());
        let app = AppName::new("shop").unwrap();
        let talk = Talk {
            together: &self.together,
            release: (&app, ReleaseNumber::new(2)),
            peers: &self.wire,
            clock: world.clock.as_ref(),
            since,
            jitter: &|| 0.5,
            standing: &self.standing,
            notices: &Silent,
        };
        match step {
            "agree" => talk::agree(&talk, inputs.cancel()).await,
            _ => talk::finish(&talk, &self.cancel).await,
        }
    }
}

struct Silent;

impl Notices for Silent {
    fn waiting(&self, _: String) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn in_doubt(&self, _: Failure) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

const STEPS: [&str; 7] = ["create", "migrate", "agree", "switch", "watch", "finish", "commit"];

struct Step(&'static str);

impl Node<SimContext> for Step {
    fn forward<'a>(
        &'a self,
        context: &'a SimContext,
        inputs: &'a Inputs<'a>,
    ) -> BoxFuture<'a, NodeResult<Value>> {
        Box::pin(async move {
            if matches!(self.0, "agree" | "finish") {
                let voted = context.vote(self.0, inputs).await;
                return voted.map(|()| Value::Null).map_err(|failure| NodeFailure::new(failure.what));
            }
            let (takes, fate) = {
                let mut dice = context.wire.world.dice();
                (dice.millis(12_000), dice.below(100))
            };
            tokio::select! {
                () = sleep(takes) => {}
                why = inputs.cancel().cancelled() => return Err(NodeFailure::new(why)),
            }
            // What comes after the pivot does not fail for ever.
            if fate < context.fails && self.0 != "commit" {
                return Err(NodeFailure::new(format!("{} failed", self.0)));
            }
            Ok(Value::Null)
        })
    }

    fn undo<'a>(&'a self, context: &'a SimContext, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>> {
        let takes = context.wire.world.dice().millis(2_000);
        Box::pin(async move {
            sleep(takes).await;
            Ok(())
        })
    }

    fn look<'a>(&'a self, context: &'a SimContext, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Look>> {
        let holds = context.pledged || matches!(self.0, "migrate" | "agree" | "finish");
        Box::pin(std::future::ready(Ok(if holds { Look::Holds } else { Look::Again })))
    }
}

fn saga() -> Saga<SimContext> {
    let mut builder = Saga::builder("release");
    let mut last = None;
    for step in STEPS {
        builder = builder.node(step, last, Step(step));
        last = Some(step);
    }
    builder.pivot("finish").build().unwrap()
}

/// Agents and what is done to them.
struct Cluster {
    world: Arc<World>,
    running: Vec<Option<JoinHandle<()>>>,
    standings: Vec<Standing>,
    cancels: Vec<Cancel>,
    fails: u64,
    seed: u64,
}

impl Cluster {
    fn new(agents: usize, fails: u64, seed: u64) -> Self {
        let world = World {
            disks: (0..agents).map(|_| Disk::default()).collect(),
            broken: Mutex::default(),
            dice: Mutex::new(Dice(seed)),
            clock: Arc::new(PausedClock(Instant::now())),
        };
        Self {
            world: Arc::new(world),
            running: (0..agents).map(|_| None).collect(),
            standings: (0..agents).map(|_| Standing::default()).collect(),
            cancels: (0..agents).map(|_| Cancel::new()).collect(),
            fails,
            seed,
        }
    }

    fn agents(&self) -> std::ops::Range<usize> {
        0..self.running.len()
    }

    fn together(&self, own: usize) -> Together {
        let droplet = |agent: usize| DropletId::new(u64::try_from(agent).unwrap() + 1).unwrap();
        let participant = |agent: usize| Participant {
            droplet: droplet(agent),
            address: "10.10.0.1:7443".parse().unwrap(),
            name: format!("web-{}", agent + 1),
        };
        let rollout = RolloutId::new("0123456789abcdef0123456789abcdef").unwrap();
        Together::new(rollout, self.agents().map(participant).collect(), LEASE, droplet(own)).unwrap()
    }

    /// Begins the release on an agent, or goes on with it; a dead one is alive then.
    fn run(&mut self, agent: usize) {
        self.world.broken.lock().unwrap().dead.remove(&agent);
        let disk = self.world.disks[agent].clone();
        self.standings[agent] = Standing::default();
        self.cancels[agent] = Cancel::new();
        let context = SimContext {
            together: self.together(agent),
            wire: Wire { world: self.world.clone(), own: agent },
            pledged: is_pledged(&disk.state()),
            disk: disk.clone(),
            standing: self.standings[agent].clone(),
            cancel: self.cancels[agent].clone(),
            fails: self.fails,
        };
        self.running[agent] = Some(tokio::spawn(async move {
            let saga = saga();
            let runner = Runner::new(&saga, &context, &disk.journal).cancel(context.cancel.clone());
            if disk.journal.records().is_empty() {
                runner.start(Value::Null).await.unwrap();
            } else {
                runner.resume().await.unwrap();
            }
        }));
    }

    async fn kill(&mut self, agent: usize) {
        self.world.broken.lock().unwrap().dead.insert(agent);
        if let Some(task) = self.running[agent].take() {
            task.abort();
            drop(task.await);
        }
    }

    fn is_begun(&self, agent: usize) -> bool {
        !self.world.disks[agent].journal.records().is_empty()
    }

    /// One random thing.
    async fn happen(&mut self) {
        let (what, one, other) = {
            let mut dice = self.world.dice();
            let agents = u64::try_from(self.running.len()).unwrap();
            let mut agent = || usize::try_from(dice.below(agents)).unwrap();
            let (one, other) = (agent(), agent());
            (dice.below(11), one, other)
        };
        match what {
            0..=3 => {
                self.world.broken.lock().unwrap().links.insert((one, other));
            }
            4..=6 => {
                self.world.broken.lock().unwrap().links.remove(&(one, other));
            }
            7 | 8 => self.kill(one).await,
            9 if self.running[one].is_none() && self.is_begun(one) => self.run(one),
            10 if self.world.dice().below(8) == 0 => self.cancels[one].cancel("an operator"),
            _ => {}
        }
    }

    /// What agents know to be decided may never be of both kinds.
    fn check(&self) -> BTreeSet<&'static str> {
        let mut ends = BTreeSet::new();
        for agent in self.agents() {
            match self.world.disks[agent].outcome().decision {
                Decision::Finish => drop(ends.insert("finish")),
                Decision::Undo => drop(ends.insert("undo")),
                Decision::None | Decision::Activate => {}
            }
        }
        assert!(ends.len() < 2, "seed {}: agents disagree: {:?}", self.seed, self.outcomes());
        ends
    }

    fn outcomes(&self) -> Vec<Outcome> {
        self.agents().map(|agent| self.world.disks[agent].outcome()).collect()
    }

    fn doubts(&self) -> Vec<usize> {
        self.agents().filter(|agent| self.standings[*agent].doubt().is_some()).collect()
    }

    /// The network is whole and every agent that was begun runs: all have to end.
    async fn end(&mut self) {
        self.world.broken.lock().unwrap().links.clear();
        for agent in self.agents() {
            if self.running[agent].is_none() && self.is_begun(agent) {
                self.run(agent);
            }
            self.world.broken.lock().unwrap().dead.remove(&agent);
        }
        for agent in self.agents() {
            let Some(task) = self.running[agent].take() else { continue };
            let ended = tokio::time::timeout(Duration::from_mins(10), task).await;
            let outcomes = self.outcomes();
            ended
                .unwrap_or_else(|_| panic!("seed {}: agent {agent} hangs: {outcomes:?}", self.seed))
                .unwrap();
            let finished = matches!(self.world.disks[agent].state().phase(), Phase::Finished(_));
            assert!(finished, "seed {}: agent {agent} has no end", self.seed);
        }
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let waited = async {
            while !is_so(self) {
                sleep(Duration::from_millis(100)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_mins(10), waited).await;
        waited.unwrap_or_else(|_| panic!("never {what}: {:?}", self.outcomes()));
    }
}

/// How one run went: its end, and whether an agent was in doubt on the way.
async fn random_run(seed: u64) -> (BTreeSet<&'static str>, bool) {
    let mut dice = Dice(seed ^ 0xabcd);
    let agents = usize::try_from(3 + dice.below(3)).unwrap();
    let fails = [0, 1, 5][usize::try_from(dice.below(3)).unwrap()];
    let mut cluster = Cluster::new(agents, fails, seed);
    let all = dice.below(20) != 0;
    for agent in cluster.agents() {
        // Once in a while the controller dies before it has begun all of them.
        if all || agent != agents - 1 {
            cluster.run(agent);
        }
    }
    let mut doubted = false;
    // Half of the time the trouble comes late, when the release serves already.
    if dice.below(2) == 0 {
        sleep(dice.millis(50_000)).await;
    }
    for _ in 0..dice.below(60) {
        sleep(dice.millis(4_000)).await;
        cluster.happen().await;
        cluster.check();
        doubted |= !cluster.doubts().is_empty();
    }
    cluster.end().await;
    (cluster.check(), doubted)
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_all_agents_end_in_the_same_release() {
    let (mut finished, mut undone, mut doubtful) = (0, 0, 0);
    for seed in 0..400 {
        let (ends, doubted) = random_run(seed).await;
        finished += u32::from(ends.contains("finish"));
        undone += u32::from(ends.contains("undo"));
        doubtful += u32::from(doubted);
    }
    println!("{finished} released, {undone} undone, {doubtful} in doubt on the way");
    assert_eq!(finished + undone, 400);
    // Else the runs are too kind, or too cruel, to say anything.
    assert!(finished > 20 && undone > 20 && doubtful > 10, "{finished} {undone} {doubtful}");
}

#[tokio::test(start_paused = true)]
async fn without_trouble_all_finish_and_with_a_failure_nobody_switches() {
    let mut cluster = Cluster::new(3, 0, 1);
    cluster.agents().for_each(|agent| cluster.run(agent));
    cluster.end().await;
    assert_eq!(cluster.check(), BTreeSet::from(["finish"]));

    let mut cluster = Cluster::new(3, 0, 1);
    cluster.run(0);
    cluster.run(1);
    cluster.fails = 100;
    cluster.run(2);
    cluster.end().await;
    assert_eq!(cluster.check(), BTreeSet::from(["undo"]));
    let switched =
        |record: &Record| matches!(record, Record::NodeStarted { node } if node.as_str() == "switch");
    let disks = &cluster.world.disks;
    assert!(!disks.iter().any(|disk| disk.journal.records().iter().any(switched)));
}

/// Everybody has voted that it serves, and the one that decides is gone.
async fn orphaned() -> Cluster {
    let mut cluster = Cluster::new(3, 0, 7);
    cluster.agents().for_each(|agent| cluster.run(agent));
    let has_activated = |outcome: &Outcome| outcome.decision == Decision::Activate;
    cluster.until("activated", |cluster| cluster.outcomes().iter().all(has_activated)).await;
    cluster.kill(0).await;
    let doubtful = |cluster: &Cluster| cluster.doubts() == [1, 2];
    cluster.until("in doubt", doubtful).await;
    cluster
}

#[tokio::test(start_paused = true)]
async fn agents_in_doubt_keep_serving_until_the_one_that_decides_is_back() {
    let mut cluster = orphaned().await;
    sleep(Duration::from_hours(2)).await;
    assert_eq!(cluster.doubts(), [1, 2]);
    let doubt = cluster.standings[1].doubt().unwrap();
    assert_eq!(
        doubt.failure.what,
        "r2 is in doubt on web-2: it serves, and whether it stays cannot be known"
    );
    cluster.end().await;
    // It was gone longer than its lease, but hears that all serve before it looks at the clock.
    assert_eq!(cluster.check().len(), 1);
    assert!(cluster.doubts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_operator_ends_the_doubt_on_one_and_the_others_follow_when_they_hear_of_it() {
    for keep in [true, false] {
        let mut cluster = orphaned().await;
        let actor = "ada".to_owned();
        let word = if keep { Resolution::Keep { actor } } else { Resolution::Undo { actor } };
        assert!(cluster.standings[1].resolve(&word));
        for agent in [1, 2] {
            cluster.running[agent].take().unwrap().await.unwrap();
        }
        let expected = if keep { Decision::Finish } else { Decision::Undo };
        assert_eq!(cluster.outcomes()[1].decision, expected);
        assert_eq!(cluster.outcomes()[2].decision, expected);
    }
}
