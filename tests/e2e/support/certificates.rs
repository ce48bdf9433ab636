//! Certificates made for tests.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber, date_time_ymd,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// An authority that clients may trust.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate of an authority with its key, both in PEM form.
pub struct Issued {
    pub certificate: String,
    pub key: String,
    /// The last second that it is valid in, as Unix time.
    pub not_after: u64,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        Self { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for this machine that is valid for a year. With all that the strictest of the
    /// clients wants to see in one.
    pub fn issue(&self, serial: u64) -> Issued {
        self.issue_until(serial, SystemTime::now() + 365 * DAY)
    }

    /// One that was made a year before its end.
    pub fn issue_until(&self, serial: u64, end: SystemTime) -> Issued {
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        leaf.serial_number = Some(SerialNumber::from(serial));
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let not_after = end.duration_since(UNIX_EPOCH).unwrap().as_secs();
        leaf.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(not_after);
        leaf.not_before = leaf.not_after - 366 * DAY;
        let key = KeyPair::generate().unwrap();
        let certificate = leaf.signed_by(&key, &self.issuer).unwrap().pem();
        Issued { certificate, key: key.serialize_pem(), not_after }
    }
}

impl Issued {
    /// Writes `NAME.pem` and `NAME.key`; each takes the place of an older one at once.
    pub fn write(&self, directory: &Path, name: &str) {
        write(directory, &format!("{name}.pem"), &self.certificate);
        write(directory, &format!("{name}.key"), &self.key);
    }
}

/// A file that nobody else can read, instead of one that may be there.
pub fn write(directory: &Path, name: &str, content: &str) {
    let new = directory.join(format!("{name}.new"));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&new).unwrap();
    file.write_all(content.as_bytes()).unwrap();
    std::fs::rename(new, directory.join(name)).unwrap();
}
