//! The log lines that go through each pipeline: an access log of a web server, made from a seed.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use fastrand::Rng;
use serde_json::Value;

const METHODS: [&str; 6] = ["GET", "GET", "GET", "GET", "POST", "PUT"];
const RESOURCES: [&str; 8] =
    ["orders", "customers", "invoices", "carts", "sessions", "articles", "users", "reports"];
const STATUSES: [u16; 10] = [200, 200, 200, 200, 200, 201, 204, 304, 404, 500];
const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "python-requests/2.32.5",
];
/// Clients of which each line has one.
const CLIENTS: u32 = 20_000;

/// Makes lines, each with a number of its own.
pub(crate) struct Lines {
    rng: Rng,
    next: usize,
}

// === impl Lines ===

impl Lines {
    /// Lines that are numbered from `first` on.
    pub(crate) fn new(seed: u64, first: usize) -> Self {
        Self { rng: Rng::with_seed(seed), next: first }
    }

    /// Adds a line to `text`: when it was written, its number, and what an access log has; about 350 bytes.
    pub(crate) fn push(&mut self, text: &mut String, written: DateTime<Utc>) {
        let (rng, number) = (&mut self.rng, self.next);
        self.next += 1;
        let time = written.to_rfc3339_opts(SecondsFormat::Micros, true);
        let client = rng.u32(..CLIENTS);
        let (method, resource) = (METHODS[rng.usize(..6)], RESOURCES[rng.usize(..8)]);
        let (status, agent) = (STATUSES[rng.usize(..10)], AGENTS[rng.usize(..5)]);
        // Writing to a text cannot fail.
        writeln!(
            text,
            "{time} {number} web-{:02} client=10.{}.{}.{} request=\"{method} /api/v2/{resource}/{}?page={}&fields=id,state,total\" \
             status={status} bytes={} took_ms={}.{:03} trace={:016x} user=u{:05} tls=TLSv1.3 site=shop.example.com upstream=10.20.0.{}:8443 agent=\"{agent}\"",
            rng.u32(1..20),
            client >> 16,
            (client >> 8) & 255,
            client & 255,
            rng.u32(..1_000_000),
            rng.u32(1..40),
            rng.u32(200..60_000),
            rng.u32(1..900),
            rng.u32(..1_000),
            rng.u64(..),
            client % 7_000,
            rng.u32(1..9),
        )
        .ok();
    }

    /// Writes so many lines into a new file, all as if they were written at one time, and answers its size in bytes.
    pub(crate) fn write(&mut self, path: &Path, count: usize, written: DateTime<Utc>) -> io::Result<usize> {
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        let (mut line, mut bytes) = (String::new(), 0);
        for _ in 0..count {
            line.clear();
            self.push(&mut line, written);
            bytes += line.len();
            file.write_all(line.as_bytes())?;
        }
        file.flush()?;
        Ok(bytes)
    }
}

/// When a row's line was written, and its number.
pub(crate) fn origin(message: &Value) -> Option<(DateTime<Utc>, usize)> {
    let mut words = message.as_str()?.split(' ');
    let written = words.next()?.parse().ok()?;
    Some((written, words.next()?.parse().ok()?))
}
