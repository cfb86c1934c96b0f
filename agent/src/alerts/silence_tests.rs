use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use jiff::SignedDuration;
use tidegate_proto::v1::{
    self, AlertCommand, AlertReceiver, AlertSeverity, SetAlertsRequest, alert_receiver::Kind,
};
use uuid::Uuid;

use super::*;
use crate::{
    alerts::{
        send::{CommandFailed, Commands, Deadlines, Roots},
        settings::Whose,
    },
    clock::SystemClock,
};

use Agent::{Answers, Silent};

const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

/// What the agent does when the timer asks it.
#[derive(Clone, Copy)]
enum Agent {
    Answers,
    Silent,
}

/// What was said to whom; who is away takes nothing.
#[derive(Default)]
struct Ears {
    heard: Mutex<Vec<(String, AlertMessage)>>,
    away: Mutex<Vec<String>>,
}

impl Commands for Ears {
    fn run<'a>(&'a self, argv: &'a [String], input: Vec<u8>) -> BoxFuture<'a, Result<(), CommandFailed>> {
        Box::pin(async move {
            if self.away.lock().unwrap().contains(&argv[0]) {
                return Err(CommandFailed::Run("is away".to_owned()));
            }
            let message = serde_json::from_slice(&input).unwrap();
            self.heard.lock().unwrap().push((argv[0].clone(), message));
            Ok(())
        })
    }
}

struct Site {
    directory: tempfile::TempDir,
    ears: Arc<Ears>,
    minute: i64,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("pki")).unwrap();
        let site = Self { directory, ears: Arc::default(), minute: -1 };
        site.enrolled("e1");
        let receiver = |name: &str, least: AlertSeverity| AlertReceiver {
            name: name.to_owned(),
            least: least.into(),
            kind: Some(Kind::Command(AlertCommand { command: vec![name.to_owned()] })),
        };
        let request = SetAlertsRequest {
            receivers: vec![receiver("a", AlertSeverity::Critical), receiver("b", AlertSeverity::Warning)],
            repeat: Some(prost_types::Duration { seconds: 600, nanos: 0 }),
            // It is always quiet.
            quiet: Some(v1::QuietHours { from: "00:00".into(), to: "23:59".into(), zone: String::new() }),
            droplet: "shop-production-web-1".to_owned(),
            ..SetAlertsRequest::default()
        };
        let whose = Whose { fleet: "shop".into(), environment: "production".into(), enrolment: "e1".into() };
        SettingsFile::in_directory(site.directory.path()).write(&request, &whose).unwrap();
        site
    }

    fn enrolled(&self, id: &str) {
        let record = format!(
            r#"{{"version":1,"droplet_id":7,"serial":7,"enrolment_id":"{id}","enrolled_at":"2026-11-18T11:06:40Z","token":"x"}}"#
        );
        fs::write(self.directory.path().join("pki/enrolment.json"), record).unwrap();
    }

    /// A minute later; who hears what, and what is noted.
    async fn run(&mut self, agent: Agent, serial: u64) -> (Vec<String>, Vec<String>) {
        self.minute += 1;
        let now = NOW.checked_add(SignedDuration::from_mins(self.minute)).unwrap();
        let silence = Silence {
            state: self.directory.path().to_owned(),
            serial: DropletId::new(serial).ok(),
            transports: Transports::new(
                (Roots::System, Deadlines::default()),
                self.ears.clone(),
                Arc::new(SystemClock),
            ),
            ids: Arc::new(Uuid::new_v4),
        };
        let notes = match agent {
            Answers => silence.answered(now).await,
            Silent => silence.not_answered(now).await,
        };
        let notes = notes.unwrap();
        let heard = std::mem::take(&mut *self.ears.heard.lock().unwrap());
        let words = |(name, message): (String, AlertMessage)| format!("{name}: {}", message.title());
        let mut heard: Vec<_> = heard.into_iter().map(words).collect();
        heard.sort();
        (heard, notes)
    }

    async fn heard(&mut self, agent: Agent) -> Vec<String> {
        let (heard, notes) = self.run(agent, 7).await;
        assert!(notes.is_empty(), "{notes:?}");
        heard
    }

    fn is_counting(&self) -> bool {
        self.directory.path().join(NAME).exists()
    }
}

const NOBODY: [&str; 0] = [];
const FIRST: &str = "[shop/production] web-1: CRITICAL the agent";
const STILL: &str = "[shop/production] web-1: STILL CRITICAL the agent";
const OVER: &str = "[shop/production] web-1: RESOLVED the agent";

#[tokio::test]
async fn the_third_run_tells_all_and_again_after_a_while_and_the_end() {
    let mut site = Site::new();
    assert_eq!(site.heard(Answers).await, NOBODY);
    assert!(!site.is_counting());
    for _ in 0..2 {
        assert_eq!(site.heard(Silent).await, NOBODY);
    }
    assert_eq!(site.heard(Silent).await, [format!("a: {FIRST}"), format!("b: {FIRST}")]);
    for _ in 0..9 {
        assert_eq!(site.heard(Silent).await, NOBODY);
    }
    assert_eq!(site.heard(Silent).await, [format!("a: {STILL}"), format!("b: {STILL}")]);
    assert_eq!(site.heard(Answers).await, [format!("a: {OVER}"), format!("b: {OVER}")]);
    assert!(!site.is_counting());
    assert_eq!(site.heard(Answers).await, NOBODY);
}

#[tokio::test]
async fn an_agent_that_is_only_started_again_is_nobody_s_business() {
    let mut site = Site::new();
    for agent in [Silent, Silent, Answers, Silent, Silent, Answers] {
        assert_eq!(site.heard(agent).await, NOBODY);
    }
    assert!(!site.is_counting());
}

#[tokio::test]
async fn who_does_not_take_it_is_told_with_the_next_run() {
    let mut site = Site::new();
    site.heard(Silent).await;
    site.heard(Silent).await;
    site.ears.away.lock().unwrap().push("b".to_owned());
    let (heard, notes) = site.run(Silent, 7).await;
    assert_eq!(heard, [format!("a: {FIRST}")]);
    assert_eq!(notes, ["b could not be told: the command could not be run: is away"]);
    site.ears.away.lock().unwrap().clear();
    assert_eq!(site.heard(Silent).await, [format!("b: {FIRST}")]);
    site.ears.away.lock().unwrap().push("a".to_owned());
    let (heard, notes) = site.run(Answers, 7).await;
    assert_eq!((heard, notes.len()), (vec![format!("b: {OVER}")], 1));
    site.ears.away.lock().unwrap().clear();
    assert_eq!(site.heard(Answers).await, [format!("a: {OVER}")]);
    assert!(!site.is_counting());
}

#[tokio::test]
async fn a_copy_of_the_droplet_tells_nobody() {
    let mut site = Site::new();
    for _ in 0..4 {
        assert_eq!(site.run(Silent, 8).await.0, NOBODY, "the machine is another one");
    }
    site.enrolled("e2");
    for _ in 0..4 {
        assert_eq!(site.heard(Silent).await, NOBODY, "it is somebody else now");
    }
    fs::remove_file(site.directory.path().join("pki/enrolment.json")).unwrap();
    for _ in 0..4 {
        assert_eq!(site.heard(Silent).await, NOBODY, "its keys were moved aside");
    }
}
