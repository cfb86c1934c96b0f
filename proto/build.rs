//! Compiles the `.proto` files with protox (so no `protoc` is needed) and keeps the descriptors for the role-table test.
use std::{env, path::PathBuf};

#[expect(
    clippy::disallowed_methods,
    reason = "a build script: cargo speaks to it through the environment and OUT_DIR"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let files = ["proto/tidegate/v1/agent.proto", "proto/tidegate/v1/enrolment.proto"];
    let descriptors = protox::compile(files, ["proto"])?;
    std::fs::write(out.join("descriptors.bin"), prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure()
        // Its large variant comes once, at the end of a stream.
        .type_attribute("tidegate.v1.BackupEvent.event", "#[allow(clippy::large_enum_variant)]")
        // It holds a secret: `src/redacted.rs` has one that does not tell it.
        .skip_debug(["tidegate.v1.BackupBucket"])
        .compile_fds(descriptors)?;
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    Ok(())
}
