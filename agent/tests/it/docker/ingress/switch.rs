//! What is open while a release switches.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::{
    app, eventually,
    fixture::{self, Fixture, get, requests_until},
    released,
};

const INGRESS: &str = "{ host: shop.test, port: 8000, tls: off }";

fn connect(head: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect("127.0.0.1:80")?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(stream, "{head}\r\nHost: shop.test\r\n\r\n")?;
    Ok(stream)
}

/// Speaks over an upgraded connection until told to stop; how many words came back.
fn echoes(stop: &AtomicBool) -> std::io::Result<usize> {
    let head = "GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let mut stream = connect(head)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    answers.read_line(&mut line)?;
    assert!(line.starts_with("HTTP/1.1 101"), "{line}");
    while line != "\r\n" {
        line.clear();
        answers.read_line(&mut line)?;
    }
    let mut count = 0;
    while !stop.load(Ordering::SeqCst) {
        writeln!(stream, "word {count}")?;
        line.clear();
        answers.read_line(&mut line)?;
        assert_eq!(line, format!("word {count}\n"));
        count += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(count)
}

/// Requests over one kept connection until told to stop; how many were answered.
fn kept(stop: &AtomicBool) -> std::io::Result<usize> {
    let mut stream = connect("GET / HTTP/1.1")?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut count = 0;
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            if answers.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            assert!(!line.starts_with("HTTP/1.1") || line.starts_with("HTTP/1.1 200"), "{line}");
            if let Some(number) = line.to_lowercase().strip_prefix("content-length: ") {
                length = number.trim().parse().unwrap();
            }
        }
        answers.read_exact(&mut vec![0; length])?;
        count += 1;
        if stop.load(Ordering::SeqCst) {
            return Ok(count);
        }
        std::thread::sleep(Duration::from_millis(20));
        write!(stream, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")?;
    }
}

/// Bytes of a download that takes nine seconds.
fn download() -> std::io::Result<usize> {
    let mut answer = Vec::new();
    connect("GET /slow HTTP/1.1\r\nConnection: close")?.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    Ok(answer.len() - head - 4)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_a_download_and_keep_alive_survive_a_switch_under_load() {
    let world = Fixture::start().await;
    released(&world, &app("shop", "v1", INGRESS)).await;
    let docker = &world.docker;
    let (stop, speechless) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let load = scope.spawn(|| requests_until(docker, "shop.test", &stop));
        let same = scope.spawn(|| docker.inside(|| kept(&stop)).unwrap());
        let chat = scope.spawn(|| docker.inside(|| echoes(&speechless)).unwrap());
        let downloads = scope.spawn(|| docker.inside(|| [download(), download()]).unwrap());
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let release = world.engine.deploy(fixture::input(&app("shop", "v2", INGRESS)), "test");
                release.await.unwrap();
                // The old container serves the upgraded connection still while everybody else is at the new one.
                eventually(Duration::from_secs(40), || {
                    let (status, body) = get(docker, "shop.test", "/");
                    if body.starts_with("v2") { Ok(()) } else { Err(format!("{status} {body}")) }
                })
                .await;
                tokio::time::sleep(Duration::from_secs(7)).await;
            });
        });
        speechless.store(true, Ordering::SeqCst);
        let words = chat.join().unwrap().unwrap();
        assert!(words > 70, "{words}");
        for bytes in downloads.join().unwrap() {
            assert_eq!(bytes.unwrap(), 180);
        }
        stop.store(true, Ordering::SeqCst);
        let answers = load.join().unwrap();
        let failed: Vec<_> = answers.iter().filter(|(status, _)| *status != 200).collect();
        assert!(failed.is_empty() && answers.len() > 100, "{failed:?} of {}", answers.len());
        let same = same.join().unwrap().unwrap();
        println!(
            "{} requests on new connections, {same} on a kept one, {words} words, 2 downloads: none failed",
            answers.len()
        );
    });
    fixture::events(&world.engine, &fixture::name("shop")).await;
}
