//! Why there is no answer, in words.

use runtime::edge::EdgeError;

/// The metric's label `error_type`.
pub(super) fn edge_error_type(error: &EdgeError) -> &'static str {
    match error {
        EdgeError::Dns(_) | EdgeError::Refused(_) | EdgeError::Unreachable(_) => "connection_failed",
        EdgeError::Proxy(_) => "proxy_failed",
        EdgeError::Tls(_) => "tls_failed",
        EdgeError::TimedOut(_) => "timed_out",
        EdgeError::Lost(_) => "connection_lost",
        EdgeError::TooLarge(_) => "answer_too_large",
    }
}

/// What to do about it, and what happened.
pub(super) fn edge_message(error: &EdgeError) -> String {
    match error {
        EdgeError::Dns(words) => {
            format!("the name of the host cannot be resolved; check the endpoint's name and the DNS: {words}")
        }
        EdgeError::Refused(words) => format!(
            "the connection is refused; check the endpoint's host and port, and what a firewall lets through: {words}"
        ),
        EdgeError::Unreachable(words) => {
            format!("cannot connect; check the endpoint's name, the network and the proxy: {words}")
        }
        EdgeError::Proxy(words) if words.contains("authorization required") => format!(
            "the proxy asks for a user and a password (407): put them into proxy.https, percent-encoded, as \
             http://user:password@proxy.example.com:3128: {words}"
        ),
        EdgeError::Proxy(words) if words.contains("unsuccessful") => format!(
            "the proxy refuses to connect to the host, or cannot (its answer to CONNECT is no success: 403, 502 or the like); \
             have it allow the host: {words}"
        ),
        EdgeError::Proxy(words) => format!(
            "cannot get through the proxy; check the option proxy, and what the proxy allows: {words}"
        ),
        EdgeError::Tls(words) if words.contains("peer certificate") => format!(
            "the server's certificate is not trusted; if a proxy inspects TLS, or this is a private endpoint, put its \
             certificate authority into tls.ca_file: {words}"
        ),
        EdgeError::Tls(words) => {
            format!(
                "no TLS connection; check that the endpoint, or the proxy, speaks TLS on that port: {words}"
            )
        }
        EdgeError::TimedOut(words) => {
            format!("no answer within the time limit (request.timeout_secs): {words}")
        }
        EdgeError::Lost(_) | EdgeError::TooLarge(_) => error.to_string(),
    }
}
