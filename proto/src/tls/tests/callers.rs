//! Who may call.

use rustls::{ClientConfig, version::TLS12};
use rustls_pki_types::{PrivateKeyDer, ServerName};
use tokio::{io::AsyncReadExt, net::TcpStream};
use tokio_rustls::TlsConnector;

use super::{stolen::Stolen, *};
use crate::{
    certificates::{
        USER_LIFE,
        fixtures::{forge, issuer_below, user},
    },
    grants::Role,
    tls::{config::provider, verifiers::AgentVerifier},
};

#[tokio::test]
async fn an_admin_and_an_agent_know_each_other() {
    let fleet = Authorities::new("production");
    let served = Served::enrolled(&fleet).await;
    let dialer = Dialer::agent(&client(&fleet, &admin("jane")), trust(&fleet), clock(NOW)).unwrap();
    let connection = dialer.connect(served.address).await.unwrap();
    let answer = ask(&connection).await.unwrap();
    assert_eq!(answer.agent_version, "spiffe://shop.production/user/jane Enrolled");
    assert_eq!(answer.agent_nonce, connection.server_spki().as_bytes());
    assert_eq!(connection.server().unwrap().identity, trust(&fleet).identity);
    assert_eq!(connection.refusal(), None);
}

#[tokio::test]
async fn any_role_gets_as_far_as_the_role_table() {
    let fleet = Authorities::new("production");
    let served = Served::enrolled(&fleet).await;
    let who = client(&fleet, &user("bob", Role::Viewer));
    let dialer = Dialer::agent(&who, trust(&fleet), clock(NOW)).unwrap();
    assert!(ask(&dialer.connect(served.address).await.unwrap()).await.is_ok());
}

#[tokio::test]
async fn another_fleets_user_is_refused() {
    let (fleet, other) = (Authorities::new("production"), Authorities::new("production"));
    let served = Served::enrolled(&fleet).await;
    assert_eq!(refused(&served, &fleet, &client(&other, &admin("jane"))).await, Some(Refusal::UnknownRoot));
}

#[tokio::test]
async fn a_user_whose_time_is_over_or_to_come_is_refused() {
    let fleet = Authorities::new("production");
    let served = Served::enrolled(&fleet).await;
    let old = NOW.checked_sub(USER_LIFE + Duration::from_secs(1)).unwrap();
    let (chain, key) = fleet.leaf_at(&admin("jane"), 20, old);
    let expired = ClientCredentials { chain, key };
    assert_eq!(refused(&served, &fleet, &expired).await, Some(Refusal::Expired));
    let (chain, key) = fleet.leaf_at(&admin("jane"), 20, later(Duration::from_hours(2)));
    let early = ClientCredentials { chain, key };
    assert!(refused(&served, &fleet, &early).await.is_some());
}

#[tokio::test]
async fn another_environments_user_is_refused() {
    let fleet = Authorities::new("production");
    let served = Served::enrolled(&fleet).await;
    let staging = issuer_below(&fleet.root, "staging");
    for identity in ["spiffe://shop.staging/user/jane", "spiffe://shop.production/user/jane"] {
        let (chain, key) = forge(&staging, identity, |_| {});
        let who = ClientCredentials { chain, key };
        assert_eq!(refused(&served, &fleet, &who).await, Some(Refusal::NotAccepted), "{identity}");
    }
}

#[tokio::test]
async fn an_agent_gets_in_as_itself_where_an_agent_is_enrolled_and_nowhere_else() {
    let fleet = Authorities::new("production");
    let served = Served::enrolled(&fleet).await;
    let who = client(&fleet, &agent(8));
    let dialer = Dialer::agent(&who, trust(&fleet), clock(NOW)).unwrap();
    let answer = ask(&dialer.connect(served.address).await.unwrap()).await.unwrap();
    assert_eq!(answer.agent_version, "spiffe://shop.production/agent/8 Enrolled");
    served.switch.publish(unenrolled(fleet.roots())).unwrap();
    let dialer = Dialer::unenrolled(&who, clock(NOW)).unwrap();
    let connection = dialer.connect(served.address).await.unwrap();
    assert!(ask(&connection).await.is_err(), "the call went through");
    assert_eq!(connection.refusal(), Some(Refusal::NotAccepted));
}

#[tokio::test]
async fn the_revoked_are_refused() {
    let fleet = Authorities::new("production");
    let served = Served::closed().await;
    served.switch.publish(enrolled(&fleet, Some(revoking(&fleet, 1, &[20])))).unwrap();
    assert_eq!(refused(&served, &fleet, &client(&fleet, &admin("jane"))).await, Some(Refusal::Revoked));
}

/// A client of another make: reads until the server is done with it.
async fn foreign(served: &Served, config: ClientConfig) -> std::io::Error {
    let tcp = TcpStream::connect(served.address).await.unwrap();
    let name = ServerName::try_from("agent.invalid").unwrap();
    match TlsConnector::from(Arc::new(config)).connect(name, tcp).await {
        Err(error) => error,
        Ok(mut stream) => stream.read_u8().await.expect_err("the server spoke"),
    }
}

fn foreign_config() -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AgentVerifier::Unenrolled))
}

#[tokio::test]
async fn nobody_calls_without_a_certificate() {
    let fleet = Authorities::new("production");
    let served = Served::enrolled(&fleet).await;
    let mut config = foreign_config().with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let error = foreign(&served, config.clone()).await;
    assert_eq!(Refusal::of(&error), Some(Refusal::Required), "{error}");
    served.switch.publish(unenrolled(fleet.roots())).unwrap();
    let error = foreign(&served, config).await;
    assert_eq!(Refusal::of(&error), Some(Refusal::Required), "{error}");
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let fleet = Authorities::new("production");
    let served = Served::enrolled(&fleet).await;
    let who = client(&fleet, &admin("jane"));
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AgentVerifier::Unenrolled))
        .with_client_auth_cert(who.chain.to_certificates(), PrivateKeyDer::Pkcs8(who.key.pkcs8()))
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let error = foreign(&served, config).await;
    assert_eq!(Refusal::of(&error), Some(Refusal::Incompatible), "{error}");
}

#[tokio::test]
async fn other_protocols_are_refused() {
    let fleet = Authorities::new("production");
    let served = Served::enrolled(&fleet).await;
    let who = client(&fleet, &admin("jane"));
    let config = || {
        foreign_config()
            .with_client_auth_cert(who.chain.to_certificates(), PrivateKeyDer::Pkcs8(who.key.pkcs8()))
            .unwrap()
    };
    let mut http1 = config();
    http1.alpn_protocols = vec![b"http/1.1".to_vec()];
    foreign(&served, http1).await;
    // Without any protocol named, the handshake ends well and the server hangs up.
    foreign(&served, config()).await;
}

#[tokio::test]
async fn a_chain_with_more_or_less_is_refused() {
    let fleet = Authorities::new("production");
    let served = Served::enrolled(&fleet).await;
    let who = client(&fleet, &admin("jane"));
    let (leaf, issuer) = (who.chain.leaf.clone(), who.chain.issuer.clone());
    let root = fleet.root.certificate().clone();
    for chain in
        [vec![leaf.clone()], vec![leaf.clone(), issuer.clone(), root.clone()], vec![leaf, root, issuer]]
    {
        let mut config =
            foreign_config().with_client_auth_cert(chain, PrivateKeyDer::Pkcs8(who.key.pkcs8())).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let error = foreign(&served, config).await;
        assert_eq!(Refusal::of(&error), Some(Refusal::NotAccepted), "{error}");
    }
}

#[tokio::test]
async fn a_stolen_certificate_is_worth_nothing_without_its_key() {
    let fleet = Authorities::new("production");
    let served = Served::enrolled(&fleet).await;
    let chain = client(&fleet, &admin("jane")).chain.to_certificates();
    let mut config = foreign_config().with_client_cert_resolver(Stolen::with_another_key(chain));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let error = foreign(&served, config).await;
    assert!(error.to_string().contains("DecryptError"), "{error}");
    // Nor is it used by mistake: our own client does not take such a pair.
    let mixed = ClientCredentials { key: PrivateKey::generate().unwrap(), ..client(&fleet, &admin("jane")) };
    assert!(matches!(Dialer::agent(&mixed, trust(&fleet), clock(NOW)), Err(TlsError::Credentials(_))));
}
