//! `Renew`: the agent sends a request, the caller the chain, the agent confirms.
//!
//! Owns the order of the messages. Must not judge certificates: `trust` does.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use tidegate_proto::{
    certificates::Chain,
    v1::{RenewDone, RenewRequest, RenewResponse, renew_request, renew_response},
};
use tokio::{sync::mpsc, time::timeout};
use tonic::{Status, Streaming};

use super::{
    convert, errors,
    stream::{self, Answers},
};
use crate::trust::Trust;

/// How long a caller may take to sign.
const NEXT_MESSAGE: Duration = Duration::from_mins(1);

pub(super) fn renew(
    trust: Arc<Trust>,
    actor: String,
    requests: Streaming<RenewRequest>,
) -> Answers<RenewResponse> {
    let (sender, answers) = stream::channel();
    tokio::spawn(async move {
        if let Err(status) = converse(&trust, &actor, requests, &sender).await {
            sender.send(Err(status)).await.ok();
        }
    });
    answers
}

async fn converse(
    trust: &Trust,
    actor: &str,
    mut requests: Streaming<RenewRequest>,
    sender: &mpsc::Sender<Result<RenewResponse, Status>>,
) -> Result<(), Status> {
    let renew_request::Request::Start(_) = next(&mut requests).await? else {
        return Err(errors::out_of_order("start"));
    };
    let renewal = trust.begin_renewal().await.map_err(|error| errors::change(&error))?;
    let offer = renew_response::Response::CertificateRequest(renewal.certificate_request().to_vec());
    answer(sender, offer).await;
    let renew_request::Request::Certificate(message) = next(&mut requests).await? else {
        return Err(errors::out_of_order("certificate"));
    };
    let chain = Chain::from_ders(message.certificate_chain)
        .map_err(|error| errors::bad_field("certificate_chain", &error))?;
    let not_after =
        trust.complete_renewal(renewal, chain, actor).await.map_err(|error| errors::change(&error))?;
    let done = RenewDone { not_after: Some(convert::timestamp(not_after)) };
    answer(sender, renew_response::Response::Done(done)).await;
    Ok(())
}

async fn next(requests: &mut Streaming<RenewRequest>) -> Result<renew_request::Request, Status> {
    let message = timeout(NEXT_MESSAGE, requests.next()).await.map_err(|_| errors::deadline(NEXT_MESSAGE))?;
    let message = message.ok_or_else(|| errors::out_of_order("another message"))??;
    message.request.ok_or_else(|| errors::out_of_order("a message that is not empty"))
}

async fn answer(sender: &mpsc::Sender<Result<RenewResponse, Status>>, response: renew_response::Response) {
    // A caller that is gone is noticed by its next message not coming.
    sender.send(Ok(RenewResponse { response: Some(response) })).await.ok();
}
