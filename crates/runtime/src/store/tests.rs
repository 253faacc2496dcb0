use super::*;

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
    let left = Entry { component: "sources.b".to_owned(), cursor: 1.into(), seen: 1 };
    assert_eq!(store.entries().await.unwrap(), [left]);
    assert_eq!(store.seen("sources.a", vec![revision("1", 10)]).await.unwrap(), [false]);
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
