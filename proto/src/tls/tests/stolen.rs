//! A certificate shown by somebody who does not hold its key.

use std::sync::Arc;

use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::PrivateKeyDer;

use crate::{
    certificates::{CertificateDer, PrivateKey},
    tls::config::provider,
};

/// Shows a chain and signs with a key of its own.
#[derive(Debug)]
pub(super) struct Stolen(Arc<CertifiedKey>);

impl Stolen {
    pub(super) fn with_another_key(chain: Vec<CertificateDer<'static>>) -> Arc<Self> {
        let own = PrivateKeyDer::Pkcs8(PrivateKey::generate().unwrap().pkcs8());
        let key = provider().key_provider.load_private_key(own).unwrap();
        Arc::new(Self(Arc::new(CertifiedKey::new(chain, key))))
    }
}

impl ResolvesClientCert for Stolen {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Stolen {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}
