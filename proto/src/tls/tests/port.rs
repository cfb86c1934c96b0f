//! A port under strain.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

use super::*;
use crate::limits::HANDSHAKE_TIMEOUT;

struct Port {
    address: SocketAddr,
    failures: mpsc::UnboundedReceiver<AcceptError>,
    _switch: CredentialsSwitch,
}

async fn open(fleet: &Authorities, limits: Limits) -> Port {
    let (switch, acceptor) = server(domain("production"), clock(NOW));
    switch.publish(enrolled(fleet, None)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (failed, failures) = mpsc::unbounded_channel();
    let sessions = incoming(listener, acceptor, limits, move |_, error| {
        drop(failed.send(error));
    });
    let server = tonic::transport::Server::builder().add_service(EnrolmentServer::new(Echo));
    tokio::spawn(server.serve_with_incoming(sessions));
    Port { address, failures, _switch: switch }
}

async fn call(port: &Port, fleet: &Authorities) -> Result<Connection, ConnectError> {
    let dialer = Dialer::agent(&client(fleet, &admin("jane")), trust(fleet), clock(NOW)).unwrap();
    let connection = dialer.connect(port.address).await?;
    ask(&connection).await.unwrap();
    Ok(connection)
}

fn limits() -> Limits {
    Limits { handshakes: 8, handshakes_per_address: 4, connections: 8 }
}

#[tokio::test]
#[cfg_attr(target_os = "macos", ignore = "only 127.0.0.1 exists there, and this needs a second address")]
async fn one_address_cannot_hold_all_handshakes() {
    let fleet = Authorities::new("production");
    let mut port = open(&fleet, limits()).await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(TcpStream::connect(port.address).await.unwrap());
    }
    // The fifth is turned away, while another address gets through.
    let mut fifth = TcpStream::connect(port.address).await.unwrap();
    assert_eq!(fifth.read(&mut [0; 16]).await.unwrap_or(0), 0);
    assert!(matches!(port.failures.recv().await, Some(AcceptError::Busy)));
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let other = socket.connect(port.address).await.unwrap();
    let dialer = Dialer::agent(&client(&fleet, &admin("jane")), trust(&fleet), clock(NOW)).unwrap();
    let connection = dialer.connect_over(other).await.unwrap();
    assert!(ask(&connection).await.is_ok());
    // Who hangs up gives its place back.
    silent.clear();
    for _ in 0..4 {
        assert!(matches!(port.failures.recv().await, Some(AcceptError::Handshake(_))));
    }
    assert!(call(&port, &fleet).await.is_ok());
}

#[tokio::test]
async fn connections_over_the_limit_are_turned_away_and_the_others_live() {
    let fleet = Authorities::new("production");
    let mut port = open(&fleet, Limits { connections: 2, ..limits() }).await;
    let (one, two) = (call(&port, &fleet).await.unwrap(), call(&port, &fleet).await.unwrap());
    assert!(call(&port, &fleet).await.is_err());
    assert!(matches!(port.failures.recv().await, Some(AcceptError::Busy)));
    assert!(ask(&one).await.is_ok() && ask(&two).await.is_ok());
    drop((one, two));
    // The server notices a closed connection when it reads, which is soon but not at once.
    let free = async { while call(&port, &fleet).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(5), free).await.unwrap();
}

#[tokio::test]
async fn garbage_ends_nothing_but_itself() {
    let fleet = Authorities::new("production");
    let mut port = open(&fleet, limits()).await;
    for garbage in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &[0x16; 2000], b"\x16\x03\x01\xff\xff", &[0; 64]] {
        let mut tcp = TcpStream::connect(port.address).await.unwrap();
        tcp.write_all(garbage).await.unwrap();
        tcp.shutdown().await.unwrap();
        assert!(matches!(port.failures.recv().await, Some(AcceptError::Handshake(_))));
    }
    assert!(call(&port, &fleet).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_given_up() {
    let fleet = Authorities::new("production");
    let (switch, acceptor) = server(domain("production"), clock(NOW));
    switch.publish(enrolled(&fleet, None)).unwrap();
    let (near, _far) = tokio::io::duplex(1024);
    let begin = tokio::time::Instant::now();
    assert!(matches!(acceptor.accept(near, None).await, Err(AcceptError::Timeout)));
    assert_eq!(begin.elapsed().as_secs(), HANDSHAKE_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_and_does_not_hang_up_is_given_up_too() {
    let fleet = Authorities::new("production");
    let (switch, acceptor) = server(domain("production"), clock(NOW));
    switch.publish(enrolled(&fleet, None)).unwrap();
    let (near, mut far) = tokio::io::duplex(1024);
    far.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let begin = tokio::time::Instant::now();
    assert!(matches!(acceptor.accept(near, None).await, Err(AcceptError::Handshake(_))));
    assert!(begin.elapsed() < HANDSHAKE_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let fleet = Authorities::new("production");
    // The kernel accepts into the queue; nobody takes it out.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dialer = Dialer::agent(&client(&fleet, &admin("jane")), trust(&fleet), clock(NOW)).unwrap();
    assert!(matches!(dialer.connect(address).await, Err(ConnectError::Timeout { .. })));
}

#[tokio::test]
async fn nothing_at_the_address_is_told() {
    let fleet = Authorities::new("production");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let dialer = Dialer::agent(&client(&fleet, &admin("jane")), trust(&fleet), clock(NOW)).unwrap();
    let error = dialer.connect(address).await.unwrap_err();
    assert!(matches!(error, ConnectError::Dial { .. }) && error.to_string().contains(&address.to_string()));
}
