//! `defender_incidents`: taking pages apart and finding what is new in them, against `serde_json` alone on the same bytes.
//!
//! All report incidents per second, three alerts each with five pieces of evidence.

#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeSet;

use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use microsoft::listing;
use model::incident::Revision;
use runtime::store::Store;

mod incidents;

const INCIDENTS: usize = 1_000;

fn main() {
    divan::main();
}

fn revisions(page: &Bytes) -> Vec<Revision> {
    let page = listing::decode(page).unwrap();
    let revision = |json: &Bytes| Revision::of(std::str::from_utf8(json).unwrap());
    page.members.iter().map(revision).collect()
}

/// Pages apart, revisions read, each looked up in the state file that knows all of them, as a sweep over the overlap.
#[divan::bench]
fn decode_and_dedupe(bencher: Bencher<'_, '_>) {
    let pages = incidents::pages(INCIDENTS);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    for page in &pages {
        runtime.block_on(store.record("sources.bench", revisions(page))).unwrap();
    }
    bencher.counter(ItemsCount::new(INCIDENTS)).bench(|| {
        let mut known = 0;
        for page in &pages {
            let seen = runtime.block_on(store.seen("sources.bench", revisions(page))).unwrap();
            known += seen.iter().filter(|seen| **seen).count();
        }
        assert_eq!(known, INCIDENTS);
    });
}

/// The same with the set in memory instead of the state file.
#[divan::bench]
fn decode_and_dedupe_in_memory(bencher: Bencher<'_, '_>) {
    let pages = incidents::pages(INCIDENTS);
    let known: BTreeSet<Revision> = pages.iter().flat_map(revisions).collect();
    bencher.counter(ItemsCount::new(INCIDENTS)).bench(|| {
        let seen = pages.iter().flat_map(revisions).filter(|revision| known.contains(revision)).count();
        assert_eq!(seen, INCIDENTS);
    });
}

#[divan::bench]
fn serde_json_alone(bencher: Bencher<'_, '_>) {
    let pages = incidents::pages(INCIDENTS);
    bencher.counter(ItemsCount::new(INCIDENTS)).bench(|| {
        for page in &pages {
            black_box(serde_json::from_slice::<serde_json::Value>(page).unwrap());
        }
    });
}
