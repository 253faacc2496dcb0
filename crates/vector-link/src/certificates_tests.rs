use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

fn new() -> Certificates {
    Certificates::new(&Clock::system()).unwrap()
}

/// A server that sends back what whoever is let in sends.
async fn serve(side: &TlsIdentity) -> SocketAddr {
    serve_with(side.server_tls().unwrap()).await
}

async fn serve_with(tls: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, acceptor) = (listener.local_addr().unwrap(), TlsAcceptor::from(tls));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut byte = [0];
            if stream.read_exact(&mut byte).await.is_ok() {
                stream.write_all(&byte).await.ok();
            }
        }
    });
    address
}

/// Asks as the holder of `tls` whether it is let in; as nobody who speaks TLS, without.
async fn asks(
    address: SocketAddr,
    domain: &'static str,
    tls: Option<Arc<ClientConfig>>,
) -> Result<(), String> {
    let words = |error: std::io::Error| format!("{error:?}");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (sent, mut byte) = ([7], [0]);
    if let Some(tls) = tls {
        let connector = TlsConnector::from(tls);
        let mut stream = connector.connect(domain.try_into().unwrap(), stream).await.map_err(words)?;
        stream.write_all(&sent).await.map_err(words)?;
        stream.read_exact(&mut byte).await.map_err(words)?;
    } else {
        stream.write_all(&sent).await.map_err(words)?;
        stream.read_exact(&mut byte).await.map_err(words)?;
    }
    if byte == sent { Ok(()) } else { Err("what came back is something else".to_owned()) }
}

/// A client that trusts `set`, and shows nothing.
fn nobody(set: &TlsIdentity) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
    let config = config.with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(set.roots().unwrap()).with_no_client_auth())
}

fn files(dir: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let shown = entries.filter(|path| !path.ends_with(".lock"));
    shown.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), read(&path).unwrap())).collect()
}

#[tokio::test]
async fn the_two_sides_of_a_set_shake_hands_in_both_directions() {
    let set = new();
    for (server, client) in [(&set.ours, &set.theirs), (&set.theirs, &set.ours)] {
        let address = serve(server).await;
        for domain in NAMES {
            asks(address, domain, Some(client.client_tls().unwrap())).await.unwrap();
        }
    }
}

#[tokio::test]
async fn everybody_else_is_refused() {
    let (set, other) = (new(), new());
    let address = serve(set.ours()).await;
    let stranger = TlsIdentity { ca: set.ours.ca.clone(), ..other.theirs.clone() };
    let refusals = [
        // The server refuses them, and closes at once: how much of the reason arrives is chance.
        ("localhost", Some(nobody(&set.ours)), ""),
        ("localhost", Some(stranger.client_tls().unwrap()), ""),
        ("localhost", None, ""),
        // These refuse the server: it is not the one of their run, or does not have the name.
        ("localhost", Some(other.theirs.client_tls().unwrap()), "BadSignature"),
        ("example.com", Some(set.theirs.client_tls().unwrap()), "NotValidForName"),
    ];
    for (domain, tls, expected) in refusals {
        let error = asks(address, domain, tls).await.unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn neither_debug_nor_a_message_shows_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let set = Certificates::load_or_make(dir.path(), OtherEnd::Vector, &Clock::system()).unwrap();
    let error = TlsIdentity::from_files(
        &dir.path().join(CA),
        &dir.path().join("plugin.pem"),
        &dir.path().join("vector.key"),
    );
    let text = format!("{set:?} {}", error.unwrap_err());
    assert!(text.contains("REDACTED") && !text.contains("PRIVATE"), "{text}");
}

#[test]
fn vector_gets_its_own_part_only_and_nobody_else_can_read_it() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("tls");
    new().write_vectors_part(&dir).unwrap();
    assert_eq!(files(&dir).into_keys().collect::<Vec<_>>(), ["ca.pem", "vector.key", "vector.pem"]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for name in files(&dir).keys() {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_set_that_is_kept_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = Certificates::load_or_make(dir.path(), OtherEnd::Vector, &Clock::system()).unwrap();
    let kept = files(dir.path());
    assert_eq!(kept.len(), 5);
    // Nothing is written for that, so the directory may be one that cannot be written to.
    std::fs::remove_file(dir.path().join(".lock")).unwrap();
    let second = Certificates::load_or_make(dir.path(), OtherEnd::Vector, &Clock::system()).unwrap();
    assert!(!dir.path().join(".lock").exists());
    assert_eq!(files(dir.path()), kept);
    let address = serve(first.ours()).await;
    asks(address, "localhost", Some(second.theirs.client_tls().unwrap())).await.unwrap();
}

#[test]
fn half_a_set_is_made_anew_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let load = || Certificates::load_or_make(dir.path(), OtherEnd::Vector, &Clock::system()).unwrap();
    load();
    for missing in ["ca.pem", "plugin.pem", "plugin.key", "vector.pem", "vector.key"] {
        let before = files(dir.path());
        std::fs::remove_file(dir.path().join(missing)).unwrap();
        load();
        let after = files(dir.path());
        assert_eq!(after.len(), 5);
        for (name, text) in after {
            assert_ne!(before.get(&name), Some(&text), "{name} of the old set, without {missing}");
        }
    }
}

#[test]
fn what_cannot_be_used_is_told_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    Certificates::load_or_make(dir.path(), OtherEnd::Vector, &Clock::system()).unwrap();
    std::fs::write(dir.path().join("empty"), "").unwrap();
    let cases = [
        (["gone", "plugin.pem", "plugin.key"], "gone: No such file"),
        (["empty", "plugin.pem", "plugin.key"], "empty holds no certificate in PEM form"),
        (["ca.pem", "plugin.key", "plugin.key"], "plugin.key holds no certificate in PEM form"),
        (["ca.pem", "plugin.pem", "ca.pem"], "ca.pem holds no private key in PEM form"),
        (["ca.pem", "plugin.pem", "vector.key"], "Name the two that were made together"),
    ];
    for (names, expected) in cases {
        let [ca, certificate, key] = names.map(|name| dir.path().join(name));
        let error = TlsIdentity::from_files(&ca, &certificate, &key).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn shippers_get_a_set_of_their_own_or_need_none() {
    let dir = tempfile::tempdir().unwrap();
    let set = Certificates::load_or_make(dir.path(), OtherEnd::Shippers, &Clock::system()).unwrap();
    let names: Vec<_> = files(dir.path()).into_keys().collect();
    assert_eq!(names, ["ca.pem", "plugin.key", "plugin.pem", "shipper.key", "shipper.pem"]);
    let file = |name: &str| dir.path().join(name);
    let shipper = TlsIdentity::from_files(&file("ca.pem"), &file("shipper.pem"), &file("shipper.key"));
    let address = serve(set.ours()).await;
    asks(address, "localhost", Some(shipper.unwrap().client_tls().unwrap())).await.unwrap();
    asks(address, "localhost", Some(nobody(set.ours()))).await.unwrap_err();

    let (certificate, key) = (file("plugin.pem"), file("plugin.key"));
    let without = |key: &Path| TlsIdentity::server_without_clients_certificates(&certificate, key);
    let address = serve_with(without(&key).unwrap()).await;
    asks(address, "localhost", Some(nobody(set.ours()))).await.unwrap();
    let error = without(&file("shipper.key")).unwrap_err().to_string();
    assert!(error.contains("Name the two that were made together"), "{error}");
}
