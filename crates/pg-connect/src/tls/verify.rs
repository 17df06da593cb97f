//! Verification of server certificates: by webpki, and of two kinds that libpq accepts and webpki rejects, because PostgreSQL's
//! manual (19.9.5) shows how to create them: self-signed certificates that are their own root, and certificates of version 1.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use thiserror::Error as ThisError;

use super::certificate::{ParsedCertificate, Validity};
use super::files::{CertificateChain, RootCertificates};

/// The certificate is for other names than the host's.
#[derive(Debug, ThisError)]
#[error("the server's certificate is for {0}")]
pub struct NameMismatch(String);

/// Verifies server certificates as the settings ask for.
#[derive(Debug)]
pub(super) struct Verifier {
    /// None: any certificate is accepted, as in libpq without roots.
    chain: Option<ChainVerifier>,
    /// The name that the certificate must have.
    host: Option<String>,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
struct ChainVerifier {
    /// None if webpki can read none of the roots.
    webpki: Option<Arc<WebPkiServerVerifier>>,
    /// The roots, for the two kinds of certificates that webpki rejects; empty if there is a revocation list.
    roots: CertificateChain,
}

impl Verifier {
    pub(super) fn new(
        provider: &Arc<CryptoProvider>,
        trusted: Option<RootCertificates>,
        revoked: Vec<CertificateRevocationListDer<'static>>,
        host: Option<String>,
    ) -> Result<Self, String> {
        let algorithms = provider.signature_verification_algorithms;
        let Some(trusted) = trusted else { return Ok(Self { chain: None, host, algorithms }) };
        let mut store = RootCertStore::empty();
        let mut roots = CertificateChain::new();
        match trusted {
            RootCertificates::Builtin => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            RootCertificates::Certificates(certificates) => {
                // A root that can't be read, one of many in a bundle, is skipped.
                store.add_parsable_certificates(certificates.iter().cloned());
                roots = certificates;
            }
        }
        if !revoked.is_empty() {
            roots.clear();
        }
        let webpki = if store.is_empty() {
            None
        } else {
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone());
            Some(builder.with_crls(revoked).enforce_revocation_expiration().build().map_err(|error| error.to_string())?)
        };
        Ok(Self { chain: Some(ChainVerifier { webpki, roots }), host, algorithms })
    }

    /// Whether a signature is by the key of a certificate of version 1, which webpki can't read.
    fn is_signed_by_version_1(&self, message: &[u8], certificate: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> bool {
        let Some(parsed) = ParsedCertificate::read(certificate).filter(ParsedCertificate::is_version_1) else { return false };
        let algorithms =
            self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme).flat_map(|(_, algorithms)| *algorithms);
        algorithms.into_iter().any(|algorithm| parsed.verifies(*algorithm, message, signed.signature()))
    }
}

impl ChainVerifier {
    fn check(
        &self,
        end: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let checked = match &self.webpki {
            Some(webpki) => webpki.verify_server_cert(end, others, name, &[], now),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        let fault = match checked {
            // webpki checks the name last. libpq's rule for names is different, and is applied later.
            Ok(_) | Err(Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })) => {
                return Ok(());
            }
            Err(fault) => fault,
        };
        let Some(parsed) = ParsedCertificate::read(end) else { return Err(fault) };
        let is_a_root = || parsed.is_self_issued() && self.roots.iter().any(|root| root == end);
        let is_by_a_root = || {
            parsed.is_version_1()
                && self.roots.iter().filter_map(ParsedCertificate::read).any(|root| parsed.is_signed_by(&root, algorithms.all))
        };
        if !is_a_root() && !is_by_a_root() {
            // webpki has no error of its own for a self-signed certificate that is not a root.
            let unnamed = matches!(fault, Error::InvalidCertificate(CertificateError::Other(_)));
            let unknown = unnamed && (parsed.is_self_issued() || parsed.is_version_1());
            return Err(if unknown { CertificateError::UnknownIssuer.into() } else { fault });
        }
        match parsed.validity(std::time::Duration::from_secs(now.as_secs())) {
            Validity::Valid => Ok(()),
            Validity::NotYetValid => Err(CertificateError::NotValidYet.into()),
            Validity::Expired => Err(CertificateError::Expired.into()),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.check(end, others, name, now, &self.algorithms)?;
        }
        if let Some(host) = &self.host {
            let names = ParsedCertificate::read(end).map(|parsed| parsed.names()).ok_or(CertificateError::BadEncoding)?;
            if !names.include(host) {
                let fault = NameMismatch(names.list());
                return Err(CertificateError::Other(OtherError(Arc::new(fault))).into());
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match verify_tls12_signature(message, certificate, signed, &self.algorithms) {
            Err(_) if self.is_signed_by_version_1(message, certificate, signed) => Ok(HandshakeSignatureValid::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let fault = match verify_tls13_signature(message, certificate, signed, &self.algorithms) {
            Ok(valid) => return Ok(valid),
            Err(fault) => fault,
        };
        match ParsedCertificate::read(certificate).filter(ParsedCertificate::is_version_1) {
            Some(parsed) => {
                verify_tls13_signature_with_raw_key(message, &SubjectPublicKeyInfoDer::from(parsed.key()), signed, &self.algorithms)
            }
            None => Err(fault),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
