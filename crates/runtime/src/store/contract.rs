//! What every backend has to do: one suite, which each of them passes.

use std::collections::BTreeMap;

use super::disk::Disk;
use super::{Backend, Condition, FileBackend, Put, StoreError};
use crate::off_thread::OffThread;

fn record(kind: &str, key: &str, text: &str) -> Put {
    Put { kind: kind.to_owned(), key: key.to_owned(), text: text.to_owned() }
}

async fn put(backend: &dyn Backend, kind: &str, key: &str, text: &str) {
    assert!(backend.put(record(kind, key, text), Condition::Always).await.unwrap());
}

async fn keys(backend: &dyn Backend, kind: &str, prefix: &str, after: &str, most: usize) -> Vec<String> {
    let found = backend.list(kind, prefix, after, most).await.unwrap();
    found.into_iter().map(|(key, _)| key).collect()
}

/// The suite. `open` opens the same place each time, which is empty at first, and never twice at once.
async fn check_contract<B: Backend>(open: impl Fn() -> B) {
    let backend = open();
    assert_eq!(backend.get("a", "1").await.unwrap(), None);
    assert_eq!(keys(&backend, "a", "", "", 10).await, [""; 0]);

    // What is put is there, the newest of it, also for who opens it next; kinds have nothing to do with one another.
    put(&backend, "a", "1", "\"old\"").await;
    put(&backend, "a", "1", "\"new\"").await;
    put(&backend, "a/b", "1", "\"other\"").await;
    drop(backend);
    let backend = open();
    assert_eq!(backend.get("a", "1").await.unwrap().unwrap().text, "\"new\"");
    assert_eq!(backend.get("a/b", "1").await.unwrap().unwrap().text, "\"other\"");

    // On a condition, and then only if it holds.
    let version = backend.get("a", "1").await.unwrap().unwrap().version;
    assert!(!backend.put(record("a", "1", "0"), Condition::Absent).await.unwrap());
    assert!(backend.put(record("a", "2", "2"), Condition::Absent).await.unwrap());
    assert!(backend.put(record("a", "1", "1"), Condition::Is(version.clone())).await.unwrap());
    assert!(!backend.put(record("a", "1", "0"), Condition::Is(version.clone())).await.unwrap());
    assert!(!backend.put(record("a", "3", "0"), Condition::Is(version)).await.unwrap());
    assert_eq!(backend.list("a", "", "", 10).await.unwrap(), pairs(&[("1", "1"), ("2", "2")]));

    // Listed in the order of the keys' bytes, whatever is in them, in pages.
    let odd = ["", " ", "0/9", "10", "9", "A", "a/", "a/1", "a/10", "a/2", "a0", "ä", "€"];
    backend.put_all(odd.iter().rev().map(|key| record("odd", key, "0")).collect()).await.unwrap();
    put(&backend, "ode", "z", "0").await;
    put(&backend, "odd/", "", "0").await;
    // The empty key is not after itself: whoever pages from the beginning uses no such key.
    assert_eq!(keys(&backend, "odd", "", "", 99).await, odd[1..]);
    assert_eq!(keys(&backend, "odd", "", "10", 3).await, ["9", "A", "a/"]);
    assert_eq!(keys(&backend, "odd", "a/", "", 99).await, ["a/", "a/1", "a/10", "a/2"]);
    assert_eq!(keys(&backend, "odd", "a/", "a/1", 1).await, ["a/10"]);
    assert_eq!(keys(&backend, "odd", "a/", "a/2", 9).await, [""; 0]);
    assert_eq!(keys(&backend, "odd", "", "", 0).await, [""; 0]);

    // What is removed is gone, the rest is not, and what is not there can be removed too.
    backend.delete("odd", vec!["9".to_owned(), "none".to_owned(), "a/".to_owned()]).await.unwrap();
    backend.delete("none", Vec::new()).await.unwrap();
    drop(backend);
    let backend = open();
    assert_eq!(keys(&backend, "odd", "", "0/9", 4).await, ["10", "A", "a/1", "a/10"]);
    assert_eq!(keys(&backend, "odd/", "", "", 9).await, [""; 0]);
    assert!(backend.get("odd/", "").await.unwrap().is_some());

    // Large ones, and many of them.
    let large = format!("\"{}\"", "x".repeat(1_000_000));
    put(&backend, "large", "1", &large).await;
    backend.put_all((0..2_000).map(|n| record("many", &format!("{n:06}"), "0")).collect()).await.unwrap();
    drop(backend);
    let backend = open();
    assert_eq!(backend.get("large", "1").await.unwrap().unwrap().text, large);
    assert_eq!(keys(&backend, "many", "", "000998", 2_000).await.len(), 1_001);
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test]
async fn the_file_backend_keeps_the_contract_on_a_real_disk() {
    let dir = tempfile::tempdir().unwrap();
    check_contract(|| FileBackend::open(dir.path(), OffThread::Blocking).unwrap()).await;
}

#[tokio::test]
async fn the_file_backend_keeps_the_contract_on_a_disk_in_memory() {
    let disk = Disk::default();
    check_contract(|| mounted(&disk).unwrap()).await;
}

fn mounted(disk: &Disk) -> Result<FileBackend, StoreError> {
    let disk = disk.clone();
    FileBackend::mounted(move || disk.mount(), OffThread::Direct)
}

/// What the backend has answered: for each key what may be there.
#[derive(Default)]
struct Model(BTreeMap<String, Vec<Option<String>>>);

// === impl Model ===

impl Model {
    /// A write was answered: after an error, what it was to change is as it was, or as it was to be.
    fn note(&mut self, key: &str, text: Option<String>, is_ok: bool) {
        let may_be = self.0.entry(key.to_owned()).or_insert_with(|| vec![None]);
        if is_ok {
            may_be.clear();
        }
        may_be.push(text);
    }

    /// What there is must be what may be; then that is what there is.
    async fn check(&mut self, backend: &dyn Backend) -> Result<(), String> {
        for (key, may_be) in &mut self.0 {
            let found = backend.get("k", key).await.map_err(|error| error.to_string())?;
            let found = found.map(|found| found.text);
            if !may_be.contains(&found) {
                return Err(format!("{key} is {found:?}, and may be {may_be:?}"));
            }
            *may_be = vec![found];
        }
        Ok(())
    }
}

/// Writes at random until the power goes.
async fn write_until_crash(
    backend: &dyn Backend,
    rng: &mut fastrand::Rng,
    model: &mut Model,
    serial: &mut u32,
) {
    for _ in 0..60 {
        *serial += 1;
        let key = rng.u8(0..12).to_string();
        let text = format!("\"{serial} {}\"", "x".repeat(rng.usize(0..3_000)));
        let (is_ok, changed) = match rng.u8(0..4) {
            0 => {
                let is_ok = backend.delete("k", vec![key.clone()]).await.is_ok();
                (is_ok, vec![(key, None)])
            }
            1 => {
                let keys = ["100", "101", "102"];
                let is_ok = backend.put_all(keys.map(|key| record("k", key, &text)).into()).await.is_ok();
                (is_ok, keys.map(|key| (key.to_owned(), Some(text.clone()))).into())
            }
            _ => {
                let is_ok = backend.put(record("k", &key, &text), Condition::Always).await.is_ok();
                (is_ok, vec![(key, Some(text))])
            }
        };
        for (key, text) in changed {
            model.note(&key, text, is_ok);
        }
        if !is_ok {
            return;
        }
    }
}

/// Lives one after the other on one disk, each of which ends in a crash. Answers what was found to be wrong.
async fn crash_again_and_again(disk: &Disk, seed: u64, lives: u32) -> Result<u32, String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut model, mut serial, mut inside) = (Model::default(), 0, 0);
    // A file that is half made is none: see `Medium::make`.
    drop(mounted(disk).map_err(|error| error.to_string())?);
    for _ in 0..lives {
        disk.fuse(rng.u64(1..150));
        // It may even go while the file is opened.
        if let Ok(backend) = mounted(disk) {
            let before = disk.operations();
            write_until_crash(&backend, &mut rng, &mut model, &mut serial).await;
            inside += u32::from(disk.operations() > before);
        }
        disk.crash(&mut rng);
        let backend = mounted(disk).map_err(|error| error.to_string())?;
        model.check(&backend).await?;
    }
    Ok(inside)
}

#[tokio::test]
async fn after_any_crash_what_was_answered_is_there() {
    let mut inside = 0;
    for seed in 0..60 {
        let found = crash_again_and_again(&Disk::default(), seed, 10).await;
        inside += found.unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    }
    assert!(inside > 300, "{inside} crashes came after something was written");
}

#[tokio::test]
async fn a_disk_that_ignores_a_sync_is_found_out() {
    let mut bad = 0;
    for seed in 0..30 {
        let disk = Disk::that_ignores_a_sync_of(7);
        let lives = std::panic::AssertUnwindSafe(crash_again_and_again(&disk, seed, 10));
        bad += u32::from(!matches!(futures::FutureExt::catch_unwind(lives).await, Ok(Ok(_))));
    }
    assert!(bad > 3, "{bad} of 30");
}
