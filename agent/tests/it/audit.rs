//! The audit log, from the first change on, over the wire and by root's own commands.

use tidegate_proto::{
    audit::{Head, verify},
    grants::Role,
    v1::{AuditEntry, AuditLogRequest, ExecRequest, ExecStart, InfoRequest, exec_request},
};

use crate::support::{
    agent::{Agent, Droplet},
    command,
    fleet::Fleet,
};

async fn entries(fleet: &Fleet, agent: &Agent, after: u64) -> Vec<AuditEntry> {
    let mut client = fleet.dial(agent.address, &fleet.user(Role::Viewer)).await;
    let mut answers = client.audit_log(AuditLogRequest { after, limit: 0 }).await.unwrap().into_inner();
    let mut entries = Vec::new();
    while let Some(entry) = answers.message().await.unwrap() {
        entries.push(entry);
    }
    entries
}

/// A command that cannot run here, there being no systemd or Docker: its audit is written nevertheless.
async fn try_exec(fleet: &Fleet, agent: &Agent, app: &str) {
    let mut client = fleet.dial(agent.address, &fleet.user(Role::Admin)).await;
    let start = ExecStart {
        app: app.to_owned(),
        service: "web".to_owned(),
        command: ["login", "hunter2"].map(str::to_owned).to_vec(),
        environment: [("PASSWORD".to_owned(), "s3cret".to_owned())].into(),
        ..ExecStart::default()
    };
    let request = ExecRequest { request: Some(exec_request::Request::Start(start)) };
    let mut answers = client.exec_host(futures::stream::iter([request])).await.unwrap().into_inner();
    while let Ok(Some(_)) = answers.message().await {}
}

#[tokio::test]
async fn every_change_is_told_with_who_and_how_it_ended_and_no_secret() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.enrolled(&fleet).await;
    try_exec(&fleet, &agent, "").await;

    let all = entries(&fleet, &agent, 0).await;
    let told: Vec<_> = all.iter().map(|entry| (entry.action.as_str(), entry.outcome.as_str())).collect();
    assert_eq!(told[..2], [("enrol", "started"), ("enrol", "succeeded")]);
    assert_eq!(told[2], ("exec-host", "started"));
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(all.iter().all(|entry| entry.actor == "spiffe://shop.production/user/jane"));
    let exec = &all[2];
    assert_eq!((exec.subject.as_str(), exec.fields["program"].as_str()), ("droplet", "login"));
    assert_eq!(exec.fields["arguments"], "1");
    let text = format!("{all:?}");
    assert!(!text.contains("hunter2") && !text.contains("s3cret"), "{text}");

    let head = verify(Head::EMPTY, &all).unwrap();
    let mut client = fleet.dial(agent.address, &fleet.user(Role::Viewer)).await;
    let info = client.info(InfoRequest {}).await.unwrap().into_inner();
    assert_eq!((info.audit_head_number, info.audit_head_hash), (head.number, head.hash.to_vec()));
    let tail = entries(&fleet, &agent, 2).await;
    assert_eq!(tail, all[2..]);
}

async fn locally(droplet: &Droplet, words: &'static [&'static str]) -> Result<String, String> {
    let socket = droplet.socket();
    tokio::task::spawn_blocking(move || command(&socket, words)).await.unwrap()
}

#[tokio::test]
async fn root_reads_it_on_the_droplet_without_a_certificate() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.enrolled(&fleet).await;
    let text = locally(&droplet, &["audit"]).await.unwrap();
    assert!(text.contains("spiffe://shop.production/user/jane  enrol  droplet  succeeded"), "{text}");
    assert!(locally(&droplet, &["audit", "--verify"]).await.unwrap().starts_with("2 entries, intact; head "));
    let info: serde_json::Value =
        serde_json::from_str(&locally(&droplet, &["info", "--json"]).await.unwrap()).unwrap();
    assert_eq!(info["droplet_id"], 7);
    agent.stop().await;
    let gone = locally(&droplet, &["info"]).await.unwrap_err();
    assert!(gone.contains("the agent does not answer on") && gone.contains("systemctl"), "{gone}");
}

#[tokio::test]
async fn local_commands_of_an_agent_that_waits_say_so() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let _agent = droplet.start().await;
    let refused = locally(&droplet, &["info"]).await.unwrap_err();
    assert!(refused.contains("this droplet is not enrolled") && refused.contains("hint: "), "{refused}");
}

#[tokio::test]
async fn tampering_is_found_by_who_reads() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.enrolled(&fleet).await;
    try_exec(&fleet, &agent, "").await;
    agent.stop().await;
    let connection = rusqlite::Connection::open(droplet.path("state/agent.db")).unwrap();
    connection.execute_batch("DROP TRIGGER audit_keeps_its_entries").unwrap();
    connection.execute("UPDATE audit SET actor = 'nobody' WHERE number = 3", ()).unwrap();
    drop(connection);
    let agent = droplet.start().await;
    let all = entries(&fleet, &agent, 0).await;
    assert!(verify(Head::EMPTY, &all).unwrap_err().to_string().contains("entry 3 "));
    let refused = locally(&droplet, &["audit", "--verify"]).await.unwrap_err();
    assert!(refused.contains("entry 3 "), "{refused}");
}
