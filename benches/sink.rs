//! `sentinel_logs`: encoding rows and compressing them, against flate2 alone on the very bytes that are sent; the whole way
//! from what Vector pushes, against `serde_json` and flate2; the levels of gzip, with the bytes that each comes to; and the rows
//! of layouts.
//!
//! All report JSON bytes per second of the requests' bodies before compression.

#![allow(missing_docs, clippy::unwrap_used)]

use std::io::Write;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use divan::Bencher;
use divan::counter::BytesCount;
use flate2::Compression;
use flate2::write::GzEncoder;
use model::event::{Batch, Event};
use vector_link::server::logs;
use vector_sentinel::sinks::sentinel_logs::layout::Layout;
use vector_sentinel::sinks::sentinel_logs::{Encoder, Packer, Request, Rows, TablePlan};

mod incidents;
mod log_rows;

const MAX_BYTES: usize = 1_000_000;
/// The default of `compression`.
const LEVEL: u32 = 2;
/// As many as Vector pushes at a time.
const PUSHED: usize = 1_000;

fn main() {
    for kind in KINDS {
        let bodies = bodies(kind);
        let plain = bodies.iter().map(Bytes::len).sum::<usize>();
        for level in LEVELS {
            let zipped = bodies.iter().map(|json| zipped(json, level)).sum::<usize>();
            println!("{kind}, gzip level {level}: {:.1} times smaller", plain as f64 / zipped as f64);
        }
    }
    divan::main();
}

const KINDS: [&str; 3] = ["incidents", "small rows", "alike rows"];
const LEVELS: [u32; 5] = [1, 2, 3, 6, 9];

/// When the small rows happened; Azure would replace the times of older ones.
fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn encoder(layout: Layout) -> Encoder {
    Encoder::new(layout, TablePlan::Analytics, "TimeGenerated", None, None, MAX_BYTES - 2)
}

/// The requests that one push becomes.
fn requests(batch: &Batch, gzip_level: Option<u32>) -> Vec<Request> {
    let (rows, _) = Rows::new(&encoder(Layout::Raw), Batch::clone(batch), now());
    let packer = Packer::new(&rows, (0..batch.len()).collect(), MAX_BYTES, gzip_level);
    packer.filter_map(|packed| packed.request).collect()
}

/// Bytes of a push' requests.
fn packed(batch: &Batch, gzip_level: Option<u32>) -> usize {
    requests(batch, gzip_level).iter().map(|request| request.body.len()).sum()
}

/// The events as Vector pushes them.
fn pushes(kind: &str) -> Vec<Bytes> {
    let events = match kind {
        "incidents" => incidents::incidents(300).into_iter().map(|json| Event::new(json, None)).collect(),
        "alike rows" => log_rows::alike(20_000),
        _ => log_rows::varied(20_000, now()),
    };
    let line = |event: &Event| [b"{\"log\":", event.to_json().as_ref(), b"}\n"].concat();
    events.chunks(PUSHED).map(|push| push.iter().flat_map(line).collect::<Vec<u8>>().into()).collect()
}

fn decoded(push: &Bytes) -> Batch {
    logs(push).into()
}

/// The same events as ours, so that everything here is measured on the same bytes.
fn batches(kind: &str) -> Vec<Batch> {
    pushes(kind).iter().map(decoded).collect()
}

/// The requests' bodies before compression.
fn bodies(kind: &str) -> Vec<Bytes> {
    let requests = batches(kind).into_iter().flat_map(|batch| requests(&batch, None));
    requests.map(|request| request.body).collect()
}

fn json_bytes(kind: &str) -> BytesCount {
    BytesCount::new(bodies(kind).iter().map(Bytes::len).sum::<usize>())
}

fn zipped(json: &[u8], level: u32) -> usize {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(level));
    gzip.write_all(json).unwrap();
    gzip.finish().unwrap().len()
}

#[divan::bench(args = KINDS)]
fn encode_and_compress(bencher: Bencher<'_, '_>, kind: &str) {
    let batches = batches(kind);
    bencher
        .counter(json_bytes(kind))
        .bench(|| batches.iter().map(|batch| packed(batch, Some(LEVEL))).sum::<usize>());
}

#[divan::bench(args = KINDS)]
fn encode_only(bencher: Bencher<'_, '_>, kind: &str) {
    let batches = batches(kind);
    bencher
        .counter(json_bytes(kind))
        .bench(|| batches.iter().map(|batch| packed(batch, None)).sum::<usize>());
}

#[divan::bench(args = KINDS)]
fn flate2_alone(bencher: Bencher<'_, '_>, kind: &str) {
    let bodies = bodies(kind);
    bencher.counter(json_bytes(kind)).bench(|| bodies.iter().map(|json| zipped(json, LEVEL)).sum::<usize>());
}

/// The levels of gzip, on small rows.
#[divan::bench(args = LEVELS)]
fn flate2_at_level(bencher: Bencher<'_, '_>, level: u32) {
    let bodies = bodies("small rows");
    bencher
        .counter(json_bytes("small rows"))
        .bench(|| bodies.iter().map(|json| zipped(json, level)).sum::<usize>());
}

/// The whole way: what Vector has pushed, decoded, written as rows and compressed.
#[divan::bench(args = KINDS)]
fn decode_encode_and_compress(bencher: Bencher<'_, '_>, kind: &str) {
    let pushes = pushes(kind);
    bencher
        .counter(json_bytes(kind))
        .bench(|| pushes.iter().map(|push| packed(&decoded(push), Some(LEVEL))).sum::<usize>());
}

/// What anybody would do who has the events as JSON values.
#[divan::bench(args = KINDS)]
fn serde_json_then_flate2(bencher: Bencher<'_, '_>, kind: &str) {
    let values: Vec<Vec<serde_json::Value>> =
        bodies(kind).iter().map(|json| serde_json::from_slice(json).unwrap()).collect();
    let zip = |rows: &Vec<serde_json::Value>| zipped(&serde_json::to_vec(rows).unwrap(), LEVEL);
    bencher.counter(json_bytes(kind)).bench(|| values.iter().map(zip).sum::<usize>());
}

/// Syslog as Vector's `syslog` source gives it.
fn syslog() -> Vec<Event> {
    let event = |n: u32| {
        format!(
            r#"{{"appname":"sshd","facility":"auth","host":"192.0.2.{0}","hostname":"fw{0}.example.com","message":"Accepted publickey for mia from 192.0.2.7 port {n}","msgid":"ID{n}","procid":{n},"severity":"notice","source_ip":"192.0.2.{0}","source_type":"syslog","timestamp":"2026-11-23T12:00:00.119Z","version":1}}"#,
            n % 17,
        )
    };
    (0..20_000).map(|n| Event::new(Bytes::from(event(n)), None)).collect()
}

fn layout_and_batches(kind: &str) -> (Layout, Vec<Batch>) {
    let of = |events: Vec<Event>| events.chunks(PUSHED).map(Batch::from).collect();
    let incidents = || of(incidents::incidents(300).into_iter().map(|json| Event::new(json, None)).collect());
    match kind {
        "defender" => (Layout::Defender, incidents()),
        "asim_alert" => (Layout::AsimAlert, incidents()),
        _ => (Layout::Syslog, of(syslog())),
    }
}

/// Bytes of the requests that a layout's rows become.
fn laid_out(layout: Layout, batch: &Batch) -> usize {
    let (rows, _) = Rows::new(&encoder(layout), Batch::clone(batch), now());
    let tables = layout.tables().iter().map(|table| Some(table.name));
    let chosen = tables.map(|table| (0..rows.count()).filter(|row| rows.table(*row) == table).collect());
    let packed = chosen.flat_map(|chosen| Packer::new(&rows, chosen, MAX_BYTES, None));
    packed.filter_map(|packed| packed.request).map(|request| request.body.len()).sum()
}

/// A layout's rows, written and packed.
#[divan::bench(args = ["defender", "asim_alert", "syslog"])]
fn layout_only(bencher: Bencher<'_, '_>, kind: &str) {
    let (layout, batches) = layout_and_batches(kind);
    let bytes = batches.iter().map(|batch| laid_out(layout, batch)).sum::<usize>();
    bencher
        .counter(BytesCount::new(bytes))
        .bench(|| batches.iter().map(|batch| laid_out(layout, batch)).sum::<usize>());
}
