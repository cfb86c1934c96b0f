//! Requests of five kinds at a steady rate, from inside a daemon's network, and what became of them.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use tidegate_tests::docker::Docker;

/// How many clients ask at once; each asks in turn for `/`, half of them on kept connections.
const CLIENTS: u32 = 16;
/// The kinds that come at a steady rate.
const PAGES: [&str; 2] = ["on kept connections", "on new connections"];
/// What a download has to bring.
const DOWNLOAD: usize = 60 * 1024;

/// Whom the load goes to.
#[derive(Clone, Copy)]
pub struct To {
    pub pages: SocketAddr,
    pub chat: SocketAddr,
}

/// What became of the requests, by kind.
#[derive(Default)]
pub struct Tally {
    pub asked: BTreeMap<&'static str, usize>,
    /// Kind and reason of each that was not answered as it should be.
    pub failed: Vec<(&'static str, String)>,
    /// For how long pages were asked for.
    pub took: Duration,
}

impl Tally {
    fn note(&mut self, kind: &'static str, result: io::Result<()>) {
        *self.asked.entry(kind).or_default() += 1;
        if let Err(error) = result {
            self.failed.push((kind, error.to_string()));
        }
    }

    fn add(&mut self, other: Self) {
        for (kind, count) in other.asked {
            *self.asked.entry(kind).or_default() += count;
        }
        self.failed.extend(other.failed);
        self.took = self.took.max(other.took);
    }

    /// Pages a second.
    pub fn rate(&self) -> f64 {
        let pages: usize = PAGES.iter().filter_map(|kind| self.asked.get(kind)).sum();
        f64::from(u32::try_from(pages).unwrap()) / self.took.as_secs_f64()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds: Vec<String> = self.asked.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        write!(f, "{:.0}/s ({}), {} failed", self.rate(), kinds.join(", "), self.failed.len())?;
        let mut reasons: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (kind, reason) in &self.failed {
            *reasons.entry((kind, reason)).or_default() += 1;
        }
        for ((kind, reason), count) in reasons {
            write!(f, "\n    {count} x {kind}: {reason}")?;
        }
        Ok(())
    }
}

/// Asks `rate` pages a second until told to stop, and beside them slow pages, downloads and conversations.
pub fn run(docker: &Docker, to: To, rate: u32, stop: &AtomicBool) -> Tally {
    type Client<'a> = Box<dyn FnOnce() -> Tally + Send + 'a>;
    let mut clients: Vec<Client<'_>> = Vec::new();
    for number in 0..CLIENTS {
        let pause = Duration::from_secs(1) * CLIENTS / rate;
        let kept = number % 2 == 0;
        clients.push(Box::new(move || pages(to, (pause, kept), stop)));
    }
    for _ in 0..3 {
        clients.push(Box::new(move || repeat("slow pages", stop, || whole(to.pages, "/cgi-bin/slow", 5))));
    }
    clients
        .push(Box::new(move || repeat("downloads", stop, || whole(to.pages, "/cgi-bin/pieces", DOWNLOAD))));
    clients.push(Box::new(move || repeat("conversations", stop, || conversation(to.chat))));
    let mut all = Tally::default();
    std::thread::scope(|scope| {
        let running: Vec<_> =
            clients.into_iter().map(|client| scope.spawn(|| docker.inside(client).unwrap())).collect();
        for client in running {
            all.add(client.join().unwrap());
        }
    });
    all
}

fn repeat(kind: &'static str, stop: &AtomicBool, ask: impl Fn() -> io::Result<()>) -> Tally {
    let mut tally = Tally::default();
    while !stop.load(Ordering::SeqCst) {
        let result = ask();
        if result.is_err() {
            std::thread::sleep(Duration::from_millis(100));
        }
        tally.note(kind, result);
    }
    tally
}

/// Pages one after the other, each begun when its time has come, whatever became of the one before.
fn pages(to: To, (pause, kept): (Duration, bool), stop: &AtomicBool) -> Tally {
    let (mut tally, mut connection) = (Tally::default(), None);
    let begun = Instant::now();
    for number in 0_u32.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        if let Some(early) = (begun + pause * number).checked_duration_since(Instant::now()) {
            std::thread::sleep(early);
        }
        if kept {
            let answered = page(&mut connection, to.pages);
            if answered.is_err() {
                connection = None;
            }
            tally.note(PAGES[0], answered);
        } else {
            tally.note(PAGES[1], whole(to.pages, "/", 1));
        }
    }
    tally.took = begun.elapsed();
    tally
}

fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, Duration::from_secs(10))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn refused(status: &str) -> io::Error {
    io::Error::other(format!("answered {}", status.trim()))
}

/// The head of an answer: its length, if it tells one.
fn head(answer: &mut impl io::BufRead, wanted: &str) -> io::Result<Option<usize>> {
    let (mut status, mut length) = (String::new(), None);
    if answer.read_line(&mut status)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    loop {
        let mut line = String::new();
        if answer.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == "\r\n" {
            break;
        }
        if let Some(number) = line.to_lowercase().strip_prefix("content-length: ") {
            length = number.trim().parse().ok();
        }
    }
    if status.split(' ').nth(1) == Some(wanted) { Ok(length) } else { Err(refused(&status)) }
}

/// Whether a page is answered as it should be, at once: what is sent to a container that is away waits a second in the
/// network, even when the container is back long before.
pub fn answers(at: SocketAddr) -> bool {
    let asked = || -> io::Result<()> {
        let stream = connect(at)?;
        stream.set_read_timeout(Some(Duration::from_millis(100)))?;
        whole_over(stream, "/", 1)
    };
    asked().is_ok()
}

/// One page over a connection that stays open.
fn page(connection: &mut Option<BufReader<TcpStream>>, to: SocketAddr) -> io::Result<()> {
    let stream = match connection {
        Some(stream) => stream,
        None => connection.insert(BufReader::new(connect(to)?)),
    };
    stream.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: load.test\r\n\r\n")?;
    let length = head(stream, "200")?.ok_or_else(|| io::Error::other("a page of unknown length"))?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body)
}

/// One answer over a connection of its own, that has to bring so many bytes.
fn whole(to: SocketAddr, path: &str, least: usize) -> io::Result<()> {
    whole_over(connect(to)?, path, least)
}

fn whole_over(mut stream: TcpStream, path: &str, least: usize) -> io::Result<()> {
    write!(stream, "GET {path} HTTP/1.0\r\nHost: load.test\r\nConnection: close\r\n\r\n")?;
    let mut answer = BufReader::new(stream);
    head(&mut answer, "200")?;
    let mut body = Vec::new();
    answer.read_to_end(&mut body)?;
    if body.len() < least {
        return Err(io::Error::other(format!("{} of {least} bytes came", body.len())));
    }
    Ok(())
}

/// Five seconds of words over an upgraded connection; each has to come back.
fn conversation(to: SocketAddr) -> io::Result<()> {
    let mut stream = connect(to)?;
    stream.write_all(
        b"GET /chat HTTP/1.1\r\nHost: load.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    let mut answers = BufReader::new(stream.try_clone()?);
    head(&mut answers, "101")?;
    for word in 0..50 {
        writeln!(stream, "word {word}")?;
        let mut line = String::new();
        answers.read_line(&mut line)?;
        if line != format!("word {word}\n") {
            return Err(io::Error::other(format!("word {word} came back as {line:?}")));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
