//! How a droplet gets its identity, and all the ways in which it does not.

use jiff::Timestamp;
use tidegate_proto::{
    certificates::{CertificateRequest, Subject},
    enrolment::ProofError,
    grants::Role,
    names::DropletId,
    tls::{Dialer, Refusal},
    v1::InfoRequest,
};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::support::{
    agent::Droplet,
    fleet::{Attempt, DROPLET, Fleet, at_now, in_an_hour},
    reason,
};

async fn attempt<'a>(fleet: &'a Fleet, agent: &crate::support::agent::Agent) -> Attempt<'a> {
    Attempt::connect(fleet, agent.address, &fleet.user(Role::Admin)).await
}

#[tokio::test]
async fn a_droplet_enrols_without_a_restart_and_stays_enrolled() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.start().await;
    let attempt = attempt(&fleet, &agent).await;
    attempt.enrol().await.unwrap();
    assert!(!droplet.path("etc/enrolment.json").exists(), "the token is still there");
    assert!(!droplet.path("state/pki/pending.pem").exists());

    let mut client = fleet.dial(agent.address, &fleet.user(Role::Viewer)).await;
    let info = client.info(InfoRequest {}).await.unwrap().into_inner();
    assert_eq!((info.droplet_id, info.enrolment_id.as_str()), (DROPLET, attempt.enrolment_id.as_str()));
    assert_eq!((info.fleet.as_str(), info.environment.as_str()), ("shop", "production"));
    agent.stop().await;

    let again = droplet.start().await;
    let mut client = fleet.dial(again.address, &fleet.user(Role::Viewer)).await;
    assert_eq!(client.info(InfoRequest {}).await.unwrap().into_inner().enrolment_id, attempt.enrolment_id);
}

#[tokio::test]
async fn keys_are_private_on_disk() {
    use std::os::unix::fs::PermissionsExt;

    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let mode = |name: &str| fs_err::metadata(droplet.path(name)).unwrap().permissions().mode() & 0o777;
    let agent = droplet.start().await;
    assert_eq!((mode("state/pki"), mode("state/pki/pending.pem")), (0o700, 0o600));
    attempt(&fleet, &agent).await.enrol().await.unwrap();
    for file in ["state/pki/identity.pem", "state/pki/roots.pb", "state/pki/enrolment.json", "state/agent.db"]
    {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    assert_eq!((mode("run"), mode("run/agent.sock")), (0o700, 0o600));
}

#[tokio::test]
async fn before_it_nothing_else_is_served() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.start().await;
    let attempt = attempt(&fleet, &agent).await;
    let mut client = tidegate_proto::v1::agent_client::AgentClient::new(attempt.connection.channel());
    let refused = client.info(InfoRequest {}).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::FailedPrecondition, "NOT_ENROLLED".to_owned()));
    let mut health = HealthClient::new(attempt.connection.channel());
    let refused = health.check(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::FailedPrecondition, "NOT_ENROLLED".to_owned()));
}

#[tokio::test]
async fn after_it_the_enrolment_is_not_served() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.enrolled(&fleet).await;
    // A second enrolment with the same token, even written again, on a new connection and on one from before.
    droplet.write_token(&fleet.token_file(in_an_hour()));
    let refused = attempt(&fleet, &agent).await.begin().await.unwrap_err();
    assert_eq!(reason(&refused), (Code::FailedPrecondition, "ALREADY_ENROLLED".to_owned()));
}

#[tokio::test]
async fn a_connection_from_before_the_enrolment_is_worth_nothing_after_it() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.start().await;
    let (first, second) = (attempt(&fleet, &agent).await, attempt(&fleet, &agent).await);
    first.enrol().await.unwrap();
    let refused = second.begin().await.unwrap_err();
    assert_eq!(reason(&refused), (Code::Unavailable, "CONNECTION_OUTDATED".to_owned()));
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_burns_nothing() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.start().await;
    let mut wrong = attempt(&fleet, &agent).await;
    wrong.token = Fleet::new("production")
        .token_file(in_an_hour().checked_add(std::time::Duration::from_secs(1)).unwrap());
    let offer = wrong.begin().await.unwrap();
    let proof = wrong.transcript(&offer).verify_agent(&wrong.token.token, &offer.agent_proof);
    assert_eq!(proof, Err(ProofError::Agent));
    let completion = wrong.completion(&offer, &wrong.sign(&offer));
    let refused = wrong.client().complete(completion).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::PermissionDenied, "PROOF".to_owned()));
    attempt(&fleet, &agent).await.enrol().await.unwrap();
}

#[tokio::test]
async fn each_begin_makes_the_one_before_worthless() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.start().await;
    let attempt = attempt(&fleet, &agent).await;
    let early =
        attempt.client().complete(tidegate_proto::v1::CompleteEnrolmentRequest::default()).await.unwrap_err();
    assert_eq!(early.code(), Code::InvalidArgument);
    let first = attempt.begin().await.unwrap();
    let second = attempt.begin().await.unwrap();
    assert_ne!(first.agent_nonce, second.agent_nonce);
    let stale = attempt.completion(&first, &attempt.sign(&first));
    let refused = attempt.client().complete(stale).await.unwrap_err();
    assert_eq!(reason(&refused).1, "PROOF");
    attempt.client().complete(attempt.completion(&second, &attempt.sign(&second))).await.unwrap();
}

#[tokio::test]
async fn an_expired_or_missing_token_enrols_nobody() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.start().await;
    let late: Timestamp = in_an_hour();
    droplet.set_time(late);
    let refused = attempt(&fleet, &agent).await.begin().await.unwrap_err();
    assert_eq!(reason(&refused).1, "TOKEN_EXPIRED");
    fs_err::remove_file(droplet.path("etc/enrolment.json")).unwrap();
    let refused = attempt(&fleet, &agent).await.begin().await.unwrap_err();
    assert_eq!(reason(&refused).1, "NO_TOKEN");
}

#[tokio::test]
async fn who_is_no_admin_of_this_environment_does_not_enrol() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.start().await;
    for role in [Role::Viewer, Role::Deployer, Role::Operator] {
        let attempt = Attempt::connect(&fleet, agent.address, &fleet.user(role)).await;
        let refused = attempt.begin().await.unwrap_err();
        assert_eq!(reason(&refused), (Code::PermissionDenied, "NOT_GRANTED".to_owned()), "{role}");
    }
    let of_one_app = fleet.user_of(Role::Admin, "shop");
    let refused = Attempt::connect(&fleet, agent.address, &of_one_app).await.begin().await.unwrap_err();
    assert_eq!(reason(&refused).1, "NOT_GRANTED");
    for (client, expected) in [
        (fleet.sibling("staging").user(Role::Admin), Refusal::NotAccepted),
        (Fleet::new("production").user(Role::Admin), Refusal::UnknownRoot),
        (fleet.issue(&Subject::Agent(DropletId::new(8).unwrap())), Refusal::NotAccepted),
    ] {
        let attempt = Attempt::connect(&fleet, agent.address, &client).await;
        attempt.begin().await.unwrap_err();
        assert_eq!(attempt.connection.refusal(), Some(expected));
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_is_refused_even_with_a_good_proof() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.start().await;
    let attempt = attempt(&fleet, &agent).await;
    let offer = attempt.begin().await.unwrap();
    let agents = |id| Subject::Agent(DropletId::new(id).unwrap());
    let wrong_key = fleet.issue(&agents(DROPLET)).chain;
    let request = CertificateRequest::from_der(&offer.certificate_request).unwrap();
    let serial = tidegate_proto::certificates::Serial::from_random([9; 16]);
    let wrong_droplet =
        fleet.issuer.issue(&request, &agents(8), &serial, crate::support::fleet::NOW).unwrap();
    let stranger = Fleet::new("production");
    let wrong_root =
        stranger.issuer.issue(&request, &agents(DROPLET), &serial, crate::support::fleet::NOW).unwrap();
    for (chain, expected) in
        [(wrong_key, "OTHER_KEY"), (wrong_droplet, "OTHER_IDENTITY"), (wrong_root, "CERTIFICATE")]
    {
        let refused = attempt.client().complete(attempt.completion(&offer, &chain)).await.unwrap_err();
        assert_eq!(reason(&refused).1, expected);
    }
    attempt.client().complete(attempt.completion(&offer, &attempt.sign(&offer))).await.unwrap();
}

#[tokio::test]
async fn a_key_survives_a_restart_in_the_middle() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.start().await;
    let begun = attempt(&fleet, &agent).await;
    let offer = begun.begin().await.unwrap();
    let completion = begun.completion(&offer, &begun.sign(&offer));
    let key = begun.connection.server_spki();
    agent.stop().await;
    let agent = droplet.start().await;
    let resumed = attempt(&fleet, &agent).await;
    assert_eq!(resumed.connection.server_spki(), key);
    let refused = resumed.client().complete(completion).await.unwrap_err();
    assert_eq!(reason(&refused).1, "NOT_BEGUN");
    resumed.enrol().await.unwrap();
}

#[tokio::test]
async fn a_copy_of_a_droplet_puts_the_keys_aside_and_waits() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    droplet.enrolled(&fleet).await.stop().await;

    droplet.metadata.become_droplet(8);
    let copy = droplet.start().await;
    assert!(!droplet.path("state/pki/identity.pem").exists());
    let aside: Vec<_> = fs_err::read_dir(droplet.path("state/pki"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    assert_eq!(aside.len(), 1);
    assert!(aside[0].join("identity.pem").exists());
    // It knows that the token was used, should that come back with the copy.
    droplet.write_token(&fleet.token_file(in_an_hour()));
    let attempt = attempt(&fleet, &copy).await;
    assert_eq!(reason(&attempt.begin().await.unwrap_err()).1, "TOKEN_USED");
    copy.stop().await;
}

#[tokio::test]
async fn without_metadata_the_serial_number_of_the_enrolment_is_compared() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    droplet.enrolled(&fleet).await.stop().await;
    // The memory of another machine was resumed: the serial number is that one's, the metadata service knows better.
    fs_err::write(droplet.path("serial"), "1009").unwrap();
    let agent = droplet.start().await;
    assert!(droplet.path("state/pki/identity.pem").exists());
    agent.stop().await;
}

#[tokio::test]
async fn nobody_in_the_middle_gets_a_certificate() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.start().await;
    // Mallory even is an admin; what she does not have is the token.
    let middle = middle::Middle::start(&fleet, agent.address).await;
    let through = Attempt::connect(&fleet, middle.address, &fleet.user(Role::Admin)).await;
    let offer = through.begin().await.unwrap();
    assert_eq!(offer.certificate_request, middle.request.der(), "the request was not swapped");
    let proof = through.transcript(&offer).verify_agent(&through.token.token, &offer.agent_proof);
    assert_eq!(proof, Err(ProofError::Agent), "the controller was fooled");
    // A controller that does not look is not believed by the agent.
    let completion = through.completion(&offer, &through.sign(&offer));
    let refused = through.client().complete(completion).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::PermissionDenied, "PROOF".to_owned()));
    Attempt::connect(&fleet, agent.address, &fleet.user(Role::Admin)).await.enrol().await.unwrap();
}

mod middle {
    //! A man in the middle: ends TLS, passes calls on in a session of its own, and swaps the request.

    use std::{net::SocketAddr, sync::Arc};

    use tidegate_proto::{
        certificates::{CertificateRequest, PrivateKey, Serial, self_signed},
        tls::{self, Connection, EnrolmentCredentials, Limits, ServerCredentials},
        v1::{
            BeginEnrolmentRequest, BeginEnrolmentResponse, CompleteEnrolmentRequest,
            CompleteEnrolmentResponse,
            enrolment_client::EnrolmentClient,
            enrolment_server::{Enrolment, EnrolmentServer},
        },
    };
    use tonic::{Request, Response, Status, transport::Server};

    use super::{Dialer, Fleet, Role, at_now};
    use crate::support::fleet::NOW;

    pub struct Middle {
        pub address: SocketAddr,
        pub request: Arc<CertificateRequest>,
        _switch: tls::CredentialsSwitch,
    }

    struct Relay {
        to: Connection,
        request: Arc<CertificateRequest>,
    }

    impl Middle {
        pub async fn start(fleet: &Fleet, agent: SocketAddr) -> Self {
            let to =
                Dialer::unenrolled(&fleet.user(Role::Admin), at_now()).unwrap().connect(agent).await.unwrap();
            let key = PrivateKey::generate().unwrap();
            let certificate = self_signed(&key, &Serial::from_random([3; 16]), NOW).unwrap();
            let request = Arc::new(CertificateRequest::new(&PrivateKey::generate().unwrap()).unwrap());
            let (switch, acceptor) = tls::server(fleet.domain.clone(), at_now());
            let credentials = EnrolmentCredentials { certificate, key, roots: fleet.roots() };
            switch.publish(ServerCredentials::Enrolment(credentials)).unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let sessions = tls::incoming(listener, acceptor, Limits::default(), |_, _| {});
            let relay = EnrolmentServer::new(Relay { to, request: request.clone() });
            tokio::spawn(Server::builder().add_service(relay).serve_with_incoming(sessions));
            Self { address, request, _switch: switch }
        }
    }

    #[tonic::async_trait]
    impl Enrolment for Relay {
        async fn begin(
            &self,
            request: Request<BeginEnrolmentRequest>,
        ) -> Result<Response<BeginEnrolmentResponse>, Status> {
            let mut agent = EnrolmentClient::new(self.to.channel());
            let mut offer = agent.begin(request.into_inner()).await?;
            offer.get_mut().certificate_request = self.request.der().to_vec();
            Ok(offer)
        }

        async fn complete(
            &self,
            request: Request<CompleteEnrolmentRequest>,
        ) -> Result<Response<CompleteEnrolmentResponse>, Status> {
            EnrolmentClient::new(self.to.channel()).complete(request.into_inner()).await
        }
    }
}
