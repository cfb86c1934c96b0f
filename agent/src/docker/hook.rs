//! A lifecycle hook of a service: a command that Docker runs in its container.

use std::time::Duration;

use bollard::{container::LogOutput, models::ExecConfig};
use futures::StreamExt as _;
use tidegate_compose::model::Hook;

use super::{
    Docker, DockerError, OutputLine, body,
    client::{CALL, within},
    exec,
    output::{LAST_LINES, LastLines, Lines},
};

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
        exec::kill(self, &doing, &id).await?;
        Err(DockerError::Deadline { doing, deadline })
    }

    async fn to_its_end(&self, doing: &str, id: &str) -> Result<HookEnd, DockerError> {
        let api = self.api().await?;
        let (mut output, _) = exec::attach(api, doing, id).await?;
        let mut last = LastLines::at_most(LAST_LINES);
        let mut keep = |line: OutputLine| last.keep(line);
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
        let exit_code = exec::exit_code(api, doing, id).await?;
        Ok(HookEnd { exit_code, last_lines: last.all() })
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
