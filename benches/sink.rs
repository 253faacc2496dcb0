//! `sentinel_logs`: encoding rows and compressing them, against flate2 alone on the very bytes that are sent; and the whole way
//! from what Vector pushes, against `serde_json` and flate2.
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
use model::event::Event;
use prost::Message;
use vector_link::protocol::{Decoded, decode, encode};
use vector_sentinel::sinks::sentinel_logs::{Encoder, Packer, Request};

mod incidents;

const MAX_BYTES: usize = 1_000_000;
/// As many as Vector pushes at a time.
const PUSHED: usize = 1_000;

fn main() {
    divan::main();
}

/// When the small rows happened; Azure would replace the times of older ones.
fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// The requests that one push becomes.
fn requests(batch: &[Event], compress: bool) -> Vec<Request> {
    let encoder = Encoder::new("TimeGenerated".to_owned(), MAX_BYTES - 2, None);
    let events = (0..batch.len()).collect();
    let packer = Packer::new(&encoder, batch, events, MAX_BYTES, compress, now());
    packer.filter_map(|packed| packed.request).collect()
}

/// Bytes of a push' requests.
fn packed(batch: &[Event], compress: bool) -> usize {
    requests(batch, compress).iter().map(|request| request.body.len()).sum()
}

fn small_rows() -> Vec<Event> {
    let row = |n: u32| {
        format!(
            r#"{{"timestamp":"2026-11-23T12:00:00Z","host":"web-{}","n":{n},"message":"GET /index.html HTTP/1.1 200 {}"}}"#,
            n % 17,
            n * 31
        )
    };
    (0..20_000).map(|n| Event::new(Bytes::from(row(n)), None)).collect()
}

/// The events as Vector pushes them, which adds fields of its own.
fn pushes(kind: &str) -> Vec<Vec<Bytes>> {
    let events = match kind {
        "incidents" => incidents::incidents(300).into_iter().map(|json| Event::new(json, None)).collect(),
        _ => small_rows(),
    };
    let wire = |event: &Event| encode(event, "defender_incidents").wrapper.encode_to_vec().into();
    events.chunks(PUSHED).map(|push| push.iter().map(wire).collect()).collect()
}

fn decoded(push: &[Bytes]) -> Vec<Event> {
    let log = |decoded| match decoded {
        Decoded::Log { event, .. } => Some(event),
        Decoded::NotALog => None,
    };
    decode(push).into_iter().filter_map(|decoded| log(decoded.unwrap())).collect()
}

/// The same events as ours, so that everything here is measured on the same bytes.
fn batches(kind: &str) -> Vec<Vec<Event>> {
    pushes(kind).iter().map(|push| decoded(push)).collect()
}

/// The requests' bodies before compression.
fn bodies(kind: &str) -> Vec<Bytes> {
    let requests = batches(kind).into_iter().flat_map(|batch| requests(&batch, false));
    requests.map(|request| request.body).collect()
}

fn json_bytes(kind: &str) -> BytesCount {
    BytesCount::new(bodies(kind).iter().map(Bytes::len).sum::<usize>())
}

fn zipped(json: &[u8]) -> usize {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(json).unwrap();
    gzip.finish().unwrap().len()
}

#[divan::bench(args = ["incidents", "small rows"])]
fn encode_and_compress(bencher: Bencher<'_, '_>, kind: &str) {
    let batches = batches(kind);
    bencher
        .counter(json_bytes(kind))
        .bench(|| batches.iter().map(|batch| packed(batch, true)).sum::<usize>());
}

#[divan::bench(args = ["incidents", "small rows"])]
fn encode_only(bencher: Bencher<'_, '_>, kind: &str) {
    let batches = batches(kind);
    bencher
        .counter(json_bytes(kind))
        .bench(|| batches.iter().map(|batch| packed(batch, false)).sum::<usize>());
}

#[divan::bench(args = ["incidents", "small rows"])]
fn flate2_alone(bencher: Bencher<'_, '_>, kind: &str) {
    let bodies = bodies(kind);
    bencher.counter(json_bytes(kind)).bench(|| bodies.iter().map(|json| zipped(json)).sum::<usize>());
}

/// The whole way: what Vector has pushed, decoded, written as rows and compressed.
#[divan::bench(args = ["incidents", "small rows"])]
fn decode_encode_and_compress(bencher: Bencher<'_, '_>, kind: &str) {
    let pushes = pushes(kind);
    bencher
        .counter(json_bytes(kind))
        .bench(|| pushes.iter().map(|push| packed(&decoded(push), true)).sum::<usize>());
}

/// What anybody would do who has the events as JSON values.
#[divan::bench(args = ["incidents", "small rows"])]
fn serde_json_then_flate2(bencher: Bencher<'_, '_>, kind: &str) {
    let values: Vec<Vec<serde_json::Value>> =
        bodies(kind).iter().map(|json| serde_json::from_slice(json).unwrap()).collect();
    let zip = |rows: &Vec<serde_json::Value>| zipped(&serde_json::to_vec(rows).unwrap());
    bencher.counter(json_bytes(kind)).bench(|| values.iter().map(zip).sum::<usize>());
}
