//! What libpq reads in a certificate and webpki does not tell: its names, its age of format, its digest.

use std::net::IpAddr;
use std::time::Duration;

use rustls::pki_types::{AlgorithmIdentifier, CertificateDer, SignatureVerificationAlgorithm};
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// A certificate, opened.
pub(super) struct Opened(Certificate);

impl Opened {
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        Certificate::from_der(der).ok().map(Self)
    }

    /// Version 1, which OpenSSL's tools make unless told otherwise, and webpki does not read.
    pub(super) fn is_version_1(&self) -> bool {
        self.0.tbs_certificate().version() == Version::V1
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.0.tbs_certificate().subject() == self.0.tbs_certificate().issuer()
    }

    /// Where `now`, counted from 1970, lies: before the first day, after the last one, or between.
    pub(super) fn age(&self, now: Duration) -> Age {
        let validity = self.0.tbs_certificate().validity();
        if now < validity.not_before.to_unix_duration() {
            Age::Early
        } else if now > validity.not_after.to_unix_duration() {
            Age::Late
        } else {
            Age::Good
        }
    }

    /// Whether the key of `issuer` made the signature on this one.
    pub(super) fn is_signed_by(&self, issuer: &Self, algorithms: &[&dyn SignatureVerificationAlgorithm]) -> bool {
        let (ours, theirs) = (self.0.tbs_certificate(), issuer.0.tbs_certificate());
        let (Ok(text), Some(signature)) = (ours.to_der(), self.0.signature().as_bytes()) else { return false };
        ours.issuer() == theirs.subject()
            && ours.signature() == self.0.signature_algorithm()
            && algorithms
                .iter()
                .filter(|algorithm| is(self.0.signature_algorithm().to_der(), algorithm.signature_alg_id()))
                .any(|algorithm| issuer.verifies(*algorithm, &text, signature))
    }

    /// Whether this certificate's key made a signature.
    pub(super) fn verifies(&self, algorithm: &dyn SignatureVerificationAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let key = self.0.tbs_certificate().subject_public_key_info();
        let Some(bits) = key.subject_public_key.as_bytes() else { return false };
        is(key.algorithm.to_der(), algorithm.public_key_alg_id()) && algorithm.verify_signature(bits, message, signature).is_ok()
    }

    /// Its key as a structure of its own.
    pub(super) fn key(&self) -> Option<Vec<u8>> {
        self.0.tbs_certificate().subject_public_key_info().to_der().ok()
    }

    /// The names that libpq compares a host with: alternative names; if there is none of the host's kind, the common name too.
    pub(super) fn names(&self) -> Names {
        let certificate = self.0.tbs_certificate();
        let mut names = Names::default();
        let alternatives = match certificate.get_extension::<SubjectAltName>() {
            Ok(alternatives) => alternatives.map(|(_, names)| names.0).unwrap_or_default(),
            // Who can't say what the names are can't say either that there are none but the common one.
            Err(_) => return names,
        };
        for name in &alternatives {
            if let GeneralName::DnsName(name) = name {
                names.hosts.push(name.as_str().to_owned());
            }
            if let GeneralName::IpAddress(address) = name {
                names.addresses.extend(ip(address.as_bytes()));
            }
        }
        names.common = certificate.subject().common_name().ok().flatten().map(|name| name.value().to_string());
        names
    }
}

/// Whether a day lies in a certificate's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Early,
    Good,
    Late,
}

/// The names in a certificate.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) hosts: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) common: Option<String>,
}

impl Names {
    /// Whether one of them is `host` (libpq's `pq_verify_peer_name_matches_certificate`).
    pub(super) fn include(&self, host: &str) -> bool {
        let address: Option<IpAddr> = host.parse().ok();
        let of_its_kind = if address.is_some() { !self.addresses.is_empty() } else { !self.hosts.is_empty() };
        let common = self.common.iter().filter(|_| !of_its_kind);
        self.hosts.iter().chain(common).any(|name| matches(name, host)) || address.is_some_and(|address| self.addresses.contains(&address))
    }

    /// As a person reads them.
    pub(super) fn list(&self) -> String {
        let addresses = self.addresses.iter().map(IpAddr::to_string);
        let common = self.common.iter().filter(|_| self.hosts.is_empty() && self.addresses.is_empty()).cloned();
        let all: Vec<String> = self.hosts.iter().cloned().chain(addresses).chain(common).take(10).collect();
        if all.is_empty() { "no name at all".to_owned() } else { all.join(", ") }
    }
}

/// A name may have `*` for the whole of its first label, and that stands for one label.
fn matches(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(suffix) = name.strip_prefix('*').filter(|suffix| suffix.len() > 1 && suffix.starts_with('.')) else { return false };
    host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(&suffix[1..]))
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// Whether an encoded algorithm is the one that rustls means, which leaves out the two bytes around it.
fn is(encoded: Result<Vec<u8>, x509_cert::der::Error>, algorithm: AlgorithmIdentifier) -> bool {
    encoded.is_ok_and(|encoded| encoded.get(2..) == Some(algorithm.as_ref()))
}

const MD5_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4");
const SHA1_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5");
const SHA256_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const SHA384_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const SHA512_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const SHA1_ECDSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");
const SHA256_ECDSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const SHA384_ECDSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const SHA512_ECDSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");

/// What SCRAM binds to: the certificate's digest, by the hash of its signature, SHA-256 for the older ones (RFC 5929,
/// section 4.1). Signatures without a hash of their own, such as Ed25519, have none.
pub fn end_point(der: &CertificateDer<'_>) -> Option<Vec<u8>> {
    match Certificate::from_der(der).ok()?.signature_algorithm().oid {
        MD5_RSA | SHA1_RSA | SHA1_ECDSA | SHA256_RSA | SHA256_ECDSA => Some(Sha256::digest(der).to_vec()),
        SHA384_RSA | SHA384_ECDSA => Some(Sha384::digest(der).to_vec()),
        SHA512_RSA | SHA512_ECDSA => Some(Sha512::digest(der).to_vec()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(hosts: &[&str], addresses: &[&str], common: Option<&str>) -> Names {
        Names {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            addresses: addresses.iter().map(|address| address.parse().expect("an address")).collect(),
            common: common.map(str::to_owned),
        }
    }

    #[test]
    fn a_host_is_compared_as_libpq_compares_it() {
        for (names, host, expected) in [
            (names(&["db.example"], &[], None), "DB.example", true),
            (names(&["*.example"], &[], None), "db.example", true),
            (names(&["*.example"], &[], None), "a.db.example", false),
            (names(&["*.example"], &[], None), ".example", false),
            (names(&["*.example"], &[], None), "example", false),
            (names(&["d*.example", "*"], &[], None), "db.example", false),
            (names(&["other"], &[], Some("db")), "db", false),
            (names(&[], &["10.0.0.1"], Some("db")), "db", true),
            (names(&[], &["10.0.0.1"], Some("10.0.0.2")), "10.0.0.2", false),
            (names(&["db"], &[], Some("10.0.0.2")), "10.0.0.2", true),
            (names(&[], &["::1"], None), "0:0::1", true),
            (names(&[], &[], Some("*.example")), "db.example", true),
            (names(&[], &[], None), "db", false),
        ] {
            assert_eq!(names.include(host), expected, "{names:?} {host}");
        }
    }
}
