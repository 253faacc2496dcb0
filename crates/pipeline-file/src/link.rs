//! Where Vector and one of our components meet, and what they show each other there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::component_graph::{ComponentGraph, ComponentSpec, Kind};
use model::problem::Problem;

/// The first port that is taken where a file names none.
const FIRST_PORT: u16 = 6100;

/// The directory in `data_dir` with the certificates of a link to a Vector that somebody else runs.
pub const LINK_DIR: &str = "vector-link";

/// The link between Vector and this component: by default on this machine, with certificates that are made for it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkConfig {
    /// The address of the link, `host:port`: Vector connects to it for a sink, and listens on it for a source. Another address
    /// than loopback needs `tls`. Default: a free port of loopback when `run` starts Vector, else 127.0.0.1 and the next port
    /// from 6100 on. Example: `127.0.0.1:6100`.
    address: Option<String>,
    /// Certificates of your own for both ends; needed on another address than loopback. Default: certificates that are made in
    /// `data_dir`.
    tls: Option<LinkTlsConfig>,
}

/// Certificates of both ends of the link, PEM files.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "Vector's names")]
struct LinkTlsConfig {
    /// The path of the certificate authority that each end checks the other's certificate with. Example:
    /// `/etc/vector-sentinel/ca.pem`.
    ca_file: PathBuf,
    /// The path of the certificate that `vector-sentinel` shows.
    crt_file: PathBuf,
    /// The path of the private key of `crt_file`.
    key_file: PathBuf,
    /// The path of the certificate that Vector shows; together with `vector_key_file`. Default: that of `crt_file`.
    vector_crt_file: Option<PathBuf>,
    /// The path of the private key of `vector_crt_file`. Default: that of `key_file`.
    vector_key_file: Option<PathBuf>,
}

/// Where Vector and a component of ours meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// `host:port`, if the file says.
    pub address: Option<String>,
    /// Certificates, if the file names some.
    pub tls: Option<LinkTls>,
}

/// Certificates of both ends of a [`Link`], PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkTls {
    /// The authority that each end checks the other's certificate with.
    pub ca_file: PathBuf,
    /// The certificate that we show.
    pub crt_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
    /// The certificate that Vector shows.
    pub vector_crt_file: PathBuf,
    /// Its private key.
    pub vector_key_file: PathBuf,
}

/// What stands in Vector's file in the place of one of our components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stub {
    /// `host:port`, as Vector is to use it.
    pub address: String,
    /// The authority that Vector checks our certificate with.
    pub ca_file: PathBuf,
    /// The certificate that Vector shows.
    pub crt_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

// === impl LinkConfig ===

impl LinkConfig {
    /// Checks the options under `path`.
    pub(super) fn validate(self, path: &str, problems: &mut Vec<Problem>) -> Link {
        let mut problem = |option: &str, message: &str| {
            problems.push(Problem::new(format!("{path}.{option}"), message));
        };
        let needed = "mutual TLS: give vector.tls";
        let address = self.address.as_deref();
        let wrong =
            address.and_then(|address| wrong_address(address, FIRST_PORT, self.tls.is_some(), needed));
        if let Some(message) = wrong {
            problem("address", &message);
        }
        let tls = self.tls.map(|tls| {
            if tls.vector_crt_file.is_some() != tls.vector_key_file.is_some() {
                problem("tls", "vector_crt_file and vector_key_file belong together: give both or none");
            }
            LinkTls {
                vector_crt_file: tls.vector_crt_file.unwrap_or_else(|| tls.crt_file.clone()),
                vector_key_file: tls.vector_key_file.unwrap_or_else(|| tls.key_file.clone()),
                ca_file: tls.ca_file,
                crt_file: tls.crt_file,
                key_file: tls.key_file,
            }
        });
        Link { address: self.address, tls }
    }
}

// === impl Link ===

impl Link {
    /// The stub of a component that meets Vector at `address`, where Vector finds certificates in `made` if the file names
    /// none.
    pub fn stub(&self, kind: Kind, address: &str, made: &Path) -> Stub {
        let (ca_file, crt_file, key_file) = match &self.tls {
            Some(tls) => (tls.ca_file.clone(), tls.vector_crt_file.clone(), tls.vector_key_file.clone()),
            None => (made.join("ca.pem"), made.join("vector.pem"), made.join("vector.key")),
        };
        Stub { address: for_vector(kind, address), ca_file, crt_file, key_file }
    }
}

/// What is wrong with the address of a listener, of which `port` is an example. Another one than loopback needs certificates of
/// the user's own, which `needed` says how to give.
pub(super) fn wrong_address(
    address: &str,
    port: u16,
    has_certificates: bool,
    needed: &str,
) -> Option<String> {
    match host(address) {
        None => {
            Some(format!("must be host:port, such as 127.0.0.1:{port}; an IPv6 address stands in brackets"))
        }
        Some(host) if !has_certificates && !is_loopback(host) => {
            Some(format!("a listener on another address than loopback needs {needed}"))
        }
        Some(_) => None,
    }
}

/// Which address each component meets Vector at: its own, or on 127.0.0.1 the next port from 6100 that no other has, in the
/// order given. `others` are addresses that something else has.
pub fn link_addresses<'a>(
    links: impl Iterator<Item = (&'a str, &'a Link)> + Clone,
    others: impl Iterator<Item = &'a str>,
) -> BTreeMap<String, String> {
    let explicit = links.clone().filter_map(|(_, link)| link.address.as_deref());
    let taken: BTreeSet<u16> = explicit.chain(others).filter_map(port).collect();
    let mut free = (FIRST_PORT..=u16::MAX).filter(|port| !taken.contains(port));
    links
        .filter_map(|(id, link)| {
            let address = match &link.address {
                Some(address) => address.clone(),
                None => format!("127.0.0.1:{}", free.next()?),
            };
            Some((id.to_owned(), address))
        })
        .collect()
}

/// Reports components that have the same address as another, each with its path and that of the option.
pub(super) fn check_addresses<'a>(
    addresses: impl Iterator<Item = (String, &'static str, &'a str)>,
    problems: &mut Vec<Problem>,
) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (path, option, address) in addresses {
        let address = address.to_lowercase().replace("localhost:", "127.0.0.1:");
        if let Some(first) = seen.get(&address) {
            let message = format!("{first} has the same address; each component needs its own");
            problems.push(Problem::new(format!("{path}.{option}"), message));
        } else {
            seen.insert(address, path);
        }
    }
}

/// What stands in Vector's file in the place of each of our components, by id, if both run beside each other on their own: at
/// the [`link_addresses`], with the certificates that the file names, or those that are kept in `data_dir`. Sinks for which the
/// file says nothing of it share the address of the first of them: there every such sink can be pushed to.
pub fn stubs(graph: &ComponentGraph) -> BTreeMap<String, Stub> {
    let linked = graph.components().filter(|(kind, one)| *kind == Kind::Source || one.has_inputs);
    let others = graph.sinks.iter().filter_map(|sink| Some(sink.listen.as_ref()?.address.as_str()));
    let addresses = link_addresses(linked.clone().map(|(_, one)| (one.id.as_str(), &one.link)), others);
    let made = graph.data_dir().join(LINK_DIR);
    let first = graph.sinks.iter().find(|sink| sink.has_inputs && sink.link == Link::default());
    let stub = |(kind, one): (Kind, &ComponentSpec)| {
        let shares = kind == Kind::Sink && one.link == Link::default();
        let at = first.filter(|_| shares).unwrap_or(one);
        Some((one.id.clone(), one.link.stub(kind, addresses.get(&at.id)?, &made)))
    };
    linked.filter_map(stub).collect()
}

/// The path of the URL at which a sink is pushed to: `/sinks/<id>`, percent-encoded.
pub fn sink_path(id: &str) -> String {
    let mut path = "/sinks/".to_owned();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            path.push(char::from(byte));
        } else {
            path.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    path
}

/// The upper-case digit of a number below 16.
fn hex(number: u8) -> char {
    char::from_digit(u32::from(number), 16).unwrap_or_default().to_ascii_uppercase()
}

/// The host of `host:port`, without the brackets of an IPv6 address; nothing if it is something else.
pub fn host(address: &str) -> Option<&str> {
    let (host, _) = address.rsplit_once(':')?;
    port(address).filter(|port| *port > 0)?;
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let right = match inside {
        Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        }
    };
    right.then_some(inside.unwrap_or(host))
}

fn port(address: &str) -> Option<u16> {
    address.rsplit_once(':')?.1.parse().ok()
}

pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The address as Vector can use it: it listens on addresses only, not on names.
fn for_vector(kind: Kind, address: &str) -> String {
    let (Some(host), Some(port)) = (host(address), port(address)) else { return address.to_owned() };
    match (kind, host.parse::<IpAddr>()) {
        (Kind::Sink, _) => connectable(address),
        (Kind::Source, Err(_)) if is_loopback(host) => format!("127.0.0.1:{port}"),
        (Kind::Source, Err(_)) => format!("0.0.0.0:{port}"),
        _ => address.to_owned(),
    }
}

/// Where to connect to reach who listens on `address`: nobody can connect to "any address", but on this machine to loopback.
pub fn connectable(address: &str) -> String {
    let (Some(host), Some(port)) = (host(address), port(address)) else { return address.to_owned() };
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) if ip.is_unspecified() => format!("127.0.0.1:{port}"),
        Ok(IpAddr::V6(ip)) if ip.is_unspecified() => format!("[::1]:{port}"),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validated(address: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let config = LinkConfig { address: Some(address.to_owned()), tls: None };
        config.validate("sinks.s.vector", &mut problems);
        problems.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn without_tls_only_loopback_will_do() {
        for right in ["127.0.0.1:6100", "127.9.9.9:1", "localhost:6100", "[::1]:65535"] {
            assert_eq!(validated(right), [""; 0], "{right}");
        }
        for open in ["0.0.0.0:6100", "[::]:6100", "10.0.0.1:6100", "vector.svc:6100"] {
            let expected = "a listener on another address than loopback needs mutual TLS: give vector.tls";
            assert_eq!(validated(open), [expected], "{open}");
        }
        for wrong in
            ["6100", "localhost", "localhost:0", "localhost:70000", "::1:6100", ":6100", "http://a:1"]
        {
            assert!(validated(wrong)[0].starts_with("must be host:port"), "{wrong}");
        }
    }

    #[test]
    fn who_names_no_address_gets_the_next_port_that_nobody_named() {
        let at = |address: &str| Link { address: Some(address.to_owned()), tls: None };
        let (none, taken) = (Link::default(), at("localhost:6101"));
        let points = link_addresses(
            [("a", &none), ("b", &taken), ("c", &none)].into_iter(),
            ["[::1]:6102"].into_iter(),
        );
        let expected = [("a", "127.0.0.1:6100"), ("b", "localhost:6101"), ("c", "127.0.0.1:6103")];
        assert_eq!(points, expected.map(|(id, address)| (id.to_owned(), address.to_owned())).into());
    }

    #[test]
    fn vector_gets_an_address_that_it_can_use() {
        for (kind, address, expected) in [
            (Kind::Sink, "0.0.0.0:6100", "127.0.0.1:6100"),
            (Kind::Sink, "[::]:6100", "[::1]:6100"),
            (Kind::Sink, "plugin.svc:6100", "plugin.svc:6100"),
            (Kind::Source, "0.0.0.0:6100", "0.0.0.0:6100"),
            (Kind::Source, "localhost:6100", "127.0.0.1:6100"),
            (Kind::Source, "vector.svc:6100", "0.0.0.0:6100"),
        ] {
            assert_eq!(for_vector(kind, address), expected, "{address}");
        }
    }
}
