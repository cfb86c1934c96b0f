//! What to do about each error.

use super::{BackupError, server::of_postgres};
use crate::{apps::ServiceName, backup::pipe::SealError, backup_runs::Doing};

impl BackupError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotEnrolled => "enrol this droplet first: `tidegate up`".to_owned(),
            Self::Release { .. } => "`tidegate status` lists the apps of this droplet".to_owned(),
            Self::NobodyAsks(_) => {
                "give the service that holds the data `x-tidegate: { backup: ... }`, and deploy".to_owned()
            }
            Self::NotAsked { known, .. } if known.is_empty() => {
                "give the service `x-tidegate: { backup: ... }`, and deploy".to_owned()
            }
            Self::NotAsked { known, .. } => format!("these do: {}", names(known)),
            Self::Which { services, .. } => format!("name one of them: {}", names(services)),
            Self::Unsupported { .. } => {
                "go on making them as you do now, or install an agent that can do more".to_owned()
            }
            Self::Recipients { .. } | Self::Keep { .. } => {
                "correct it in the Compose file, and deploy".to_owned()
            }
            Self::Busy { .. } => "wait until it has ended, and try again".to_owned(),
            Self::NotRunning { .. } => {
                "start it, for example by deploying again; `tidegate status` and `tidegate logs` tell why it does not run"
                    .to_owned()
            }
            Self::Server { source, .. } => source.hint().to_owned(),
            Self::NoDatabase(_) => "create a database, or remove `backup` from the service".to_owned(),
            Self::MissingDatabase { known, .. } => {
                format!("correct `databases` and deploy; these are there: {}", known.join(", "))
            }
            Self::Space { .. } => {
                "free some space there, keep fewer backups (`keep`, then `tidegate backup prune`), or take a larger droplet"
                    .to_owned()
            }
            Self::Destination(_) | Self::NoDestination(_) => {
                DESTINATION.to_owned()
            }
            Self::Seal { source, .. } => seal(source).to_owned(),
            Self::Dump { .. } => DATABASE.to_owned(),
            Self::Name(_) | Self::Manifest(_) => {
                "shorten the names in question; a database with very many tables can be left out by `databases`".to_owned()
            }
            Self::Timeout { doing: Doing::Backup, .. } => {
                "give it a longer `timeout` under `x-tidegate.backup`, or look for what is slow on the droplet".to_owned()
            }
            Self::Timeout { .. } => "look for what is slow on the droplet, and try again".to_owned(),
            Self::Database { .. } => {
                "see that the droplet has space (`tidegate info`), and try again".to_owned()
            }
            Self::Docker(_) => "see `systemctl status docker` on the droplet, and try again".to_owned(),
            other => other.hint_of_verifying(),
        }
    }

    fn hint_of_verifying(&self) -> String {
        match self {
            Self::NoBackup { .. } => "`tidegate backup list` shows those that there are".to_owned(),
            Self::NothingToVerify { .. } | Self::NotStored { .. } => {
                "make one: `tidegate backup now`".to_owned()
            }
            Self::NoKey { .. } | Self::Key { .. } => {
                "name the file with the secret key of one of its recipients: `--identity FILE`; the key itself stays where you are"
                    .to_owned()
            }
            Self::MissingKey { .. } => {
                "begin again: the keys were made for another copy of the backup".to_owned()
            }
            Self::NoCopy { .. } => {
                "see what became of it at its destinations; make a new backup: `tidegate backup now`".to_owned()
            }
            Self::Scratch(_) => {
                "the backup itself was not judged; see that the droplet has memory and space, and verify again".to_owned()
            }
            Self::Unread { .. } => {
                "the backup itself was not judged; put the destination right, and verify again".to_owned()
            }
            Self::Damaged { .. } => {
                "do not rely on this backup: make a new one now (`tidegate backup now`) and verify it, and have the disk checked"
                    .to_owned()
            }
            Self::Restore { .. } | Self::Differs { .. } => {
                "do not rely on this backup alone: make a new one (`tidegate backup now`) and verify it".to_owned()
            }
            Self::Check { .. } => {
                "see whether the data or the check is wrong: `checks` under `x-tidegate.backup` are run in every database of \
                 the backup"
                    .to_owned()
            }
            other => other.hint_of_restoring(),
        }
    }

    fn hint_of_restoring(&self) -> String {
        match self {
            Self::NewerServer { .. } => {
                "let the service run an image of that version or a later one, deploy, and restore then".to_owned()
            }
            Self::OtherEngine { .. } => {
                "name the service that the backup is of (`--service`, or `--from ENVIRONMENT/APP/SERVICE`), or deploy what it \
                 was made of"
                    .to_owned()
            }
            Self::NoWayBack { .. } => {
                "go back without `--restore-database`, and restore the backup that was made then by `tidegate restore --backup ID`"
                    .to_owned()
            }
            Self::NoScrub { .. } => {
                "leave out `--scrub`: restore with `--into`, run the statements there, and let the app use that".to_owned()
            }
            Self::NoDatabases { .. } => "leave out `--database`, `--into` and `--scrub`: all of it is restored".to_owned(),
            Self::Changed { .. } => {
                "set it back to how it kept its data then, deploy, and try again".to_owned()
            }
            Self::NotInBackup { known, .. } => format!("it has these: {}", known.join(", ")),
            Self::NothingElsewhere { .. } => {
                "a backup reaches another droplet through a bucket that both apps name under `to`; \
                 `tidegate backup list --from ENVIRONMENT` shows what is there"
                    .to_owned()
            }
            Self::Scrub { .. } => "put the statements right, and restore again: nothing was changed".to_owned(),
            Self::IntoMany { known, .. } | Self::ScrubMany { known } => {
                format!("name the one that is meant with `--database`: {}", known.join(", "))
            }
            Self::IntoName { .. } => "take another name".to_owned(),
            Self::IntoTaken { .. } => "take another name, or drop that database first".to_owned(),
            Self::Tied { .. } => {
                "drop the slot or end the transaction first, then restore; who reads a slot has to begin anew afterwards"
                    .to_owned()
            }
            Self::NoRestore { .. } | Self::NothingKept { .. } => {
                "`tidegate restore --list` shows the restores, and what is kept of each".to_owned()
            }
            Self::Restoring { source, .. } => source.hint().to_owned(),
            Self::Copying { source, .. } => of_postgres(source).to_owned(),
            Self::CutOff => "what served before serves; begin the restore again".to_owned(),
            _ => String::new(),
        }
    }
}

const DESTINATION: &str = "put the destination right, and make the backup again";
const DATABASE: &str = "see the database's log (`tidegate logs`), and make the backup again";

fn seal(source: &SealError) -> &'static str {
    match source {
        SealError::NoDestination(_) | SealError::NoTarget => DESTINATION,
        SealError::Source(_) | SealError::Silent { .. } => DATABASE,
        SealError::Press(_) | SealError::Broken | SealError::Encrypt(_) => {
            "make it again; if it fails again, the agent's log (`journalctl -u tidegate-agent`) tells more"
        }
    }
}

pub(super) fn names(services: &[ServiceName]) -> String {
    let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
    names.join(", ")
}
