//! What was answered as kept is there after a crash, wherever it comes.

use std::path::Path;
use std::sync::Arc;

use chrono::DateTime;

use super::dir::QuarantineDir;
use super::*;
use crate::files::MemoryDisk;
use crate::off_thread::OffThread;
use model::event::{Batch, Event};

const DATA_DIR: &str = "/data";

fn place(disk: &MemoryDisk) -> QuarantineDir {
    QuarantineDir::on(Arc::new(disk.clone()), Path::new(DATA_DIR), "a")
}

fn open(disk: &MemoryDisk) -> Result<Quarantine, QuarantineError> {
    // Files of a few lines, so that the next one is begun now and then.
    Quarantine::at(place(disk), 1_000_000, 700).map(|mut quarantine| {
        quarantine.off_thread = OffThread::Direct;
        quarantine
    })
}

/// Keeps events with these numbers, and answers how many of them are said to be kept.
async fn keep(quarantine: &Quarantine, numbers: std::ops::Range<u64>) -> Kept {
    let batch: Batch = numbers.map(|n| Event::new(format!("{{\"n\":{n}}}").into(), None)).collect();
    let reason = Reason { code: "refused", message: "no".to_owned(), request_id: None };
    let refused = |event| Refused { event, reason: reason.clone(), stream: None };
    let refused: Vec<_> = (0..batch.len()).map(refused).collect();
    quarantine.keep_all(&batch, &refused, DateTime::UNIX_EPOCH).await
}

fn number(entry: &Entry) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(&entry.event_text()).ok()?["n"].as_u64()
}

/// The numbers that can be read; half a line has none.
fn numbers(disk: &MemoryDisk) -> Vec<u64> {
    let contents = Contents::of_place(&place(disk)).unwrap();
    let entries = contents.iter().flat_map(Contents::entries).map(Result::unwrap);
    entries.filter_map(|entry| number(&entry)).collect()
}

/// What a process has been told.
#[derive(Default)]
struct Told {
    kept: Vec<u64>,
    /// Removed, or about to be: it may be there or not.
    removing: Vec<u64>,
    removed: Vec<u64>,
}

/// Keeps events, a few at a time, and removes some, until the power goes.
async fn live(disk: &MemoryDisk, told: &mut Told, first: u64) -> Result<(), ()> {
    let quarantine = open(disk).map_err(drop)?;
    for n in (first..first + 24).step_by(4) {
        let kept = keep(&quarantine, n..n + 4).await;
        told.kept.extend(n..n + kept.count as u64);
        if kept.failure.is_some() {
            return Err(());
        }
        if n % 8 == 4 {
            let removal = Removal::at(place(disk)).map_err(drop)?;
            let mut places = Vec::new();
            for entry in removal.contents().entries() {
                let entry = entry.map_err(drop)?;
                if let Some(number) = number(&entry).filter(|number| number % 3 == 0) {
                    places.push(entry.at);
                    told.removing.push(number);
                }
            }
            removal.remove(&places).map_err(drop)?;
            told.removed.append(&mut told.removing);
            removal.finish().map_err(drop)?;
        }
    }
    Ok(())
}

fn check(disk: &MemoryDisk, told: &Told, at: &str) {
    let there = numbers(disk);
    for n in &told.kept {
        let may_be_gone = told.removing.contains(n) || told.removed.contains(n);
        assert!(may_be_gone || there.contains(n), "{at}: {n} is lost: {there:?}");
    }
    for n in &told.removed {
        assert!(!there.contains(n), "{at}: {n} was removed, and is there: {there:?}");
    }
    let mut once = there.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), there.len(), "{at}: something is there twice: {there:?}");
}

#[tokio::test]
async fn whichever_operation_the_power_goes_at_what_was_kept_is_there() {
    let mut operation = 0;
    loop {
        operation += 1;
        let mut is_whole = false;
        for seed in 0..12 {
            let (disk, mut told, mut rng) =
                (MemoryDisk::default(), Told::default(), fastrand::Rng::with_seed(seed));
            disk.fuse(operation);
            is_whole = live(&disk, &mut told, 0).await.is_ok();
            disk.crash(&mut rng);
            let at = format!("operation {operation}, seed {seed}");
            check(&disk, &told, &at);
            // And it goes on from there.
            live(&disk, &mut told, 100).await.unwrap();
            disk.crash(&mut rng);
            check(&disk, &told, &at);
        }
        if is_whole {
            break;
        }
    }
    assert!(operation > 60, "{operation} operations");
}

#[tokio::test]
async fn a_full_disk_costs_nothing_that_was_kept_and_room_is_all_it_takes_to_go_on() {
    for room in 0..1_200 {
        let disk = MemoryDisk::with_room(room);
        let quarantine = open(&disk).unwrap();
        let kept = keep(&quarantine, 0..8).await;
        assert_eq!(kept.failure.is_none(), kept.count == 8, "{room}");
        assert!(numbers(&disk).starts_with(&(0..kept.count as u64).collect::<Vec<_>>()), "{room}");
        disk.set_room(None);
        assert_eq!(keep(&quarantine, 100..104).await.count, 4, "{room}");
        let there = numbers(&disk);
        assert!(there.ends_with(&[100, 101, 102, 103]), "{room}: {there:?}");
    }
}
