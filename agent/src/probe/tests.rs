use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

/// A server that gives one answer, and what it was asked.
async fn answering(answer: Vec<u8>) -> (std::net::SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 4096];
        let read = stream.read(&mut asked).await.unwrap();
        // A client that has read enough goes away.
        stream.write_all(&answer).await.unwrap_or_default();
        String::from_utf8_lossy(&asked[..read]).into_owned()
    });
    (address, serving)
}

async fn asked(answer: &[u8], question: Question<'_>) -> Result<(), String> {
    let (address, _) = answering(answer.to_vec()).await;
    get(&DirectDial, address, question).await.map_err(|error| crate::release::chain(&error))
}

const QUESTION: Question<'static> =
    Question { path: "/health", host: "shop.example.com", status: (200, 399), contains: None };

#[tokio::test]
async fn statuses_and_bodies_decide() {
    assert_eq!(asked(b"HTTP/1.1 204 No Content\r\n\r\n", QUESTION).await, Ok(()));
    assert_eq!(
        asked(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", QUESTION).await,
        Ok(())
    );
    let busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 29\r\n\r\n{\"redis\":\r\n\t\"refused\"}\x1b[0m   ";
    assert_eq!(asked(busy, QUESTION).await.unwrap_err(), "answered 503: {\"redis\": \"refused\"} [0m");
    let empty = b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(asked(empty, QUESTION).await.unwrap_err(), "answered 500");
    let strict = Question { status: (200, 204), ..QUESTION };
    assert!(asked(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", strict).await.is_err());
    let ready = Question { contains: Some("ready"), ..QUESTION };
    let body = |text: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
    assert_eq!(asked(body("I am ready").as_bytes(), ready).await, Ok(()));
    let error = asked(body("starting").as_bytes(), ready).await.unwrap_err();
    assert_eq!(error, "answered 200 without \"ready\": starting");
}

#[tokio::test]
async fn what_is_no_answer_is_told() {
    let error = asked(b"SSH-2.0-OpenSSH_9.2\r\n", QUESTION).await.unwrap_err();
    assert!(error.starts_with("broke off: "), "{error}");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = connect(&DirectDial, nobody).await.unwrap_err();
    assert!(crate::release::chain(&error).starts_with("got no connection: Connection refused"), "{error:?}");
}

#[tokio::test]
async fn a_body_without_end_is_read_to_a_bound() {
    let endless = [b"HTTP/1.1 500 Oh\r\n\r\n".as_slice(), &vec![b'x'; 1024 * 1024]].concat();
    let answered = tokio::time::timeout(Duration::from_secs(5), asked(&endless, QUESTION)).await.unwrap();
    assert_eq!(answered.unwrap_err(), format!("answered 500: {}", "x".repeat(4096)));
}

#[tokio::test]
async fn the_request_names_host_and_path() {
    let (address, serving) = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    get(&DirectDial, address, QUESTION).await.unwrap();
    let request = serving.await.unwrap().to_lowercase();
    assert!(request.starts_with("get /health http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nhost: shop.example.com\r\n"), "{request}");
}
