//! What is released: contents that differ in what they change, and the ways to break them.

use serde::{Deserialize, Serialize};

use super::super::fixture::App;

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
    /// The web service never gets well.
    Sick,
    /// The poller, whose predecessor has to go first, ends at once.
    Poller,
    /// The migration fails.
    Migration,
    /// Back to a release that served before.
    Rollback,
}

impl Course {
    pub const ALL: [Self; 7] = [
        Self::Forward,
        Self::Database,
        Self::Services,
        Self::Sick,
        Self::Poller,
        Self::Migration,
        Self::Rollback,
    ];

    /// Whether a release of this course may serve in the end.
    pub fn can_serve(self) -> bool {
        !matches!(self, Self::Sick | Self::Poller | Self::Migration)
    }
}

/// What a release of the app has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The version that web and poller tell, and the database's revision.
    pub version: u32,
    /// Something in the database's container.
    pub note: u32,
    /// Whether there is a further service.
    pub extra: bool,
}

impl Content {
    /// The first release's.
    pub const FIRST: Self = Self { version: 1, note: 1, extra: false };

    /// The next one after this.
    pub fn next(self, version: u32, course: Course) -> Self {
        let note = if course == Course::Database { version } else { self.note };
        Self { version, note, extra: self.extra != (course == Course::Services) }
    }

    /// As a project.
    pub fn app(self, course: Course) -> App {
        let version = self.version;
        let page = if course == Course::Sick { "missing" } else { "" };
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
            .variable("PAGE", page)
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

    /// Names of the services that run, once for each replica, sorted.
    pub fn services(self) -> Vec<&'static str> {
        let mut services = vec!["crew", "crew", "db", "poller", "web"];
        if self.extra {
            services.insert(3, "extra");
        }
        services
    }
}
