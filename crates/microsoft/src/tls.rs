//! The options of `tls`: whom to trust, and what to show.
//!
//! They are Vector's. All of them are for requests to the service; requests for tokens heed `ca_file` alone, so that whoever
//! switches a check off does not show a secret to somebody else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use schemars::JsonSchema;
use serde::Deserialize;
use thiserror::Error;

use crate::credential::certificate::Certified;
use model::problem::Problem;
use runtime::secret::SensitiveString;

/// The protocol that is spoken over TLS.
const HTTP_1: &str = "http/1.1";
/// What PEM text begins with: an option may have the text itself in the place of a path, as in Vector.
const PEM: &str = "-----BEGIN ";

/// Whom to trust, and what to show. Requests for tokens heed `ca_file` alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("x-hints" = {
    "ca_path": "write ca_file, which is the same", "crt_path": "write crt_file, which is the same",
    "key_path": "write key_file, which is the same",
}))]
pub struct TlsConfig {
    /// A PEM or DER file of further certificate authorities to trust, in requests for tokens too; or the PEM text itself.
    /// Default: none. Example: `/etc/ssl/proxy-ca.pem`.
    pub ca_file: Option<PathBuf>,
    /// A PEM, DER or PKCS#12 file with the certificate to show to the service; or the PEM text itself. Default: none. Example:
    /// `/etc/vector-sentinel/client.pem`.
    pub crt_file: Option<SensitiveString>,
    /// The PEM or DER file of the private key of `crt_file`; or the PEM text itself. Default: in the file of `crt_file`. Example:
    /// `/etc/vector-sentinel/client.key`.
    pub key_file: Option<SensitiveString>,
    /// The passphrase of `key_file`, which is then in PKCS#8, or of a PKCS#12 `crt_file`. Default: none. Example:
    /// `SECRET[vault.key_pass]`.
    pub key_pass: Option<SensitiveString>,
    /// Whether the service's certificate is checked. Without that anybody in between can read what is sent, and a warning says
    /// so. Default: `true`.
    pub verify_certificate: Option<bool>,
    /// Whether the service's certificate must be for the host in the URL. Without that whoever has any certificate can read what
    /// is sent, and a warning says so. Default: `true`.
    pub verify_hostname: Option<bool>,
    /// The name of a host that is sent as server name indication (SNI), whatever host the URL names; not through a proxy. Default: the host in the URL. Example:
    /// `ingest.example.com`.
    pub server_name: Option<String>,
    /// The protocols to offer. Only `http/1.1` is spoken, so that any other is left out. Default: `[http/1.1]`.
    pub alpn_protocols: Option<Vec<String>>,
}

/// Why the options make no TLS connection.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read. Its path is not shown unless it is absolute: what was meant to be the content may stand there.
    #[error("cannot read the file that tls.{option} names{}: {cause}", shown(path))]
    Read {
        /// The option that names it.
        option: &'static str,
        /// The file's path.
        path: PathBuf,
        /// Why it cannot be read.
        #[source]
        cause: std::io::Error,
    },
    /// There is no authority in it.
    #[error("there is no certificate in tls.ca_file, which must be PEM or DER")]
    NoAuthority,
    /// There is no certificate in it.
    #[error(
        "there is no certificate in tls.crt_file: it is neither PEM nor DER, nor a PKCS#12 file that tls.key_pass opens"
    )]
    NoCertificate,
    /// There is no key in it.
    #[error(
        "there is no private key in tls.key_file (or, without that, in tls.crt_file), which must be PEM or DER"
    )]
    NoKey,
    /// The key has a passphrase, and none or another one is given.
    #[error("tls.key_pass does not open the private key in tls.key_file")]
    Passphrase,
    /// The key has a passphrase, in an older form.
    #[error(
        "the private key in tls.key_file is encrypted in an older form; `openssl pkcs8 -topk8 -in old.key -out new.key` writes \
         one that can be read"
    )]
    OldEncryption,
    /// Key and certificate are no pair, or the key is of an unknown kind.
    #[error("tls.crt_file and tls.key_file cannot be used: {0}")]
    Rustls(#[from] rustls::Error),
}

/// A path as a message may show it.
fn shown(path: &Path) -> String {
    if path.is_absolute() { format!(" ({})", path.display()) } else { String::new() }
}

// === impl TlsConfig ===

impl TlsConfig {
    /// Reports options that do not fit together, or with the `proxy` for `https` requests.
    pub(crate) fn validate(&self, proxy: Option<&str>, path: &str, problems: &mut Vec<Problem>) {
        let mut report = |option: &str, message: &str| {
            problems.push(Problem::new(format!("{path}{option}"), message));
        };
        if self.key_file.is_some() && self.crt_file.is_none() {
            report(".key_file", "belongs to tls.crt_file, which is missing");
        }
        if let Some(name) = &self.server_name {
            if !matches!(ServerName::try_from(name.as_str()), Ok(ServerName::DnsName(_))) {
                report(".server_name", "must be the name of a host, such as ingest.example.com");
            } else if proxy.is_some() {
                report(".server_name", "cannot be used through a proxy: remove one of them");
            }
        }
        // The proxy's own handshake would have them, too.
        if proxy.is_some_and(|proxy| proxy.starts_with("https://")) && !self.is_plain() {
            report(
                "",
                "beside ca_file, nothing of it can be used through a proxy whose URL begins with https://",
            );
        }
    }

    /// Whether requests to the service are made as those for tokens are.
    pub(crate) fn is_plain(&self) -> bool {
        let checked = |check: Option<bool>| check.filter(|is_on| !is_on);
        let verify_certificate = checked(self.verify_certificate);
        let verify_hostname = checked(self.verify_hostname);
        Self { verify_certificate, verify_hostname, ..self.clone() } == self.for_tokens()
    }

    /// What works, but perhaps not as its author thinks.
    pub(crate) fn warnings(&self, path: &str) -> Vec<Problem> {
        let mut warnings = Vec::new();
        let mut warn = |option: &str, message: &str| {
            warnings.push(Problem::new(format!("{path}.{option}"), message));
        };
        if self.verify_certificate == Some(false) {
            warn(
                "verify_certificate",
                "false: whoever is between here and the service can read and change what is sent, tokens included",
            );
        } else if self.verify_hostname == Some(false) {
            warn(
                "verify_hostname",
                "false: whoever is between here and the service and has any valid certificate can read and change what is \
                 sent, tokens included",
            );
        }
        if self.alpn_protocols.as_ref().is_some_and(|list| !list.iter().any(|name| name == HTTP_1)) {
            warn("alpn_protocols", "only http/1.1 is spoken here: nothing is offered");
        }
        warnings
    }

    /// What requests for tokens heed.
    pub(crate) fn for_tokens(&self) -> Self {
        Self { ca_file: self.ca_file.clone(), ..Self::default() }
    }

    /// The certificate authorities to trust beside the usual ones.
    pub(crate) fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let Some(path) = &self.ca_file else { return Ok(Vec::new()) };
        let authorities = certificates(&read("ca_file", path)?);
        if authorities.is_empty() { Err(TlsError::NoAuthority) } else { Ok(authorities) }
    }

    /// The whole of what a connection to `host` takes, which the URL names.
    pub(crate) fn client_config(&self, host: &str) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = NameVerifier {
            inner: Verifier::new_with_extra_roots(self.authorities()?, Arc::clone(&provider))?,
            host: ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).ok(),
            checks_certificate: self.verify_certificate != Some(false),
            checks_name: self.verify_hostname != Some(false),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match self.identity()? {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
            None => builder.with_no_client_auth(),
        };
        let offered = self.alpn_protocols.as_ref().is_none_or(|list| list.iter().any(|name| name == HTTP_1));
        config.alpn_protocols = offered.then(|| HTTP_1.into()).into_iter().collect();
        Ok(config)
    }

    /// The certificate to show, if there is one that can be read, and the file that it stands in.
    pub(crate) fn shown_certificate(&self) -> Option<(Certified, Option<PathBuf>)> {
        let (chain, _) = self.identity().ok()??;
        let path =
            self.crt_file.as_ref().map(SensitiveString::expose).filter(|written| !written.contains(PEM));
        Some((Certified::of(chain.first()?)?, path.map(PathBuf::from)))
    }

    /// What to show.
    fn identity(&self) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, TlsError> {
        let Some(written) = &self.crt_file else { return Ok(None) };
        let file = read("crt_file", Path::new(written.expose()))?;
        let passphrase = self.key_pass.as_ref().map_or("", SensitiveString::expose);
        if let Some(identity) = pkcs12(&file, passphrase) {
            return Ok(Some(identity));
        }
        let chain = certificates(&file);
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = match &self.key_file {
            Some(written) => read("key_file", Path::new(written.expose()))?,
            None => file,
        };
        Ok(Some((chain, private_key(&key, passphrase)?)))
    }
}

/// Checks as the system does, but for what is switched off; and the certificate by the host in the URL, whatever name was sent.
#[derive(Debug)]
struct NameVerifier {
    inner: Verifier,
    host: Option<ServerName<'static>>,
    checks_certificate: bool,
    checks_name: bool,
}

impl ServerCertVerifier for NameVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if !self.checks_certificate {
            return Ok(ServerCertVerified::assertion());
        }
        let host = self.host.as_ref().unwrap_or(server_name);
        let verified = self.inner.verify_server_cert(end_entity, intermediates, host, ocsp_response, now);
        match verified {
            // The name is what is checked last.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.checks_name => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// What an option has in it, or in the file that it names.
fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    match path.to_str() {
        Some(text) if text.contains(PEM) => Ok(text.as_bytes().to_vec()),
        _ => std::fs::read(path).map_err(|cause| TlsError::Read { option, path: path.to_owned(), cause }),
    }
}

/// The certificates in PEM, or the one that is DER.
fn certificates(file: &[u8]) -> Vec<CertificateDer<'static>> {
    let pem: Vec<_> = CertificateDer::pem_slice_iter(file).filter_map(Result::ok).collect();
    let der = CertificateDer::from(file.to_vec());
    let is_der = || RootCertStore::empty().add(der.clone()).is_ok();
    if pem.is_empty() && is_der() { vec![der] } else { pem }
}

fn private_key(file: &[u8], passphrase: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    if let Ok(key) = PrivateKeyDer::try_from(file) {
        return Ok(key.clone_key());
    }
    let text = str::from_utf8(file).map_err(|_| TlsError::NoKey)?;
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(TlsError::OldEncryption);
    }
    if let Ok(key) = PrivateKeyDer::from_pem_slice(file) {
        return Ok(key);
    }
    let begins = text.find("-----BEGIN ENCRYPTED PRIVATE KEY-----").ok_or(TlsError::NoKey)?;
    let (_, sealed) =
        SecretDocument::from_pem(text.get(begins..).unwrap_or_default()).map_err(|_| TlsError::NoKey)?;
    let sealed = EncryptedPrivateKeyInfoRef::try_from(sealed.as_bytes()).map_err(|_| TlsError::NoKey)?;
    let opened = sealed.decrypt(passphrase).map_err(|_| TlsError::Passphrase)?;
    Ok(PrivatePkcs8KeyDer::from(opened.as_bytes().to_vec()).into())
}

fn pkcs12(file: &[u8], passphrase: &str) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let store = KeyStore::from_pkcs12(file, passphrase, Pkcs12ImportPolicy::Relaxed).ok()?;
    let (_, chain) = store.private_key_chain()?;
    let certificates = chain.certs().iter().map(|one| CertificateDer::from(one.as_der().to_vec())).collect();
    Some((certificates, PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec()).into()))
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
