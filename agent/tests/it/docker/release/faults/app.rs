//! What is released: contents that differ in what they change, and the ways to break them.

use serde::{Deserialize, Serialize};
use tidegate_agent::release::{DeployInput, Interrupt};

use super::{
    super::fixture::{self, App},
    registry,
};

/// Name of the app.
pub const APP: &str = "faults";

/// What an attempt does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Course {
    /// New versions of the services behind the ingress and beside it.
    Forward,
    /// The database gets a new container over the same volume, too.
    Database,
    /// A service more, or one less.
    Services,
    /// The web service's image is pulled.
    Pull,
    /// The project's network is made anew, and with it everything that is on it.
    Networks,
    /// The web service never gets well, with an image that is pulled.
    Sick,
    /// Nor does it on a network that is made anew.
    SickNetworks,
    /// The poller, whose predecessor has to go first, ends at once.
    Poller,
    /// The migration fails.
    Migration,
    /// Back to a release that served before.
    Rollback,
}

impl Course {
    pub const ALL: [Self; 10] = [
        Self::Forward,
        Self::Database,
        Self::Services,
        Self::Pull,
        Self::Networks,
        Self::Sick,
        Self::SickNetworks,
        Self::Poller,
        Self::Migration,
        Self::Rollback,
    ];

    /// Whether a release of this course may serve in the end.
    pub fn can_serve(self) -> bool {
        !matches!(self, Self::Sick | Self::SickNetworks | Self::Poller | Self::Migration)
    }

    /// Whether it has an image of its own in the registry.
    pub fn pulls(self) -> bool {
        matches!(self, Self::Pull | Self::Sick)
    }

    /// Whether services are stopped together for another network.
    fn changes_network(self) -> bool {
        matches!(self, Self::Networks | Self::SickNetworks)
    }
}

/// What a release of the app has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The version that web and poller tell, and the database's revision.
    pub version: u32,
    /// Something in the database's container.
    pub note: u32,
    /// Which image of the registry web has; 0: one that is in none.
    pub image: u32,
    /// Which addresses the project's network has.
    network: u32,
    /// Whether there is a further service.
    pub extra: bool,
}

impl Content {
    /// The first release's.
    pub const FIRST: Self = Self { version: 1, note: 1, image: 0, network: 1, extra: false };

    /// The next one after this.
    pub fn next(self, version: u32, course: Course) -> Self {
        let of = |is_new, former| if is_new { version } else { former };
        Self {
            version,
            note: of(course == Course::Database, self.note),
            image: of(course.pulls(), self.image),
            network: of(course.changes_network(), self.network),
            extra: self.extra != (course == Course::Services),
        }
    }

    /// The addresses of the project's network.
    pub fn subnet(self) -> String {
        format!("10.201.{}.0/24", self.network % 250)
    }

    /// When the database is backed up: every version has its own time of day.
    pub fn schedule(self) -> String {
        format!("*-*-* {:02}:{:02}", self.version / 60 % 24, self.version % 60)
    }

    /// What is deployed.
    pub fn input(self, course: Course) -> DeployInput {
        let interrupt = if course.changes_network() { Interrupt::Allowed } else { Interrupt::Refused };
        DeployInput { interrupt, ..fixture::input(&self.app(course)) }
    }

    /// As a project.
    fn app(self, course: Course) -> App {
        let version = self.version;
        let is_sick = matches!(course, Course::Sick | Course::SickNetworks);
        let migration = if course == Course::Migration {
            "SELECT 1 / 0".to_owned()
        } else {
            format!(
                "CREATE TABLE IF NOT EXISTS revision (number int PRIMARY KEY); \
                 INSERT INTO revision VALUES ({version}) ON CONFLICT DO NOTHING"
            )
        };
        let app = App::new(APP, include_str!("app.yaml"))
            .variable("VERSION", &version.to_string())
            .variable(
                "IMAGE",
                &if self.image == 0 { "probe:1".to_owned() } else { registry::name(self.image) },
            )
            .variable("SUBNET", &self.subnet())
            .variable("SCHEDULE", &self.schedule())
            .variable("PAGE", if is_sick { "missing" } else { "" })
            .variable("POLLER", if course == Course::Poller { "false" } else { "true" })
            .variable("MIGRATION", &migration)
            .variable("DATABASE_NOTE", &self.note.to_string())
            .file("note.txt", &format!("{version}\n"));
        if !self.extra {
            return app;
        }
        let extra = "services: { extra: { image: 'probe:1', command: [sleep, '100000'], init: true, restart: always, \
                     x-tidegate: { gate: { stable: 300ms } } } }";
        app.compose_file("extra.yaml", extra)
    }

    /// Names of the project's files, sorted.
    pub fn files(self) -> Vec<&'static str> {
        let extra = self.extra.then_some("extra.yaml");
        ["compose.yaml"].into_iter().chain(extra).chain(["note.txt"]).collect()
    }

    /// Names of the services that run, once for each replica, sorted.
    pub fn services(self) -> Vec<&'static str> {
        let mut services = vec!["crew", "crew", "db", "poller", "web"];
        if self.extra {
            services.insert(3, "extra");
        }
        services
    }
}
