use std::path::Path;
use std::time::Duration;

use chrono::DateTime;

use super::*;
use crate::files::{DataDir, FileSystem, MemoryDisk, Open};
use crate::off_thread::OffThread;

pub(super) fn spool(disk: &MemoryDisk) -> Spool {
    let dir = DataDir { path: "/d".into(), files: Arc::new(disk.clone()), off_thread: OffThread::Direct };
    // Segments of a few records, so that the next one is begun now and then.
    Spool::with_segments(&SpoolRoom::new(dir, 1_000_000, true), "spool", 100)
}

pub(super) fn record(number: u64, taken: bool) -> NewRecord {
    let time = DateTime::UNIX_EPOCH + Duration::from_secs(number);
    NewRecord { payload: format!("record {number}").into(), events: 2, time, taken }
}

pub(super) fn number(record: &SpooledRecord) -> u64 {
    let text = String::from_utf8(record.payload.clone()).unwrap();
    text.strip_prefix("record ").unwrap().parse().unwrap()
}

async fn append(spool: &Spool, numbers: std::ops::Range<u64>) -> Vec<RecordId> {
    let mut ids = Vec::new();
    for n in numbers {
        ids.push(spool.append(record(n, false)).await.unwrap());
    }
    ids
}

/// Takes and removes all records, and answers their numbers.
async fn drain(spool: &Spool) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(record) = spool.take().await.unwrap() {
        numbers.push(number(&record));
        spool.remove(record.id).await.unwrap();
    }
    numbers
}

fn files(disk: &MemoryDisk) -> Vec<String> {
    let listed = disk.list(Path::new("/d/spool")).unwrap();
    listed.iter().map(|one| one.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn records_come_back_in_order_across_segments_and_restarts_and_then_nothing_is_left() {
    let disk = MemoryDisk::default();
    append(&spool(&disk), 0..10).await;
    let second = spool(&disk);
    let first = second.take().await.unwrap().unwrap();
    second.release(first.id).await.unwrap();
    let backlog = second.backlog();
    assert_eq!((backlog.records, backlog.events, backlog.oldest), (10, 20, Some(DateTime::UNIX_EPOCH)));
    assert!(files(&disk).len() > 3, "there is more than one segment");
    for n in 0..4 {
        let record = second.take().await.unwrap().unwrap();
        assert_eq!((number(&record), record.events), (n, 2));
        second.remove(record.id).await.unwrap();
    }
    assert_eq!(second.backlog().oldest, Some(DateTime::UNIX_EPOCH + Duration::from_secs(4)));
    drop(second);
    let third = spool(&disk);
    append(&third, 10..12).await;
    assert_eq!(drain(&third).await, (4..12).collect::<Vec<_>>());
    assert_eq!((files(&disk), third.backlog()), (Vec::<String>::new(), Backlog::default()));
}

#[tokio::test]
async fn what_was_delivered_out_of_order_does_not_come_again_after_a_restart() {
    let disk = MemoryDisk::default();
    let first = spool(&disk);
    let ids = append(&first, 0..8).await;
    for n in [6, 2, 3, 0] {
        first.remove(ids[n]).await.unwrap();
    }
    drop(first);
    assert_eq!(drain(&spool(&disk)).await, [1, 4, 5, 7]);
}

#[tokio::test]
async fn a_record_that_somebody_has_is_read_only_when_it_is_released() {
    let disk = MemoryDisk::default();
    let spool = spool(&disk);
    let taken = spool.append(record(0, true)).await.unwrap();
    let other = spool.append(record(1, true)).await.unwrap();
    append(&spool, 2..3).await;
    assert_eq!(number(&spool.take().await.unwrap().unwrap()), 2);
    assert_eq!(spool.take().await.unwrap(), None);
    spool.release(taken).await.unwrap();
    spool.readable().await;
    let again = spool.take().await.unwrap().unwrap();
    assert_eq!((number(&again), again.id), (0, taken));
    spool.release(again.id).await.unwrap();
    spool.remove(other).await.unwrap();
    // The one that is left was taken, and never removed.
    assert_eq!(drain(&spool).await, [0]);
    assert_eq!(spool.backlog().records, 1);
}

#[tokio::test]
async fn a_full_disk_is_an_error_that_leaves_all_that_was_appended() {
    let disk = MemoryDisk::with_room(60);
    let spool = spool(&disk);
    append(&spool, 0..2).await;
    assert!(matches!(spool.append(record(2, false)).await, Err(SpoolError::Io { .. })));
    disk.set_room(None);
    append(&spool, 3..4).await;
    assert_eq!(drain(&spool).await, [0, 1, 3]);
}

#[tokio::test]
async fn what_the_disk_has_changed_is_said_once_kept_and_does_not_stop_the_rest() {
    let disk = MemoryDisk::default();
    append(&spool(&disk), 0..6).await;
    let name = files(&disk).into_iter().find(|name| name.starts_with('0')).unwrap();
    let path = Path::new("/d/spool").join(&name);
    let mut file = disk.open(&path, Open::Overwrite).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(segment::HEAD_BYTES as u64)).unwrap();
    std::io::Write::write_all(&mut file, b"RE").unwrap();
    drop(file);
    let spool = spool(&disk);
    let damaged = spool.take().await.unwrap_err();
    assert!(
        damaged.to_string().starts_with("2 events that waited in /d/spool/000000000000.spool from byte 0 on"),
        "{damaged}"
    );
    assert_eq!(drain(&spool).await, [1, 2, 3, 4, 5]);
    assert_eq!(files(&disk), ["000000000000.damaged"]);
}

#[tokio::test]
async fn a_spool_belongs_to_one_process() {
    let disk = MemoryDisk::default();
    let first = spool(&disk);
    append(&first, 0..1).await;
    let second = spool(&disk);
    assert!(matches!(second.take().await, Err(SpoolError::InUse { .. })));
    drop(first);
    assert_eq!(drain(&second).await, [0]);
}

#[tokio::test]
async fn those_who_append_together_wait_for_the_disk_together() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::new(&SpoolRoom::new(dir.path().into(), 1_000_000, true), "spool");
    let appended = futures::future::join_all((0..200).map(|n| spool.append(record(n, false)))).await;
    let mut ids: Vec<_> = appended.into_iter().map(Result::unwrap).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 200);
    let mut numbers = drain(&spool).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
}

/// Changes a byte of a file of the spool.
fn change(disk: &MemoryDisk, file: &str, offset: u64, byte: u8) {
    let mut file = disk.open(&Path::new("/d/spool").join(file), Open::Overwrite).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(offset)).unwrap();
    std::io::Write::write_all(&mut file, &[byte]).unwrap();
}

fn spool_of_one_segment(disk: &MemoryDisk) -> Spool {
    let dir = DataDir { path: "/d".into(), files: Arc::new(disk.clone()), off_thread: OffThread::Direct };
    Spool::with_segments(&SpoolRoom::new(dir, 1_000_000, true), "spool", 1_000_000)
}

#[tokio::test]
async fn a_changed_length_in_the_only_segment_leaves_the_file_to_people() {
    let disk = MemoryDisk::default();
    append(&spool_of_one_segment(&disk), 0..20).await;
    // The third byte of the length of the second record.
    change(&disk, "000000000000.spool", segment::HEAD_BYTES as u64 + 8 + 2, 1);
    let spool = spool(&disk);
    append(&spool, 20..22).await;
    assert_eq!(drain(&spool).await, [0, 20, 21]);
    assert_eq!(files(&disk), ["000000000000.damaged"]);
}

#[tokio::test]
async fn a_damaged_file_is_kept_across_a_restart() {
    let disk = MemoryDisk::default();
    append(&spool_of_one_segment(&disk), 0..6).await;
    change(&disk, "000000000000.spool", segment::HEAD_BYTES as u64, b'R');
    spool_of_one_segment(&disk).take().await.unwrap_err();
    assert_eq!(drain(&spool_of_one_segment(&disk)).await, [1, 2, 3, 4, 5]);
    assert_eq!(files(&disk), ["000000000000.damaged"]);
}

#[tokio::test]
async fn numbers_delivered_beyond_a_lost_file_swallow_nothing_new() {
    let disk = MemoryDisk::default();
    let first = spool(&disk);
    let ids = append(&first, 0..8).await;
    first.remove(ids[2]).await.unwrap();
    first.remove(ids[6]).await.unwrap();
    drop(first);
    for name in files(&disk).into_iter().filter(|name| name.starts_with('0')) {
        disk.remove(&Path::new("/d/spool").join(name)).unwrap();
    }
    let second = spool(&disk);
    append(&second, 100..108).await;
    assert_eq!(drain(&second).await, (100..108).collect::<Vec<_>>());
}

#[tokio::test]
async fn after_a_crash_of_an_emptied_spool_nothing_new_is_swallowed() {
    for seed in 0..200 {
        let (mut rng, disk) = (fastrand::Rng::with_seed(seed), MemoryDisk::default());
        let first = spool(&disk);
        let ids = append(&first, 0..6).await;
        first.remove(ids[4]).await.unwrap();
        // A new segment: now the position is synced with the directory.
        append(&first, 6..12).await;
        drain(&first).await;
        drop(first);
        disk.crash(&mut rng);
        let second = spool(&disk);
        append(&second, 100..108).await;
        let there = drain(&second).await;
        assert!((100..108).all(|n| there.contains(&n)), "seed {seed}: {there:?}");
    }
}

#[tokio::test]
async fn a_full_disk_gets_room_with_each_segment_that_is_delivered() {
    let disk = MemoryDisk::default();
    let spool = spool(&disk);
    append(&spool, 0..40).await;
    disk.set_room(Some(0));
    let before = files(&disk).len();
    for _ in 0..20 {
        let record = spool.take().await.unwrap().unwrap();
        // That it may come again after a restart is an error.
        spool.remove(record.id).await.ok();
    }
    assert!(files(&disk).len() <= before - 4, "{:?}", files(&disk));
}

#[tokio::test]
async fn what_is_over_the_share_is_refused_and_leaves_what_is_there() {
    let disk = MemoryDisk::default();
    let dir = DataDir { path: "/d".into(), files: Arc::new(disk.clone()), off_thread: OffThread::Direct };
    let spool = Spool::with_segments(&SpoolRoom::new(dir, 200, true), "spool", 1_000);
    append(&spool, 0..3).await;
    assert!(matches!(spool.append(record(3, false)).await, Err(SpoolError::Full { .. })));
    assert_eq!(drain(&spool).await, [0, 1, 2]);
    append(&spool, 4..5).await;
}
