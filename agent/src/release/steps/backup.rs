//! A backup of a service's data, before the release changes anything.

use serde_json::Value;

use super::summary;
use crate::{
    apps::ServiceName,
    release::{Failure, context::Context, data},
};

pub(super) async fn forward(context: &Context, service: &ServiceName) -> Result<Value, Failure> {
    let keeper = context.data.as_ref().ok_or_else(data::nobody)?;
    Ok(summary(keeper.back_up(&context.id, service).await?))
}
