//! Which server is believed.

use super::{stolen::Stolen, *};
use crate::{
    certificates::{AGENT_LIFE, CertificateDer, Chain, fixtures::forge},
    tls::config,
};

/// Connects to a server with these credentials.
async fn meet(
    fleet: &Authorities,
    shown: (Chain, PrivateKey),
    trust: AgentTrust,
    now: Timestamp,
) -> Result<Connection, ConnectError> {
    let served = Served::closed().await;
    let (chain, key) = shown;
    let credentials = EnrolledCredentials { chain, key, roots: fleet.roots(), revoked: None };
    served.switch.publish(ServerCredentials::Enrolled(credentials)).unwrap();
    Dialer::agent(&client(fleet, &admin("jane")), trust, clock(now)).unwrap().connect(served.address).await
}

fn is_refused(met: &Result<Connection, ConnectError>) -> bool {
    matches!(met, Err(ConnectError::NotBelieved(_)))
}

#[tokio::test]
async fn only_the_agent_that_was_dialled_is_believed() {
    let fleet = Authorities::new("production");
    assert!(meet(&fleet, fleet.leaf(&agent(7), 10), trust(&fleet), NOW).await.is_ok());
    let other = meet(&fleet, fleet.leaf(&agent(8), 10), trust(&fleet), NOW).await;
    let Err(ConnectError::NotBelieved(problem)) = other else { panic!("{other:?}") };
    assert!(matches!(problem.wrong_peer(), Some(WrongPeer::Server { .. })));
    let text = "the server is spiffe://shop.production/agent/8, not spiffe://shop.production/agent/7";
    assert_eq!(problem.to_string(), text);
    let elsewhere =
        AgentTrust { identity: domain("staging").agent(DropletId::new(7).unwrap()), ..trust(&fleet) };
    assert!(is_refused(&meet(&fleet, fleet.leaf(&agent(7), 10), elsewhere, NOW).await));
}

#[tokio::test]
async fn a_user_cannot_pose_as_an_agent() {
    let fleet = Authorities::new("production");
    assert!(is_refused(&meet(&fleet, fleet.leaf(&admin("jane"), 10), trust(&fleet), NOW).await));
    // Not even with an agent's name, for the usage is a client's.
    let posed = forge(&fleet.issuer, "spiffe://shop.production/agent/7", |_| {});
    assert!(is_refused(&meet(&fleet, posed, trust(&fleet), NOW).await));
}

#[tokio::test]
async fn another_fleets_agent_is_not_believed() {
    let (fleet, other) = (Authorities::new("production"), Authorities::new("production"));
    assert!(is_refused(&meet(&fleet, other.leaf(&agent(7), 10), trust(&fleet), NOW).await));
}

#[tokio::test]
async fn a_revoked_agent_is_not_believed() {
    let fleet = Authorities::new("production");
    let trusting =
        |serials: &[u8]| AgentTrust { revoked: Some(revoking(&fleet, 1, serials)), ..trust(&fleet) };
    assert!(is_refused(&meet(&fleet, fleet.leaf(&agent(7), 10), trusting(&[10]), NOW).await));
    assert!(meet(&fleet, fleet.leaf(&agent(7), 10), trusting(&[11]), NOW).await.is_ok());
}

#[tokio::test]
async fn an_agent_that_is_not_enrolled_is_not_believed() {
    let fleet = Authorities::new("production");
    let served = Served::closed().await;
    served.switch.publish(unenrolled(fleet.roots())).unwrap();
    let dialer = Dialer::agent(&client(&fleet, &admin("jane")), trust(&fleet), clock(NOW)).unwrap();
    assert!(matches!(dialer.connect(served.address).await, Err(ConnectError::NotEnrolled)));
}

/// A fleet whose agent 7 ran out an hour ago; the issuer that signed it was followed by others.
fn grown_old() -> (Authorities, (Chain, PrivateKey)) {
    let then = NOW.checked_sub(AGENT_LIFE + Duration::from_hours(1)).unwrap();
    let before = Authorities::at("production", then);
    (before.with_issuer_of(NOW), before.leaf_at(&agent(7), 10, then))
}

#[tokio::test]
async fn an_expired_agent_is_not_believed() {
    let (fleet, shown) = grown_old();
    let Err(ConnectError::NotBelieved(problem)) = meet(&fleet, shown, trust(&fleet), NOW).await else {
        panic!("it was believed")
    };
    assert!(matches!(problem.chain(), Some(crate::certificates::VerifyError::Expired { .. })));
}

#[tokio::test]
async fn an_expired_agent_is_believed_for_renewal_by_its_recorded_key() {
    let (fleet, shown) = grown_old();
    let expiry = Expiry::RenewExpired { recorded: shown.1.spki_digest() };
    let connection = meet(&fleet, shown, AgentTrust { expiry, ..trust(&fleet) }, NOW).await.unwrap();
    assert!(connection.server().unwrap().not_after < NOW);
    assert!(ask(&connection).await.is_ok());
}

#[tokio::test]
async fn for_renewal_another_key_name_or_a_revoked_one_are_refused_all_the_same() {
    let (fleet, shown) = grown_old();
    let renew = |key: &PrivateKey| AgentTrust {
        expiry: Expiry::RenewExpired { recorded: key.spki_digest() },
        ..trust(&fleet)
    };
    let other_key = renew(&PrivateKey::generate().unwrap());
    assert!(is_refused(&meet(&fleet, shown.clone(), other_key, NOW).await));
    let other_name =
        AgentTrust { identity: domain("production").agent(DropletId::new(8).unwrap()), ..renew(&shown.1) };
    assert!(is_refused(&meet(&fleet, shown.clone(), other_name, NOW).await));
    let revoked = AgentTrust { revoked: Some(revoking(&fleet, 1, &[10])), ..renew(&shown.1) };
    assert!(is_refused(&meet(&fleet, shown.clone(), revoked, NOW).await));
    let other_root = AgentTrust { roots: Authorities::new("production").roots(), ..renew(&shown.1) };
    assert!(is_refused(&meet(&fleet, shown, other_root, NOW).await));
}

#[tokio::test]
async fn the_mode_for_renewal_makes_no_difference_before_the_end() {
    let fleet = Authorities::new("production");
    let recorded = PrivateKey::generate().unwrap().spki_digest();
    let renewing = AgentTrust { expiry: Expiry::RenewExpired { recorded }, ..trust(&fleet) };
    assert!(meet(&fleet, fleet.leaf(&agent(7), 10), renewing, NOW).await.is_ok());
}

/// Listens with a chain that belongs to somebody else, and tells how the handshake ended on this side.
async fn pose(shown: Vec<CertificateDer<'static>>) -> SocketAddr {
    let mut config = rustls::ServerConfig::builder_with_provider(config::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Stolen::with_another_key(shown));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let (tcp, _) = listener.accept().await.unwrap();
        // What it makes of this is its own affair.
        drop(acceptor.accept(tcp).await);
    });
    address
}

#[tokio::test]
async fn a_server_has_to_hold_the_key_of_what_it_shows() {
    let fleet = Authorities::new("production");
    let who = client(&fleet, &admin("jane"));
    let address = pose(fleet.leaf(&agent(7), 10).0.to_certificates()).await;
    let dialer = Dialer::agent(&who, trust(&fleet), clock(NOW)).unwrap();
    assert!(matches!(dialer.connect(address).await, Err(ConnectError::Handshake(_))));
    // Before enrolment this is what the proof stands on: the key that was seen is the server's own.
    let certificate = self_signed(&PrivateKey::generate().unwrap(), &serial(1), NOW).unwrap();
    let address = pose(vec![certificate]).await;
    let dialer = Dialer::unenrolled(&who, clock(NOW)).unwrap();
    assert!(matches!(dialer.connect(address).await, Err(ConnectError::Handshake(_))));
}
