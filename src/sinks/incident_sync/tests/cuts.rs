//! Wherever the state is cut off, between any two of its records, what comes of it is the same.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::crashes::{audited, play};
use super::*;
use runtime::store::{Backend, Condition, Found, Put, StoreError, Version};

/// What happens to one write of one record.
#[derive(Debug)]
pub(super) struct Cut {
    /// Which write.
    write: usize,
    /// Whether it is done though it is answered with an error.
    is_done: bool,
    /// Whether the process ends with it.
    kills: bool,
    writes: AtomicUsize,
    off: AtomicBool,
    changed: Notify,
}

/// The state in memory, of which each record is written by itself.
struct Cutting {
    records: Mutex<BTreeMap<(String, String), String>>,
    cut: Arc<Cut>,
}

/// Ends when the state is cut off.
pub(super) async fn is_off(cut: Option<Arc<Cut>>) {
    match cut {
        Some(cut) if !cut.is_off() => cut.changed.notified().await,
        Some(_) => {}
        None => std::future::pending().await,
    }
}

// === impl Cut ===

impl Cut {
    fn at(write: usize, is_done: bool, kills: bool) -> Arc<Self> {
        let (writes, off, changed) = Default::default();
        Arc::new(Self { write, is_done, kills, writes, off, changed })
    }

    pub(super) fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed)
    }

    pub(super) fn mend(&self) {
        self.off.store(false, Ordering::Relaxed);
    }

    fn write(&self, write: impl FnOnce()) -> Result<(), StoreError> {
        self.check()?;
        let is_it = self.writes.fetch_add(1, Ordering::Relaxed) == self.write;
        if !is_it || self.is_done {
            write();
        }
        if !is_it {
            return Ok(());
        }
        if self.kills {
            self.off.store(true, Ordering::Relaxed);
            self.changed.notify_one();
        }
        Err(StoreError::Interrupted)
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.is_off() { Err(StoreError::Interrupted) } else { Ok(()) }
    }
}

#[async_trait]
impl Backend for Cutting {
    async fn get(&self, kind: &str, key: &str) -> Result<Option<Found>, StoreError> {
        self.cut.check()?;
        let text = self.records.lock().unwrap().get(&(kind.to_owned(), key.to_owned())).cloned();
        Ok(text.map(|text| Found { version: Version(text.clone()), text }))
    }

    async fn put(&self, Put { kind, key, text }: Put, condition: Condition) -> Result<bool, StoreError> {
        assert_eq!(condition, Condition::Always);
        self.cut.write(|| drop(self.records.lock().unwrap().insert((kind, key), text)))?;
        Ok(true)
    }

    async fn put_all(&self, records: Vec<Put>) -> Result<(), StoreError> {
        for record in records {
            self.put(record, Condition::Always).await?;
        }
        Ok(())
    }

    async fn delete(&self, kind: &str, keys: Vec<String>) -> Result<(), StoreError> {
        for key in keys {
            self.cut.write(|| drop(self.records.lock().unwrap().remove(&(kind.to_owned(), key))))?;
        }
        Ok(())
    }

    async fn list(
        &self,
        kind: &str,
        prefix: &str,
        after: &str,
        most: usize,
    ) -> Result<Vec<(String, String)>, StoreError> {
        self.cut.check()?;
        let records = self.records.lock().unwrap();
        let of_kind = records.iter().filter(|((of, key), _)| of == kind && key.starts_with(prefix));
        let found = of_kind.filter(|((_, key), _)| key.as_str() > after).take(most);
        Ok(found.map(|((_, key), text)| (key.clone(), text.clone())).collect())
    }
}

async fn play_with(cut: Arc<Cut>) -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(Cutting { records: Mutex::default(), cut: Arc::clone(&cut) });
    play(World::start_on(dir, store, Some(cut), Options::default()).await).await.0
}

#[tokio::test(start_paused = true)]
async fn wherever_the_state_is_cut_off_between_two_records_both_sides_say_the_same_in_the_end() {
    let whole = Cut::at(usize::MAX, true, false);
    let undisturbed = play_with(Arc::clone(&whole)).await;
    let expected = Side::ALL.map(|side| undisturbed.seen(side));
    let told = audited(&undisturbed).await;
    let writes = whole.writes.load(Ordering::Relaxed);
    assert!(writes > 50, "{writes}");
    for write in 0..writes {
        for (is_done, kills) in [(write % 2 == 0, false), (false, true), (true, true)] {
            let world = play_with(Cut::at(write, is_done, kills)).await;
            let fault = format!("write {write}, done: {is_done}, kills: {kills}");
            for (side, expected) in Side::ALL.into_iter().zip(&expected) {
                assert_eq!(world.seen(side), *expected, "{side}, {fault}: {:#?}", world.services.calls());
                assert_eq!(world.quarantined(side), [] as [String; 0], "{fault}");
            }
            // Something may be told twice, and nothing is left out.
            let mut now_told = audited(&world).await;
            now_told.dedup();
            assert_eq!(now_told, told, "{fault}: {:#?}", world.services.calls());
        }
    }
}
