//! The poller with a service that lists incidents in one go and the rest of each apart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::*;
use crate::component::Source;
use microsoft::ServiceError;
use microsoft::error::{Answer, Operation, Rejected, Rejection};
use microsoft::listing::IncidentPage;
use model::event::{Batch, Event};
use model::incident::Revision;
use model::watermark::Slice;
use runtime::clock::Clock;
use runtime::delivery::{BatchStatus, Deliver};
use runtime::store::Store;
use runtime::telemetry::ComponentLabels;

/// The verdicts with which the service still answers for an incident.
type Refusals = BTreeMap<String, Vec<ServiceError>>;

/// A service that fails on the rest of an incident as often as a test wants.
struct Fake {
    clock: Clock,
    incidents: Mutex<Vec<Value>>,
    refusals: Mutex<Refusals>,
}

// === impl Fake ===

impl Fake {
    fn new(incidents: usize) -> Arc<Self> {
        let clock = Clock::starting_at("2026-11-23T12:00:00Z".parse().unwrap());
        let fake = Self { clock, incidents: Mutex::default(), refusals: Mutex::default() };
        for n in 0..incidents {
            fake.put(&format!("i{n:03}"), TimeDelta::seconds(600 - i64::try_from(n).unwrap()));
        }
        Arc::new(fake)
    }

    fn put(&self, name: &str, age: TimeDelta) {
        let time = (self.clock.now() - age).to_rfc3339();
        let mut incidents = self.incidents.lock().unwrap();
        incidents.retain(|incident| incident["name"] != name);
        incidents.push(json!({"name": name, "properties": {"lastModifiedTimeUtc": time}}));
    }

    fn refuse(&self, name: &str, times: usize, refusal: &ServiceError) {
        self.refusals.lock().unwrap().insert(name.to_owned(), vec![refusal.clone(); times]);
    }

    fn page(&self, slice: Slice, skip: usize, top: usize) -> IncidentPage {
        let within = |incident: &&Value| {
            let time = Revision::of_sentinel(&incident.to_string()).last_update;
            time >= slice.from && slice.to.is_none_or(|to| time < to)
        };
        let incidents = self.incidents.lock().unwrap();
        let all: Vec<_> = incidents.iter().filter(within).collect();
        let next = (all.len() > skip + top).then(|| {
            let to = slice.to.map(|to| to.to_rfc3339()).unwrap_or_default();
            let query = [slice.from.to_rfc3339(), to, (skip + top).to_string(), top.to_string()].join("|");
            Url::parse_with_params("https://fake/", [("q", query)]).unwrap()
        });
        let page = all.iter().skip(skip).take(top).map(|incident| incident.to_string().into());
        IncidentPage { incidents: page.collect(), next, count: None, server_time: Some(self.clock.now()) }
    }
}

#[async_trait]
impl Listing for Fake {
    fn service(&self) -> &'static str {
        "The fake"
    }

    fn incidents(&self) -> &'static str {
        "fake incidents"
    }

    fn max_page_size(&self) -> u32 {
        1_000
    }

    fn heavy_part(&self) -> Option<&'static str> {
        None
    }

    async fn first_page(&self, slice: Slice, top: u32, _: Weight) -> Result<IncidentPage, ServiceError> {
        Ok(self.page(slice, 0, top as usize))
    }

    async fn next_page(&self, url: &Url) -> Result<IncidentPage, ServiceError> {
        let query = url.query_pairs().next().unwrap().1.into_owned();
        let parts: Vec<_> = query.split('|').collect();
        let slice = Slice { from: parts[0].parse().unwrap(), to: parts[1].parse().ok() };
        Ok(self.page(slice, parts[2].parse().unwrap(), parts[3].parse().unwrap()))
    }

    fn revision(&self, json: &str) -> Revision {
        Revision::of_sentinel(json)
    }

    async fn complete(&self, revision: &Revision, json: &Bytes) -> Result<Bytes, ServiceError> {
        let refusal = self.refusals.lock().unwrap().get_mut(&revision.id).and_then(Vec::pop);
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let mut incident: Value = serde_json::from_slice(json).unwrap();
        incident["rest"] = json!("of it");
        Ok(incident.to_string().into())
    }
}

/// Notes what it is given and when.
struct Notes {
    clock: Clock,
    events: Mutex<Vec<(Value, Duration)>>,
    changed: Notify,
    start: tokio::time::Instant,
}

#[async_trait]
impl Deliver for Notes {
    async fn deliver(&self, batch: Batch) -> BatchStatus {
        assert!(batch.len() <= 50, "more than 50 would come twice after a kill");
        let at = self.clock.monotonic() - self.start;
        let read = |event: &Event| (serde_json::from_slice(&event.to_json()).unwrap(), at);
        self.events.lock().unwrap().extend(batch.iter().map(read));
        self.changed.notify_one();
        BatchStatus::Delivered
    }
}

// === impl Notes ===

impl Notes {
    async fn until(&self, events: usize) {
        let arrived = async {
            while self.events.lock().unwrap().len() < events {
                self.changed.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_hours(24), arrived).await.expect("not everything arrived");
    }

    /// The incidents in the order of their arrival, each with whether it was complete, and the seconds it took.
    fn arrived(&self) -> Vec<(String, bool, u64)> {
        let events = self.events.lock().unwrap();
        let arrived = events.iter().map(|(event, at)| {
            (event["name"].as_str().unwrap().to_owned(), event["rest"].is_string(), at.as_secs())
        });
        arrived.collect()
    }
}

/// Runs the source until so many events have arrived, `then` is done and so many more have.
async fn run(fake: &Arc<Fake>, events: usize, then: impl FnOnce(), more: usize) -> Vec<(String, bool, u64)> {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let labels = ComponentLabels { kind: "source", component_type: "fake", id: "fake".to_owned() };
    let polling = PollingConfig { look_back_secs: 3_600, ..PollingConfig::default() };
    let polling = polling.validate(100, 100, "sources.fake", &mut Vec::new());
    let listing = Arc::clone(fake) as Arc<dyn Listing>;
    let poller = Poller::new(listing, store, labels, polling, fake.clock.clone());
    let source = Box::new(IncidentSource::new(poller, fastrand::Rng::with_seed(1)));
    let start = fake.clock.monotonic();
    let notes = Notes { clock: fake.clock.clone(), events: Mutex::default(), changed: Notify::new(), start };
    let notes = Arc::new(notes);
    let shutdown = CancellationToken::new();
    let out = Arc::clone(&notes) as Arc<dyn Deliver>;
    let running = tokio::spawn(source.run(out, shutdown.clone()));
    notes.until(events).await;
    then();
    notes.until(events + more).await;
    shutdown.cancel();
    running.await.unwrap();
    notes.arrived()
}

fn server_error() -> ServiceError {
    ServiceError::refused(Operation::SentinelList, Rejection::ServerFailed, "no")
}

fn throttled(wait: Duration) -> ServiceError {
    let answer = Answer { status: Some(429), retry_after: Some(wait), ..Answer::default() };
    let (operation, rejection) = (Operation::SentinelList, Rejection::Throttled);
    ServiceError::Rejected(Box::new(Rejected { operation, rejection, answer }))
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_cannot_be_completed_holds_nothing_up_and_comes_whole_when_it_changes() {
    let fake = Fake::new(230);
    fake.refuse("i005", 1_000, &server_error());
    let changes = || {
        fake.refusals.lock().unwrap().clear();
        fake.put("i005", TimeDelta::zero());
    };
    let arrived = run(&fake, 230, changes, 1).await;
    assert_eq!(arrived.len(), 231);
    let incomplete: Vec<_> = arrived.iter().filter(|(_, complete, _)| !complete).collect();
    assert_eq!(incomplete.len(), 1);
    let (name, _, after) = incomplete[0];
    assert_eq!(name, "i005");
    assert!((5..=60).contains(after), "given up after {after} s");
    // The page that it is on did not wait for it.
    assert_eq!(arrived.iter().filter(|(_, _, at)| *at == 0).count(), 99);
    assert_eq!(arrived[230].0, "i005");
}

#[tokio::test(start_paused = true)]
async fn what_the_service_asks_to_wait_for_is_waited_for_and_no_incident_is_cut_short() {
    let fake = Fake::new(80);
    fake.refuse("i060", 30, &throttled(Duration::from_mins(10)));
    let arrived = run(&fake, 80, || {}, 0).await;
    assert_eq!(arrived.len(), 80);
    assert!(arrived.iter().all(|(_, complete, _)| *complete));
    assert_eq!(arrived.iter().filter(|(_, _, at)| *at == 0).count(), 60, "what was complete did not wait");
    assert!(arrived[60..].iter().all(|(_, _, at)| *at >= 30 * 600), "{:?}", arrived[60]);
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_cuts_no_incident_short() {
    let fake = Fake::new(60);
    for n in 0..60 {
        fake.refuse(&format!("i{n:03}"), 4, &server_error());
    }
    let arrived = run(&fake, 60, || {}, 0).await;
    assert_eq!(arrived.len(), 60);
    assert!(arrived.iter().all(|(_, complete, _)| *complete), "{arrived:?}");
}
