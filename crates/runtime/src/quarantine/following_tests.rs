use std::collections::BTreeSet;
use std::path::Path;

use chrono::DateTime;

use super::*;
use crate::quarantine::dir::QuarantineDir;
use crate::quarantine::{Quarantine, Reason, Refused, Removal, UNREADABLE};
use model::event::{Batch, Event};

const ALL: Limit = Limit { entries: 1_000, bytes: u64::MAX };

async fn keep(quarantine: &Quarantine, numbers: std::ops::Range<u64>) {
    let batch: Batch = numbers.map(|n| Event::new(format!("{{\"n\":{n}}}").into(), None)).collect();
    let reason = Reason { code: "refused", message: "no".to_owned(), request_id: None };
    let refused: Vec<_> =
        (0..batch.len()).map(|event| Refused { event, reason: reason.clone(), stream: None }).collect();
    let kept = quarantine.keep_all(&batch, &refused, DateTime::UNIX_EPOCH).await;
    assert_eq!(kept.count, batch.len());
}

fn since(dir: &Path, from: Position, limit: Limit) -> Since {
    Contents::of(dir, "a").unwrap().unwrap().since(from, limit).unwrap()
}

fn number(entry: &Entry) -> u64 {
    serde_json::from_str::<serde_json::Value>(&entry.event_text()).unwrap()["n"].as_u64().unwrap()
}

fn numbers(since: &Since) -> Vec<u64> {
    since.entries.iter().map(number).collect()
}

fn remove(dir: &Path, which: impl Fn(&Entry) -> bool) {
    let removal = Removal::begin(dir, "a").unwrap();
    let entries = removal.contents().entries().map(Result::unwrap);
    let places: Vec<_> = entries.filter(which).map(|entry| entry.at).collect();
    removal.remove(&places).unwrap();
    removal.finish().unwrap();
}

#[tokio::test]
async fn what_is_new_is_read_once_and_across_files() {
    let dir = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::at(QuarantineDir::new(dir.path(), "a"), 1_000_000, 1_000).unwrap();
    keep(&quarantine, 0..30).await;
    let first = since(dir.path(), Position::default(), Limit { entries: 7, bytes: u64::MAX });
    assert_eq!((numbers(&first), first.more), ((0..7).collect(), true));
    let few_bytes = since(dir.path(), first.position, Limit { entries: 100, bytes: 1 });
    assert_eq!((numbers(&few_bytes), few_bytes.more), (vec![7], true));
    let rest = since(dir.path(), few_bytes.position, ALL);
    assert_eq!((numbers(&rest), rest.more), ((8..30).collect(), false));
    assert!(since(dir.path(), rest.position, ALL).entries.is_empty());
    keep(&quarantine, 30..33).await;
    assert_eq!(numbers(&since(dir.path(), rest.position, ALL)), [30, 31, 32]);
}

#[tokio::test]
async fn whatever_is_removed_meanwhile_nothing_is_missed_and_nothing_read_twice() {
    for seed in 0..24 {
        let dir = tempfile::tempdir().unwrap();
        let file_bytes = if seed % 2 == 0 { 700 } else { 1_000_000 };
        let quarantine = Quarantine::at(QuarantineDir::new(dir.path(), "a"), 1_000_000, file_bytes).unwrap();
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut kept, mut read, mut removed) = (0, Vec::new(), BTreeSet::new());
        let mut position = Position::default();
        keep(&quarantine, 0..1).await;
        kept += 1;
        for _ in 0..25 {
            match rng.u8(0..4) {
                0 => {
                    let more = rng.u64(1..12);
                    keep(&quarantine, kept..kept + more).await;
                    kept += more;
                }
                1 => {
                    let chosen: BTreeSet<_> = (0..kept).filter(|_| rng.u8(0..3) == 0).collect();
                    remove(dir.path(), |entry| chosen.contains(&number(entry)));
                    removed.extend(chosen);
                }
                _ => {
                    let found =
                        since(dir.path(), position, Limit { entries: rng.usize(1..9), bytes: u64::MAX });
                    read.extend(numbers(&found));
                    position = found.position;
                }
            }
        }
        read.extend(numbers(&since(dir.path(), position, ALL)));
        assert!(read.windows(2).all(|two| two[0] < two[1]), "seed {seed}: {read:?}");
        let missed: Vec<_> = (0..kept).filter(|n| !read.contains(n) && !removed.contains(n)).collect();
        assert_eq!(missed, [0; 0], "seed {seed}");
    }
}

#[tokio::test]
async fn half_a_line_is_left_until_it_has_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(dir.path(), "a", 1_000_000).unwrap();
    keep(&quarantine, 0..2).await;
    let file = dir.path().join("quarantine/a/000001.ndjson");
    let text = std::fs::read(&file).unwrap();
    std::fs::write(&file, &text[..text.len() - 10]).unwrap();
    let first = since(dir.path(), Position::default(), ALL);
    assert_eq!(numbers(&first), [0]);
    keep(&quarantine, 2..3).await;
    let rest = since(dir.path(), first.position, ALL);
    let codes: Vec<_> = rest.entries.iter().map(|entry| entry.code.as_str()).collect();
    assert_eq!(codes, [UNREADABLE, "refused"]);
    assert!(since(dir.path(), rest.position, ALL).entries.is_empty());
}

#[tokio::test]
async fn a_quarantine_that_was_taken_away_whole_is_read_from_its_new_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::at(QuarantineDir::new(dir.path(), "a"), 1_000_000, 500).unwrap();
    keep(&quarantine, 0..20).await;
    let all = since(dir.path(), Position::default(), ALL);
    std::fs::remove_dir_all(dir.path().join("quarantine/a")).unwrap();
    assert!(Contents::of(dir.path(), "a").unwrap().is_none());
    keep(&quarantine, 20..22).await;
    assert_eq!(numbers(&since(dir.path(), all.position, ALL)), [20, 21]);
}

#[tokio::test]
async fn what_comes_after_all_files_were_moved_away_is_read_however_much_it_is() {
    // With a look in between, and without.
    for looks in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::open(dir.path(), "a", 1_000_000).unwrap();
        keep(&quarantine, 0..20).await;
        let mut position = since(dir.path(), Position::default(), ALL).position;
        std::fs::remove_file(dir.path().join("quarantine/a/000001.ndjson")).unwrap();
        if looks {
            position = since(dir.path(), position, ALL).position;
        }
        // Lines of another length.
        keep(&quarantine, 1_000..1_040).await;
        let read = since(dir.path(), position, ALL);
        assert_eq!(numbers(&read), (1_000..1_040).collect::<Vec<_>>(), "{looks}");
    }
}
