//! Counting, across the files that Caddy makes of its log.

use std::io::Write as _;

use super::*;

fn line(host: &str, uri: &str, status: u16) -> String {
    format!(
        r#"{{"level":"info","ts":1.5,"logger":"http.log.access.access","msg":"handled request","request":{{"remote_ip":"::1","proto":"HTTP/2.0","method":"GET","host":"{host}","uri":"{uri}"}},"duration":0.1,"size":9,"status":{status}}}
"#
    )
}

fn append(folder: &Path, text: &str) {
    let mut file =
        fs_err::OpenOptions::new().append(true).create(true).open(folder.join(ACCESS_FILE)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn counted(folder: &Path, mark: &Mark) -> Vec<(String, u64, u64)> {
    let whose = |host: &str, _: &str| (host == "a.de").then(|| ServiceName::new("web"));
    let counts = count(folder, mark, whose).unwrap();
    counts.into_iter().map(|(service, n)| (service.to_string(), n.total, n.server_errors)).collect()
}

#[test]
fn answers_since_a_mark_are_counted_by_service() {
    let folder = tempfile::tempdir().unwrap();
    let never = mark(folder.path()).unwrap();
    assert_eq!(counted(folder.path(), &never), []);
    append(folder.path(), &line("a.de", "/", 500));
    let mark = mark(folder.path()).unwrap();
    assert_eq!(counted(folder.path(), &mark), []);
    append(folder.path(), &(line("a.de", "/x", 200) + "nonsense\n" + &line("b.de", "/", 503)));
    append(folder.path(), &(line("a.de", r"/a\u0026b", 502) + r#"{"half a line"#));
    assert_eq!(counted(folder.path(), &mark), [("web".to_owned(), 2, 1)]);
    assert_eq!(counted(folder.path(), &never), [("web".to_owned(), 3, 2)]);
}

#[test]
fn a_mark_outlives_the_rolling_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), &line("a.de", "/", 500));
    let mark = mark(folder.path()).unwrap();
    append(folder.path(), &line("a.de", "/", 200));
    for (time, status) in [("2026-11-21T10-00-00.000", 503), ("2026-11-21T11-00-00.000", 200)] {
        let rolled = folder.path().join(format!("access-{time}.json"));
        fs_err::rename(folder.path().join(ACCESS_FILE), rolled).unwrap();
        append(folder.path(), &line("a.de", "/", status));
    }
    assert_eq!(counted(folder.path(), &mark), [("web".to_owned(), 3, 1)]);
    // Its own file is gone: what is there counts.
    fs_err::remove_file(folder.path().join("access-2026-11-21T10-00-00.000.json")).unwrap();
    assert_eq!(counted(folder.path(), &mark), [("web".to_owned(), 2, 1)]);
}

#[test]
fn the_time_of_most_answers_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = String::new();
    for millis in 1..=100 {
        let seconds = f64::from(millis) / 1000.0;
        log.push_str(&line("a.de", "/", 200).replace("0.1", &seconds.to_string()));
    }
    append(folder.path(), &log);
    append(folder.path(), &line("a.de", "/", 503).replace("0.1", "nonsense"));
    let (all, _) = answers(folder.path(), &Mark::default(), |host, _| Some(host.to_owned())).unwrap();
    let a = all["a.de"];
    assert_eq!((a.counts.total, a.counts.server_errors), (100, 0));
    assert!((95..120).contains(&a.p95.as_millis()), "{:?}", a.p95);
    assert_eq!(Times::default().p95(), Duration::ZERO);
    // Of a long log the end counts.
    let filler = line("b.de", "/", 200);
    let many = usize::try_from(MOST_AT_ONCE).unwrap() / filler.len();
    append(folder.path(), &filler.repeat(many));
    let (all, _) = answers(folder.path(), &Mark::default(), |host, _| Some(host.to_owned())).unwrap();
    let b = usize::try_from(all["b.de"].counts.total).unwrap();
    assert!(b.abs_diff(many) <= 1 && all.get("a.de").is_none_or(|a| a.counts.total < 3), "{all:?}");
}

proptest::proptest! {
    #[test]
    fn whoever_counts_on_counts_each_answer_once(
        // How much of the log is written before each count, and whether Caddy begins a new file then.
        pieces in proptest::collection::vec((0_usize..900, proptest::bool::weighted(0.2)), 1..30),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (log, mut at, mut counted, mut rolled) = (line("a.de", "/", 200).repeat(60), 0, 0, 0);
        let mut mark = mark(folder.path()).unwrap();
        for (length, rolls) in pieces {
            let end = log.len().min(at + length);
            append(folder.path(), log.get(at..end).unwrap());
            at = end;
            // Caddy rolls between two lines.
            if rolls && log.get(..at).unwrap().ends_with('\n') {
                rolled += 1;
                let name = format!("access-2026-11-21T10-00-{rolled:02}.000.json");
                fs_err::rename(folder.path().join(ACCESS_FILE), folder.path().join(name)).unwrap();
            }
            let (all, read) = answers(folder.path(), &mark, |host, _| Some(host.to_owned())).unwrap();
            counted += all.get("a.de").map_or(0, |a| a.counts.total);
            mark = read;
        }
        proptest::prop_assert_eq!(usize::try_from(counted).unwrap(), log.get(..at).unwrap().matches('\n').count());
    }

    #[test]
    fn a_time_is_told_a_quarter_off_at_most(micros in 4..3_600_000_000_u64) {
        let mut times = Times::default();
        times.add(Duration::from_micros(micros).as_secs_f64());
        let told = u64::try_from(times.p95().as_micros()).unwrap();
        proptest::prop_assert!(told >= micros - 1 && told <= micros + micros / 4 + 1, "{told} for {micros}");
    }
}
