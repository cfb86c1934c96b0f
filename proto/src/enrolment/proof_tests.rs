use jiff::Timestamp;

use super::*;
use crate::{
    certificates::{CertificateRequest, PrivateKey, fixtures::Authorities},
    enrolment::EnrolmentSecret,
};

struct Seen {
    domain: TrustDomain,
    intent: IntentId,
    request: CertificateRequest,
    server_spki: SpkiDigest,
    agent_nonce: Nonce,
}

impl Seen {
    fn new() -> Self {
        Self {
            domain: "shop.production".parse().unwrap(),
            intent: "7f3a".parse().unwrap(),
            request: CertificateRequest::new(&PrivateKey::generate().unwrap()).unwrap(),
            server_spki: SpkiDigest::of(b"server"),
            agent_nonce: Nonce([2; 32]),
        }
    }

    fn transcript(&self) -> Transcript<'_> {
        Transcript {
            domain: &self.domain,
            droplet: DropletId::new(7).unwrap(),
            intent: &self.intent,
            controller_nonce: Nonce([1; 32]),
            agent_nonce: self.agent_nonce,
            server_spki: self.server_spki,
            certificate_request: self.request.der(),
            agent_version: "0.1.0",
        }
    }
}

fn token(secret: u8) -> EnrolmentToken {
    let domain = "shop.production".parse().unwrap();
    let expires_at = Timestamp::from_second(2_000_000_000).unwrap();
    EnrolmentToken::derive(&EnrolmentSecret::new([secret; 32]), &domain, &"7f3a".parse().unwrap(), expires_at)
        .unwrap()
}

#[test]
fn each_side_believes_the_other() {
    let seen = Seen::new();
    let authorities = Authorities::new("production");
    let (chain, _) = authorities.leaf(&crate::certificates::Subject::Agent(DropletId::new(7).unwrap()), 9);
    let roots = authorities.roots();
    let handover = Handover { chain: &chain, roots: &roots, enrolment_id: "e1" };
    let proof = seen.transcript().agent_proof(&token(1));
    assert!(seen.transcript().verify_agent(&token(1), &proof).is_ok());
    let proof = seen.transcript().controller_proof(&token(1), handover);
    assert!(seen.transcript().verify_controller(&token(1), handover, &proof).is_ok());
}

#[test]
fn the_bytes_never_change() {
    // Computed by another implementation: agents and controllers of two versions have to agree.
    let seen = Seen::new();
    let transcript = Transcript { certificate_request: b"request", ..seen.transcript() };
    let proof = hex::encode(transcript.agent_proof(&token(1)));
    assert_eq!(proof, "6ef4babdce79386adbf8a56b2614dd71c3aa607d8d2b58c442ea3a765b0a88e5");
}

#[test]
fn a_wrong_token_or_a_cut_proof_is_refused() {
    let seen = Seen::new();
    let proof = seen.transcript().agent_proof(&token(1));
    assert_eq!(seen.transcript().verify_agent(&token(2), &proof), Err(ProofError::Agent));
    assert!(seen.transcript().verify_agent(&token(1), &proof[..31]).is_err());
    assert!(seen.transcript().verify_agent(&token(1), &[]).is_err());
}

#[test]
fn whatever_differs_the_proof_is_refused() {
    type Change<'a> = &'a dyn Fn(&mut Transcript<'a>);
    let (seen, other) = (Seen::new(), Seen::new());
    let proof = seen.transcript().agent_proof(&token(1));
    let domain: TrustDomain = "shop.staging".parse().unwrap();
    let intent: IntentId = "other".parse().unwrap();
    let changes: [(&str, Change<'_>); 9] = [
        ("a swapped request", &|seen| {
            seen.certificate_request = other.request.der();
        }),
        ("TLS ended in between", &|seen| {
            seen.server_spki = SpkiDigest::of(b"middle");
        }),
        ("an old agent nonce", &|seen| seen.agent_nonce = Nonce([9; 32])),
        ("an old controller nonce", &|seen| {
            seen.controller_nonce = Nonce([9; 32]);
        }),
        ("swapped nonces", &|seen| {
            std::mem::swap(&mut seen.controller_nonce, &mut seen.agent_nonce);
        }),
        ("another droplet", &|seen| {
            seen.droplet = DropletId::new(8).unwrap();
        }),
        ("another environment", &|seen| seen.domain = &domain),
        ("another intent", &|seen| seen.intent = &intent),
        ("another version", &|seen| seen.agent_version = "0.1.1"),
    ];
    for (what, change) in changes {
        let mut transcript = seen.transcript();
        change(&mut transcript);
        let refused = transcript.verify_agent(&token(1), &proof);
        assert_eq!(refused, Err(ProofError::Agent), "{what}");
    }
}

#[test]
fn the_handover_cannot_be_swapped() {
    let seen = Seen::new();
    let agent = crate::certificates::Subject::Agent(DropletId::new(7).unwrap());
    let (ours, theirs) = (Authorities::new("production"), Authorities::new("production"));
    let ((chain, _), (their_chain, _)) = (ours.leaf(&agent, 9), theirs.leaf(&agent, 9));
    let (roots, their_roots) = (ours.roots(), theirs.roots());
    let handover = Handover { chain: &chain, roots: &roots, enrolment_id: "e1" };
    let proof = seen.transcript().controller_proof(&token(1), handover);
    for (what, swapped) in [
        ("chain", Handover { chain: &their_chain, ..handover }),
        ("roots", Handover { roots: &their_roots, ..handover }),
        ("id", Handover { enrolment_id: "e2", ..handover }),
    ] {
        let refused = seen.transcript().verify_controller(&token(1), swapped, &proof);
        assert_eq!(refused, Err(ProofError::Controller), "{what}");
    }
}

#[test]
fn an_agents_proof_is_no_controllers() {
    // Reflected: who sends an agent its own proof back proves nothing.
    let seen = Seen::new();
    let authorities = Authorities::new("production");
    let (chain, _) = authorities.leaf(&crate::certificates::Subject::Agent(DropletId::new(7).unwrap()), 9);
    let roots = authorities.roots();
    let handover = Handover { chain: &chain, roots: &roots, enrolment_id: "" };
    let agents = seen.transcript().agent_proof(&token(1));
    assert!(seen.transcript().verify_controller(&token(1), handover, &agents).is_err());
}

#[test]
fn nonces_have_32_bytes() {
    assert!(Nonce::try_from([0; 32].as_slice()).is_ok());
    assert!(Nonce::try_from([0; 31].as_slice()).is_err());
    assert!(Nonce::try_from([].as_slice()).is_err());
}
