use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use p12_keystore::{Certificate, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use pkcs8::PrivateKeyInfoRef;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

use super::*;
use crate::http::{HttpOptions, ProxyConfig};
use runtime::edge::EdgeError;

/// An authority, and files of certificates by it.
struct Authority {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A service that answers with 204, and what it has seen of its clients.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// The name that a client sent, the header `host`, whether it showed a certificate, and the protocol.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    name: Option<String>,
    host: String,
    showed: bool,
    protocol: Option<Vec<u8>>,
}

// === impl Authority ===

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { dir, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn der(&self) -> Vec<u8> {
        CertificateDer::from_pem_slice(&std::fs::read(self.ca_file()).unwrap()).unwrap().to_vec()
    }

    fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A service whose certificate is for `name`.
    async fn serve(&self, name: &str) -> Server {
        let (certificate, key) = self.issue(name);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        let ca = std::fs::read(self.ca_file()).unwrap();
        roots.add(CertificateDer::from_pem_slice(&ca).unwrap()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let clients = clients.allow_unauthenticated().build().unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let noted = Arc::<Mutex<Vec<Seen>>>::default();
        let server = Server { port, seen: Arc::clone(&noted) };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(socket).await else { continue };
                let mut head = vec![0; 4096];
                let count = stream.read(&mut head).await.unwrap_or_default();
                let head = String::from_utf8_lossy(&head[..count]).to_lowercase();
                let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
                let (_, connection) = stream.get_ref();
                noted.lock().unwrap().push(Seen {
                    name: connection.server_name().map(str::to_owned),
                    host: host.to_owned(),
                    showed: connection.peer_certificates().is_some(),
                    protocol: connection.alpn_protocol().map(<[u8]>::to_vec),
                });
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.ok();
            }
        });
        server
    }
}

// === impl Server ===

impl Server {
    /// Asks for `host`, and answers what the service has seen.
    async fn ask(&self, host: &str, tls: TlsConfig) -> Result<Seen, EdgeError> {
        let proxy = ProxyConfig::default();
        let options = HttpOptions { tls, proxy, timeout: Duration::from_secs(10), https_only: true };
        let request = http::Request::get(format!("https://{host}:{}/", self.port));
        let answer = options.build().unwrap().oneshot(request.body(Bytes::new()).unwrap()).await?;
        assert_eq!(answer.status(), 204);
        Ok(self.seen.lock().unwrap().pop().unwrap())
    }
}

fn secret(path: PathBuf) -> SensitiveString {
    path.into_os_string().into_string().unwrap().into()
}

#[tokio::test]
async fn a_certificate_is_shown_whatever_file_it_is_in() {
    let authority = Authority::new();
    let server = authority.serve("localhost").await;
    let trusting = TlsConfig { ca_file: Some(authority.ca_file()), ..TlsConfig::default() };
    assert!(!server.ask("localhost", trusting.clone()).await.unwrap().showed);

    let (certificate, key) = authority.issue("client");
    let plain = TlsConfig {
        crt_file: Some(secret(authority.file("client.pem", certificate.pem()))),
        key_file: Some(secret(authority.file("client.key", key.serialize_pem()))),
        // As OpenSSL has it: of a key without a passphrase it is not needed.
        key_pass: Some("hunter2".to_owned().into()),
        ..trusting.clone()
    };
    let inline = TlsConfig { key_file: Some(key.serialize_pem().into()), ..plain.clone() };
    let both = authority.file("both.pem", certificate.pem() + &key.serialize_pem());
    let both = TlsConfig { crt_file: Some(secret(both)), key_file: None, ..plain.clone() };
    let der = key.serialize_der();
    let info = PrivateKeyInfoRef::try_from(der.as_slice()).unwrap();
    let parameters =
        pkcs8::pkcs5::pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(2_048, &[7; 16], [9; 16]);
    let sealed = info.encrypt_with_params(parameters.unwrap(), "hunter2").unwrap();
    let sealed = sealed.to_pem("ENCRYPTED PRIVATE KEY", pkcs8::LineEnding::LF).unwrap();
    let sealed = authority.file("sealed.key", sealed.as_bytes());
    let sealed = TlsConfig { key_file: Some(secret(sealed)), ..plain.clone() };
    let mut store = KeyStore::new();
    let chain = PrivateKeyChain::new(
        vec![1],
        PrivateKey::from_der(&der).unwrap(),
        [Certificate::from_der(certificate.der()).unwrap()],
    );
    store.add_entry("it", KeyStoreEntry::PrivateKeyChain(chain));
    let pfx = authority.file("client.pfx", store.writer("hunter2").write().unwrap());
    let pfx = TlsConfig { crt_file: Some(secret(pfx)), key_file: None, ..plain.clone() };
    let der = TlsConfig {
        ca_file: Some(authority.file("ca.der", authority.der())),
        crt_file: Some(secret(authority.file("client.der", certificate.der()))),
        key_file: Some(secret(authority.file("client-key.der", &der))),
        ..plain.clone()
    };
    for tls in [&plain, &inline, &both, &sealed, &pfx, &der] {
        assert!(server.ask("localhost", tls.clone()).await.unwrap().showed, "{tls:?}");
    }

    let fails = |tls: TlsConfig| tls.client_config("localhost").unwrap_err().to_string();
    let wrong = |tls: &TlsConfig| TlsConfig { key_pass: Some("wrong".to_owned().into()), ..tls.clone() };
    assert!(fails(wrong(&sealed)).contains("key_pass does not open"));
    assert!(fails(wrong(&pfx)).contains("PKCS#12 file that tls.key_pass opens"));
    let missing = TlsConfig { key_file: Some(secret("/nowhere/a.key".into())), ..plain.clone() };
    assert!(fails(missing).contains("/nowhere/a.key"));
    // A key that was meant to be PEM, and is not.
    let bare = TlsConfig { key_file: Some("MIIEvQhunter2".to_owned().into()), ..plain.clone() };
    let bare = fails(bare);
    assert!(bare.contains("tls.key_file") && !bare.contains("hunter2"), "{bare}");
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n";
    let old = TlsConfig { key_file: Some(old.to_owned().into()), ..plain.clone() };
    assert!(fails(old).contains("openssl pkcs8 -topk8"));
    let all_inline = TlsConfig { crt_file: inline.key_file.clone(), ..inline.clone() };
    assert!(!format!("{plain:?} {all_inline:?}").contains("PRIVATE KEY"));
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_refused_unless_the_file_says_otherwise() {
    let authority = Authority::new();
    let server = authority.serve("elsewhere.test").await;
    let trusting = TlsConfig { ca_file: Some(authority.ca_file()), ..TlsConfig::default() };
    let no_name = TlsConfig { verify_hostname: Some(false), ..trusting.clone() };
    let unknown = TlsConfig { verify_hostname: Some(false), ..TlsConfig::default() };
    let nothing = TlsConfig { verify_certificate: Some(false), ..TlsConfig::default() };
    for (tls, is_taken) in [(&trusting, false), (&no_name, true), (&unknown, false), (&nothing, true)] {
        let answer = server.ask("localhost", tls.clone()).await;
        assert_eq!(answer.is_ok(), is_taken, "{tls:?}: {answer:?}");
        assert!(is_taken || matches!(answer, Err(EdgeError::Tls(_))), "{answer:?}");
    }
    assert_eq!(no_name.warnings("tls").len(), 1);
    assert_eq!(nothing.warnings("tls").len(), 1);
    assert_eq!(trusting.warnings("tls"), []);
    // A secret is shown to nobody who is not who he says.
    assert_eq!(TlsConfig { ca_file: trusting.ca_file.clone(), ..nothing.clone() }.for_tokens(), trusting);
}

#[tokio::test]
async fn the_name_that_is_sent_is_the_files_and_the_host_stays_what_it_is() {
    let authority = Authority::new();
    let server = authority.serve("localhost").await;
    let trusting = TlsConfig { ca_file: Some(authority.ca_file()), ..TlsConfig::default() };
    let host = format!("localhost:{}", server.port);
    let seen = |name: &str, protocol: &[u8]| Seen {
        name: Some(name.to_owned()),
        host: host.clone(),
        showed: false,
        protocol: (!protocol.is_empty()).then(|| protocol.to_vec()),
    };
    assert_eq!(server.ask("localhost", trusting.clone()).await, Ok(seen("localhost", b"http/1.1")));
    let named = TlsConfig { server_name: Some("front.test".to_owned()), ..trusting.clone() };
    assert_eq!(server.ask("localhost", named.clone()).await, Ok(seen("front.test", b"http/1.1")));
    let two =
        TlsConfig { alpn_protocols: Some(vec!["h2".to_owned(), "http/1.1".to_owned()]), ..named.clone() };
    assert_eq!(server.ask("localhost", two.clone()).await, Ok(seen("front.test", b"http/1.1")));
    let other = TlsConfig { alpn_protocols: Some(vec!["h2".to_owned()]), ..trusting };
    assert_eq!(server.ask("localhost", other.clone()).await, Ok(seen("localhost", b"")));
    assert_eq!((two.warnings("tls"), other.warnings("tls").len()), (vec![], 1));
}

#[test]
fn options_that_do_not_fit_together_are_reported() {
    let named = |name: &str| TlsConfig { server_name: Some(name.to_owned()), ..TlsConfig::default() };
    let key = TlsConfig { key_file: Some("a.key".to_owned().into()), ..TlsConfig::default() };
    let checking =
        TlsConfig { verify_certificate: Some(true), verify_hostname: Some(true), ..TlsConfig::default() };
    let unchecked = TlsConfig { verify_hostname: Some(false), ..TlsConfig::default() };
    for (tls, proxy, expected) in [
        (&key, None, Some("tls.key_file: belongs to")),
        (&named("a b"), None, Some("tls.server_name: must be the name of a host")),
        (&named("10.0.0.1"), None, Some("tls.server_name: must be the name of a host")),
        (
            &named("front.test"),
            Some("http://proxy:1"),
            Some("tls.server_name: cannot be used through a proxy"),
        ),
        (&named("front.test"), None, None),
        (&unchecked, Some("https://proxy:1"), Some("tls: beside ca_file, nothing of it")),
        (&unchecked, Some("http://proxy:1"), None),
        (&checking, Some("https://proxy:1"), None),
    ] {
        let mut problems = Vec::new();
        tls.validate(proxy, "tls", &mut problems);
        let found = problems.first().map(ToString::to_string).unwrap_or_default();
        assert!(found.starts_with(expected.unwrap_or_default()), "{found}");
        assert_eq!(problems.len(), usize::from(expected.is_some()), "{problems:?}");
    }
}
