//! Verification of server certificates, as the settings ask for: the chain, the name by libpq's rule, and the signature of the
//! handshake, also by a certificate of version 1, which webpki does not read.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use thiserror::Error as ThisError;

use super::certificate::ParsedCertificate;
use super::chain::ChainVerifier;

/// The certificate is for other names than the host's.
#[derive(Debug, ThisError)]
#[error("the server's certificate is for {0}")]
pub struct NameMismatch(String);

/// Verifies server certificates as the settings ask for.
#[derive(Debug)]
pub(super) struct Verifier {
    /// None: any certificate is accepted, as in libpq without roots.
    pub(super) chain: Option<Arc<ChainVerifier>>,
    /// The name that the certificate must have.
    pub(super) host: Option<String>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// Whether a signature is by the key of a certificate of version 1, which webpki can't read.
    fn is_signed_by_version_1(&self, message: &[u8], certificate: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> bool {
        let Some(parsed) = ParsedCertificate::read(certificate).filter(ParsedCertificate::is_version_1) else { return false };
        let algorithms =
            self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme).flat_map(|(_, algorithms)| *algorithms);
        algorithms.into_iter().any(|algorithm| parsed.verifies(*algorithm, message, signed.signature()))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.verify(end, others, now)?;
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
