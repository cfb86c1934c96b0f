//! Certificates of the user's own: files of the project that only the ingress gets.

use jiff::Timestamp;
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use tidegate_compose::{
    names::join_path,
    x_tidegate::{CertificateFiles, Extension},
};

use super::{DeployInput, Failure, SourceFile};
use crate::ingress::{Ingress, IngressError, Route, RouteTls, certificates::validity_of};

/// Everything about these certificates that would make visitors see an error, now.
pub(super) fn refusals(extension: &Extension, input: &DeployInput, now: Timestamp) -> Vec<Failure> {
    let mut refused = Vec::new();
    for (service, files) in extension.certificates() {
        let place = format!("services.{service}.x-tidegate.ingress.tls");
        let hosts = extension.services.get(service).and_then(|service| service.ingress.as_ref());
        let hosts = hosts.map(|ingress| ingress.hosts.as_slice()).unwrap_or_default();
        if let Err(failure) = check(input, files, (hosts, now)) {
            refused.push(failure.at(place));
        }
    }
    refused
}

fn check(
    input: &DeployInput,
    files: &CertificateFiles,
    (hosts, now): (&[String], Timestamp),
) -> Result<(), Failure> {
    let chain_text = content(input, &files.certificate)?;
    let key_text = content(input, &files.key)?;
    let bad = |path: &str, why: String| Failure::new(format!("the certificate {path} cannot be used"), why);
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&chain_text.content)
        .collect::<Result<_, _>>()
        .map_err(|error| bad(&files.certificate, format!("it is not valid PEM: {error}")))?;
    let first = chain.first().ok_or_else(|| {
        bad(&files.certificate, "there is no certificate in it".to_owned())
            .hint("it begins with -----BEGIN CERTIFICATE-----; that of the host comes first")
    })?;
    let validity =
        validity_of(first).ok_or_else(|| bad(&files.certificate, "it does not parse".to_owned()))?;
    if validity.1 <= now {
        let why = format!("it ran out at {}", validity.1);
        return Err(bad(&files.certificate, why).hint("renew it, then deploy again"));
    }
    if validity.0 > now {
        return Err(bad(&files.certificate, format!("it holds only from {} on", validity.0)));
    }
    let key = PrivateKeyDer::from_pem_slice(&key_text.content).map_err(|error| {
        Failure::new(format!("the key {} cannot be used", files.key), format!("it is not a private key in PEM: {error}"))
            .hint("a key with a passphrase cannot be used: `openssl pkey -in KEY -out NEW` takes the passphrase away")
    })?;
    let certified = CertifiedKey::from_der(chain.clone(), key, &aws_lc_rs::default_provider());
    certified.map_err(|error| {
        let why = match error {
            rustls::Error::InconsistentKeys(_) => "it is another certificate's".to_owned(),
            other => other.to_string(),
        };
        Failure::new(format!("the key {} does not fit {}", files.key, files.certificate), why).hint(
            "both come from one order: compare `openssl x509 -pubkey` and `openssl pkey -pubout` of them",
        )
    })?;
    covers(first, hosts).map_err(|(host, why)| {
        Failure::new(format!("the certificate {} is not for {host}", files.certificate), why)
            .hint(format!("have one made that names {host}, or remove the host"))
    })
}

fn content<'i>(input: &'i DeployInput, path: &str) -> Result<&'i SourceFile, Failure> {
    let found = input.files.iter().find(|file| is(file, path));
    found.ok_or_else(|| {
        Failure::new(format!("there is no file {path}"), "it was not deployed with the project")
            .hint("put it below the project directory; paths begin there")
    })
}

fn is(file: &SourceFile, path: &str) -> bool {
    join_path("/", &file.path) == join_path("/", path)
}

fn covers(certificate: &CertificateDer<'_>, hosts: &[String]) -> Result<(), (String, String)> {
    for host in hosts {
        let fits = || -> Result<(), rustls::Error> {
            let name = ServerName::try_from(host.as_str())
                .map_err(|_| rustls::Error::General(format!("{host} is not a name")))?;
            rustls::client::verify_server_name(&ParsedCertificate::try_from(certificate)?, &name)
        };
        fits().map_err(|error| (host.clone(), error.to_string()))?;
    }
    Ok(())
}

/// Makes the keys readable for the agent alone, whatever their mode was on the workstation.
pub(super) fn protect(extension: &Extension, input: &mut DeployInput) {
    for (_, files) in extension.certificates() {
        for file in input.files.iter_mut().filter(|file| is(file, &files.key)) {
            file.mode = 0o600;
        }
    }
}

/// Hands the certificates that routes name over to the ingress; the routes as they are to be served.
pub(super) fn hand_over(
    ingress: &Ingress,
    input: &DeployInput,
    routes: &[Route],
) -> Result<Vec<Route>, Failure> {
    let failed =
        |error: IngressError| Failure::caused_by("the ingress could not be given a certificate", &error);
    let mut ready = routes.to_vec();
    for route in &mut ready {
        if let RouteTls::Own(own) = &mut route.options.tls {
            let (chain, key) = match (content(input, &own.certificate), content(input, &own.key)) {
                (Ok(chain), Ok(key)) => (chain, key),
                // The ingress had it; should it be gone there too, the host alone is without a certificate.
                _ if own.kept.is_some() => continue,
                (Err(failure), _) | (_, Err(failure)) => return Err(failure),
            };
            *own = ingress.keep(own, (&chain.content, &key.content)).map_err(failed)?;
        }
    }
    Ok(ready)
}

#[cfg(test)]
#[path = "certificates_tests.rs"]
mod tests;
