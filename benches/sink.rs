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
use prost::Message;
use vector_sentinel::model::event::Event;
use vector_sentinel::sinks::sentinel_logs::{Encoder, Packer, Request};
use vector_sentinel::vector::protocol::{Decoded, decode, encode};

mod incidents;

const MAX_BYTES: usize = 1_000_000;

fn main() {
    divan::main();
}

/// When the small rows happened; Azure would replace the times of older ones.
fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn requests(batch: &[Event]) -> Vec<Request> {
    let encoder = Encoder::new("TimeGenerated".to_owned(), MAX_BYTES - 2, None);
    let events = (0..batch.len()).collect();
    Packer::new(&encoder, batch, events, MAX_BYTES, now()).filter_map(|packed| packed.request).collect()
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

fn batch(kind: &str) -> Vec<Event> {
    match kind {
        "incidents" => incidents::incidents(300).into_iter().map(|json| Event::new(json, None)).collect(),
        _ => small_rows(),
    }
}

fn json_bytes(requests: &[Request]) -> BytesCount {
    BytesCount::new(requests.iter().map(|request| request.json.len()).sum::<usize>())
}

#[divan::bench(args = ["incidents", "small rows"])]
fn encode_and_compress(bencher: Bencher<'_, '_>, kind: &str) {
    let batch = batch(kind);
    bencher
        .counter(json_bytes(&requests(&batch)))
        .bench(|| requests(&batch).iter().map(|request| request.body(true).0.len()).sum::<usize>());
}

#[divan::bench(args = ["incidents", "small rows"])]
fn encode_only(bencher: Bencher<'_, '_>, kind: &str) {
    let batch = batch(kind);
    bencher.counter(json_bytes(&requests(&batch))).bench(|| requests(&batch).len());
}

#[divan::bench(args = ["incidents", "small rows"])]
fn flate2_alone(bencher: Bencher<'_, '_>, kind: &str) {
    let requests = requests(&batch(kind));
    bencher.counter(json_bytes(&requests)).bench(|| {
        let compress = |request: &Request| {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            gzip.write_all(&request.json).unwrap();
            gzip.finish().unwrap().len()
        };
        requests.iter().map(compress).sum::<usize>()
    });
}

/// The events as Vector pushes them.
fn pushed(batch: &[Event]) -> Vec<Bytes> {
    let wire = |event: &Event| encode(event, "defender_incidents").wrapper.encode_to_vec().into();
    batch.iter().map(wire).collect()
}

/// The whole way: what Vector has pushed, decoded, written as rows and compressed.
#[divan::bench(args = ["incidents", "small rows"])]
fn decode_encode_and_compress(bencher: Bencher<'_, '_>, kind: &str) {
    let batch = batch(kind);
    let pushed = pushed(&batch);
    bencher.counter(json_bytes(&requests(&batch))).bench(|| {
        let decoded = decode(&pushed).into_iter().filter_map(|decoded| match decoded.unwrap() {
            Decoded::Log { event, .. } => Some(event),
            Decoded::NotALog => None,
        });
        let decoded: Vec<Event> = decoded.collect();
        requests(&decoded).iter().map(|request| request.body(true).0.len()).sum::<usize>()
    });
}

/// What anybody would do who has the events as JSON values.
#[divan::bench(args = ["incidents", "small rows"])]
fn serde_json_then_flate2(bencher: Bencher<'_, '_>, kind: &str) {
    let batch = batch(kind);
    let requests = requests(&batch);
    let values: Vec<Vec<serde_json::Value>> =
        requests.iter().map(|request| serde_json::from_slice(&request.json).unwrap()).collect();
    bencher.counter(json_bytes(&requests)).bench(|| {
        let compress = |rows: &Vec<serde_json::Value>| {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            gzip.write_all(&serde_json::to_vec(rows).unwrap()).unwrap();
            gzip.finish().unwrap().len()
        };
        values.iter().map(compress).sum::<usize>()
    });
}
