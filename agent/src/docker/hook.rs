//! A lifecycle hook of a service: a command that Docker runs in its container.

use std::{collections::VecDeque, time::Duration};

use bollard::{
    container::LogOutput,
    exec::StartExecResults,
    models::{ExecConfig, ExecInspectResponse},
};
use futures::StreamExt as _;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tidegate_compose::model::Hook;

use super::{
    Docker, DockerError, OutputLine, body,
    client::{CALL, within},
    output::Lines,
};

/// How many of its last lines are kept.
const LAST_LINES: usize = 20;
/// Between looks at a command whose output has ended and whose exit Docker has not noted yet.
const LOOK: Duration = Duration::from_millis(50);

/// How a hook ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookEnd {
    /// Its exit code.
    pub exit_code: i64,
    /// Its last lines, both streams.
    pub last_lines: Vec<OutputLine>,
}

impl Docker {
    /// Runs a hook in a running container, to its end. A command that outlives the deadline goes on in the container:
    /// Docker has no way to end it.
    ///
    /// # Errors
    /// When the container does not run, the command cannot be started, or it does not end in time.
    pub async fn run_hook(
        &self,
        container: &str,
        (hook, deadline): (&Hook, Duration),
    ) -> Result<HookEnd, DockerError> {
        // Its arguments may hold secrets.
        let program = hook.command.0.iter().flatten().next().cloned().unwrap_or_default();
        let doing = format!("run the hook `{program}` in {container}");
        let run = async {
            let api = self.api().await?;
            let id = within(&doing, CALL, api.create_exec(container, config(hook))).await?.id;
            self.to_its_end(&doing, &id).await
        };
        match tokio::time::timeout(deadline, run).await {
            Ok(ended) => ended,
            Err(_) => Err(DockerError::Deadline { doing, deadline }),
        }
    }

    /// Runs a command that asks whether a container is well. One that outlives the deadline is killed, for it is asked
    /// again and again.
    ///
    /// # Errors
    /// As [`Docker::run_hook`].
    pub async fn run_probe(
        &self,
        container: &str,
        (hook, deadline): (&Hook, Duration),
    ) -> Result<HookEnd, DockerError> {
        let program = hook.command.0.iter().flatten().next().cloned().unwrap_or_default();
        let doing = format!("run the probe `{program}` in {container}");
        let api = self.api().await?;
        let id = within(&doing, CALL, api.create_exec(container, config(hook))).await?.id;
        if let Ok(ended) = tokio::time::timeout(deadline, self.to_its_end(&doing, &id)).await {
            return ended;
        }
        let found: ExecInspectResponse = within(&doing, CALL, api.inspect_exec(&id)).await?;
        kill(&found);
        Err(DockerError::Deadline { doing, deadline })
    }

    async fn to_its_end(&self, doing: &str, id: &str) -> Result<HookEnd, DockerError> {
        let api = self.api().await?;
        let StartExecResults::Attached { mut output, input: _ } =
            within(doing, CALL, api.start_exec(id, None)).await?
        else {
            let message = "Docker did not attach to the command".to_owned();
            return Err(DockerError::Refused { doing: doing.to_owned(), message });
        };
        let mut last = VecDeque::new();
        let mut keep = |line: OutputLine| {
            if last.len() == LAST_LINES {
                last.pop_front();
            }
            last.push_back(line);
        };
        let (mut stdout, mut stderr) = (Lines::default(), Lines::default());
        while let Some(chunk) = output.next().await {
            match chunk.map_err(|error| DockerError::new(doing, error))? {
                LogOutput::StdErr { message } => stderr.push(&message, &mut keep),
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    stdout.push(&message, &mut keep);
                }
                LogOutput::StdIn { .. } => {}
            }
        }
        stdout.finish(&mut keep);
        stderr.finish(&mut keep);
        loop {
            let found: ExecInspectResponse = within(doing, CALL, api.inspect_exec(id)).await?;
            match found.exit_code {
                Some(exit_code) if found.running != Some(true) => {
                    return Ok(HookEnd { exit_code, last_lines: last.into() });
                }
                _ => tokio::time::sleep(LOOK).await,
            }
        }
    }
}

/// Kills a command's process, as Docker just told it. Docker has no call for that.
fn kill(command: &ExecInspectResponse) {
    let pid = command.pid.filter(|_| command.running == Some(true)).and_then(|pid| i32::try_from(pid).ok());
    // The descriptor stays with the process, should its number be given to another one meanwhile.
    let process = pid.and_then(Pid::from_raw).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    if let Some(process) = process
        && let Err(error) = pidfd_send_signal(&process, Signal::KILL)
    {
        tracing::debug!(%error, "a probe's command ended by itself");
    }
}

/// As docker compose asks for it.
fn config(hook: &Hook) -> ExecConfig {
    let Hook { command, user, privileged, working_dir, environment, extensions: _ } = hook;
    ExecConfig {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: command.0.clone(),
        env: body::environment(environment),
        privileged: Some(*privileged),
        user: Some(user.clone()).filter(|user| !user.is_empty()),
        working_dir: Some(working_dir.clone()).filter(|folder| !folder.is_empty()),
        ..ExecConfig::default()
    }
}
