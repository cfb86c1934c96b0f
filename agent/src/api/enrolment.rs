//! The enrolment service, which runs alone until the agent is enrolled.
//!
//! Owns the conversion of its messages. Must not judge them: `trust` does.

use std::sync::Arc;

use rand::rng;
use tidegate_proto::{
    certificates::{Chain, RootBundle},
    enrolment::Nonce,
    tls::PeerInfo,
    v1::{
        BeginEnrolmentRequest, BeginEnrolmentResponse, CompleteEnrolmentRequest, CompleteEnrolmentResponse,
        enrolment_server::Enrolment,
    },
};
use tonic::{Request, Response, Status};

use super::{caller::Caller, errors};
use crate::trust::{AGENT_VERSION, Completion, Trust};

/// `tidegate.v1.Enrolment`.
#[derive(Debug, Clone)]
pub struct EnrolmentService {
    trust: Arc<Trust>,
}

impl EnrolmentService {
    /// Enrols this agent.
    pub fn new(trust: Arc<Trust>) -> Self {
        Self { trust }
    }
}

fn peer<T>(request: &Request<T>) -> Result<PeerInfo, Status> {
    // Over the unix socket there is no TLS session to bind a proof to.
    request.extensions().get::<PeerInfo>().cloned().ok_or_else(errors::enrolment_needs_tls)
}

#[tonic::async_trait]
impl Enrolment for EnrolmentService {
    async fn begin(
        &self,
        request: Request<BeginEnrolmentRequest>,
    ) -> Result<Response<BeginEnrolmentResponse>, Status> {
        let server_spki = peer(&request)?.server_spki();
        let controller_nonce = Nonce::try_from(request.get_ref().controller_nonce.as_slice())
            .map_err(|error| errors::bad_field("controller_nonce", &error))?;
        let agent_nonce = Nonce::random(&mut rng());
        let offer = self
            .trust
            .begin_enrolment(controller_nonce, agent_nonce, server_spki)
            .await
            .map_err(|error| errors::enrolment(&error))?;
        Ok(Response::new(BeginEnrolmentResponse {
            agent_nonce: offer.agent_nonce.to_vec(),
            certificate_request: offer.certificate_request,
            agent_proof: offer.agent_proof,
            droplet_id: offer.droplet.get(),
            agent_version: AGENT_VERSION.to_owned(),
        }))
    }

    async fn complete(
        &self,
        request: Request<CompleteEnrolmentRequest>,
    ) -> Result<Response<CompleteEnrolmentResponse>, Status> {
        let server_spki = peer(&request)?.server_spki();
        let actor = Caller::from_request(&request)?.actor();
        let message = request.into_inner();
        let completion = Completion {
            chain: Chain::from_ders(message.certificate_chain)
                .map_err(|error| errors::bad_field("certificate_chain", &error))?,
            roots: RootBundle::from_proto(message.roots)
                .map_err(|error| errors::bad_field("roots", &error))?,
            proof: message.controller_proof,
            enrolment_id: message.enrolment_id,
        };
        self.trust
            .complete_enrolment(completion, server_spki, &actor)
            .await
            .map_err(|error| errors::enrolment(&error))?;
        Ok(Response::new(CompleteEnrolmentResponse {}))
    }
}
