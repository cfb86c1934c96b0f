//! One table: every RPC, the least role it takes and what that role has to cover. A test walks the service descriptors
//! and fails on an RPC without a row and on a row without an RPC. It must not know how a caller proved who it is.

use std::fmt;

use crate::{
    grants::{AppScope, Grant, Role},
    identity::{Identity, TrustDomain},
    names::AppName,
};

/// What a caller needs at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeastRole {
    /// A grant of this role or a higher one, on an enrolled agent.
    Role(Role),
    /// The same, or another agent of the same fleet and environment: agents ask each other how a release goes.
    AgentOr(Role),
    /// The enrolment service: an admin, and only while the agent is not enrolled.
    Unenrolled,
}

/// What the grant has to cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The app that the request names; all apps when it names none.
    App,
    /// All apps: the call concerns the droplet as a whole.
    Droplet,
    /// Any app: the call tells or changes nothing about apps.
    Any,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// `/package.Service/Method`.
    pub rpc: &'static str,
    /// Who.
    pub least: LeastRole,
    /// For what.
    pub scope: Scope,
}

const fn rule(rpc: &'static str, role: Role, scope: Scope) -> Rule {
    Rule { rpc, least: LeastRole::Role(role), scope }
}

const fn unenrolled(rpc: &'static str) -> Rule {
    Rule { rpc, least: LeastRole::Unenrolled, scope: Scope::Droplet }
}

const fn agent_or(rpc: &'static str, role: Role, scope: Scope) -> Rule {
    Rule { rpc, least: LeastRole::AgentOr(role), scope }
}

/// The table.
pub const RULES: &[Rule] = &[
    rule("/tidegate.v1.Agent/Info", Role::Viewer, Scope::Any),
    rule("/tidegate.v1.Agent/Status", Role::Viewer, Scope::App),
    rule("/tidegate.v1.Agent/PlanDeploy", Role::Deployer, Scope::App),
    rule("/tidegate.v1.Agent/Deploy", Role::Deployer, Scope::App),
    rule("/tidegate.v1.Agent/WatchRelease", Role::Viewer, Scope::App),
    rule("/tidegate.v1.Agent/Releases", Role::Viewer, Scope::App),
    rule("/tidegate.v1.Agent/PlanRollback", Role::Deployer, Scope::App),
    rule("/tidegate.v1.Agent/Rollback", Role::Deployer, Scope::App),
    rule("/tidegate.v1.Agent/CancelRelease", Role::Deployer, Scope::App),
    agent_or("/tidegate.v1.Agent/ReleaseOutcome", Role::Viewer, Scope::App),
    rule("/tidegate.v1.Agent/ResolveRelease", Role::Operator, Scope::App),
    rule("/tidegate.v1.Agent/Logs", Role::Viewer, Scope::App),
    rule("/tidegate.v1.Agent/ExecContainer", Role::Operator, Scope::App),
    rule("/tidegate.v1.Agent/Run", Role::Operator, Scope::App),
    rule("/tidegate.v1.Agent/ExecHost", Role::Admin, Scope::Droplet),
    rule("/tidegate.v1.Agent/SetMaintenance", Role::Deployer, Scope::App),
    rule("/tidegate.v1.Agent/RemoveApp", Role::Operator, Scope::App),
    rule("/tidegate.v1.Agent/StopApp", Role::Operator, Scope::App),
    rule("/tidegate.v1.Agent/StartApp", Role::Operator, Scope::App),
    rule("/tidegate.v1.Agent/FollowApp", Role::Viewer, Scope::App),
    // A dump takes what a deploy takes; a look costs nobody anything.
    rule("/tidegate.v1.Agent/MakeBackup", Role::Deployer, Scope::App),
    rule("/tidegate.v1.Agent/Backups", Role::Viewer, Scope::App),
    rule("/tidegate.v1.Agent/ShowBackup", Role::Viewer, Scope::App),
    rule("/tidegate.v1.Agent/VerifyBackup", Role::Deployer, Scope::App),
    rule("/tidegate.v1.Agent/BackupHeaders", Role::Deployer, Scope::App),
    rule("/tidegate.v1.Agent/RestoreBackup", Role::Operator, Scope::App),
    rule("/tidegate.v1.Agent/RevertRestore", Role::Operator, Scope::App),
    rule("/tidegate.v1.Agent/Restores", Role::Viewer, Scope::App),
    rule("/tidegate.v1.Agent/DropFormer", Role::Operator, Scope::App),
    rule("/tidegate.v1.Agent/PruneBackups", Role::Operator, Scope::App),
    rule("/tidegate.v1.Agent/Timers", Role::Viewer, Scope::App),
    rule("/tidegate.v1.Agent/Health", Role::Viewer, Scope::App),
    rule("/tidegate.v1.Agent/AfterBoot", Role::Viewer, Scope::App),
    // They hold secrets, and concern whoever uses the droplet.
    rule("/tidegate.v1.Agent/SetAlerts", Role::Admin, Scope::Droplet),
    rule("/tidegate.v1.Agent/Alerts", Role::Viewer, Scope::Droplet),
    rule("/tidegate.v1.Agent/TestAlerts", Role::Operator, Scope::Droplet),
    rule("/tidegate.v1.Agent/CleanUp", Role::Operator, Scope::Droplet),
    rule("/tidegate.v1.Agent/AuditLog", Role::Viewer, Scope::Droplet),
    rule("/tidegate.v1.Agent/Renew", Role::Admin, Scope::Droplet),
    // The list is signed: any caller may bring it.
    rule("/tidegate.v1.Agent/InstallRevocationList", Role::Viewer, Scope::Any),
    unenrolled("/tidegate.v1.Enrolment/Begin"),
    unenrolled("/tidegate.v1.Enrolment/Complete"),
    rule("/grpc.health.v1.Health/Check", Role::Viewer, Scope::Any),
    rule("/grpc.health.v1.Health/Watch", Role::Viewer, Scope::Any),
];

/// The row of an RPC, by its full path (`/package.Service/Method`).
pub fn find(rpc: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.rpc == rpc)
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The RPC stands in no row.
    #[error("{rpc} is not served")]
    UnknownRpc {
        /// The path.
        rpc: String,
    },
    /// The caller presented an agent's certificate.
    #[error(
        "the certificate belongs to an agent ({identity}), which may only ask others how a release goes; use a user's certificate"
    )]
    Agent {
        /// Whose.
        identity: String,
    },
    /// The caller is of another fleet or environment.
    #[error("{identity} belongs to another fleet or environment than this agent ({domain})")]
    OtherDomain {
        /// Whose.
        identity: String,
        /// The agent's own.
        domain: String,
    },
    /// No grant suffices.
    #[error(
        "{identity} may not call {rpc}: it takes the role {needed} for {scope} in {domain}; ask an admin of the fleet for a certificate with that grant"
    )]
    NotGranted {
        /// Whose.
        identity: String,
        /// The path.
        rpc: &'static str,
        /// The role that would do.
        needed: Role,
        /// `app shop`, `all apps`, `any app`.
        scope: String,
        /// The agent's own.
        domain: String,
    },
}

/// The call that is to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The agent's own fleet and environment.
    pub domain: &'a TrustDomain,
    /// The app that the request names.
    pub app: Option<&'a AppName>,
    /// `/package.Service/Method`.
    pub rpc: &'a str,
}

/// Whether the caller may make the call. For RPCs of the enrolment service an admin is asked for; that the agent is not
/// enrolled yet is for the server to know.
///
/// # Errors
/// The caller may not; the reason is for the caller's eyes.
pub fn authorise(identity: &Identity, grants: &[Grant], call: Call<'_>) -> Result<(), Denied> {
    let rule =
        find(call.rpc).ok_or_else(|| Denied::UnknownRpc { rpc: call.rpc.chars().take(200).collect() })?;
    if identity.domain() != call.domain {
        return Err(Denied::OtherDomain { identity: identity.to_string(), domain: call.domain.to_string() });
    }
    match (identity, rule.least) {
        (Identity::User { .. }, _) => {}
        (Identity::Agent { .. }, LeastRole::AgentOr(_)) => return Ok(()),
        (Identity::Agent { .. }, LeastRole::Role(_) | LeastRole::Unenrolled) => {
            return Err(Denied::Agent { identity: identity.to_string() });
        }
    }
    let needed = match rule.least {
        LeastRole::Role(least) | LeastRole::AgentOr(least) => least,
        LeastRole::Unenrolled => Role::Admin,
    };
    let covers = |apps: &AppScope| match (rule.scope, call.app) {
        (Scope::Any, _) => true,
        (Scope::App, Some(app)) => apps.contains(app),
        (Scope::App, None) | (Scope::Droplet, _) => *apps == AppScope::All,
    };
    let granted = grants.iter().any(|grant| {
        grant.environment == call.domain.environment && grant.role >= needed && covers(&grant.apps)
    });
    if granted {
        return Ok(());
    }
    Err(Denied::NotGranted {
        identity: identity.to_string(),
        rpc: rule.rpc,
        needed,
        scope: scope_text(rule.scope, call.app),
        domain: call.domain.to_string(),
    })
}

fn scope_text(scope: Scope, app: Option<&AppName>) -> String {
    match (scope, app) {
        (Scope::App, Some(app)) => format!("app {app}"),
        (Scope::App, None) | (Scope::Droplet, _) => "all apps".to_owned(),
        (Scope::Any, _) => "any app".to_owned(),
    }
}

impl fmt::Display for LeastRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => role.fmt(f),
            Self::AgentOr(role) => write!(f, "{role}, or another agent"),
            Self::Unenrolled => f.write_str("admin, while the agent is not enrolled"),
        }
    }
}

#[cfg(test)]
#[path = "roles_tests.rs"]
mod tests;
