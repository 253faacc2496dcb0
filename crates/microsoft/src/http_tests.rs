use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[test]
fn the_environment_fills_what_the_file_does_not_say() {
    let variables = |name: &str| match name {
        "https_proxy" => Some("http://env:1"),
        "HTTP_PROXY" => Some("http://ENV:2"),
        "no_proxy" => Some("localhost,.example.com"),
        _ => None,
    };
    let file = ProxyConfig { https: Some("http://file:3".to_owned().into()), ..ProxyConfig::default() };
    let merged = file.or_environment(variables);
    assert_eq!(merged.https.as_ref().map(SensitiveString::expose), Some("http://file:3"));
    assert_eq!(merged.http.as_ref().map(SensitiveString::expose), Some("http://ENV:2"));
    assert_eq!(merged.no_proxy, ["localhost,.example.com"]);
    assert_eq!(merged.proxies().unwrap().len(), 2);
    assert!(ProxyConfig { enabled: false, ..merged }.proxies().unwrap().is_empty());
}

#[test]
fn a_proxys_password_is_not_shown() {
    let proxy =
        ProxyConfig { https: Some("http://user:hunter2@proxy".to_owned().into()), ..ProxyConfig::default() };
    assert!(!format!("{proxy:?}").contains("hunter2"));
    let mut problems = Vec::new();
    ProxyConfig { http: Some("::hunter2".to_owned().into()), ..proxy }.validate("proxy", &mut problems);
    assert_eq!(problems.len(), 1);
    assert!(!format!("{problems:?}").contains("hunter2"));
}

#[test]
fn a_proxys_password_that_ends_the_host_is_refused_and_not_shown() {
    let found = |url: &str| {
        let mut problems = Vec::new();
        let proxy = ProxyConfig { https: Some(url.to_owned().into()), ..ProxyConfig::default() };
        proxy.validate("proxy", &mut problems);
        problems
    };
    for right in [
        "http://proxy:3128",
        "proxy:3128",
        "http://user:p%40ss%23w%3Ard@proxy:3128/",
        "http://user:p@ss@proxy:3128",
    ] {
        assert_eq!(found(right), [], "{right}");
    }
    for wrong in ["http://u:p@hunter2#w:rd@proxy:3128", "http://u:hunter2/x@proxy", "u:hunter2?@proxy:3128"] {
        let problems = found(wrong);
        assert!(problems.len() == 1 && !problems[0].message.contains("hunter2"), "{wrong} {problems:?}");
    }
}

#[test]
fn an_unreadable_ca_file_is_named() {
    let tls = TlsConfig { ca_file: Some("/nowhere/ca.pem".into()), ..TlsConfig::default() };
    let options =
        HttpOptions { tls, proxy: ProxyConfig::default(), timeout: Duration::from_secs(1), https_only: true };
    let error = options.build().map(drop).unwrap_err().to_string();
    assert!(error.contains("/nowhere/ca.pem") && error.contains("tls.ca_file"), "{error}");
}

/// A peer that takes one connection, reads something, writes `answer` and closes, or says nothing for ever without one.
async fn peer(answer: Option<&'static str>) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let heard = connection.read(&mut [0; 4096]).await.unwrap();
        assert_ne!(heard, 0, "nothing was asked");
        match answer {
            Some(answer) => connection.write_all(answer.as_bytes()).await.unwrap(),
            None => std::future::pending().await,
        }
    });
    (address, serving)
}

async fn asked(url: String, proxy: Option<String>, timeout: Duration) -> EdgeError {
    let proxy = ProxyConfig { https: proxy.map(Into::into), ..ProxyConfig::default() };
    let options = HttpOptions { tls: TlsConfig::default(), proxy, timeout, https_only: false };
    let request = http::Request::get(url).body(Bytes::new()).unwrap();
    send(&options.build().unwrap(), request, 100, &Clock::system()).await.unwrap_err()
}

#[tokio::test]
async fn each_way_of_getting_no_answer_is_told_from_the_others() {
    let long = Duration::from_mins(1);
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let error = asked(format!("http://{nobody}/"), None, long).await;
    assert!(matches!(error, EdgeError::Refused(_)), "{error:?}");

    let error = asked("https://service.test/".to_owned(), Some(format!("http://{nobody}")), long).await;
    assert!(matches!(error, EdgeError::Proxy(_)), "{error:?}");
    for refusal in ["HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n\r\n"] {
        let (proxy, _serving) = peer(Some(refusal)).await;
        let error = asked("https://service.test/".to_owned(), Some(format!("http://{proxy}")), long).await;
        assert!(matches!(error, EdgeError::Proxy(_)), "{refusal}: {error:?}");
    }

    // A proxy that speaks plain HTTP, where TLS is spoken to it. One that says nothing is unreachable after a while.
    let (proxy, _serving) = peer(Some("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let error = asked("https://service.test/".to_owned(), Some(format!("https://{proxy}")), long).await;
    let silent = through_tls(EdgeError::Unreachable("operation timed out".to_owned()));
    for error in [error, silent] {
        let is_named = matches!(&error, EdgeError::Proxy(words) if words.contains("write http://"));
        assert!(is_named, "{error:?}");
    }

    let (plain, _serving) = peer(Some("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let error = asked(format!("https://{plain}/"), None, long).await;
    assert!(matches!(error, EdgeError::Tls(_)), "{error:?}");

    let (silent, serving) = peer(None).await;
    let error = asked(format!("http://{silent}/"), None, Duration::from_millis(50)).await;
    assert!(matches!(error, EdgeError::TimedOut(_)), "{error:?}");
    serving.abort();

    let (short, _serving) = peer(Some("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n[")).await;
    let error = asked(format!("http://{short}/"), None, long).await;
    assert!(matches!(error, EdgeError::Lost(_)), "{error:?}");
    let (large, _serving) = peer(Some("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1,2]")).await;
    let request = http::Request::get(format!("http://{large}/")).body(Bytes::new()).unwrap();
    let options = HttpOptions {
        tls: TlsConfig::default(),
        proxy: ProxyConfig::default(),
        timeout: long,
        https_only: false,
    };
    let edge = options.build().unwrap();
    assert_eq!(send(&edge, request, 4, &Clock::system()).await.unwrap_err(), EdgeError::TooLarge(4));
}
