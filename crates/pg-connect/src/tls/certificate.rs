//! X.509 certificates, as far as webpki does not expose them: names, version, digest.
//!
//! libpq compares a host with the common name too, accepts certificates of version 1, and binds the login to a certificate's digest
//! (RFC 5929). webpki, which verifies the chain, has the alternative names and the public key only. A parser for the whole certificate
//! (x509-parser, x509-cert) is several times as large as the encoding rules alone, which are those of the crate `der`. What is read
//! comes from a server that nobody has verified yet, so the fuzz target `certificate` reads it too.

use std::net::IpAddr;
use std::time::Duration;

use der::asn1::{BitStringRef, GeneralizedTime, Ia5StringRef, ObjectIdentifier, OctetStringRef, UtcTime};
use der::{AnyRef, Decode, ErrorKind, Reader, SliceReader, Tag, TagNumber, Tagged};
use ring::digest::{SHA256, SHA384, SHA512, digest};
use rustls::pki_types::{AlgorithmIdentifier, CertificateDer, SignatureVerificationAlgorithm};

/// A parsed certificate (RFC 5280, section 4.1). Its parts are DER, with tag and length.
pub struct ParsedCertificate<'c> {
    /// `tbsCertificate`, the signed part, which contains the next seven.
    signed: &'c [u8],
    version: u8,
    signed_algorithm: &'c [u8],
    issuer: &'c [u8],
    /// `notBefore` and `notAfter`, since 1970.
    validity: (Duration, Duration),
    subject: &'c [u8],
    key: &'c [u8],
    extensions: Option<&'c [u8]>,
    algorithm: &'c [u8],
    /// None if its number of bits is not a multiple of eight.
    signature: Option<&'c [u8]>,
}

impl<'c> ParsedCertificate<'c> {
    /// Reads a certificate; None if it is not one.
    pub fn read(der: &'c CertificateDer<'_>) -> Option<Self> {
        Self::parts(der).ok()
    }

    fn parts(der: &'c [u8]) -> der::Result<Self> {
        let mut certificate = sequence_contents(der)?;
        let signed = certificate.tlv_bytes()?;
        let algorithm = certificate.tlv_bytes()?;
        let signature = BitStringRef::decode(&mut certificate)?.as_bytes();
        certificate.finish()?;

        let mut parts = sequence_contents(signed)?;
        let version = if Tag::peek(&parts)? == context_tag(0) { u8::from_der(AnyRef::decode(&mut parts)?.value())? } else { 0 };
        let _serial = parts.tlv_bytes()?;
        let signed_algorithm = parts.tlv_bytes()?;
        let issuer = parts.tlv_bytes()?;
        let mut validity = sequence_contents(parts.tlv_bytes()?)?;
        let validity = (time(&mut validity)?, time(&mut validity)?);
        let subject = parts.tlv_bytes()?;
        let key = parts.tlv_bytes()?;
        let mut extensions = None;
        while !parts.is_finished() {
            let more = AnyRef::decode(&mut parts)?;
            if more.tag() == context_tag(3) {
                extensions = Some(more.value());
            }
        }
        Ok(Self { signed, version, signed_algorithm, issuer, validity, subject, key, extensions, algorithm, signature })
    }

    /// Whether it is of version 1, which OpenSSL creates by default and webpki does not read.
    pub fn is_version_1(&self) -> bool {
        self.version == 0
    }

    /// Whether its subject is its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether `now`, since 1970, is within the validity period.
    pub fn validity(&self, now: Duration) -> Validity {
        let (first, last) = self.validity;
        if now < first {
            Validity::NotYetValid
        } else if now > last {
            Validity::Expired
        } else {
            Validity::Valid
        }
    }

    /// Whether the signature of this certificate is by the key of `issuer`.
    pub(super) fn is_signed_by(&self, issuer: &ParsedCertificate<'_>, algorithms: &[&dyn SignatureVerificationAlgorithm]) -> bool {
        let Some(signature) = self.signature else { return false };
        self.issuer == issuer.subject
            && self.signed_algorithm == self.algorithm
            && algorithms
                .iter()
                .filter(|algorithm| same_algorithm(self.algorithm, algorithm.signature_alg_id()))
                .any(|algorithm| issuer.verifies(*algorithm, self.signed, signature))
    }

    /// Whether a signature is by this certificate's key.
    pub(super) fn verifies(&self, algorithm: &dyn SignatureVerificationAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let parts = |mut key: SliceReader<'c>| Some((key.tlv_bytes().ok()?, BitStringRef::decode(&mut key).ok()?.as_bytes()?));
        let Some((kind, bits)) = sequence_contents(self.key).ok().and_then(parts) else { return false };
        same_algorithm(kind, algorithm.public_key_alg_id()) && algorithm.verify_signature(bits, message, signature).is_ok()
    }

    /// `subjectPublicKeyInfo`.
    pub(super) fn key(&self) -> &'c [u8] {
        self.key
    }

    /// The names that libpq compares a host with: alternative names, and the common name if there is no alternative name of the
    /// host's kind.
    pub fn names(&self) -> CertificateNames {
        // If the alternative names can't be read, it is unknown whether the common name counts.
        let Ok(mut names) = self.alternatives() else { return CertificateNames::default() };
        names.common = self.common_name().ok().flatten();
        names
    }

    fn alternatives(&self) -> der::Result<CertificateNames> {
        let mut names = CertificateNames::default();
        let Some(value) = self.extension(ALTERNATIVE_NAMES)? else { return Ok(names) };
        let mut list = sequence_contents(value)?;
        while !list.is_finished() {
            let name = AnyRef::decode(&mut list)?;
            if name.tag() == DNS_NAME {
                names.hosts.push(Ia5StringRef::new(name.value())?.as_str().to_owned());
            } else if name.tag() == IP_ADDRESS {
                names.addresses.extend(ip(name.value()));
            }
        }
        Ok(names)
    }

    /// The value of an extension, which may occur only once.
    fn extension(&self, wanted: ObjectIdentifier) -> der::Result<Option<&'c [u8]>> {
        let mut found = None;
        let Some(extensions) = self.extensions else { return Ok(found) };
        let mut extensions = sequence_contents(extensions)?;
        while !extensions.is_finished() {
            let mut extension = sequence_contents(extensions.tlv_bytes()?)?;
            let id = ObjectIdentifier::decode(&mut extension)?;
            let _critical: Option<bool> = extension.decode()?;
            let value = <&OctetStringRef>::decode(&mut extension)?.as_bytes();
            if id == wanted && found.replace(value).is_some() {
                return Err(ErrorKind::Failed.into());
            }
        }
        Ok(found)
    }

    /// The first common name of the subject.
    fn common_name(&self) -> der::Result<Option<String>> {
        let mut subject = sequence_contents(self.subject)?;
        while !subject.is_finished() {
            let mut attributes = SliceReader::new(AnyRef::decode(&mut subject)?.value())?;
            while !attributes.is_finished() {
                let mut attribute = sequence_contents(attributes.tlv_bytes()?)?;
                if ObjectIdentifier::decode(&mut attribute)? == COMMON_NAME {
                    return Ok(directory_string(AnyRef::decode(&mut attribute)?));
                }
            }
        }
        Ok(None)
    }
}

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ALTERNATIVE_NAMES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const DNS_NAME: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber(2) };
const IP_ADDRESS: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber(7) };

/// The contents of a DER sequence.
fn sequence_contents(sequence: &[u8]) -> der::Result<SliceReader<'_>> {
    let sequence = AnyRef::from_der(sequence)?;
    sequence.tag().assert_eq(Tag::Sequence)?;
    SliceReader::new(sequence.value())
}

/// The context-specific tag of an optional part of a certificate.
const fn context_tag(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

fn time(parts: &mut SliceReader<'_>) -> der::Result<Duration> {
    if Tag::peek(parts)? == Tag::UtcTime {
        UtcTime::decode(parts).map(|time| time.to_unix_duration())
    } else {
        GeneralizedTime::decode(parts).map(|time| time.to_unix_duration())
    }
}

/// The text of a `DirectoryString`.
#[allow(clippy::wildcard_enum_match_arm, reason = "there are many more kinds of value")]
fn directory_string(value: AnyRef<'_>) -> Option<String> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::TeletexString => std::str::from_utf8(value.value()).ok().map(str::to_owned),
        Tag::BmpString => {
            let pairs = value.value().chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(pairs).collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}

/// How a time relates to a certificate's validity period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It begins later.
    NotYetValid,
    /// It is within.
    Valid,
    /// It has ended.
    Expired,
}

/// The names in a certificate.
#[derive(Debug, Default)]
pub struct CertificateNames {
    /// Alternative names of hosts; `*` may be the first label.
    pub hosts: Vec<String>,
    /// Alternative names that are addresses.
    pub addresses: Vec<IpAddr>,
    /// The common name.
    pub common: Option<String>,
}

impl CertificateNames {
    /// Whether one of them matches `host` (libpq's `pq_verify_peer_name_matches_certificate`).
    pub fn include(&self, host: &str) -> bool {
        let address: Option<IpAddr> = host.parse().ok();
        let of_its_kind = if address.is_some() { !self.addresses.is_empty() } else { !self.hosts.is_empty() };
        let common = self.common.iter().filter(|_| !of_its_kind);
        self.hosts.iter().chain(common).any(|name| matches(name, host)) || address.is_some_and(|address| self.addresses.contains(&address))
    }

    /// The names for messages.
    pub fn list(&self) -> String {
        let addresses = self.addresses.iter().map(IpAddr::to_string);
        let common = self.common.iter().filter(|_| self.hosts.is_empty() && self.addresses.is_empty()).cloned();
        let all = self.hosts.iter().cloned().chain(addresses).chain(common).filter(|name| !name.is_empty());
        let all: Vec<String> = all.take(10).collect();
        if all.is_empty() { "no name at all".to_owned() } else { all.join(", ") }
    }
}

/// Whether a name matches a host. `*` as the whole first label of a name matches one label.
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

/// Whether a DER `AlgorithmIdentifier` is that of rustls, which omits tag and length, two bytes.
fn same_algorithm(encoded: &[u8], algorithm: AlgorithmIdentifier) -> bool {
    encoded.get(2..) == Some(algorithm.as_ref())
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

/// The channel binding `tls-server-end-point` (RFC 5929, section 4.1): the certificate's digest by the hash of its signature, or
/// SHA-256 for MD5 and SHA-1. Signatures without a hash, such as Ed25519, have none.
pub fn end_point(der: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let mut algorithm = sequence_contents(ParsedCertificate::read(der)?.algorithm).ok()?;
    let hash = match ObjectIdentifier::decode(&mut algorithm).ok()? {
        MD5_RSA | SHA1_RSA | SHA1_ECDSA | SHA256_RSA | SHA256_ECDSA => &SHA256,
        SHA384_RSA | SHA384_ECDSA => &SHA384,
        SHA512_RSA | SHA512_ECDSA => &SHA512,
        _ => return None,
    };
    Some(digest(hash, der).as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(hosts: &[&str], addresses: &[&str], common: Option<&str>) -> CertificateNames {
        CertificateNames {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            addresses: addresses.iter().map(|address| address.parse().expect("an address")).collect(),
            common: common.map(str::to_owned),
        }
    }

    proptest::proptest! {
        #[test]
        fn no_certificate_makes_it_panic(place in 0..1000_usize, byte: u8, end in 0..1000_usize) {
            let whole = rcgen::generate_simple_self_signed(["db.example".to_owned(), "10.0.0.1".to_owned()]).expect("a certificate");
            let whole = whole.cert.der();
            assert_eq!(ParsedCertificate::read(whole).expect("sound").names().list(), "db.example, 10.0.0.1");
            let mut changed = whole.to_vec();
            let place = place % changed.len();
            changed[place] = byte;
            changed.truncate(changed.len() - end / 100);
            let changed = CertificateDer::from(changed);
            drop(end_point(&changed));
            if let Some(parsed) = ParsedCertificate::read(&changed) {
                drop(parsed.names().list());
                parsed.validity(Duration::from_secs(1));
            }
        }
    }

    #[test]
    fn a_name_without_characters_is_no_name_for_messages() {
        assert_eq!(names(&[""], &[], None).list(), "no name at all");
        assert_eq!(names(&[], &[], Some("")).list(), "no name at all");
        assert_eq!(names(&["", "db"], &["::1"], Some("other")).list(), "db, ::1");
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
