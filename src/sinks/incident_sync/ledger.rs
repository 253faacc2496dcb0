//! What is known of every incident, in the state file. Both directions of a process share it.
//!
//! Each record, offer and event is a document of its own, and a crash may come between any two of them. See [`Ledger::save`]
//! for their order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;

use super::queue::Queue;
use crate::component::SyncEventReaders;
use incident_model::field::Side;
use incident_model::record::Record;
use incident_model::snapshot::Snapshot;
use runtime::clock::Clock;
use runtime::store::{Put, Store, StoreError};

/// How many documents are read at a time.
const PAGE: usize = 500;

/// The key of a number that no event has yet that was told.
const LAST: &str = "last";
/// So many microseconds ahead numbers of events are set aside at a time.
const AHEAD: u64 = 10_000_000;

/// The ledger of one pair of a tenant and a workspace.
pub struct Ledger {
    store: Store,
    name: String,
    names: Names,
    clock: Clock,
    /// Which offers wait, by the side that they come from.
    pub(super) from_defender: Queue,
    pub(super) from_sentinel: Queue,
    /// Whoever changes offers holds it.
    offers: tokio::sync::Mutex<()>,
    /// Whoever works on an incident holds its lock: the two directions never work on one at the same time.
    incidents: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Defender's tenants that were offered.
    tenants: Mutex<BTreeSet<String>>,
    /// The sources that emit what there is to tell.
    readers: SyncEventReaders,
    /// The numbers of events.
    numbers: tokio::sync::Mutex<Numbers>,
}

/// Numbers of events: each is larger than every earlier one, also of an earlier run.
#[derive(Default)]
struct Numbers {
    last: u64,
    /// Up to here they are set aside: after a crash they go on behind it.
    set_aside: u64,
}

/// The names of the ledger's collections in the state file.
struct Names {
    records: String,
    links: String,
    from_defender: String,
    from_sentinel: String,
    halts: String,
    told: String,
}

/// The newest state of an incident that a sink was offered, and whether something is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offer {
    pub(super) snapshot: Snapshot,
    pub(super) pending: bool,
    /// Which of this incident's offers it is: a pass that is over must not touch a later one.
    pub(super) serial: u64,
    /// When it began to be pending.
    pub(super) since: DateTime<Utc>,
    /// How often it failed.
    pub(super) attempts: u32,
    /// Why it failed last.
    pub(super) problem: Option<String>,
}

// === impl Ledger ===

impl Ledger {
    /// The ledger `name` in the state file. What there is to tell is left for `readers`, sources that emit it.
    #[must_use]
    pub fn new(store: Store, name: &str, readers: SyncEventReaders, clock: Clock) -> Self {
        let collection = |what: &str| format!("sync/{name}/{what}");
        Self {
            store,
            name: name.to_owned(),
            names: Names {
                records: collection("records"),
                links: collection("links"),
                from_defender: collection("offers/defender"),
                from_sentinel: collection("offers/sentinel"),
                halts: collection("halts"),
                told: collection("told"),
            },
            from_defender: Queue::new(clock.clone()),
            from_sentinel: Queue::new(clock.clone()),
            offers: tokio::sync::Mutex::default(),
            incidents: Mutex::default(),
            tenants: Mutex::default(),
            readers,
            numbers: tokio::sync::Mutex::default(),
            clock,
        }
    }

    /// How many incidents of one side wait to be written to the other, or are being written.
    pub fn waiting(&self, from: Side) -> usize {
        self.queue(from).keys().len()
    }

    /// Makes ready for a new worker, while none works and nothing is taken: all that is queued is on disk, where [`Self::load`]
    /// finds it, and what the worker before had in its hands when it was ended must not stay there.
    pub(super) fn begin(&self, from: Side) {
        self.queue(from).clear();
    }

    /// Finds what was pending when the process, or the worker before this one, ended.
    pub(super) async fn load(&self, from: Side) -> Result<(), StoreError> {
        let told: u64 = self.store.document(&self.names.told, LAST).await?.unwrap_or_default();
        {
            let mut numbers = self.numbers.lock().await;
            numbers.last = told.max(numbers.last);
        }
        let mut after = String::new();
        loop {
            let page: Vec<(String, Offer)> = self.store.documents(self.offers_of(from), &after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after.clone_from(last);
            for (key, offer) in page {
                self.note_tenant(&offer.snapshot);
                if offer.pending {
                    self.queue(from).push(&key);
                }
            }
        }
    }

    /// Takes offers from one side: of each incident only the newest state counts. On disk when it returns.
    pub(super) async fn take(&self, from: Side, snapshots: Vec<Snapshot>) -> Result<(), StoreError> {
        let offers = self.offers.lock().await;
        let mut newest: BTreeMap<String, Offer> = BTreeMap::new();
        let mut taken = Vec::new();
        for snapshot in snapshots {
            self.note_tenant(&snapshot);
            let key = key_of(&snapshot);
            let known = match newest.get(&key) {
                Some(offer) => Some(offer.clone()),
                None => self.offer(from, &key).await?,
            };
            let is_news = known
                .as_ref()
                .is_none_or(|known| snapshot.version >= known.snapshot.version && snapshot != known.snapshot);
            if is_news {
                let serial = known.as_ref().map_or(0, |known| known.serial) + 1;
                // What fails goes on failing, whatever comes meanwhile.
                let (since, attempts, problem) = known.filter(|known| known.pending).map_or_else(
                    || (self.clock.now(), 0, None),
                    |known| (known.since, known.attempts, known.problem),
                );
                let offer = Offer { snapshot, pending: true, serial, since, attempts, problem };
                if newest.insert(key.clone(), offer).is_none() {
                    taken.push(key);
                }
            } else if known.is_some_and(|known| known.pending)
                && !newest.contains_key(&key)
                && !self.queue(from).has(&key)
            {
                // It was written, and the answer was an error.
                self.queue(from).push(&key);
            }
        }
        let collection = self.offers_of(from);
        // Each is a matter of its own: what a crash or an error leaves out is offered again.
        let puts = newest.iter().map(|(key, offer)| Put::new(collection, key, offer));
        self.store.put_all(puts.collect::<Result<_, _>>()?).await?;
        drop(offers);
        // In the order in which they came.
        for key in &taken {
            self.queue(from).push(key);
        }
        Ok(())
    }

    /// The newest offer of an incident.
    pub(super) async fn offer(&self, from: Side, key: &str) -> Result<Option<Offer>, StoreError> {
        self.store.document(self.offers_of(from), key).await
    }

    /// Notes what came of a pass over the offer `serial`; a later one stays as it is.
    pub(super) async fn note(
        &self,
        from: Side,
        key: &str,
        serial: u64,
        then: impl FnOnce(&mut Offer),
    ) -> Result<(), StoreError> {
        let _offers = self.offers.lock().await;
        if let Some(mut offer) = self.offer(from, key).await?
            && offer.serial == serial
        {
            let before = offer.clone();
            then(&mut offer);
            if offer != before {
                self.store.put(self.offers_of(from), key, &offer).await?;
            }
        }
        Ok(())
    }

    /// Has an offer looked at again: what it is merged with has changed. Answers whether there is one.
    pub(super) async fn wake(&self, from: Side, key: &str) -> Result<bool, StoreError> {
        let _offers = self.offers.lock().await;
        let Some(offer) = self.offer(from, key).await? else { return Ok(false) };
        let since = if offer.pending { offer.since } else { self.clock.now() };
        let offer = Offer { pending: true, serial: offer.serial + 1, since, ..offer };
        self.store.put(self.offers_of(from), key, &offer).await?;
        self.queue(from).push(key);
        Ok(true)
    }

    /// What is known of an incident, by Defender's tenant and id.
    pub(super) async fn record(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.store.document(&self.names.records, key).await
    }

    /// The record that an incident of Sentinel belongs to.
    pub(super) async fn record_of(&self, sentinel: &str) -> Result<Option<String>, StoreError> {
        self.store.document(&self.names.links, sentinel).await
    }

    /// Saves what is known of an incident, with events that tell of it. Wherever a crash comes, the pass that saves is not
    /// over, and is done again:
    ///
    /// 1. the events: without the record, which says what was told, they are told again, and never left out;
    /// 2. the record;
    /// 3. the way to it from Sentinel's name: until that is there, what Sentinel offers of the incident has no record, and is
    ///    looked at again when the record is saved that wakes it.
    pub(super) async fn save(
        &self,
        key: &str,
        record: &Record,
        events: Vec<Value>,
    ) -> Result<(), StoreError> {
        self.tell(events).await?;
        self.store.put(&self.names.records, key, record).await?;
        if self.record_of(&record.sentinel).await?.as_deref() != Some(key) {
            self.store.put(&self.names.links, &record.sentinel, &key).await?;
        }
        Ok(())
    }

    /// Leaves events for whoever emits them.
    pub(super) async fn tell(&self, events: Vec<Value>) -> Result<(), StoreError> {
        let readers = self.readers.ids();
        if events.is_empty() || readers.is_empty() {
            return Ok(());
        }
        let mut puts = Vec::new();
        for event in events {
            let key = self.next_event().await?;
            for reader in &readers {
                puts.push(Put::tell(reader, &key, &event)?);
            }
        }
        self.store.put_all(puts).await
    }

    /// Whether writing to a side is halted, and why.
    pub(super) async fn halt(&self, side: Side) -> Result<Option<String>, StoreError> {
        self.store.document(&self.names.halts, &side.to_string()).await
    }

    /// Halts writing to a side, or lets it go on. Answers whether that is news.
    pub(super) async fn set_halt(&self, side: Side, why: Option<&str>) -> Result<bool, StoreError> {
        let _offers = self.offers.lock().await;
        if self.halt(side).await?.is_some() == why.is_some() {
            return Ok(false);
        }
        match why {
            Some(why) => self.store.put(&self.names.halts, &side.to_string(), &why).await?,
            None => self.store.remove(&self.names.halts, &side.to_string()).await?,
        }
        Ok(true)
    }

    /// Waits until nobody else works on an incident.
    pub(super) async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut incidents = self.incidents.lock().unwrap_or_else(PoisonError::into_inner);
            incidents.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(incidents.entry(key.to_owned()).or_default())
        };
        lock.lock_owned().await
    }

    pub(super) const fn queue(&self, from: Side) -> &Queue {
        match from {
            Side::Defender => &self.from_defender,
            Side::Sentinel => &self.from_sentinel,
        }
    }

    /// The only tenant of Defender's that was offered, if there was one.
    pub(super) fn only_tenant(&self) -> Option<String> {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.first().filter(|_| tenants.len() == 1).cloned()
    }

    fn note_tenant(&self, snapshot: &Snapshot) {
        if let Some(profile) = snapshot.profile() {
            self.tenants.lock().unwrap_or_else(PoisonError::into_inner).insert(profile.tenant.clone());
        }
    }

    fn offers_of(&self, from: Side) -> &str {
        match from {
            Side::Defender => &self.names.from_defender,
            Side::Sentinel => &self.names.from_sentinel,
        }
    }

    /// A key after every earlier one: a clock that is set back must not put what comes before what was told.
    async fn next_event(&self) -> Result<String, StoreError> {
        let mut numbers = self.numbers.lock().await;
        let now = u64::try_from(self.clock.now().timestamp_micros()).unwrap_or_default();
        let next = now.max(numbers.last + 1);
        if next > numbers.set_aside {
            self.store.put(&self.names.told, LAST, &(next + AHEAD)).await?;
            numbers.set_aside = next + AHEAD;
        }
        numbers.last = next;
        Ok(format!("{next:020}-{}", self.name))
    }
}

/// The key of an incident's offer: Defender's ids are unique in a tenant only.
pub(super) fn key_of(snapshot: &Snapshot) -> String {
    snapshot
        .profile()
        .map_or_else(|| snapshot.id.clone(), |profile| record_key(&profile.tenant, &snapshot.id))
}

/// The key of a record.
pub(super) fn record_key(tenant: &str, id: &str) -> String {
    format!("{tenant}/{id}")
}
