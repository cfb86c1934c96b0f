//! Commands in a container.

use std::{collections::BTreeMap, time::Duration};

use tidegate_agent::docker_stream::DockerStreams;
use tidegate_agent::exec::{
    Command, Input, Output, Session, Signal, Stdin, TerminalSize,
    container::{ContainerExec, ContainerExecError, Target, TargetError},
};
use tidegate_tests::docker::Docker;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use super::containers;

const PATIENCE: Duration = Duration::from_secs(20);

struct Caller {
    inputs: mpsc::Sender<Input>,
    outputs: mpsc::Receiver<Output>,
    task: JoinHandle<Result<(), ContainerExecError>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Ended {
    out: String,
    err: String,
    code: Option<u8>,
}

fn target(service: &str) -> Target {
    Target { app: "shop".to_owned(), service: service.to_owned(), index: None }
}

fn shell(script: &str) -> Command {
    Command::new(["sh", "-c", script].map(str::to_owned).to_vec()).unwrap()
}

fn start(docker: &Docker, service: &str, command: Command) -> Caller {
    let streams = DockerStreams::new(docker.client().clone(), docker.socket());
    let exec = ContainerExec::new(docker.client().clone(), streams);
    let (inputs, their_inputs) = mpsc::channel(4);
    let (their_outputs, outputs) = mpsc::channel(4);
    let target = target(service);
    let task = tokio::spawn(async move {
        exec.run(&target, &command, Session { inputs: their_inputs, outputs: their_outputs }).await
    });
    Caller { inputs, outputs, task }
}

impl Caller {
    async fn next(&mut self) -> Output {
        timeout(PATIENCE, self.outputs.recv()).await.unwrap().unwrap()
    }

    async fn until(&mut self, text: &str) {
        let mut seen = String::new();
        while !seen.contains(text) {
            if let Output::Stdout(bytes) = self.next().await {
                seen.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
    }

    async fn end(mut self) -> Ended {
        let mut ended = Ended::default();
        while let Some(output) = timeout(PATIENCE, self.outputs.recv()).await.unwrap() {
            match output {
                Output::Started(_) => {}
                Output::Stdout(bytes) => ended.out.push_str(&String::from_utf8_lossy(&bytes)),
                Output::Stderr(bytes) => ended.err.push_str(&String::from_utf8_lossy(&bytes)),
                Output::Exit(code) => ended.code = Some(code.code()),
            }
        }
        self.task.await.unwrap().unwrap();
        ended
    }
}

async fn run(docker: &Docker, command: Command) -> Ended {
    start(docker, "web", command).end().await
}

fn ended(out: &str, err: &str, code: u8) -> Ended {
    Ended { out: out.to_owned(), err: err.to_owned(), code: Some(code) }
}

#[tokio::test]
async fn commands_run_as_their_callers_expect() {
    let docker = Docker::start().await.unwrap();
    containers::service(&docker, "shop", "web", 1, "exec sleep 1000").await;

    output_and_exit_codes(&docker).await;
    standard_input(&docker).await;
    variables_user_and_directory(&docker).await;
    terminals(&docker).await;
    signals(&docker).await;
    a_caller_that_goes_takes_its_command_along(&docker).await;
    what_is_not_there_is_said(&docker).await;
}

async fn output_and_exit_codes(docker: &Docker) {
    assert_eq!(run(docker, shell("echo out; echo err >&2; exit 3")).await, ended("out\n", "err\n", 3));
    assert_eq!(run(docker, shell("true")).await, ended("", "", 0));
    assert_eq!(run(docker, shell("kill -9 $$")).await, ended("", "", 137));
    let big = run(docker, shell("head -c 3000000 /dev/zero | tr '\\0' x")).await;
    assert_eq!((big.out.len(), big.code), (3_000_000, Some(0)));

    let missing = run(docker, Command::new(vec!["no-such-program".to_owned()]).unwrap()).await;
    assert_eq!((missing.out.as_str(), missing.code), ("", Some(127)));
    assert!(missing.err.contains("no-such-program"), "{missing:?}");
    let directory = run(docker, Command::new(vec!["/etc".to_owned()]).unwrap()).await;
    assert_eq!((directory.out.as_str(), directory.code), ("", Some(126)), "{directory:?}");
}

async fn standard_input(docker: &Docker) {
    let caller = start(docker, "web", shell("cat; echo end").with_stdin(Stdin::Open));
    let inputs = caller.inputs.clone();
    let sender = tokio::spawn(async move {
        for _ in 0..40 {
            inputs.send(Input::Stdin(vec![b'y'; 50_000])).await.unwrap();
        }
        inputs.send(Input::StdinClosed).await.unwrap();
    });
    let ended = caller.end().await;
    sender.await.unwrap();
    assert_eq!((ended.out.len(), ended.code), (40 * 50_000 + 4, Some(0)));
    assert!(ended.out.ends_with("yend\n"));
    // Without standard input a command that reads meets its end at once.
    assert_eq!(run(docker, shell("cat; echo end")).await.out, "end\n");
}

async fn variables_user_and_directory(docker: &Docker) {
    let command = shell("echo $GREETING; id -u; pwd")
        .with_environment(BTreeMap::from([("GREETING".to_owned(), "a b".to_owned())]))
        .and_then(|command| command.with_user("1234"))
        .and_then(|command| command.with_working_directory("/tmp"))
        .unwrap();
    assert_eq!(run(docker, command).await, ended("a b\n1234\n/tmp\n", "", 0));
}

async fn terminals(docker: &Docker) {
    let terminal = Some(TerminalSize { columns: 101, rows: 33 });
    let command = shell("printf '\\001\\002x'; read line; stty size; read line; stty size; echo $TERM; tty")
        .with_terminal(terminal)
        .with_stdin(Stdin::Open);
    let mut caller = start(docker, "web", command);
    caller.until("\u{1}\u{2}x").await;
    caller.inputs.send(Input::Stdin(b"\n".to_vec())).await.unwrap();
    caller.until("33 101").await;
    caller.inputs.send(Input::Resize(TerminalSize { columns: 80, rows: 24 })).await.unwrap();
    caller.inputs.send(Input::Stdin(b"\n".to_vec())).await.unwrap();
    let ended = caller.end().await;
    assert!(ended.out.contains("24 80"), "{ended:?}");
    assert!(ended.out.contains("xterm") && ended.out.contains("/dev/pts/"), "{ended:?}");
    assert_eq!((ended.err.as_str(), ended.code), ("", Some(0)));
}

async fn signals(docker: &Docker) {
    let mut caller = start(
        docker,
        "web",
        shell("trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.1; done"),
    );
    caller.until("ready").await;
    caller.inputs.send(Input::Signal(Signal::new(2).unwrap())).await.unwrap();
    assert_eq!(caller.end().await, ended("caught\n", "", 5));

    let mut caller = start(docker, "web", shell("echo ready; exec sleep 1000"));
    caller.until("ready").await;
    caller.inputs.send(Input::Signal(Signal::new(15).unwrap())).await.unwrap();
    assert_eq!(caller.end().await, ended("", "", 143));
}

async fn a_caller_that_goes_takes_its_command_along(docker: &Docker) {
    let mut caller = start(docker, "web", shell("echo ready; exec sleep 4321"));
    caller.until("ready").await;
    drop(caller.outputs);
    caller.task.await.unwrap().unwrap();
    assert_eq!(run(docker, shell("ps | grep -c '[s]leep 4321'")).await.out, "0\n");
}

async fn what_is_not_there_is_said(docker: &Docker) {
    let no_service = start(docker, "worker", shell("true"));
    let error = no_service.task.await.unwrap().unwrap_err();
    assert!(matches!(error, ContainerExecError::Target(TargetError::NoService { .. })), "{error:?}");
    containers::service(docker, "shop", "job", 1, "exit 0").await;
    containers::ended(docker, "shop-job-1").await;
    let error = start(docker, "job", shell("true")).task.await.unwrap().unwrap_err();
    assert!(matches!(error, ContainerExecError::Target(TargetError::NotRunning { .. })), "{error:?}");
}
