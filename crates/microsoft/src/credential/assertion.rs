//! Proves an application's identity with its certificate, without OpenSSL.
//!
//! `azure_identity` has a certificate credential of its own that links OpenSSL; this hands its assertion credential a
//! JWT that we sign.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_SHA256};
use azure_core::http::ClientMethodOptions;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use super::certificate::{CertificateWatch, Certified};
use crate::error::ConnectError;
use runtime::clock::Clock;
use runtime::secret::SensitiveString;

/// How long an assertion is good for.
/// Source: <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>
const LIFETIME: Duration = Duration::from_mins(5);

/// Signs assertions with a certificate's RSA key. The file is read for each, so that a renewed one is used at once.
#[derive(Clone)]
pub(super) struct CertificateAssertion {
    pub(super) path: PathBuf,
    pub(super) password: Option<SensitiveString>,
    pub(super) client_id: String,
    /// The assertion's audience.
    pub(super) token_url: String,
    pub(super) clock: Clock,
    pub(super) watch: Arc<CertificateWatch>,
}

/// What is wrong with the file of an application's certificate.
#[derive(Debug, thiserror::Error)]
pub enum UnusableCertificate {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
    /// A PEM file has no certificate.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// A PEM file has no private key, or one with a passphrase.
    #[error("there is no unencrypted private key in it")]
    NoPlainKey,
    /// It is no PKCS#12 file, or the password is wrong.
    #[error("{0}. Check auth.certificate_password")]
    Pkcs12(#[from] p12_keystore::error::Error),
    /// A PKCS#12 file has no private key.
    #[error("there is no private key in it")]
    NoKey,
    /// A PKCS#12 file has a key without a certificate.
    #[error("there is no certificate for its key")]
    NoCertificateForKey,
    /// The key is of another kind, or too short.
    #[error("its key is not an RSA key of at least 2048 bits")]
    NoRsaKey,
    /// The key is another certificate's.
    #[error("its key is not that of any certificate in it: the two must be a pair")]
    AnotherKey,
    /// The key fails at signing.
    #[error("its key cannot sign")]
    CannotSign,
}

impl fmt::Debug for CertificateAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAssertion").field("path", &self.path).finish_non_exhaustive()
    }
}

// === impl CertificateAssertion ===

impl CertificateAssertion {
    /// Whether the file can be used.
    pub(super) fn check(&self) -> Result<(), ConnectError> {
        self.sign().map(drop)
    }

    /// A signed JWT. Source: <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>
    pub(super) fn sign(&self) -> Result<String, ConnectError> {
        self.try_sign().map_err(|cause| ConnectError::Certificate { path: self.path.clone(), cause })
    }

    fn try_sign(&self) -> Result<String, UnusableCertificate> {
        let bytes = std::fs::read(&self.path)?;
        let (certificates, key) = if bytes.windows(10).any(|window| window == b"-----BEGIN") {
            read_pem(&bytes)
        } else {
            read_pkcs12(&bytes, self.password.as_ref().map_or("", SensitiveString::expose))
        }?;
        let key = KeyPair::from_pkcs8(&key)
            .or_else(|_| KeyPair::from_der(&key))
            .map_err(|_| UnusableCertificate::NoRsaKey)?;
        let certificate = certificates.iter().find_map(|der| {
            let certified = Certified::of(der)?;
            (certified.public_key == key.public_key().as_ref()).then_some((der, certified))
        });
        let (certificate, certified) = certificate.ok_or(UnusableCertificate::AnotherKey)?;
        self.watch.look(&certified, Some(&self.path));
        let cannot_sign = |_| UnusableCertificate::CannotSign;
        let random = SystemRandom::new();
        let mut id = [0; 16];
        aws_lc_rs::rand::SecureRandom::fill(&random, &mut id).map_err(cannot_sign)?;
        let thumbprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
        let now = self.clock.now();
        let header =
            json!({"alg": "PS256", "typ": "JWT", "x5t#S256": BASE64_URL_SAFE_NO_PAD.encode(thumbprint)});
        let claims = json!({
            "aud": self.token_url,
            "iss": self.client_id,
            "sub": self.client_id,
            "jti": BASE64_URL_SAFE_NO_PAD.encode(id),
            "iat": now.timestamp(),
            "nbf": now.timestamp(),
            "exp": (now + LIFETIME).timestamp(),
        });
        let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PSS_SHA256, &random, signed.as_bytes(), &mut signature).map_err(cannot_sign)?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[async_trait]
impl azure_identity::ClientAssertion for CertificateAssertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let this = self.clone();
        let signed = self.clock.off_thread().run(move || this.sign()).await;
        let failed = |error: &dyn Error| {
            azure_core::Error::with_message(azure_core::error::ErrorKind::Credential, error.to_string())
        };
        signed.map_err(|ended| failed(&ended))?.map_err(|error| failed(&error))
    }
}

/// Certificates and the key, DER.
type Pair = (Vec<Vec<u8>>, Vec<u8>);

fn read_pem(bytes: &[u8]) -> Result<Pair, UnusableCertificate> {
    let certificates = CertificateDer::pem_slice_iter(bytes).filter_map(Result::ok);
    let certificates: Vec<_> = certificates.map(|certificate| certificate.to_vec()).collect();
    if certificates.is_empty() {
        return Err(UnusableCertificate::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(bytes).map_err(|_| UnusableCertificate::NoPlainKey)?;
    Ok((certificates, key.secret_der().to_vec()))
}

fn read_pkcs12(bytes: &[u8], password: &str) -> Result<Pair, UnusableCertificate> {
    // As Key Vault hands it out.
    let decoded = str::from_utf8(bytes).ok().and_then(|text| BASE64_STANDARD.decode(text.trim()).ok());
    let bytes = decoded.as_deref().unwrap_or(bytes);
    let store = KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Relaxed)?;
    let (_, chain) = store.private_key_chain().ok_or(UnusableCertificate::NoKey)?;
    let certificates: Vec<_> =
        chain.certs().iter().map(|certificate| certificate.as_der().to_vec()).collect();
    if certificates.is_empty() {
        return Err(UnusableCertificate::NoCertificateForKey);
    }
    Ok((certificates, chain.key().as_der().to_vec()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
    use p12_keystore::{Certificate, KeyStoreEntry, PrivateKey, PrivateKeyChain};

    use super::*;

    /// A new RSA key with a certificate, as PEM and as PKCS#12 files.
    fn files(dir: &Path) -> (PathBuf, PathBuf, rcgen::KeyPair) {
        let key =
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let certificate = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap();
        let pem = dir.join("both.pem");
        std::fs::write(&pem, format!("{}{}", certificate.pem(), key.serialize_pem())).unwrap();
        let mut store = KeyStore::new();
        let chain = PrivateKeyChain::new(
            vec![1],
            PrivateKey::from_der(&key.serialize_der()).unwrap(),
            [Certificate::from_der(certificate.der()).unwrap()],
        );
        store.add_entry("it", KeyStoreEntry::PrivateKeyChain(chain));
        let pfx = dir.join("both.pfx");
        std::fs::write(&pfx, store.writer("hunter2").write().unwrap()).unwrap();
        (pem, pfx, key)
    }

    fn sign(path: &Path, password: &str) -> Result<String, ConnectError> {
        let assertion = CertificateAssertion {
            path: path.to_owned(),
            password: Some(password.to_owned().into()),
            client_id: "app".to_owned(),
            token_url: "https://login/token".to_owned(),
            clock: Clock::system(),
            watch: Arc::new(CertificateWatch::new("auth.certificate_path", None, Clock::system())),
        };
        assertion.sign()
    }

    #[test]
    fn an_assertion_is_signed_by_the_key_of_either_file() {
        let dir = tempfile::tempdir().unwrap();
        let (pem, pfx, key) = files(dir.path());
        let mut thumbprints = Vec::new();
        let encoded = dir.path().join("encoded.pfx");
        std::fs::write(&encoded, format!("{}\n", BASE64_STANDARD.encode(std::fs::read(&pfx).unwrap())))
            .unwrap();
        // A chain may have the authority's certificate first.
        let chain = dir.path().join("chain.pem");
        let authority = rcgen::generate_simple_self_signed([]).unwrap().cert.pem();
        std::fs::write(&chain, format!("{authority}{}", std::fs::read_to_string(&pem).unwrap())).unwrap();
        for path in [pem, pfx, encoded, chain] {
            let jwt = sign(&path, "hunter2").unwrap();
            let (signed, signature) = jwt.rsplit_once('.').unwrap();
            let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
            let public =
                UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, rcgen::PublicKeyData::der_bytes(&key));
            public.verify(signed.as_bytes(), &signature).expect("a signature that the public key accepts");
            let parts: Vec<serde_json::Value> = signed
                .split('.')
                .map(|part| serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
                .collect();
            assert_eq!(parts[1]["aud"], "https://login/token");
            assert_eq!((&parts[1]["iss"], &parts[1]["sub"]), (&json!("app"), &json!("app")));
            thumbprints.push(parts[0]["x5t#S256"].clone());
        }
        assert!(thumbprints.iter().all(|one| *one == thumbprints[0]), "{thumbprints:?}");
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (pem, _, key) = files(dir.path());
        let another = rcgen::generate_simple_self_signed([]).unwrap().cert.pem();
        std::fs::write(&pem, format!("{another}{}", key.serialize_pem())).unwrap();
        let error = sign(&pem, "").unwrap_err().to_string();
        assert!(error.contains("the two must be a pair"), "{error}");
    }

    #[test]
    fn a_wrong_password_is_said_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let (_, pfx, _) = files(dir.path());
        let error = sign(&pfx, "wrong-password").unwrap_err().to_string();
        assert!(error.contains("certificate_password") && !error.contains("wrong-password"), "{error}");
    }
}
