//! A project as this droplet has it: without the services, the migration and the jobs that are other droplets'. Pure.

use std::collections::BTreeSet;

use tidegate_compose::{
    Project,
    x_tidegate::{Extension, place},
};

use super::{DeployInput, Failure, input::MigrationHere};

/// Takes out what is not this droplet's part; what the user should know of it.
///
/// # Errors
/// When a service that stays cannot be without one that goes.
pub(super) fn take(
    input: &DeployInput,
    project: &mut Project,
    extension: &mut Extension,
) -> Result<Vec<String>, Vec<Failure>> {
    let elsewhere = &input.part.elsewhere;
    let refused: Vec<Failure> = place::apart(project, elsewhere).iter().map(refusal).collect();
    if !refused.is_empty() {
        return Err(refused);
    }
    let known: Vec<&str> =
        elsewhere.iter().filter(|name| project.services.contains_key(*name)).map(String::as_str).collect();
    let mut notes = Vec::new();
    if !known.is_empty() {
        notes.push(format!("on other droplets (`place`): {}", known.join(", ")));
    }
    place::leave_out(project, extension, elsewhere);
    // A rollback runs neither and says so itself.
    let told = commands(input, extension);
    if input.returns_to.is_none() {
        notes.extend(told);
    }
    Ok(notes)
}

/// Takes the migration and the jobs out that other droplets run.
fn commands(input: &DeployInput, extension: &mut Extension) -> Option<String> {
    let elsewhere: &BTreeSet<String> = &input.part.elsewhere;
    let is_here = |migrate: &tidegate_compose::x_tidegate::Migrate| {
        input.part.migration == MigrationHere::Run && !elsewhere.contains(&migrate.service)
    };
    for jobs in [&mut extension.jobs.before, &mut extension.jobs.after] {
        jobs.retain(|job| !elsewhere.contains(&job.service));
    }
    let migrate = extension.migrate.take_if(|migrate| !is_here(migrate))?;
    Some(format!(
        "the migration in {} is not run here: another droplet runs it (`migrate.place`)",
        migrate.service
    ))
}

fn refusal(apart: &place::Apart) -> Failure {
    let place::Apart { service, needs, attribute } = apart;
    let named = attribute.split('.').next().unwrap_or_default();
    let hint = if named == "depends_on" {
        format!(
            "give both the same `x-tidegate.place`; or, where {service} finds {needs} on the other droplet, write `required: false` there"
        )
    } else {
        "give both the same `x-tidegate.place`".to_owned()
    };
    Failure::new(
        format!("service {service} needs {needs}, which does not run on this droplet"),
        format!("its `{named}` names {needs}, and both have to be on one machine for that"),
    )
    .at(format!("services.{service}.{attribute}"))
    .hint(hint)
}

#[cfg(test)]
mod tests {
    use tidegate_compose::{LoadOptions, MemoryFiles, load, x_tidegate};

    use super::*;
    use crate::apps::AppName;

    const SHOP: &str = "
x-tidegate:
  migrate: { service: web, command: [migrate], kind: compatible }
  jobs: { before: [{ service: web, command: [check] }], after: [{ service: poller, command: [warm] }] }
services:
  web: { image: web, depends_on: { db: { condition: service_started, required: false } } }
  db: { image: db }
  poller: { image: web, depends_on: [web] }
";

    fn taken(
        elsewhere: &[&str],
        migration: MigrationHere,
    ) -> Result<(Project, Extension, Vec<String>), Vec<Failure>> {
        let mut files = MemoryFiles::new();
        files.insert("/p/compose.yaml", SHOP);
        let options = LoadOptions { working_directory: "/p".into(), ..LoadOptions::default() };
        let loaded = load(&files, &options).unwrap();
        let mut extension = x_tidegate::read(&loaded.project, &loaded.files).unwrap();
        let mut project = loaded.project;
        let input = input(elsewhere, migration);
        let notes = take(&input, &mut project, &mut extension)?;
        Ok((project, extension, notes))
    }

    fn input(elsewhere: &[&str], migration: MigrationHere) -> DeployInput {
        let elsewhere = elsewhere.iter().map(|name| (*name).to_owned()).collect();
        DeployInput {
            part: crate::release::input::Part { elsewhere, migration },
            ..DeployInput::of(AppName::new("shop").unwrap())
        }
    }

    #[test]
    fn what_is_elsewhere_is_as_if_it_were_not_in_the_file() {
        let (project, extension, notes) = taken(&["db", "poller"], MigrationHere::Run).unwrap();
        assert_eq!(project.services.keys().collect::<Vec<_>>(), ["web"]);
        assert!(extension.migrate.is_some());
        assert_eq!((extension.jobs.before.len(), extension.jobs.after.len()), (1, 0));
        assert_eq!(notes, ["on other droplets (`place`): db, poller"]);
        let (project, extension, notes) = taken(&[], MigrationHere::Run).unwrap();
        assert_eq!((project.services.len(), extension.migrate.is_some(), notes.len()), (3, true, 0));
    }

    #[test]
    fn a_migration_is_another_droplets_by_order_or_with_its_service() {
        let (_, extension, notes) = taken(&[], MigrationHere::Elsewhere).unwrap();
        assert!(extension.migrate.is_none());
        assert_eq!(
            notes,
            ["the migration in web is not run here: another droplet runs it (`migrate.place`)"]
        );
        let (_, extension, _) = taken(&["web", "poller"], MigrationHere::Run).unwrap();
        assert!(extension.migrate.is_none() && extension.jobs.is_empty());
    }

    #[test]
    fn who_cannot_be_without_the_other_is_refused() {
        let failures = taken(&["web"], MigrationHere::Run).unwrap_err();
        insta::assert_debug_snapshot!(failures);
    }
}
