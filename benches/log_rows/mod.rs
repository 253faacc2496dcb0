//! Small rows to measure with, as Vector has them: what a collector gets from many hosts, of four kinds in turn.
//!
//! They are as different from each other as those of real logs. Public samples, each line as the `message` of a row with a host, a
//! file and a time, are 6 to 16 times smaller at level 2 (the more, the fewer hosts and programs a file is of), and seven of them in
//! turn 6.9 times: access logs of Apache and `auth.log` from elastic/examples, HDFS, Linux, Mac, `OpenStack` and Windows from logpai/loghub.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use fastrand::Rng;
use model::event::Event;

const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "okhttp/4.12.0",
    "python-requests/2.32.5",
    "-",
];
const PATHS: [&str; 8] = [
    "/api/v2/orders",
    "/api/v2/customers",
    "/login",
    "/static/app.js",
    "/cart/items",
    "/search",
    "/healthz",
    "/img",
];
const SERVICES: [&str; 8] =
    ["checkout", "cart", "payment", "search", "recommendation", "frontend", "ad", "shipping"];
const USERS: [&str; 10] =
    ["root", "admin", "oracle", "mia", "jonas", "deploy", "backup", "ubuntu", "test", "git"];

/// So many rows, of which the first happened at `start` and the next each some milliseconds later.
pub(crate) fn varied(count: u32, start: DateTime<Utc>) -> Vec<Event> {
    let mut rng = Rng::with_seed(11);
    let mut time = start;
    let rows = (0..count).map(|n| {
        time += TimeDelta::microseconds(rng.i64(100..20_000));
        let time = time.to_rfc3339_opts(SecondsFormat::Micros, true);
        let row = match n % 4 {
            0 => access(&mut rng, &time),
            1 => container(&mut rng, &time),
            2 => login(&mut rng, &time),
            _ => flow(&mut rng, &time),
        };
        Event::new(Bytes::from(row), None)
    });
    rows.collect()
}

/// Rows that hardly differ, which compress and are written more easily than those of any log.
pub(crate) fn alike(count: u32) -> Vec<Event> {
    let row = |n: u32| {
        format!(
            r#"{{"timestamp":"2026-11-23T12:00:00Z","host":"web-{}","n":{n},"message":"GET /index.html HTTP/1.1 200 {}"}}"#,
            n % 17,
            n * 31
        )
    };
    (0..count).map(|n| Event::new(Bytes::from(row(n)), None)).collect()
}

/// An outer address, of which there are some thousands.
fn ip(rng: &mut Rng) -> String {
    let client = rng.u32(..4_000).wrapping_mul(0x9e37_79b9).to_be_bytes();
    format!("{}.{}.{}.{}", client[0], client[1], client[2], client[3])
}

/// An inner address, of which there are some hundreds.
fn host_ip(rng: &mut Rng) -> String {
    format!("10.{}.{}.{}", rng.u8(20..24), rng.u8(..8), rng.u8(1..40))
}

fn access(rng: &mut Rng, time: &str) -> String {
    format!(
        r#"{{"host":"web-{:02}","message":"{} - - [{time}] \"{} {}/{}?page={} HTTP/1.1\" {} {} \"-\" \"{}\" {:.3}","source_type":"file","timestamp":"{time}"}}"#,
        rng.u32(1..20),
        ip(rng),
        ["GET", "GET", "GET", "POST"][rng.usize(..4)],
        PATHS[rng.usize(..8)],
        rng.u32(..1_000_000),
        rng.u32(1..40),
        [200, 200, 200, 304, 404, 500][rng.usize(..6)],
        rng.u32(200..90_000),
        AGENTS[rng.usize(..6)],
        rng.f64() * 2.0,
    )
}

fn container(rng: &mut Rng, time: &str) -> String {
    let service = SERVICES[rng.usize(..8)];
    let message = match rng.u8(..3) {
        0 => {
            format!("order {} placed in {} ms, total {:.2}", rng.u32(..), rng.u32(1..900), rng.f64() * 500.0)
        }
        1 => format!("retrying {}:8443: deadline exceeded, attempt {}", host_ip(rng), rng.u8(1..6)),
        _ => format!(
            "request_id={:016x} user={} cache=miss keys={}",
            rng.u64(..),
            rng.u32(..100_000),
            rng.u8(..)
        ),
    };
    format!(
        r#"{{"container":"{service}","level":"{}","message":"{message}","namespace":"shop","pod":"{service}-{:08x}-{}","stream":"stdout","timestamp":"{time}"}}"#,
        ["info", "info", "warn", "error"][rng.usize(..4)],
        0x9e37_79b9_u32.wrapping_mul(u32::from(service.as_bytes()[1])),
        ["x7k2p", "q9zbd", "m4c8w"][rng.usize(..3)],
    )
}

fn login(rng: &mut Rng, time: &str) -> String {
    let (user, port) = (USERS[rng.usize(..10)], rng.u16(1_024..));
    let message = match rng.u8(..3) {
        0 => format!("Failed password for invalid user {user} from {} port {port} ssh2", ip(rng)),
        1 => format!(
            "Accepted publickey for {user} from {} port {port} ssh2: ED25519 SHA256:{:016x}",
            ip(rng),
            0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::from(user.as_bytes()[0]))
        ),
        _ => format!("Connection closed by {} port {port} [preauth]", ip(rng)),
    };
    format!(
        r#"{{"appname":"sshd","facility":"auth","hostname":"srv-{:03}","message":"{message}","procid":{},"severity":"info","timestamp":"{time}"}}"#,
        rng.u32(1..200),
        rng.u32(300..65_000),
    )
}

fn flow(rng: &mut Rng, time: &str) -> String {
    format!(
        r#"{{"action":"{}","bytes":{},"dst":"{}","dst_port":{},"packets":{},"proto":"{}","sensor":"fw-{}","src":"{}","src_port":{},"timestamp":"{time}"}}"#,
        ["ACCEPT", "ACCEPT", "REJECT"][rng.usize(..3)],
        rng.u32(40..2_000_000),
        ip(rng),
        [443, 443, 80, 53, 22, 3389][rng.usize(..6)],
        rng.u32(1..1_500),
        ["tcp", "tcp", "udp"][rng.usize(..3)],
        rng.u8(1..5),
        host_ip(rng),
        rng.u16(1_024..),
    )
}
