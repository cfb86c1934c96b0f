//! Why a backup run did not do what it was asked.
//!
//! The text of each says what failed; the source says why; [`BackupError::failure`] has both, and what to do.

mod failure;
mod hint;
mod server;

use std::time::Duration;

use jiff::Timestamp;

use self::failure::no_key;
pub use self::server::ServerError;
use super::{BackupState, live::Doing, progress::size};
use crate::{
    apps::{AppName, ServiceName},
    backup::{
        BackupId, ByteCount, NameError, PartName,
        destination::DestinationError,
        manifest::ManifestError,
        pipe::SealError,
        rotation::KeepError,
        seal::{KeyError, RecipientError},
    },
    docker::DockerError,
    postgres::PostgresError,
    release::{EngineError, Failure},
    store::DatabaseError,
};

/// Why a backup run did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Nobody knows whose backups these would be.
    #[error("this agent is not enrolled, or its droplet is a copy of another one: it has no backups")]
    NotEnrolled,
    /// What serves is not known.
    #[error("it is not known what {app} wants to be backed up")]
    Release {
        /// The app.
        app: AppName,
        /// Why.
        source: Box<EngineError>,
    },
    /// No service of the app asks for backups.
    #[error("no service of {0} asks for backups")]
    NobodyAsks(AppName),
    /// That service does not.
    #[error("{app} has no service {service} that asks for backups")]
    NotAsked {
        /// The app.
        app: AppName,
        /// What was asked for.
        service: ServiceName,
        /// Those that do.
        known: Vec<ServiceName>,
    },
    /// Several do, and none was named.
    #[error("{app} has several services that ask for backups")]
    Which {
        /// The app.
        app: AppName,
        /// Those that do.
        services: Vec<ServiceName>,
    },
    /// This agent cannot back that up, or not there.
    #[error("service {service} cannot be backed up by this agent: {what} is not possible yet")]
    Unsupported {
        /// The service.
        service: ServiceName,
        /// "a backup of mysql", "the destination bucket:x".
        what: String,
    },
    /// Those who are to open the backups are none.
    #[error("the backups of {service} cannot be encrypted to those whom `encrypt_to` names")]
    Recipients {
        /// The service.
        service: ServiceName,
        /// Why.
        source: RecipientError,
    },
    /// The rule keeps nothing.
    #[error("`keep` of {service} cannot be used")]
    Keep {
        /// The service.
        service: ServiceName,
        /// Why.
        source: KeepError,
    },
    /// One run at a time.
    #[error("{doing} of {app}/{service} is under way, begun by {actor} at {since}")]
    Busy {
        /// The app.
        app: AppName,
        /// The service.
        service: ServiceName,
        /// What is under way.
        doing: Doing,
        /// Who began it.
        actor: String,
        /// When.
        since: Timestamp,
    },
    /// There is nothing to dump from.
    #[error("service {service} of {app} does not run ({state})")]
    NotRunning {
        /// The app.
        app: AppName,
        /// The service.
        service: ServiceName,
        /// What there is instead.
        state: String,
    },
    /// The server cannot be asked, or its programs are too old.
    #[error("the database of {service} cannot be backed up as it is")]
    Server {
        /// The service.
        service: ServiceName,
        /// Why.
        source: ServerError,
    },
    /// It has no database.
    #[error("the server of {0} has no database to back up")]
    NoDatabase(ServiceName),
    /// Some are named that are not there.
    #[error("the server of {service} has no database {}", missing.join(", "))]
    MissingDatabase {
        /// The service.
        service: ServiceName,
        /// Those that are named under `databases` and are not there.
        missing: Vec<String>,
        /// Those that are.
        known: Vec<String>,
    },
    /// Not enough space.
    #[error("{at} has not enough space: about {} are needed, {} are free", size(*needed), size(*free))]
    Space {
        /// Where.
        at: String,
        /// What is expected to be needed, with a margin.
        needed: ByteCount,
        /// What is free.
        free: ByteCount,
    },
    /// A destination failed outside of the stream.
    #[error("a destination of backups cannot be used")]
    Destination(#[source] DestinationError),
    /// A name does not fit.
    #[error("a backup cannot be named so")]
    Name(#[source] NameError),
    /// The dumping failed before the stream began, or the counting.
    #[error("{what} could not be backed up")]
    Dump {
        /// "database shop".
        what: String,
        /// Why.
        source: ServerError,
    },
    /// The stream failed.
    #[error("{what} could not be backed up")]
    Seal {
        /// "database shop".
        what: String,
        /// Why.
        source: Box<SealError>,
    },
    /// No destination has all parts.
    #[error("no destination took all parts of the backup")]
    NoDestination(Vec<String>),
    /// The manifest cannot be written.
    #[error("what the backup holds could not be written down")]
    Manifest(#[source] ManifestError),
    /// It took too long.
    #[error("{doing} did not come to its end within {} s", after.as_secs())]
    Timeout {
        /// What.
        doing: Doing,
        /// How long it was given.
        after: Duration,
    },
    /// The agent's database.
    #[error("{doing} failed")]
    Database {
        /// "writing down that the backup is stored".
        doing: &'static str,
        /// Why.
        source: Box<DatabaseError>,
    },
    /// Docker, beside the streams.
    #[error("Docker did not do its part")]
    Docker(#[source] DockerError),
    /// No such backup.
    #[error("there is no backup {id} of {app}")]
    NoBackup {
        /// The app.
        app: AppName,
        /// What was asked for.
        id: BackupId,
    },
    /// There is none at all.
    #[error("there is no stored backup of {app}/{service} to verify")]
    NothingToVerify {
        /// The app.
        app: AppName,
        /// The service.
        service: ServiceName,
    },
    /// It is not stored.
    #[error("the backup {id} is {}", state.word())]
    NotStored {
        /// Which.
        id: BackupId,
        /// Where it is instead.
        state: BackupState,
    },
    /// The agent cannot open it any more.
    #[error("{}", no_key(*id, *verified_at))]
    NoKey {
        /// Which.
        id: BackupId,
        /// When it was verified; none where the agent never had the key.
        verified_at: Option<Timestamp>,
    },
    /// A key was given for other parts only.
    #[error("no key was given for {part} of the backup {id}")]
    MissingKey {
        /// Which.
        id: BackupId,
        /// Its part.
        part: PartName,
    },
    /// The key in the database is none.
    #[error("the backup {id} cannot be opened")]
    Key {
        /// Which.
        id: BackupId,
        /// Why.
        source: KeyError,
    },
    /// No copy is complete.
    #[error("no complete copy of the backup {id} was found")]
    NoCopy {
        /// Which.
        id: BackupId,
        /// What was found, line by line.
        seen: Vec<String>,
    },
    /// The scratch server.
    #[error("the server in which the backup was to be restored on trial failed")]
    Scratch(#[source] ServerError),
    /// A part cannot be opened.
    #[error("the backup {id} cannot be opened: {part} at {at} is not as it was stored")]
    Damaged {
        /// Which.
        id: BackupId,
        /// Its part.
        part: PartName,
        /// The destination.
        at: String,
        /// Why.
        source: std::io::Error,
    },
    /// A part could not be read, which says nothing about it.
    #[error("{part} of the backup {id} could not be read at {at}")]
    Unread {
        /// Which.
        id: BackupId,
        /// Its part.
        part: PartName,
        /// The destination.
        at: String,
        /// Why.
        source: std::io::Error,
    },
    /// The server did not take it.
    #[error("the backup {id} could not be restored: {what} failed")]
    Restore {
        /// Which.
        id: BackupId,
        /// "the restore of database shop".
        what: String,
        /// Why.
        source: Box<ServerError>,
    },
    /// It is not what it was.
    #[error("the backup {id} was restored, and holds other rows than it was made of")]
    Differs {
        /// Which.
        id: BackupId,
        /// The differences, line by line; bounded.
        differences: Vec<String>,
    },
    /// A check of the user's was not answered true.
    #[error("a check of the restored backup {id} was not answered true in database {database}")]
    Check {
        /// Which.
        id: BackupId,
        /// Where.
        database: String,
        /// The statement.
        statement: String,
        /// What it answered instead.
        answer: String,
    },
    /// The server is too old for it.
    #[error(
        "the backup {id} is of PostgreSQL {backup}, and the server is {server}: an older server cannot read it"
    )]
    NewerServer {
        /// Which.
        id: BackupId,
        /// What it was made of.
        backup: String,
        /// What is to take it.
        server: String,
    },
    /// Nothing of that kind can be seen from here.
    #[error(
        "no {} of {origin} is where this droplet's backups of the app are",
        id.map_or_else(|| "backup".to_owned(), |id| format!("backup {id}"))
    )]
    NothingElsewhere {
        /// Where it should have been made: `production/shop/db`.
        origin: String,
        /// Which was asked for.
        id: Option<BackupId>,
        /// What could not be looked at, a line each.
        seen: Vec<String>,
    },
    /// One list of statements for several databases.
    #[error("the statements that scrub would run in several databases")]
    ScrubMany {
        /// The databases.
        known: Vec<String>,
    },
    /// It could not be scrubbed.
    #[error("the statements that scrub failed in the restored database {database}")]
    Scrub {
        /// What it is called in the backup.
        database: String,
        /// Why.
        source: Box<PostgresError>,
    },
    /// It has no such database, or none at all.
    #[error("the backup {id} has no database {}", name.as_deref().unwrap_or("to restore"))]
    NotInBackup {
        /// Which.
        id: BackupId,
        /// What was asked for.
        name: Option<String>,
        /// Those that it has.
        known: Vec<String>,
    },
    /// Several databases do not fit under one name.
    #[error("several databases cannot all be restored as {into}")]
    IntoMany {
        /// The name.
        into: String,
        /// The databases.
        known: Vec<String>,
    },
    /// No name for a database.
    #[error("{into:?} is no name for a database: it has to have 1 to 63 bytes")]
    IntoName {
        /// The name.
        into: String,
    },
    /// There is one of that name.
    #[error("there is a database {into} already")]
    IntoTaken {
        /// The name.
        into: String,
    },
    /// It cannot give up its name.
    #[error("the database {database} cannot be replaced: it is tied to {}", ties.join(", "))]
    Tied {
        /// Which.
        database: String,
        /// What ties it.
        ties: Vec<String>,
    },
    /// No such restore.
    #[error("there was no restore {id} of {app}")]
    NoRestore {
        /// The app.
        app: AppName,
        /// What was asked for.
        id: BackupId,
    },
    /// Nothing is left of what served before.
    #[error("what served before the restore {id} is not there any more")]
    NothingKept {
        /// Which restore.
        id: BackupId,
    },
    /// A plan of another agent, or one that was changed by hand.
    #[error("`{0}` is no backup's id")]
    NoSuchId(String),
    /// The server did not do its part with a copy.
    #[error("the databases of {service} could not be copied, or their copies not put in their place")]
    Copying {
        /// The service.
        service: ServiceName,
        /// Why.
        source: PostgresError,
    },
    /// The server did not do its part of a restore.
    #[error("the database of {service} did not do its part of the restore")]
    Restoring {
        /// The service.
        service: ServiceName,
        /// Why.
        source: ServerError,
    },
    /// The service holds its data in something else now.
    #[error("the backup {id} is of {backup}, and {service} is {now} now")]
    OtherEngine {
        /// Which.
        id: BackupId,
        /// Of which engine it is.
        backup: &'static str,
        /// The service.
        service: ServiceName,
        /// What it has now.
        now: &'static str,
    },
    /// A release cannot bring it back.
    #[error("the data of {service} cannot come back with a release: of {engine} that is not possible yet")]
    NoWayBack {
        /// The service.
        service: ServiceName,
        /// Its engine.
        engine: &'static str,
    },
    /// It is not restored by statements that could be followed by others.
    #[error("a restore of {engine} cannot be scrubbed")]
    NoScrub {
        /// The engine.
        engine: &'static str,
    },
    /// Its backups have no single databases.
    #[error("a backup of {engine} is restored as a whole, in the place of what serves")]
    NoDatabases {
        /// The engine.
        engine: &'static str,
    },
    /// What was kept does not fit any more.
    #[error("{service} keeps its data in {now} now, and what was kept is {then}")]
    Changed {
        /// The service.
        service: ServiceName,
        /// Where it has it now.
        now: String,
        /// Where it had it then.
        then: String,
    },
    /// A dead agent did not get far enough.
    #[error(
        "the restore was cut off before its data was there: the agent ended, and keeps no key that was given to it"
    )]
    CutOff,
    /// It was taken back.
    #[error("{}", .0.what)]
    Undone(Failure),
    /// It could not be taken back.
    #[error("{}", .0.what)]
    RestoreStuck(Failure),
}
