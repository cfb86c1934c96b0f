//! Messages that say what they may not, or not in the order they have to.

use std::error::Error;

use tidegate_proto::limits::MAX_CHUNK_BYTES;
use tonic::{Code, Status};

use super::RichError;

pub(in crate::api) fn bad_field(field: &'static str, error: &(dyn Error + 'static)) -> Status {
    RichError::new(Code::InvalidArgument, "BAD_FIELD", format!("the request's {field} is refused"))
        .at(field)
        .caused_by(error)
        .into()
}

pub(in crate::api) fn out_of_order(expected: &str) -> Status {
    RichError::new(Code::InvalidArgument, "OUT_OF_ORDER", format!("the stream should go on with {expected}"))
        .because("another message came, or none")
        .into()
}

pub(in crate::api) fn chunk_too_long() -> Status {
    let what = format!("a piece of standard input may have at most {MAX_CHUNK_BYTES} bytes");
    RichError::new(Code::InvalidArgument, "CHUNK", what).at("stdin").hint("send smaller pieces").into()
}

pub(in crate::api) fn no_signal(number: i32) -> Status {
    RichError::new(Code::InvalidArgument, "SIGNAL", format!("there is no signal {number}"))
        .at("signal")
        .hint("Linux has the signals 1 to 64")
        .into()
}

pub(in crate::api) fn broken() -> Status {
    RichError::new(Code::Internal, "BROKEN", "a part of the agent broke")
        .hint("`journalctl -u tidegate-agent` on the droplet tells more; this is a mistake in the agent: please report it")
        .into()
}

pub(in crate::api) fn no_resolution() -> Status {
    RichError::new(Code::InvalidArgument, "RESOLUTION", "the request does not say how the release is to end")
        .at("resolution")
        .hint("say whether the new release is kept or undone")
        .into()
}

pub(in crate::api) fn cloud_variable(name: &str) -> Status {
    RichError::new(
        Code::InvalidArgument,
        "CLOUD_VARIABLE",
        format!("the variable {name} may not reach a droplet"),
    )
    .at("variables")
    .because("variables that begin with DIGITALOCEAN_ or SPACES_ are the keys of the cloud account")
    .hint("give the app a variable of another name, with a key of its own")
    .into()
}
