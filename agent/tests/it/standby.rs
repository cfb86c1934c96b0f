//! The process that waits on the droplet for a command, and becomes it.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _, pipe},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{net::UnixStream, process::ExitStatusExt as _},
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tidegate_agent::exec::host::handover::{Handover, HandoverError};

/// What the command wrote and complained of, and its exit code.
type Said = (String, String, Option<i32>);

fn waiting() -> (UnixStream, Child) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_tidegate-agent"))
        .arg("standby")
        .env("KEPT", "from the unit")
        .env("JOURNAL_STREAM", "1:2")
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    (ours, child)
}

fn command(path: &str, argv: &[&str]) -> Handover {
    Handover {
        path: PathBuf::from(path),
        argv: argv.iter().map(ToString::to_string).collect(),
        variables: BTreeMap::from([("GIVEN".to_owned(), "a \"value\"".to_owned())]),
        directory: None,
    }
}

async fn run(handover: Handover, input: Option<&str>) -> Said {
    let (socket, mut child) = waiting();
    let (mut out, theirs_out) = pipe().unwrap();
    let (mut err, theirs_err) = pipe().unwrap();
    let (theirs_in, mut ours_in) = pipe().unwrap();
    let mut descriptors = vec![theirs_out.as_fd(), theirs_err.as_fd()];
    descriptors.extend(input.map(|_| theirs_in.as_fd()));
    handover.send(socket, &descriptors).await.unwrap();
    drop((theirs_out, theirs_err, theirs_in));
    ours_in.write_all(input.unwrap_or_default().as_bytes()).ok();
    drop(ours_in);
    let (mut said, mut complained) = (String::new(), String::new());
    out.read_to_string(&mut said).unwrap();
    err.read_to_string(&mut complained).unwrap();
    let status = child.wait().unwrap();
    (said, complained, status.code().or(status.signal().map(|signal| 128 + signal)))
}

#[tokio::test]
async fn it_becomes_the_command_with_its_streams_variables_and_directory() {
    let script = "cat; echo \"$GIVEN, $KEPT, ${JOURNAL_STREAM-none}, $0\"; pwd; echo oh >&2; exit 7";
    let handover = Handover {
        directory: Some("/usr/bin".into()),
        ..command("/bin/sh", &["shell", "-c", script, "name"])
    };
    let expected = "in\na \"value\", from the unit, none, name\n/usr/bin\n";
    assert_eq!(run(handover, Some("in\n")).await, (expected.to_owned(), "oh\n".to_owned(), Some(7)));
}

#[tokio::test]
async fn without_input_it_reads_nothing_and_a_home_that_is_not_there_is_no_reason_not_to_run() {
    let script = "cat; pwd; yes | head -n 1; kill -TERM $$";
    let handover =
        Handover { directory: Some("/no/such/home".into()), ..command("/bin/sh", &["sh", "-c", script]) };
    // A broken pipe ends `yes`, as in a shell; nothing is complained of.
    assert_eq!(run(handover, None).await, ("/\ny\n".to_owned(), String::new(), Some(143)));
}

#[tokio::test]
async fn a_long_command_arrives_whole() {
    let long = "x\u{1}".repeat(60_000);
    let said = run(command("/bin/sh", &["sh", "-c", "printf %s \"$1\" | wc -c", "sh", &long]), None).await;
    assert_eq!(said, ("120000\n".to_owned(), String::new(), Some(0)));
}

#[tokio::test]
async fn what_cannot_be_executed_is_told_as_a_shell_does() {
    let (said, complained, code) = run(command("/no/such/program", &["program"]), None).await;
    assert_eq!((said.as_str(), code), ("", Some(127)));
    assert!(complained.contains("/no/such/program: No such file"), "{complained}");
    assert_eq!(run(command("/etc/passwd", &["passwd"]), None).await.2, Some(126));
}

#[tokio::test]
async fn a_process_that_is_gone_has_not_begun_and_one_without_an_agent_ends() {
    let (socket, mut child) = waiting();
    child.kill().unwrap();
    child.wait().unwrap();
    let (_, out) = pipe().unwrap();
    let sent = command("/bin/true", &["true"]).send(socket, &[out.as_fd(), out.as_fd()]).await;
    assert!(matches!(sent, Err(HandoverError::NotBegun(_))), "{sent:?}");

    let (socket, mut child) = waiting();
    drop(socket);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
