use super::*;
use crate::{
    Inputs, Look, MemoryJournal, Node, NodeResult, SagaBuilder,
    testing::{CrashingJournal, Cut, crash_and_resume},
};
use futures::future::BoxFuture;
use proptest::prelude::*;
use serde_json::json;
use std::{collections::BTreeSet, sync::Mutex};

/// The world: what is made, and a log of calls.
#[derive(Default)]
struct World {
    made: Mutex<BTreeSet<String>>,
    calls: Mutex<Vec<String>>,
    /// Calls that fail once each: "forward a", "undo b".
    failing: Mutex<Vec<String>>,
}

impl World {
    fn failing(calls: &[&str]) -> Self {
        Self { failing: Mutex::new(calls.iter().map(|c| (*c).to_owned()).collect()), ..Self::default() }
    }

    fn made(&self) -> Vec<String> {
        self.made.lock().unwrap().iter().cloned().collect()
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    fn call(&self, what: &str) -> NodeResult<()> {
        let mut failing = self.failing.lock().unwrap();
        let fails = failing.iter().position(|f| *f == what);
        if let Some(at) = fails {
            failing.remove(at);
        }
        self.calls.lock().unwrap().push(what.to_owned());
        if fails.is_some() { Err(NodeFailure::new(format!("{what} failed"))) } else { Ok(()) }
    }
}

/// Makes a thing named like itself; half of the failing calls have already made it.
struct Make(&'static str);

impl Node<World> for Make {
    fn forward<'a>(&'a self, world: &'a World, inputs: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Value>> {
        Box::pin(async move {
            world.made.lock().unwrap().insert(self.0.to_owned());
            tokio::task::yield_now().await;
            world.call(&format!("forward {}", self.0))?;
            Ok(json!({"made": self.0, "seen": inputs.outputs.len()}))
        })
    }

    fn undo<'a>(&'a self, world: &'a World, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>> {
        Box::pin(async move {
            world.call(&format!("undo {}", self.0))?;
            world.made.lock().unwrap().remove(self.0);
            Ok(())
        })
    }

    fn look<'a>(&'a self, world: &'a World, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Look>> {
        let holds = world.made.lock().unwrap().contains(self.0);
        Box::pin(async move { Ok(if holds { Look::Holds } else { Look::Again }) })
    }
}

/// Waits until the saga turns back.
struct Wait;

impl Node<World> for Wait {
    fn forward<'a>(&'a self, world: &'a World, inputs: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Value>> {
        Box::pin(async move {
            world.call("forward wait")?;
            Err(NodeFailure::new(inputs.cancel().cancelled().await))
        })
    }

    fn undo<'a>(&'a self, world: &'a World, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>> {
        Box::pin(async move { world.call("undo wait") })
    }
}

fn chain() -> SagaBuilder<World> {
    Saga::builder("test").node("a", [], Make("a")).node("b", ["a"], Make("b")).node("c", ["b"], Make("c"))
}

fn saga() -> Saga<World> {
    chain().build().unwrap()
}

fn patient(attempts: u32) -> Retry {
    Retry::new(attempts, Duration::from_secs(1), Duration::from_secs(8), || 0.5)
}

#[tokio::test]
async fn forward_passes_outputs_on() {
    let (saga, world, journal) = (saga(), World::default(), MemoryJournal::new());
    let ended = Runner::new(&saga, &world, &journal).start(json!({})).await.unwrap();
    let Ended::Done { outputs } = ended else { panic!("{ended:?}") };
    assert_eq!(outputs.get(&NodeName::new("c").unwrap()), Some(&json!({"made": "c", "seen": 2})));
    assert_eq!(world.made(), ["a", "b", "c"]);
    let again = Runner::new(&saga, &world, &journal).resume().await.unwrap();
    assert!(matches!(again, Ended::Done { .. }));
    assert_eq!(world.calls().len(), 3, "a finished saga is left alone");
}

#[tokio::test]
async fn every_node_that_fails_takes_all_back() {
    for failing in ["forward a", "forward b", "forward c"] {
        let (saga, world, journal) = (saga(), World::failing(&[failing]), MemoryJournal::new());
        let ended = Runner::new(&saga, &world, &journal).start(json!({})).await.unwrap();
        let Ended::Undone { failure } = ended else { panic!("{ended:?}") };
        assert_eq!(failure.message, format!("{failing} failed"));
        assert_eq!(world.made(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_is_repeated_within_its_budget() {
    for (attempts, gets_there) in [(2, true), (1, false)] {
        let (saga, world, journal) = (saga(), World::failing(&["forward c", "undo b"]), MemoryJournal::new());
        let ended =
            Runner::new(&saga, &world, &journal).retry(patient(attempts)).start(json!({})).await.unwrap();
        if gets_there {
            assert!(matches!(ended, Ended::Undone { .. }), "{ended:?}");
            assert_eq!(world.made(), [""; 0]);
            continue;
        }
        let Ended::Stuck { node, failure, state } = ended else { panic!("{ended:?}") };
        assert_eq!((node.as_str(), failure.message.as_str()), ("b", "undo b failed"));
        assert!(matches!(state.phase(), Phase::Unwinding(first) if first.message == "forward c failed"));
        assert_eq!(world.made(), ["a", "b"]);
        let ended = Runner::new(&saga, &world, &journal).resume().await.unwrap();
        assert!(matches!(ended, Ended::Undone { .. }), "a later resume tries again");
        assert_eq!(world.made(), [""; 0]);
    }
}

#[tokio::test]
async fn crashed_at_every_record_it_still_ends() {
    for failing in [&[][..], &["forward b"], &["forward c"]] {
        let mut records = 0;
        loop {
            let world = World::failing(failing);
            let (ended, cut) = crash_and_resume(&saga(), &world, json!({}), records).await.unwrap();
            match ended {
                Some(Ended::Done { .. }) => assert_eq!(world.made(), ["a", "b", "c"]),
                Some(Ended::Undone { .. }) | None => assert_eq!(world.made(), [""; 0]),
                Some(stuck @ Ended::Stuck { .. }) => panic!("{stuck:?}"),
            }
            if cut == Cut::No {
                break;
            }
            records += 1;
        }
        assert!(records > 7);
    }
}

#[tokio::test]
async fn what_the_world_lost_is_made_again() {
    let (saga, world, journal) = (saga(), World::default(), MemoryJournal::new());
    let crashing = CrashingJournal::after(journal.clone(), 5);
    Runner::new(&saga, &world, &crashing).start(json!({})).await.unwrap_err();
    world.made.lock().unwrap().remove("a");
    let ended = Runner::new(&saga, &world, &journal).resume().await.unwrap();
    assert!(matches!(ended, Ended::Done { .. }));
    assert_eq!(world.made(), ["a", "b", "c"]);
    assert_eq!(world.calls(), ["forward a", "forward b", "forward a", "forward c"]);
}

#[tokio::test(start_paused = true)]
async fn after_the_pivot_only_forward() {
    let saga = chain().pivot("b").build().unwrap();
    let (world, journal) = (World::failing(&["forward c", "forward c"]), MemoryJournal::new());
    let ended = Runner::new(&saga, &world, &journal).retry(patient(2)).start(json!({})).await.unwrap();
    assert!(matches!(ended, Ended::Stuck { .. }), "{ended:?}");
    let ended = Runner::new(&saga, &world, &journal).resume().await.unwrap();
    assert!(matches!(ended, Ended::Done { .. }), "{ended:?}");
    assert!(!world.calls().iter().any(|call| call.starts_with("undo")));
}

#[tokio::test]
async fn a_wish_to_cancel_takes_all_back() {
    let saga = chain().node("wait", ["c"], Wait).build().unwrap();
    let (world, journal, cancel) = (World::default(), MemoryJournal::new(), Cancel::new());
    let runner = Runner::new(&saga, &world, &journal).cancel(cancel.clone());
    let (ended, ()) = tokio::join!(runner.start(json!({})), async {
        while !world.calls().contains(&"forward wait".to_owned()) {
            tokio::task::yield_now().await;
        }
        cancel.cancel("interrupted");
    });
    let Ended::Undone { failure } = ended.unwrap() else { panic!() };
    assert_eq!(failure.message, "interrupted");
    assert_eq!(world.made(), [""; 0]);
    assert!(world.calls().contains(&"undo wait".to_owned()));
}

#[tokio::test]
async fn a_stale_process_writes_nothing() {
    let (saga, world, journal) = (saga(), World::default(), MemoryJournal::new());
    let (old, _) = journal.claim().await.unwrap();
    Runner::new(&saga, &world, &journal).start(json!({})).await.unwrap();
    let refused = journal.append(old, &Record::SagaResumed).await;
    assert!(matches!(refused, Err(JournalError::Superseded { .. })));
}

#[tokio::test]
async fn another_shape_is_refused() {
    let (world, journal) = (World::default(), MemoryJournal::new());
    let crashing = CrashingJournal::after(journal.clone(), 3);
    Runner::new(&saga(), &world, &crashing).start(json!({})).await.unwrap_err();
    let other = chain().node("d", ["c"], Make("d")).build().unwrap();
    let refused = Runner::new(&other, &world, &journal).resume().await;
    assert!(matches!(refused, Err(RunError::OtherShape)), "{refused:?}");
    let refused = Runner::new(&other, &world, &journal).start(json!({})).await;
    assert!(matches!(refused, Err(RunError::AlreadyStarted)), "{refused:?}");
}

const NAMES: [&str; 6] = ["n0", "n1", "n2", "n3", "n4", "n5"];

/// For each node a bit mask of which earlier nodes it comes after.
fn graph(masks: &[u8]) -> Saga<World> {
    let mut builder = Saga::builder("random");
    for (index, mask) in masks.iter().enumerate() {
        let after =
            NAMES[..index].iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0).map(|(_, n)| *n);
        builder = builder.node(NAMES[index], after, Make(NAMES[index]));
    }
    builder.build().unwrap()
}

proptest! {
    /// The model: without a failure all is made, with one nothing is; whatever the graph, the width, the crashes.
    #[test]
    fn any_graph_ends_as_the_model_says(
        masks in prop::collection::vec(any::<u8>(), 1..=6),
        failing in prop::option::of(0_usize..6),
        crashes in prop::collection::vec(0_usize..12, 0..3),
        width in 1_usize..4,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let saga = graph(&masks);
            let call = failing.map(|f| format!("forward {}", NAMES[f % masks.len()]));
            let world = World::failing(&call.iter().map(String::as_str).collect::<Vec<_>>());
            let journal = MemoryJournal::new();
            let width = NonZeroUsize::new(width).unwrap();
            let mut crashes = crashes.into_iter();
            let first = CrashingJournal::after(journal.clone(), crashes.next().unwrap_or(usize::MAX));
            let mut ended = Runner::new(&saga, &world, &first).width(width).start(json!({})).await;
            while ended.is_err() {
                let next = CrashingJournal::after(journal.clone(), crashes.next().unwrap_or(usize::MAX));
                let runner = Runner::new(&saga, &world, &next).width(width);
                ended = if journal.records().is_empty() {
                    runner.start(json!({})).await
                } else {
                    runner.resume().await
                };
            }
            match ended.unwrap() {
                Ended::Done { .. } => assert_eq!(world.made().len(), masks.len()),
                Ended::Undone { .. } => assert!(call.is_some() && world.made().is_empty()),
                stuck @ Ended::Stuck { .. } => panic!("{stuck:?}"),
            }
            // What was written is legal from its first record to its last.
            let records = journal.records();
            let state = State::replay(&records).unwrap();
            assert!(matches!(state.phase(), Phase::Finished(_)));
        });
    }
}
