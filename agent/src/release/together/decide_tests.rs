use proptest::prelude::*;

use super::*;

fn told(vote: Vote, decision: Decision) -> Heard {
    Heard::Told(Outcome { vote, decision, migrated: false })
}

const PREPARING: fn() -> Heard = || told(Vote::Preparing, Decision::None);
const READY: fn() -> Heard = || told(Vote::Ready, Decision::None);
const ACTIVE: fn() -> Heard = || told(Vote::Ready, Decision::Activate);
const SERVING: fn() -> Heard = || told(Vote::Serving, Decision::Activate);
const FINISHED: fn() -> Heard = || told(Vote::Serving, Decision::Finish);
const FAILED: fn() -> Heard = || told(Vote::Failed, Decision::Undo);

#[test]
fn the_first_decides_by_all_votes() {
    use Lease::{Over, Runs};

    assert_eq!(agree_first(&[], Runs), Verdict::Go);
    assert_eq!(agree_first(&[READY(), PREPARING()], Runs), Verdict::Wait);
    assert_eq!(agree_first(&[READY(), READY()], Over), Verdict::Go);
    assert_eq!(agree_first(&[READY(), Heard::Nothing], Runs), Verdict::Wait);
    assert_eq!(agree_first(&[READY(), Heard::Nothing], Over), Verdict::Undo(Reason::Late));
    assert_eq!(agree_first(&[READY(), FAILED()], Runs), Verdict::Undo(Reason::Another));
    let unknown = Heard::Told(Outcome::UNKNOWN);
    assert_eq!(agree_first(&[READY(), unknown], Over), Verdict::Undo(Reason::Late));

    assert_eq!(finish_first(&[SERVING(), ACTIVE()], Runs), Verdict::Wait);
    assert_eq!(finish_first(&[SERVING(), SERVING()], Over), Verdict::Go);
    assert_eq!(finish_first(&[SERVING(), FAILED()], Runs), Verdict::Undo(Reason::Another));
    assert_eq!(finish_first(&[SERVING(), ACTIVE()], Over), Verdict::Undo(Reason::Late));
}

#[test]
fn the_others_follow_whoever_knows() {
    use Lease::{Over, Runs};

    assert_eq!(agree(READY(), &[], Runs), Verdict::Wait);
    assert_eq!(agree(READY(), &[], Over), Verdict::Undo(Reason::Late));
    assert_eq!(agree(ACTIVE(), &[], Over), Verdict::Go);
    assert_eq!(agree(Heard::Nothing, &[READY(), ACTIVE()], Runs), Verdict::Go);
    assert_eq!(agree(Heard::Nothing, &[READY(), FAILED()], Runs), Verdict::Undo(Reason::Another));
    assert_eq!(agree(Heard::Nothing, &[Heard::Nothing], Over), Verdict::Undo(Reason::Late));

    assert_eq!(finish(SERVING(), &[], Over), Verdict::Wait);
    assert_eq!(finish(FINISHED(), &[], Runs), Verdict::Go);
    assert_eq!(finish(FAILED(), &[], Runs), Verdict::Undo(Reason::Another));
    assert_eq!(finish(Heard::Nothing, &[SERVING()], Runs), Verdict::Wait);
    assert_eq!(finish(Heard::Nothing, &[SERVING()], Over), Verdict::InDoubt);
    assert_eq!(finish(Heard::Nothing, &[FINISHED()], Over), Verdict::Go);
    assert_eq!(finish(Heard::Nothing, &[FAILED()], Over), Verdict::Undo(Reason::Another));
}

fn heard() -> impl Strategy<Value = Heard> {
    let any: [fn() -> Heard; 7] = [PREPARING, READY, ACTIVE, SERVING, FINISHED, FAILED, || Heard::Nothing];
    prop::sample::select(any.to_vec()).prop_map(|make| make())
}

proptest! {
    /// Nobody goes back by itself once it serves, and nobody finishes by itself.
    #[test]
    fn one_that_serves_does_only_what_it_heard(
        decider in heard(),
        others in prop::collection::vec(heard(), 0..5),
        over in any::<bool>(),
    ) {
        let lease = if over { Lease::Over } else { Lease::Runs };
        let mut all = std::iter::once(decider).chain(others.iter().copied());
        match finish(decider, &others, lease) {
            Verdict::Go => prop_assert!(all.any(|heard| heard == FINISHED())),
            Verdict::Undo(_) => prop_assert!(all.any(|heard| heard == FAILED())),
            Verdict::InDoubt => prop_assert!(decider == Heard::Nothing && lease == Lease::Over),
            Verdict::Wait => {}
        }
    }

    /// The first finishes only when everybody serves, and never waits for ever.
    #[test]
    fn the_first_never_waits_longer_than_its_lease(others in prop::collection::vec(heard(), 0..5)) {
        let serves = |heard: &Heard| heard.vote() == Some(Vote::Serving);
        let verdict = finish_first(&others, Lease::Over);
        prop_assert_eq!(verdict == Verdict::Go, others.iter().all(serves));
        prop_assert!(verdict != Verdict::Wait && verdict != Verdict::InDoubt);
        prop_assert!(agree_first(&others, Lease::Over) != Verdict::Wait);
    }
}
