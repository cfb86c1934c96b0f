//! Credentials that change while the port is open.

use tokio::{io::AsyncReadExt, net::TcpStream};

use super::*;

async fn connect(served: &Served, fleet: &Authorities) -> Result<Connection, ConnectError> {
    let dialer = Dialer::agent(&client(fleet, &admin("jane")), trust(fleet), clock(NOW)).unwrap();
    dialer.connect(served.address).await
}

async fn connect_unenrolled(served: &Served, fleet: &Authorities) -> Connection {
    let dialer = Dialer::unenrolled(&client(fleet, &admin("jane")), clock(NOW)).unwrap();
    dialer.connect(served.address).await.unwrap()
}

#[tokio::test]
async fn it_starts_closed_and_says_nothing() {
    let fleet = Authorities::new("production");
    let served = Served::closed().await;
    let mut tcp = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(tcp.read(&mut [0; 16]).await.unwrap_or(0), 0);
    assert!(connect(&served, &fleet).await.is_err());
}

#[tokio::test]
async fn enrolment_turns_into_service_without_a_restart() {
    let fleet = Authorities::new("production");
    let served = Served::closed().await;
    served.switch.publish(unenrolled(fleet.roots())).unwrap();
    let before = connect_unenrolled(&served, &fleet).await;
    let answer = ask(&before).await.unwrap();
    assert_eq!(answer.agent_version, "spiffe://shop.production/user/jane Enrolment");
    assert_eq!(answer.agent_nonce, before.server_spki().as_bytes());
    assert!(before.server().is_none(), "nobody vouches for a certificate like that");

    served.switch.publish(enrolled(&fleet, None)).unwrap();
    let after = connect(&served, &fleet).await.unwrap();
    assert_eq!(ask(&after).await.unwrap().agent_version, "spiffe://shop.production/user/jane Enrolled");
    // The connection of the enrolment is good for nothing any more.
    assert_eq!(ask(&before).await.unwrap_err().code(), tonic::Code::Unauthenticated);
}

#[tokio::test]
async fn before_enrolment_too_only_the_fleets_users_may_call() {
    let (fleet, other) = (Authorities::new("production"), Authorities::new("production"));
    let served = Served::closed().await;
    served.switch.publish(unenrolled(fleet.roots())).unwrap();
    for who in [client(&other, &admin("jane")), client(&fleet, &agent(8))] {
        let connection = Dialer::unenrolled(&who, clock(NOW)).unwrap().connect(served.address).await.unwrap();
        assert!(ask(&connection).await.is_err());
        assert!(connection.refusal().is_some());
    }
}

#[tokio::test]
async fn a_new_list_reaches_connections_that_are_open() {
    let fleet = Authorities::new("production");
    let served = Served::enrolled(&fleet).await;
    let open = connect(&served, &fleet).await.unwrap();
    assert!(ask(&open).await.is_ok());
    served.switch.publish(enrolled(&fleet, Some(revoking(&fleet, 1, &[21])))).unwrap();
    assert!(ask(&open).await.is_ok(), "somebody else was revoked");
    served.switch.publish(enrolled(&fleet, Some(revoking(&fleet, 2, &[20, 21])))).unwrap();
    assert_eq!(ask(&open).await.unwrap_err().code(), tonic::Code::Unauthenticated);
    // And no ticket of the old session opens the door again.
    let again = connect(&served, &fleet).await.unwrap();
    assert!(ask(&again).await.is_err());
    assert_eq!(again.refusal(), Some(Refusal::Revoked));
}

#[tokio::test]
async fn new_roots_reach_connections_that_are_open() {
    let (fleet, next) = (Authorities::new("production"), Authorities::new("production"));
    let served = Served::enrolled(&fleet).await;
    let open = connect(&served, &fleet).await.unwrap();
    assert!(ask(&open).await.is_ok());
    let (chain, key) = next.leaf(&agent(7), 10);
    let credentials = EnrolledCredentials { chain, key, roots: next.roots(), revoked: None };
    served.switch.publish(ServerCredentials::Enrolled(credentials)).unwrap();
    assert_eq!(ask(&open).await.unwrap_err().code(), tonic::Code::Unauthenticated);
    assert!(connect(&served, &fleet).await.is_err());
    assert!(ask(&connect(&served, &next).await.unwrap()).await.is_ok());
}

#[tokio::test]
async fn closing_ends_open_connections_too() {
    let fleet = Authorities::new("production");
    let served = Served::enrolled(&fleet).await;
    let open = connect(&served, &fleet).await.unwrap();
    assert!(ask(&open).await.is_ok());
    served.switch.close();
    assert_eq!(ask(&open).await.unwrap_err().code(), tonic::Code::Unauthenticated);
    assert!(connect(&served, &fleet).await.is_err());
}

#[tokio::test]
async fn credentials_that_do_not_fit_change_nothing() {
    let fleet = Authorities::new("production");
    let served = Served::enrolled(&fleet).await;
    let (chain, _) = fleet.leaf(&agent(7), 10);
    let key = PrivateKey::generate().unwrap();
    let mixed = EnrolledCredentials { chain, key, roots: fleet.roots(), revoked: None };
    let refused = served.switch.publish(ServerCredentials::Enrolled(mixed));
    assert!(matches!(refused, Err(TlsError::Credentials(_))), "{refused:?}");
    assert!(ask(&connect(&served, &fleet).await.unwrap()).await.is_ok());
}

#[tokio::test]
async fn a_certificate_that_runs_out_ends_its_connection() {
    let fleet = Authorities::new("production");
    let (switch, acceptor) = server(domain("production"), clock(NOW));
    switch.publish(enrolled(&fleet, None)).unwrap();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let dialer = Dialer::agent(&client(&fleet, &admin("jane")), trust(&fleet), clock(NOW)).unwrap();
    let (accepted, connected) = tokio::join!(acceptor.accept(near, None), dialer.connect_over(far));
    let (accepted, _connected) = (accepted.unwrap(), connected.unwrap());
    let peer = accepted.peer();
    let end = peer.certificate().not_after;
    assert!(peer.check(end).is_ok());
    let after = end.checked_add(Duration::from_secs(1)).unwrap();
    assert!(matches!(peer.check(after), Err(PeerRefused::Certificate(_))));
}
