//! The two steps that a release on many droplets has besides its own. Pure.

use crate::release::plan::{Step, When};

/// The steps of a release with those of the agreement: `agree` before the first step that users may notice, `finish` in
/// front of the commit, whose place as the pivot it takes; and `awaited`, if there is such a step, before new code runs.
pub fn with_agreement(steps: Vec<Step>, mut awaited: Option<Step>) -> Vec<Step> {
    let mut all = Vec::with_capacity(steps.len().saturating_add(3));
    let mut has_agreed = false;
    for step in steps {
        if runs_code(&step) {
            all.extend(awaited.take());
        }
        if is_noticed(&step) && !has_agreed {
            all.push(Step::Agree);
            has_agreed = true;
        }
        if step == Step::Commit {
            all.push(Step::Finish);
        }
        all.push(step);
    }
    all
}

/// Whether a step starts something of the new release, or comes after all that do.
fn runs_code(step: &Step) -> bool {
    match step {
        Step::Pull
        | Step::Prepare
        | Step::Timers
        | Step::Backup(_)
        | Step::Quiesce
        | Step::Copy(_)
        | Step::Restore(_)
        | Step::Networks
        | Step::Create
        | Step::AwaitMigration => false,
        Step::Gate(_)
        | Step::Roll(_)
        | Step::Replace(_)
        | Step::Job(_)
        | Step::Migrate
        | Step::Revive(_)
        | Step::Retain(_)
        | Step::Open
        | Step::Discard(_)
        | Step::Switch
        | Step::Drain
        | Step::Watch
        | Step::Agree
        | Step::Finish
        | Step::Commit
        | Step::Prune => true,
    }
}

fn is_noticed(step: &Step) -> bool {
    match step {
        Step::Pull
        | Step::Prepare
        | Step::Timers
        | Step::Backup(_)
        | Step::Create
        | Step::Gate(_)
        | Step::Migrate
        | Step::AwaitMigration => false,
        Step::Job(job) => job.when == When::After,
        Step::Networks
        | Step::Quiesce
        | Step::Copy(_)
        | Step::Restore(_)
        | Step::Retain(_)
        | Step::Revive(_)
        | Step::Open
        | Step::Discard(_)
        | Step::Roll(_)
        | Step::Replace(_)
        | Step::Switch
        | Step::Drain
        | Step::Watch
        | Step::Agree
        | Step::Finish
        | Step::Commit
        | Step::Prune => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::ServiceName;

    fn shown(steps: Vec<Step>) -> String {
        with_agreement(steps, None).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_agreement_comes_before_anything_that_users_notice_and_the_finish_before_the_commit() {
        let gate = Step::Gate(ServiceName::new("web"));
        let steps = vec![
            Step::Pull,
            Step::Prepare,
            Step::Create,
            Step::Migrate,
            gate.clone(),
            Step::Switch,
            Step::Replace(ServiceName::new("worker")),
            Step::Drain,
            Step::Watch,
            Step::Commit,
            Step::Prune,
        ];
        assert_eq!(
            shown(steps),
            "pull, prepare, create, migrate, gate web, agree, switch, replace worker, drain, watch, finish, commit, prune"
        );
        // A database that the migration needs is replaced before it: that interrupts already.
        let early =
            vec![Step::Prepare, Step::Replace(ServiceName::new("db")), Step::Migrate, gate, Step::Commit];
        assert_eq!(shown(early), "prepare, agree, replace db, migrate, gate web, finish, commit");
    }

    #[test]
    fn new_code_waits_for_the_schema_that_another_droplet_makes() {
        let steps = vec![
            Step::Pull,
            Step::Prepare,
            Step::Create,
            Step::Gate(ServiceName::new("web")),
            Step::Switch,
            Step::Commit,
        ];
        let all = with_agreement(steps, Some(Step::AwaitMigration));
        let names: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(
            names.join(", "),
            "pull, prepare, create, await migration, gate web, agree, switch, finish, commit"
        );
        // Its networks are made anew first: nothing of it runs then, the old code with it.
        let all =
            with_agreement(vec![Step::Networks, Step::Create, Step::Commit], Some(Step::AwaitMigration));
        let names: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(names.join(", "), "agree, networks, create, await migration, finish, commit");
    }

    #[test]
    fn a_release_that_changes_nothing_takes_part_too() {
        assert_eq!(
            shown(vec![Step::Prepare, Step::Commit, Step::Prune]),
            "prepare, agree, finish, commit, prune"
        );
    }
}
