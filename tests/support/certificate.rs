//! Certificates for servers and clients: of an authority of the test's own, in the ways they go right and wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use tempfile::TempDir;

use super::Server;

/// An authority with an intermediate one, as the public ones have it, in a folder of PEM files.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    intermediate: String,
}

/// What is to be said of a certificate.
#[derive(Clone)]
pub(crate) struct CertificateOptions<'w> {
    /// Alternative names: hosts and addresses.
    pub(crate) names: &'w [&'w str],
    /// The common name.
    pub(crate) common: &'w str,
    /// Whether its last day is long over.
    pub(crate) expired: bool,
    /// Recognised in a list of revoked ones.
    pub(crate) serial: u64,
}

/// A certificate for this machine.
pub(crate) const LOCAL: CertificateOptions<'static> =
    CertificateOptions { names: &["localhost", "127.0.0.1"], common: "pgmarch test", expired: false, serial: 1 };

impl Authority {
    /// A new one; its root is the file [`Authority::root`].
    pub(crate) fn new(name: &str) -> Authority {
        let folder = tempfile::Builder::new().prefix("pgmarch-authority-").tempdir().expect("a folder for an authority");
        let mut permissions = fs::metadata(folder.path()).expect("look at the folder").permissions();
        permissions.set_mode(0o755);
        fs::set_permissions(folder.path(), permissions).expect("let the server in");
        let (root_key, key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
        let root = authority(&format!("{name} root"));
        let root_pem = root.self_signed(&root_key).expect("a root").pem();
        let root_issuer = Issuer::new(root, root_key);
        let intermediate = authority(&format!("{name} intermediate"));
        let pem = intermediate.signed_by(&key, &root_issuer).expect("an intermediate").pem();
        fs::write(folder.path().join("root.crt"), root_pem).expect("write the root");
        let lists = [crl(&root_issuer, &[]), crl(&Issuer::from_params(&intermediate, &key), &[])];
        fs::write(folder.path().join("nobody.crl"), lists.concat()).expect("write a list");
        let lists = [crl(&root_issuer, &[]), crl(&Issuer::from_params(&intermediate, &key), &[LOCAL.serial])];
        fs::write(folder.path().join("revoked.crl"), lists.concat()).expect("write a list");
        Authority { folder, issuer: Issuer::new(intermediate, key), intermediate: pem }
    }

    /// A file of the folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("UTF-8").to_string()
    }

    /// The root's certificate.
    pub(crate) fn root(&self) -> String {
        self.path("root.crt")
    }

    /// Writes `name.crt`, with the intermediate, and `name.key`.
    pub(crate) fn issue(&self, name: &str, options: &CertificateOptions<'_>) {
        let key = KeyPair::generate().expect("a key");
        let pem = leaf(options).signed_by(&key, &self.issuer).expect("a certificate").pem();
        self.write(name, &(pem + &self.intermediate), &key.serialize_pem());
    }

    /// Writes `name.crt` and `name.key`, self-signed.
    pub(crate) fn self_sign(&self, name: &str, options: &CertificateOptions<'_>) {
        self.self_sign_by(name, options, &rcgen::PKCS_ECDSA_P256_SHA256);
    }

    /// The same with another kind of key.
    pub(crate) fn self_sign_by(&self, name: &str, options: &CertificateOptions<'_>, algorithm: &'static rcgen::SignatureAlgorithm) {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let mut params = leaf(options);
        // As `openssl req -x509` makes it.
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.extended_key_usages.clear();
        self.write(name, &params.self_signed(&key).expect("a certificate").pem(), &key.serialize_pem());
    }

    fn write(&self, name: &str, certificate: &str, key: &str) {
        fs::write(self.path(&format!("{name}.crt")), certificate).expect("write a certificate");
        write_secret(Path::new(&self.path(&format!("{name}.key"))), key, 0o600);
    }

    /// Settings for a server with the certificate `name`, which it keeps a copy of.
    pub(crate) fn serve(&self, server: &Server, name: &str) -> Vec<String> {
        install(server, Path::new(&self.path(&format!("{name}.crt"))), Path::new(&self.path(&format!("{name}.key"))))
    }
}

/// Gives a server that does not run yet a certificate and its key, and returns the settings for them.
pub(crate) fn install(server: &Server, certificate: &Path, key: &Path) -> Vec<String> {
    let mine = |extension: &str, from: &Path| -> PathBuf {
        let path = server.folder().join(format!("server.{extension}"));
        fs::copy(from, &path).expect("copy for the server");
        server.own(&path, 0o600);
        path
    };
    let (certificate, key) = (mine("crt", certificate), mine("key", key));
    ["ssl = on".to_string(), format!("ssl_cert_file = '{}'", certificate.display()), format!("ssl_key_file = '{}'", key.display())].to_vec()
}

/// A file with a mode of its own.
pub(crate) fn write_secret(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("write a secret");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set a mode");
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf(options: &CertificateOptions<'_>) -> CertificateParams {
    let names: Vec<String> = options.names.iter().map(|name| (*name).to_string()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, options.common);
    params.serial_number = Some(SerialNumber::from(options.serial));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    if options.expired {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    }
    params
}

fn crl(issuer: &Issuer<'_, impl rcgen::SigningKey>, revoked: &[u64]) -> String {
    let revoked = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: date_time_ymd(2024, 1, 1),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2024, 1, 1),
        next_update: date_time_ymd(2124, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).expect("a list").pem().expect("PEM")
}
