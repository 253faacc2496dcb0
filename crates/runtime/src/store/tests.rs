use chrono::DateTime;
use redb::ReadableDatabase;
use serde_json::{Value, json};

use super::*;
use model::incident::Revision;

fn revision(id: &str, second: i64) -> Revision {
    Revision { id: id.to_owned(), last_update: DateTime::from_timestamp(second, 0).unwrap() }
}

#[tokio::test]
async fn what_was_recorded_is_there_after_the_file_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.record("sources.a", vec![revision("1", 10)]).await.unwrap();
    store.advance("sources.a", &"somewhere", revision("", 0).last_update).await.unwrap();
    drop(store);

    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.cursor::<String>("sources.a").await.unwrap().as_deref(), Some("somewhere"));
    let asked = vec![revision("1", 10), revision("1", 11), revision("2", 10)];
    assert_eq!(store.seen("sources.a", asked.clone()).await.unwrap(), [true, false, false]);
    assert_eq!(store.seen("sources.b", asked).await.unwrap(), [false, false, false]);
}

#[tokio::test]
async fn advancing_forgets_what_cannot_be_listed_again_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for component in ["sources.a", "sources.b"] {
        store.record(component, vec![revision("1", 10), revision("2", 20)]).await.unwrap();
    }
    store.advance("sources.a", &1, revision("", 20).last_update).await.unwrap();
    let asked = vec![revision("1", 10), revision("2", 20)];
    assert_eq!(store.seen("sources.a", asked.clone()).await.unwrap(), [false, true]);
    assert_eq!(store.seen("sources.b", asked).await.unwrap(), [true, true]);
}

#[tokio::test]
async fn reset_forgets_one_component() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for component in ["sources.a", "sources.b"] {
        store.record(component, vec![revision("1", 10)]).await.unwrap();
        store.advance(component, &1, revision("", 0).last_update).await.unwrap();
    }
    assert!(store.reset("sources.a").await.unwrap());
    assert!(!store.reset("sources.a").await.unwrap());
    let left = StateEntry { component: "sources.b".to_owned(), cursor: 1.into(), seen: 1 };
    assert_eq!(store.entries().await.unwrap(), [left]);
    assert_eq!(store.seen("sources.a", vec![revision("1", 10)]).await.unwrap(), [false]);
}

#[test]
fn a_file_that_a_crash_left_half_made_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("vector-sentinel.redb.new"), "half").unwrap();
    drop(Store::open(dir.path()).unwrap());
    drop(Store::open(dir.path()).unwrap());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_second_process_is_told_who_is_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Store::open(dir.path()).unwrap();
    let error = Store::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("in use by another process"), "{error}");
}

#[tokio::test]
async fn a_file_that_was_removed_is_missed_and_one_that_was_put_back_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.record("sources.a", vec![revision("1", 10)]).await.unwrap();
    let (path, copy) = (dir.path().join(FILE_NAME), dir.path().join("copy"));
    std::fs::copy(&path, &copy).unwrap();
    std::fs::remove_file(&path).unwrap();
    for _ in 0..2 {
        let error = store.record("sources.a", vec![revision("2", 10)]).await.unwrap_err().to_string();
        assert!(error.contains("was removed"), "{error}");
    }
    std::fs::rename(&copy, &path).unwrap();
    store.record("sources.a", vec![revision("3", 10)]).await.unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    let asked = vec![revision("1", 10), revision("2", 10), revision("3", 10)];
    assert_eq!(store.seen("sources.a", asked).await.unwrap(), [true, false, true]);
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("below")).err().unwrap().to_string();
    assert!(error.contains("file/below") && error.contains("data_dir"), "{error}");
}

#[tokio::test]
async fn documents_are_found_again_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let put = |collection, key, n: u32| Put::new(collection, key, &n).unwrap();
    store
        .put_all(vec![put("a", "2", 2), put("a", "1", 1), put("b", "1", 9), put("a", "3", 3)])
        .await
        .unwrap();
    store.remove("a", "2").await.unwrap();
    store.put("a", "3", &33).await.unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    let all: Vec<(String, u32)> = store.documents("a", "", 10).await.unwrap();
    assert_eq!(all, [("1".to_owned(), 1), ("3".to_owned(), 33)]);
    let after: Vec<(String, u32)> = store.documents("a", "1", 1).await.unwrap();
    assert_eq!(after, [("3".to_owned(), 33)]);
    assert_eq!(store.document::<u32>("b", "1").await.unwrap(), Some(9));
    assert_eq!(store.document::<u32>("b", "2").await.unwrap(), None);
    let wrong = store.document::<String>("b", "1").await.unwrap_err();
    assert!(wrong.to_string().contains("b/1"), "{wrong}");
}

/// Writes a state file as versions up to November 2026 did, table by table.
fn write_layout_1(dir: &Path, has_documents: bool) {
    let database = redb::Database::create(dir.join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut meta = transaction.open_table(file::META).unwrap();
        meta.insert("version", 1).unwrap();
        let mut cursors = transaction.open_table(layout_1::CURSORS_TABLE).unwrap();
        cursors.insert("sources.a", r#"{"floor":"2026-11-01T00:00:00Z"}"#).unwrap();
        cursors.insert("sources.broken", "{").unwrap();
        let mut seen = transaction.open_table(layout_1::SEEN_TABLE).unwrap();
        for n in 0..2_500 {
            seen.insert(("sources.a", n * 1_000_000_000, n.to_string().as_str()), ()).unwrap();
        }
        seen.insert(("sources.b", i64::MIN, "first"), ()).unwrap();
        if has_documents {
            let mut documents = transaction.open_table(file::DOCUMENTS).unwrap();
            documents.insert(("sync/default/records", "tenant/29"), r#"{"sentinel":"x"}"#).unwrap();
            documents.insert(("told/events", "00000000000000000007-default"), r#"{"kind":"audit"}"#).unwrap();
        }
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_state_file_of_an_earlier_version_goes_on_where_it_was() {
    for has_documents in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        write_layout_1(dir.path(), has_documents);
        // The second time it is one of this version.
        for _ in 0..2 {
            let store = Store::open(dir.path()).unwrap();
            let cursor: Value = store.cursor("sources.a").await.unwrap().unwrap();
            assert_eq!(cursor, json!({"floor": "2026-11-01T00:00:00Z"}));
            let asked = |ns: &[i64]| ns.iter().map(|n| revision(&n.to_string(), *n)).collect::<Vec<_>>();
            let seen = store.seen("sources.a", asked(&[0, 999, 1_000, 2_499, 2_500])).await.unwrap();
            assert_eq!(seen, [true, true, true, true, false]);
            let first = Revision { id: "first".to_owned(), last_update: DateTime::<chrono::Utc>::MIN_UTC };
            assert_eq!(store.seen("sources.b", vec![first]).await.unwrap(), [true]);
            let broken = store.cursor::<Value>("sources.broken").await.unwrap_err().to_string();
            assert!(broken.contains("sources.broken") && broken.contains("state reset"), "{broken}");
            let seen: Vec<_> = store.entries().await.unwrap().into_iter().map(|entry| entry.seen).collect();
            assert_eq!(seen, [2_500, 0]);
            let record: Option<Value> = store.document("sync/default/records", "tenant/29").await.unwrap();
            assert_eq!(record, has_documents.then(|| json!({"sentinel": "x"})));
            assert_eq!(store.told("events", "", 10).await.unwrap().len(), usize::from(has_documents));
        }
        let store = Store::open(dir.path()).unwrap();
        store.advance("sources.a", &1, revision("", 1_500).last_update).await.unwrap();
        let asked = vec![revision("1499", 1_499), revision("1500", 1_500)];
        assert_eq!(store.seen("sources.a", asked.clone()).await.unwrap(), [false, true]);
        drop(store);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.seen("sources.a", asked).await.unwrap(), [false, true]);
        assert!(store.reset("sources.broken").await.unwrap());
    }
}

#[test]
fn a_state_file_of_a_later_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let write = |version: u64| {
        let database = redb::Database::create(dir.path().join(FILE_NAME)).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(file::META).unwrap().insert("version", version).unwrap();
        transaction.commit().unwrap();
    };
    write(3);
    let error = Store::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("layout 3") && error.contains("use the version that wrote it"), "{error}");
    let database = redb::Database::create(dir.path().join(FILE_NAME)).unwrap();
    let meta = database.begin_read().unwrap().open_table(file::META).unwrap();
    assert_eq!(meta.get("version").unwrap().unwrap().value(), 3);
}

#[tokio::test]
async fn wherever_a_crash_comes_what_was_delivered_is_recorded_and_the_cursor_never_goes_back() {
    for operation in 1..400 {
        let disk = disk::Disk::default();
        let open = || {
            let disk = disk.clone();
            FileBackend::mounted(move || disk.mount(), OffThread::Direct).map(Store::new)
        };
        drop(open().unwrap());
        disk.fuse(operation);
        let (mut recorded, mut reached) = (0, 0);
        if let Ok(store) = open() {
            for n in 1..20 {
                if store.record("sources.a", vec![revision("x", n), revision("y", n)]).await.is_err() {
                    break;
                }
                recorded = n;
                if n % 3 == 0 {
                    if store.advance("sources.a", &n, revision("", n - 1).last_update).await.is_err() {
                        break;
                    }
                    reached = n;
                }
            }
        }
        disk.crash(&mut fastrand::Rng::with_seed(operation));
        let store = open().unwrap();
        let cursor: i64 = store.cursor("sources.a").await.unwrap().unwrap_or_default();
        assert!(cursor == reached || cursor == reached + 3, "{operation}: {cursor}, was told of {reached}");
        let asked: Vec<_> = (0..=recorded).map(|n| revision("x", n)).collect();
        let seen = store.seen("sources.a", asked).await.unwrap();
        for (n, seen) in (0..).zip(seen).skip(1) {
            // What the cursor has moved past is forgotten, whether it was removed by then or not.
            assert_eq!(
                seen,
                cursor == 0 || n >= cursor - 1,
                "{operation}: {n}, {recorded} recorded, {cursor}"
            );
        }
        store.advance("sources.a", &100, revision("", 100).last_update).await.unwrap();
        assert_eq!(store.entries().await.unwrap()[0].seen, 0);
        if recorded == 19 {
            assert!(operation > 100, "{operation} operations");
            return;
        }
    }
    panic!("it never comes to its end");
}
