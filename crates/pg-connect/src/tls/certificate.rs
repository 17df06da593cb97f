//! What libpq reads in a certificate and webpki does not tell: its names, its age of format, its digest.

use std::net::IpAddr;
use std::time::Duration;

use der::asn1::{BitStringRef, GeneralizedTime, Ia5StringRef, ObjectIdentifier, OctetStringRef, UtcTime};
use der::{AnyRef, Decode, ErrorKind, Reader, SliceReader, Tag, TagNumber, Tagged};
use ring::digest::{SHA256, SHA384, SHA512, digest};
use rustls::pki_types::{AlgorithmIdentifier, CertificateDer, SignatureVerificationAlgorithm};

/// A certificate, opened (RFC 5280, section 4.1). Its parts are as they stand in there, tag and length included.
pub(super) struct ParsedCertificate<'c> {
    /// All that is signed, which holds the next seven.
    signed: &'c [u8],
    version: u8,
    signed_algorithm: &'c [u8],
    issuer: &'c [u8],
    /// From when to when it is good, counted from 1970.
    validity: (Duration, Duration),
    subject: &'c [u8],
    key: &'c [u8],
    extensions: Option<&'c [u8]>,
    algorithm: &'c [u8],
    /// None if it is no whole bytes.
    signature: Option<&'c [u8]>,
}

impl<'c> ParsedCertificate<'c> {
    pub(super) fn read(der: &'c CertificateDer<'_>) -> Option<Self> {
        Self::parts(der).ok()
    }

    fn parts(der: &'c [u8]) -> der::Result<Self> {
        let mut certificate = inside(der)?;
        let signed = certificate.tlv_bytes()?;
        let algorithm = certificate.tlv_bytes()?;
        let signature = BitStringRef::decode(&mut certificate)?.as_bytes();
        certificate.finish()?;

        let mut parts = inside(signed)?;
        let version = if Tag::peek(&parts)? == numbered(0) { u8::from_der(AnyRef::decode(&mut parts)?.value())? } else { 0 };
        let _serial = parts.tlv_bytes()?;
        let signed_algorithm = parts.tlv_bytes()?;
        let issuer = parts.tlv_bytes()?;
        let mut validity = inside(parts.tlv_bytes()?)?;
        let validity = (time(&mut validity)?, time(&mut validity)?);
        let subject = parts.tlv_bytes()?;
        let key = parts.tlv_bytes()?;
        let mut extensions = None;
        while !parts.is_finished() {
            let more = AnyRef::decode(&mut parts)?;
            if more.tag() == numbered(3) {
                extensions = Some(more.value());
            }
        }
        Ok(Self { signed, version, signed_algorithm, issuer, validity, subject, key, extensions, algorithm, signature })
    }

    /// TlsVersion 1, which OpenSSL's tools make unless told otherwise, and webpki does not read.
    pub(super) fn is_version_1(&self) -> bool {
        self.version == 0
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Where `now`, counted from 1970, lies: before the first day, after the last one, or between.
    pub(super) fn age(&self, now: Duration) -> Validity {
        let (first, last) = self.validity;
        if now < first {
            Validity::Early
        } else if now > last {
            Validity::Late
        } else {
            Validity::Good
        }
    }

    /// Whether the key of `issuer` made the signature on this one.
    pub(super) fn is_signed_by(&self, issuer: &ParsedCertificate<'_>, algorithms: &[&dyn SignatureVerificationAlgorithm]) -> bool {
        let Some(signature) = self.signature else { return false };
        self.issuer == issuer.subject
            && self.signed_algorithm == self.algorithm
            && algorithms
                .iter()
                .filter(|algorithm| is(self.algorithm, algorithm.signature_alg_id()))
                .any(|algorithm| issuer.verifies(*algorithm, self.signed, signature))
    }

    /// Whether this certificate's key made a signature.
    pub(super) fn verifies(&self, algorithm: &dyn SignatureVerificationAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let parts = |mut key: SliceReader<'c>| Some((key.tlv_bytes().ok()?, BitStringRef::decode(&mut key).ok()?.as_bytes()?));
        let Some((kind, bits)) = inside(self.key).ok().and_then(parts) else { return false };
        is(kind, algorithm.public_key_alg_id()) && algorithm.verify_signature(bits, message, signature).is_ok()
    }

    /// Its key as a structure of its own.
    pub(super) fn key(&self) -> &'c [u8] {
        self.key
    }

    /// The names that libpq compares a host with: alternative names; if there is none of the host's kind, the common name too.
    pub(super) fn names(&self) -> Names {
        // Who can't say what the names are can't say either that there are none but the common one.
        let Ok(mut names) = self.alternatives() else { return Names::default() };
        names.common = self.common_name().ok().flatten();
        names
    }

    fn alternatives(&self) -> der::Result<Names> {
        let mut names = Names::default();
        let Some(value) = self.extension(ALTERNATIVE_NAMES)? else { return Ok(names) };
        let mut list = inside(value)?;
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

    /// The value of an extension, which must be there but once.
    fn extension(&self, wanted: ObjectIdentifier) -> der::Result<Option<&'c [u8]>> {
        let mut found = None;
        let Some(extensions) = self.extensions else { return Ok(found) };
        let mut extensions = inside(extensions)?;
        while !extensions.is_finished() {
            let mut extension = inside(extensions.tlv_bytes()?)?;
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
        let mut subject = inside(self.subject)?;
        while !subject.is_finished() {
            let mut attributes = SliceReader::new(AnyRef::decode(&mut subject)?.value())?;
            while !attributes.is_finished() {
                let mut attribute = inside(attributes.tlv_bytes()?)?;
                if ObjectIdentifier::decode(&mut attribute)? == COMMON_NAME {
                    return Ok(text(AnyRef::decode(&mut attribute)?));
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

/// What a sequence holds.
fn inside(sequence: &[u8]) -> der::Result<SliceReader<'_>> {
    let sequence = AnyRef::from_der(sequence)?;
    sequence.tag().assert_eq(Tag::Sequence)?;
    SliceReader::new(sequence.value())
}

/// The tag around an optional part of a certificate.
const fn numbered(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

fn time(parts: &mut SliceReader<'_>) -> der::Result<Duration> {
    if Tag::peek(parts)? == Tag::UtcTime {
        UtcTime::decode(parts).map(|time| time.to_unix_duration())
    } else {
        GeneralizedTime::decode(parts).map(|time| time.to_unix_duration())
    }
}

/// The text of a name, in the kinds of string that names are made of.
#[allow(clippy::wildcard_enum_match_arm, reason = "there are many more kinds of value")]
fn text(value: AnyRef<'_>) -> Option<String> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::TeletexString => std::str::from_utf8(value.value()).ok().map(str::to_owned),
        Tag::BmpString => {
            let pairs = value.value().chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(pairs).collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}

/// Whether a day lies in a certificate's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
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
fn is(encoded: &[u8], algorithm: AlgorithmIdentifier) -> bool {
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

/// What SCRAM binds to: the certificate's digest, by the hash of its signature, SHA-256 for the older ones (RFC 5929,
/// section 4.1). Signatures without a hash of their own, such as Ed25519, have none.
pub fn end_point(der: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let mut algorithm = inside(ParsedCertificate::read(der)?.algorithm).ok()?;
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
