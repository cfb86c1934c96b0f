//! Two whole agents that agree on releases over mutual TLS with their own certificates, begun by a caller that only asks.

use std::time::Duration;

use futures::future::join;
use tidegate_proto::{
    grants::Role,
    status::RichError,
    v1::{
        DeployRequest, Participant, ReleaseFinished, ReleaseState, SourceFile, Together,
        agent_client::AgentClient, release_event::Event,
    },
};
use tidegate_tests::docker::{Docker, Image};
use tokio::time::timeout;
use tonic::transport::Channel;

use crate::support::{
    agent::{Agent, Droplet},
    fleet::Fleet,
};

const FIRST: u64 = 7;
const SECOND: u64 = 8;

/// One of the two.
struct Site {
    _docker: Docker,
    _droplet: Droplet,
    agent: Agent,
    client: AgentClient<Channel>,
}

impl Site {
    async fn start(fleet: &Fleet, id: u64) -> Self {
        let docker = Docker::start().await.unwrap();
        docker.load(Image::Probe).await.unwrap();
        let droplet = Droplet::numbered(fleet, id).await.with_docker(&docker.socket());
        let agent = droplet.enrolled(fleet).await;
        let connection = fleet.connect_to(id, agent.address, &fleet.user(Role::Admin)).await;
        let client = AgentClient::new(connection.channel());
        Self { _docker: docker, _droplet: droplet, agent, client }
    }

    /// Deploys and follows to the end.
    async fn deploy(&mut self, command: &str, together: Together) -> ReleaseFinished {
        let compose = format!(
            "services: {{ web: {{ image: 'probe:1', command: [sh, -c, '{command}'], init: true, \
             x-tidegate: {{ gate: {{ stable: 500ms, timeout: 20s }} }} }} }}"
        );
        let request = DeployRequest {
            app: "shop".to_owned(),
            files: vec![SourceFile {
                path: "compose.yaml".to_owned(),
                content: compose.into_bytes(),
                mode: 0,
            }],
            compose_files: vec!["compose.yaml".to_owned()],
            together: Some(together),
            ..DeployRequest::default()
        };
        let mut events = self.client.deploy(request).await.unwrap().into_inner();
        loop {
            let event = timeout(Duration::from_mins(2), events.message()).await.unwrap().unwrap().unwrap();
            println!("{:?}", event.event);
            if let Some(Event::Finished(finished)) = event.event {
                return finished;
            }
        }
    }
}

fn together(first: &Site, second: &Site, number: u8) -> Together {
    let participant = |droplet_id, site: &Site| Participant {
        droplet_id,
        address: site.agent.address.to_string(),
        name: format!("web-{droplet_id}"),
    };
    Together {
        rollout: hex::encode([number; 16]),
        participants: vec![participant(FIRST, first), participant(SECOND, second)],
        lease: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_agents_agree_over_their_own_certificates() {
    let fleet = Fleet::new("production");
    let mut first = Site::start(&fleet, FIRST).await;
    let mut second = Site::start(&fleet, SECOND).await;
    let asked = together(&first, &second, 1);
    let well = "exec sleep 1000";
    let (one, other) = join(first.deploy(well, asked.clone()), second.deploy(well, asked.clone())).await;
    assert_eq!((one.state(), other.state()), (ReleaseState::Released, ReleaseState::Released));

    let asked = together(&first, &second, 2);
    let new = "exec sleep 2000";
    let (one, other) = join(first.deploy(new, asked.clone()), second.deploy("exit 3", asked.clone())).await;
    assert_eq!((one.state(), other.state()), (ReleaseState::Undone, ReleaseState::Undone));
    assert_eq!(one.failure.unwrap().what, "the release failed on web-8");
    assert_eq!(other.failure.unwrap().what, "service web did not pass its gate");

    // An agent that is not among them refuses, and nothing begins.
    let mut alone = together(&first, &second, 3);
    alone.participants.remove(0);
    let request = DeployRequest { app: "shop".to_owned(), together: Some(alone), ..DeployRequest::default() };
    let refused = RichError::from_status(&first.client.deploy(request).await.unwrap_err());
    assert_eq!(refused.what, "the request's together is refused");
    assert_eq!(refused.cause, "this is droplet 7, which is not among the participants");
}
