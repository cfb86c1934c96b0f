//! What `--dry-run` of a release shows, whichever command would begin it.

use serde::Serialize;
use tidegate_proto::v1::{ChangeKind, PlanDeployResponse};

use crate::agents::Target;

/// What `--dry-run --json` prints, one per droplet.
#[derive(Debug, Serialize)]
pub(super) struct Planned {
    droplet: String,
    changes: Vec<Change>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Change {
    kind: &'static str,
    object: String,
    reason: String,
    strategy: String,
}

/// An agent's plan as it is shown.
pub(super) fn view(target: &Target, planned: PlanDeployResponse) -> Planned {
    let changes = planned.changes.into_iter().map(|change| Change {
        kind: match change.kind() {
            ChangeKind::Unspecified => "unknown",
            ChangeKind::Keep => "keep",
            ChangeKind::Create => "create",
            ChangeKind::Recreate => "recreate",
            ChangeKind::Remove => "remove",
            ChangeKind::Pull => "pull",
            ChangeKind::Run => "run",
        },
        object: change.object,
        reason: change.reason,
        strategy: change.strategy,
    });
    Planned { droplet: target.short.clone(), changes: changes.collect(), notes: planned.notes }
}

/// For people; `command` makes it so.
pub(super) fn text(plans: &[Planned], command: &str) -> String {
    let mut text = String::new();
    for plan in plans {
        text.push_str(&format!("{}\n", plan.droplet));
        for change in &plan.changes {
            let mark = match change.kind {
                "create" => "+",
                "recreate" => "~",
                "remove" => "-",
                "keep" => " ",
                _ => ">",
            };
            let strategy =
                if change.strategy.is_empty() { String::new() } else { format!("{}: ", change.strategy) };
            let line = format!("{mark} {:<9} {:<28} {strategy}{}", change.kind, change.object, change.reason);
            text.push_str(&format!("{}\n", line.trim_end()));
        }
        for note in &plan.notes {
            text.push_str(&format!("note: {note}\n"));
        }
    }
    text.push_str(&format!("\nNothing was changed. `{command}` makes it so."));
    text
}
