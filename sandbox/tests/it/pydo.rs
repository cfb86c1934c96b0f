//! The sandbox with other people's client: DigitalOcean's own for Python, if somebody put it below the target directory.
//! Tests install nothing by themselves.

use std::path::Path;

use tokio::process::Command;

use crate::sandbox::Sandbox;

#[tokio::test]
async fn digitaloceans_own_client_is_content() {
    // Cargo gives tests a directory of their own inside the target directory.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("pydo/bin/python");
    if !python.exists() {
        println!(
            "skipped: {} is missing; `python3 -m venv target/pydo && target/pydo/bin/pip install pydo`",
            python.display()
        );
        return;
    }
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/walk.py");
    let arguments = [script.as_os_str(), client.base.as_ref(), client.token.as_ref().unwrap().as_ref()];
    let output = Command::new(python).args(arguments).kill_on_drop(true).output().await.unwrap();
    let (told, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.trim_end().ends_with("walked"), "{told}\n{wrong}");
}
