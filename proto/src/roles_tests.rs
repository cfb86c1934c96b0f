use std::collections::BTreeSet;

use prost::Message;

use super::*;

const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// What both sets of descriptors say is served.
fn served() -> BTreeSet<String> {
    let mut rpcs = BTreeSet::new();
    for descriptors in [DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET] {
        let set = prost_types::FileDescriptorSet::decode(descriptors).unwrap();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    rpcs.insert(format!("/{}.{}/{}", file.package(), service.name(), method.name()));
                }
            }
        }
    }
    rpcs
}

#[test]
fn the_table_and_the_services_have_the_same_rpcs() {
    let rows: BTreeSet<String> = RULES.iter().map(|rule| rule.rpc.to_owned()).collect();
    assert_eq!(rows.len(), RULES.len(), "an RPC stands in two rows");
    assert_eq!(rows, served());
    for known in ["/tidegate.v1.Agent/Deploy", "/tidegate.v1.Enrolment/Begin", "/grpc.health.v1.Health/Check"]
    {
        assert!(rows.contains(known), "the descriptors were not read: {known}");
    }
}

fn domain() -> TrustDomain {
    "shop.production".parse().unwrap()
}

fn jane() -> Identity {
    domain().user("jane".parse().unwrap())
}

fn grant(role: Role, apps: AppScope) -> Grant {
    Grant { environment: "production".parse().unwrap(), apps, role }
}

fn only(app: &str) -> AppScope {
    AppScope::Only(BTreeSet::from([app.parse().unwrap()]))
}

fn judge(grants: &[Grant], app: Option<&str>, rpc: &str) -> Result<(), Denied> {
    let app: Option<AppName> = app.map(|name| name.parse().unwrap());
    authorise(&jane(), grants, Call { domain: &domain(), app: app.as_ref(), rpc })
}

/// The methods of the agent's service by the least role that reaches them.
const METHODS: [(Role, &[&str]); 4] = [
    (
        Role::Viewer,
        &[
            "Info",
            "Status",
            "Logs",
            "Releases",
            "WatchRelease",
            "ReleaseOutcome",
            "AuditLog",
            "InstallRevocationList",
            "Backups",
            "ShowBackup",
            "Restores",
            "Timers",
            "Health",
            "AfterBoot",
            "FollowApp",
            "Alerts",
        ],
    ),
    (
        Role::Deployer,
        &[
            "Deploy",
            "PlanDeploy",
            "Rollback",
            "PlanRollback",
            "CancelRelease",
            "SetMaintenance",
            "MakeBackup",
            "VerifyBackup",
            "BackupHeaders",
        ],
    ),
    (
        Role::Operator,
        &[
            "ExecContainer",
            "Run",
            "RemoveApp",
            "StopApp",
            "StartApp",
            "CleanUp",
            "ResolveRelease",
            "PruneBackups",
            "RestoreBackup",
            "RevertRestore",
            "DropFormer",
            "TestAlerts",
        ],
    ),
    (Role::Admin, &["ExecHost", "Renew", "SetAlerts"]),
];

#[test]
fn each_role_reaches_exactly_what_the_design_says() {
    for holder in [Role::Viewer, Role::Deployer, Role::Operator, Role::Admin] {
        for (needed, methods) in METHODS {
            for method in methods {
                let rpc = format!("/tidegate.v1.Agent/{method}");
                let allowed = judge(&[grant(holder, AppScope::All)], Some("shop"), &rpc).is_ok();
                assert_eq!(allowed, holder >= needed, "{holder} calls {method}");
            }
        }
    }
    let agent_rpcs = RULES.iter().filter(|rule| rule.rpc.starts_with("/tidegate.v1.Agent/")).count();
    assert_eq!(agent_rpcs, METHODS.iter().map(|(_, methods)| methods.len()).sum::<usize>());
}

#[test]
fn enrolment_takes_an_admin_of_all_apps() {
    let rpc = "/tidegate.v1.Enrolment/Complete";
    assert!(judge(&[grant(Role::Admin, AppScope::All)], None, rpc).is_ok());
    assert!(judge(&[grant(Role::Operator, AppScope::All)], None, rpc).is_err());
    assert!(judge(&[grant(Role::Admin, only("shop"))], None, rpc).is_err());
}

#[test]
fn a_grant_for_one_app_reaches_neither_the_others_nor_the_droplet() {
    let grants = [grant(Role::Admin, only("shop"))];
    assert!(judge(&grants, Some("shop"), "/tidegate.v1.Agent/Deploy").is_ok());
    assert!(judge(&grants, Some("blog"), "/tidegate.v1.Agent/Deploy").is_err());
    assert!(judge(&grants, None, "/tidegate.v1.Agent/Status").is_err());
    assert!(judge(&grants, Some("shop"), "/tidegate.v1.Agent/ExecHost").is_err());
    assert!(judge(&grants, Some("shop"), "/tidegate.v1.Agent/Renew").is_err());
    assert!(judge(&grants, None, "/tidegate.v1.Agent/AuditLog").is_err());
    assert!(judge(&grants, None, "/grpc.health.v1.Health/Check").is_ok());
}

#[test]
fn grants_do_not_add_up() {
    let grants = [grant(Role::Operator, only("shop")), grant(Role::Viewer, AppScope::All)];
    assert!(judge(&grants, Some("shop"), "/tidegate.v1.Agent/Run").is_ok());
    assert!(judge(&grants, Some("blog"), "/tidegate.v1.Agent/Run").is_err());
}

#[test]
fn another_environment_or_fleet_is_refused() {
    let elsewhere = Grant { environment: "staging".parse().unwrap(), apps: AppScope::All, role: Role::Admin };
    assert!(matches!(judge(&[elsewhere], None, "/tidegate.v1.Agent/Info"), Err(Denied::NotGranted { .. })));
    for other in ["shop.staging", "blog.production"] {
        let other: TrustDomain = other.parse().unwrap();
        let call = Call { domain: &other, app: None, rpc: "/tidegate.v1.Agent/Info" };
        let grants = [grant(Role::Admin, AppScope::All)];
        assert!(matches!(authorise(&jane(), &grants, call), Err(Denied::OtherDomain { .. })));
    }
}

#[test]
fn an_agent_may_ask_how_a_release_goes_and_nothing_else_whatever_its_grants() {
    let agent = domain().agent("7".parse().unwrap());
    let shop: AppName = "shop".parse().unwrap();
    for rule in RULES {
        for app in [None, Some(&shop)] {
            let call = Call { domain: &domain(), app, rpc: rule.rpc };
            let judged = authorise(&agent, &[grant(Role::Admin, AppScope::All)], call);
            if rule.rpc == "/tidegate.v1.Agent/ReleaseOutcome" {
                assert_eq!(judged, Ok(()));
            } else {
                assert!(matches!(judged, Err(Denied::Agent { .. })), "{}", rule.rpc);
            }
        }
    }
}

#[test]
fn an_agent_of_another_environment_may_not_even_ask() {
    let call = Call { domain: &domain(), app: None, rpc: "/tidegate.v1.Agent/ReleaseOutcome" };
    for other in ["shop.staging", "blog.production"] {
        let agent = other.parse::<TrustDomain>().unwrap().agent("7".parse().unwrap());
        let judged = authorise(&agent, &[grant(Role::Admin, AppScope::All)], call);
        assert!(matches!(judged, Err(Denied::OtherDomain { .. })), "{other}");
    }
}

#[test]
fn nobody_without_a_grant_and_nothing_outside_the_table() {
    for rule in RULES {
        assert!(judge(&[], Some("shop"), rule.rpc).is_err(), "{}", rule.rpc);
    }
    for rpc in ["", "/", "/tidegate.v1.Agent/", "/tidegate.v1.Agent/Nope", "/tidegate.v1.agent/Info", "Info"]
    {
        let all = [grant(Role::Admin, AppScope::All)];
        assert!(matches!(judge(&all, None, rpc), Err(Denied::UnknownRpc { .. })), "{rpc:?}");
    }
}
