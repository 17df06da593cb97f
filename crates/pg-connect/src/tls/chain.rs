//! Verification of a certificate chain: by webpki, and of two kinds of certificates that libpq accepts and webpki rejects, because
//! PostgreSQL's manual (19.9.5) shows how to create them: self-signed certificates that are their own root, and certificates of version 1.
//!
//! webpki is called directly, because rustls' verifier (`WebPkiServerVerifier`) checks the host name as well, by another rule than
//! libpq's, and does not tell whether the chain was sound where the name was not.

use std::time::Duration;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList, RevocationCheckDepth, RevocationOptionsBuilder,
    UnknownStatusPolicy,
};

use super::certificate::{ParsedCertificate, Validity};
use super::chain_error::chain_error;

/// A certificate chain.
pub(super) type CertificateChain = Vec<CertificateDer<'static>>;

/// Root certificates.
pub(super) enum RootCertificates {
    /// From a file.
    Certificates(CertificateChain),
    /// The public roots of the library.
    Builtin,
}

/// Verifies that a certificate leads to one of the roots.
#[derive(Debug)]
pub(super) struct ChainVerifier {
    /// The roots that webpki can read.
    anchors: RootCertStore,
    revoked: Vec<CertRevocationList<'static>>,
    /// The roots, for the two kinds of certificates that webpki rejects; empty if there is a revocation list.
    roots: CertificateChain,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ChainVerifier {
    /// An error is that of a revocation list.
    pub(super) fn new(
        trusted: RootCertificates,
        revoked: &[CertificateRevocationListDer<'_>],
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<Self, webpki::Error> {
        let mut anchors = RootCertStore::empty();
        let mut roots = CertificateChain::new();
        match trusted {
            RootCertificates::Builtin => anchors.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            RootCertificates::Certificates(certificates) => {
                // A root that can't be read, one of many in a bundle, is skipped.
                anchors.add_parsable_certificates(certificates.iter().cloned());
                roots = certificates;
            }
        }
        if !revoked.is_empty() {
            roots.clear();
        }
        let revoked =
            revoked.iter().map(|list| OwnedCertRevocationList::from_der(list).map(CertRevocationList::from)).collect::<Result<_, _>>()?;
        Ok(Self { anchors, revoked, roots, algorithms })
    }

    /// Verifies a server's certificate, with the others that it sent.
    pub(super) fn verify(&self, end: &CertificateDer<'_>, others: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Error> {
        let Err(fault) = self.verify_by_webpki(end, others, now).map_err(chain_error) else { return Ok(()) };
        let Some(parsed) = ParsedCertificate::read(end) else { return Err(fault) };
        let is_a_root = || parsed.is_self_issued() && self.roots.iter().any(|root| root == end);
        let is_by_a_root = || {
            parsed.is_version_1()
                && self.roots.iter().filter_map(ParsedCertificate::read).any(|root| parsed.is_signed_by(&root, self.algorithms.all))
        };
        if !is_a_root() && !is_by_a_root() {
            // webpki has no error of its own for a self-signed certificate that is not a root.
            let unnamed = matches!(fault, Error::InvalidCertificate(CertificateError::Other(_)));
            let unknown = unnamed && (parsed.is_self_issued() || parsed.is_version_1());
            return Err(if unknown { CertificateError::UnknownIssuer.into() } else { fault });
        }
        match parsed.validity(Duration::from_secs(now.as_secs())) {
            Validity::Valid => Ok(()),
            Validity::NotYetValid => Err(CertificateError::NotValidYet.into()),
            Validity::Expired => Err(CertificateError::Expired.into()),
        }
    }

    /// With a revocation list, every certificate of the chain but the root must be in the range of one that is not out of date, as for
    /// OpenSSL with the flags that libpq sets (`X509_V_FLAG_CRL_CHECK_ALL`).
    fn verify_by_webpki(&self, end: &CertificateDer<'_>, others: &[CertificateDer<'_>], now: UnixTime) -> Result<(), webpki::Error> {
        if self.anchors.is_empty() {
            return Err(webpki::Error::UnknownIssuer);
        }
        let revoked: Vec<&CertRevocationList<'_>> = self.revoked.iter().collect();
        // Without a list there are no options.
        let revocation = RevocationOptionsBuilder::new(&revoked).ok().map(|options| {
            let options = options.with_depth(RevocationCheckDepth::Chain).with_status_policy(UnknownStatusPolicy::Deny);
            options.with_expiration_policy(ExpirationPolicy::Enforce).build()
        });
        let end = EndEntityCert::try_from(end)?;
        end.verify_for_usage(self.algorithms.all, &self.anchors.roots, others, now, KeyUsage::server_auth(), revocation, None)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod,
        KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
    };
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::crypto::ring::default_provider;
    use rustls::pki_types::ServerName;

    use super::*;

    /// An authority and its root.
    fn authority(name: &str) -> (Issuer<'static, KeyPair>, CertificateDer<'static>) {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a root").der().clone();
        (Issuer::new(params, key), root)
    }

    fn server() -> CertificateParams {
        let mut params = CertificateParams::new(vec!["db.example".to_owned()]).expect("names");
        params.serial_number = Some(SerialNumber::from(7));
        params
    }

    fn list(issuer: &Issuer<'static, KeyPair>, revoked: &[u64], until: i32) -> CertificateRevocationListDer<'static> {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(issuer).expect("a list").der().clone()
    }

    #[test]
    fn a_chain_is_judged_as_by_rustls_but_for_the_name() {
        let ((ours, root), (stranger, _)) = (authority("ours"), authority("stranger"));
        let issued = |issuer, change: fn(&mut CertificateParams)| {
            let mut params = server();
            change(&mut params);
            params.signed_by(&KeyPair::generate().expect("a key"), issuer).expect("a certificate").der().clone()
        };
        let good = issued(&ours, |_| {});
        let mut forged = good.to_vec();
        *forged.last_mut().expect("bytes") ^= 1;
        let cases = [
            ("good", good.clone(), vec![], "Ok"),
            ("unknown issuer", issued(&stranger, |_| {}), vec![], "UnknownIssuer"),
            ("expired", issued(&ours, |params| params.not_after = date_time_ymd(2021, 1, 1)), vec![], "Expired"),
            ("not yet valid", issued(&ours, |params| params.not_before = date_time_ymd(2124, 1, 1)), vec![], "NotValidYet"),
            (
                "for clients",
                issued(&ours, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
                vec![],
                "InvalidPurpose",
            ),
            ("an authority's", issued(&ours, |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), vec![], "Other"),
            ("forged", forged.into(), vec![], "BadSignature"),
            ("no certificate", vec![0x30].into(), vec![], "BadEncoding"),
            ("not revoked", good.clone(), vec![list(&ours, &[8], 2124)], "Ok"),
            ("revoked", good.clone(), vec![list(&ours, &[7], 2124)], "Revoked"),
            ("another's list", good.clone(), vec![list(&stranger, &[7], 2124)], "UnknownRevocationStatus"),
            ("an old list", good.clone(), vec![list(&ours, &[8], 2025)], "ExpiredRevocationList"),
        ];
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_780_000_000));
        let provider = Arc::new(default_provider());
        let mut store = RootCertStore::empty();
        store.add(root.clone()).expect("a root");
        let store = Arc::new(store);
        for (what, end, lists, expected) in cases {
            let theirs = WebPkiServerVerifier::builder_with_provider(store.clone(), provider.clone());
            let theirs = theirs.with_crls(lists.clone()).enforce_revocation_expiration().build().expect(what);
            let judged = |name: &'static str| {
                let name = ServerName::try_from(name).expect("a name");
                format!("{:?}", theirs.verify_server_cert(&end, &[], &name, &[], now).map(|_| ()))
            };
            let trusted = RootCertificates::Certificates(vec![root.clone()]);
            let ours = ChainVerifier::new(trusted, &lists, provider.signature_verification_algorithms).expect(what);
            let ours = format!("{:?}", ours.verify(&end, &[], now));
            assert_eq!(ours, judged("db.example"), "{what}");
            assert!(ours.contains(expected), "{what}: {ours}");
            if expected == "Ok" {
                assert!(judged("elsewhere.example").contains("NotValidForName"), "{what}: whose name is not ours to check");
            }
        }
    }

    #[test]
    fn a_list_that_is_none_is_an_error() {
        let algorithms = default_provider().signature_verification_algorithms;
        assert!(ChainVerifier::new(RootCertificates::Builtin, &[vec![0xff].into()], algorithms).is_err());
    }
}
