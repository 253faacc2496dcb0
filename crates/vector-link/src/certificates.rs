//! Certificates that let us and one Vector process, or the shippers of one machine, know each other, and refuse everybody else.
//!
//! Each set has a certificate authority of its own, whose key is dropped as soon as it has signed one certificate for
//! us and one for the other end: nobody, not even we, can make a third one that is accepted.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;

use runtime::clock::Clock;
use runtime::secret::SensitiveString;
use runtime::store::{create_private_dir, write_private_file};

/// Whom the certificates are for: both ends are on one machine.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Clocks of two containers on one machine agree, but a certificate's days are in UTC and whole.
const BEFORE: TimeDelta = TimeDelta::days(1);
/// A run may be long, and a set that is kept in a directory is used by many runs.
const AFTER: TimeDelta = TimeDelta::days(3_650);

const CA: &str = "ca.pem";
const PLUGIN: [&str; 2] = ["plugin.pem", "plugin.key"];

/// For whom the other half of a set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherEnd {
    /// Vector, as `vector.pem` and `vector.key`.
    Vector,
    /// Other shippers, as `shipper.pem` and `shipper.key`.
    Shippers,
}

/// A set for one pair: our side and the other end's.
#[derive(Clone, Debug)]
pub struct Certificates {
    ours: TlsIdentity,
    theirs: TlsIdentity,
    other_end: OtherEnd,
}

/// What one end of a connection has: the authority it trusts, its own certificate, and the key to it.
#[derive(Clone, Debug)]
pub struct TlsIdentity {
    ca: String,
    certificate: String,
    key: SensitiveString,
}

/// Why there are no certificates, or none that can be used.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// A set cannot be made.
    #[error("cannot make certificates: {0}")]
    Make(#[from] rcgen::Error),
    /// A set cannot be kept in its directory.
    #[error("cannot write certificates into {}: {cause}. Check that we may write there", dir.display())]
    Keep {
        /// The set's directory.
        dir: PathBuf,
        /// Why it cannot be written.
        #[source]
        cause: std::io::Error,
    },
    /// Vector's part of a set cannot be written.
    #[error("cannot write Vector's certificate into {}: {cause}", dir.display())]
    VectorsPart {
        /// Where Vector looks for it.
        dir: PathBuf,
        /// Why it cannot be written.
        #[source]
        cause: std::io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file's path.
        path: PathBuf,
        /// Why it cannot be read.
        #[source]
        cause: std::io::Error,
    },
    /// A file has no certificate.
    #[error("{} holds no certificate in PEM form", .0.display())]
    NoCertificate(PathBuf),
    /// A file of authorities has something else, too.
    #[error("{} holds something that is no certificate: {cause}", path.display())]
    NoAuthority {
        /// The file's path.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: rustls::Error,
    },
    /// A file has no private key, or one with a passphrase.
    #[error(
        "{} holds no private key in PEM form that we can read. One with a passphrase must be decrypted first: openssl \
         pkey -in FILE -out NEW_FILE",
        .0.display()
    )]
    NoKey(PathBuf),
    /// A certificate and a key do not belong together.
    #[error(
        "the certificate in {} cannot be used with the key in {}: {cause}. Name the two that were made together",
        certificate.display(), key.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why they cannot be used.
        #[source]
        cause: rustls::Error,
    },
    /// A set makes no TLS client or server.
    #[error("the certificates cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// A set's authority makes no TLS server.
    #[error("the certificates cannot be used: {0}")]
    Verifier(#[from] VerifierBuilderError),
    /// A set's key makes no TLS client or server.
    #[error("the certificates cannot be used: {0}")]
    Key(#[from] pem::Error),
}

// === impl OtherEnd ===

impl OtherEnd {
    const fn files(self) -> [&'static str; 2] {
        match self {
            Self::Vector => ["vector.pem", "vector.key"],
            Self::Shippers => ["shipper.pem", "shipper.key"],
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Vector => "vector",
            Self::Shippers => "shipper",
        }
    }
}

// === impl Certificates ===

impl Certificates {
    /// Makes a new set for Vector, which nobody else has.
    pub fn new(clock: &Clock) -> Result<Self, CertificateError> {
        Ok(Self::make(OtherEnd::Vector, clock.now())?)
    }

    /// Reads the set that `dir` holds, or makes one and writes it there: for those who run the other end themselves, which
    /// reads the same directory. To have new ones, remove the directory.
    ///
    /// `ca.pem` is removed before anything is replaced and put in place after everything else, so a directory that
    /// has one holds one whole set. What a crash leaves behind has none, and is made anew.
    pub fn load_or_make(dir: &Path, other_end: OtherEnd, clock: &Clock) -> Result<Self, CertificateError> {
        if let Some(kept) = Self::load(dir, other_end) {
            return kept;
        }
        let cannot = |cause| CertificateError::Keep { dir: dir.to_owned(), cause };
        create_private_dir(dir).map_err(cannot)?;
        // Two of us that start at once, such as `render` and `run`, must not mix their sets.
        let lock = File::create(dir.join(".lock")).map_err(cannot)?;
        lock.lock().map_err(cannot)?;
        if let Some(made_meanwhile) = Self::load(dir, other_end) {
            return made_meanwhile;
        }
        let made = Self::make(other_end, clock.now())?;
        made.write_all(dir).map_err(cannot)?;
        Ok(made)
    }

    /// The set in a directory, which may be one that nobody can write to; nothing if it is not whole.
    fn load(dir: &Path, other_end: OtherEnd) -> Option<Result<Self, CertificateError>> {
        let is_whole = [PLUGIN, other_end.files()]
            .as_flattened()
            .iter()
            .chain([&CA])
            .all(|name| dir.join(name).exists());
        let read = |[certificate, key]: [&str; 2]| {
            TlsIdentity::from_files(&dir.join(CA), &dir.join(certificate), &dir.join(key))
        };
        is_whole.then(|| Ok(Self { ours: read(PLUGIN)?, theirs: read(other_end.files())?, other_end }))
    }

    /// The identity of our side.
    #[must_use]
    pub const fn ours(&self) -> &TlsIdentity {
        &self.ours
    }

    /// Writes what Vector needs: `ca.pem`, `vector.pem` and `vector.key`.
    pub fn write_vectors_part(&self, dir: &Path) -> Result<(), CertificateError> {
        create_private_dir(dir)
            .and_then(|()| self.theirs.write(dir, self.other_end.files()))
            .and_then(|()| write_private_file(dir, CA, &self.theirs.ca))
            .map_err(|cause| CertificateError::VectorsPart { dir: dir.to_owned(), cause })
    }

    fn write_all(&self, dir: &Path) -> std::io::Result<()> {
        match std::fs::remove_file(dir.join(CA)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.ours.write(dir, PLUGIN)?;
        self.theirs.write(dir, self.other_end.files())?;
        // The names must be on the disk before the one that vouches for them is.
        File::open(dir)?.sync_all()?;
        write_private_file(dir, CA, &self.ours.ca)
    }

    fn make(other_end: OtherEnd, now: DateTime<Utc>) -> Result<Self, rcgen::Error> {
        let mut ca = params("CA", &[], now)?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let ca_key = KeyPair::generate()?;
        let ca_pem = ca.self_signed(&ca_key)?.pem();
        let issuer = Issuer::new(ca, ca_key);
        let side = |name: &str| {
            let mut leaf = params(name, &NAMES, now)?;
            leaf.use_authority_key_identifier_extension = true;
            leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            // Each end is a server for what it receives and a client for what it sends.
            leaf.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            let key = KeyPair::generate()?;
            let certificate = leaf.signed_by(&key, &issuer)?.pem();
            Ok::<_, rcgen::Error>(TlsIdentity {
                ca: ca_pem.clone(),
                certificate,
                key: key.serialize_pem().into(),
            })
        };
        Ok(Self { ours: side("plugin")?, theirs: side(other_end.word())?, other_end })
    }
}

// === impl TlsIdentity ===

impl TlsIdentity {
    /// Reads certificates that somebody else made. All three files are PEM; `crt_file` may hold a chain.
    pub fn from_files(ca_file: &Path, crt_file: &Path, key_file: &Path) -> Result<Self, CertificateError> {
        let side = Self { ca: read(ca_file)?, certificate: read(crt_file)?, key: read(key_file)?.into() };
        let mut roots = RootCertStore::empty();
        for ca in chain(&side.ca, ca_file)? {
            let not_one = |cause| CertificateError::NoAuthority { path: ca_file.to_owned(), cause };
            roots.add(ca).map_err(not_one)?;
        }
        server_of(&side.certificate, crt_file, &side.key, key_file)?;
        Ok(side)
    }

    /// For a server that shows a certificate that somebody else made, and wants none of its clients.
    pub fn server_without_clients_certificates(
        crt_file: &Path,
        key_file: &Path,
    ) -> Result<Arc<ServerConfig>, CertificateError> {
        Ok(Arc::new(server_of(&read(crt_file)?, crt_file, &read(key_file)?.into(), key_file)?))
    }

    /// For a server that speaks only to clients whose certificate our authority has signed.
    pub fn server_tls(&self) -> Result<Arc<ServerConfig>, CertificateError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(self.roots()?.into(), Arc::clone(&provider))
                .build()?;
        let (certificates, key) = self.shown()?;
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().and_then(
                |config| config.with_client_cert_verifier(verifier).with_single_cert(certificates, key),
            )?;
        Ok(Arc::new(config))
    }

    /// For a client of a server whose certificate our authority has signed.
    ///
    /// Every connection shakes hands anew: a source of Vector's that wants certificates refuses, with an internal error, to
    /// resume what was agreed before.
    pub fn client_tls(&self) -> Result<Arc<ClientConfig>, CertificateError> {
        let (roots, (certificates, key)) = (self.roots()?, self.shown()?);
        let mut config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config.with_root_certificates(roots).with_client_auth_cert(certificates, key)
            })?;
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }

    /// Whom it trusts.
    fn roots(&self) -> Result<RootCertStore, CertificateError> {
        let mut roots = RootCertStore::empty();
        for ca in chain(&self.ca, Path::new(CA))? {
            roots.add(ca)?;
        }
        Ok(roots)
    }

    /// What it shows.
    fn shown(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), CertificateError> {
        let certificates = chain(&self.certificate, Path::new(PLUGIN[0]))?;
        Ok((certificates, PrivateKeyDer::from_pem_slice(self.key.expose().as_bytes())?))
    }

    fn write(&self, dir: &Path, [certificate, key]: [&str; 2]) -> std::io::Result<()> {
        write_private_file(dir, key, self.key.expose())?;
        write_private_file(dir, certificate, &self.certificate)
    }
}

/// What the authority and those it signs have in common.
fn params(name: &str, hosts: &[&str], now: DateTime<Utc>) -> Result<CertificateParams, rcgen::Error> {
    let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, format!("vector-sentinel {name}"));
    [params.not_before, params.not_after] = [now - BEFORE, now + AFTER].map(|day| {
        // Neither a month nor a day is ever over 31.
        let small = |number: u32| u8::try_from(number).unwrap_or(1);
        date_time_ymd(day.year(), small(day.month()), small(day.day()))
    });
    Ok(params)
}

/// A server that shows a certificate to anybody, if the key is that of the certificate.
fn server_of(
    certificate: &str,
    crt_file: &Path,
    key: &SensitiveString,
    key_file: &Path,
) -> Result<ServerConfig, CertificateError> {
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
        .map_err(|_| CertificateError::NoKey(key_file.to_owned()))?;
    let (certificates, provider) = (chain(certificate, crt_file)?, aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|cause| CertificateError::Mismatch {
            certificate: crt_file.to_owned(),
            key: key_file.to_owned(),
            cause,
        })
}

fn read(path: &Path) -> Result<String, CertificateError> {
    std::fs::read_to_string(path).map_err(|cause| CertificateError::Read { path: path.to_owned(), cause })
}

fn chain(pem: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect();
    if certificates.is_empty() {
        return Err(CertificateError::NoCertificate(path.to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
#[path = "certificates_tests.rs"]
mod tests;
