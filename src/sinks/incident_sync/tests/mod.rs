//! Both directions over one ledger, between two services in memory.

mod commands;
mod crashes;
mod cuts;
mod health;
mod limits;
mod others;
mod quiet;
mod safety;
mod services;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::assemble::{Ledgers, assemble};
use super::commands::{SyncAnswer, SyncCommand, recipient};
use super::ledger::Ledger;
use super::options::{IncidentSyncConfig, SyncOptions, WriteConfig};
use super::status::{self, Status};
use crate::component::Runtime;
use incident_model::field::{Field, Side};
use incident_model::snapshot::{Own, Profile, Snapshot};
use microsoft::connection::Connector;
use model::problem::Problem;
use runtime::clock::Clock;
use runtime::control::{Asked, Inbox, Mailbox, Progress};
use runtime::health::Health;
use runtime::quarantine::{Contents, Entry};
use runtime::store::Store;
use runtime::telemetry::ComponentLabels;
use services::{FakeTarget, Fault, Services, at};

const TENANT: &str = "b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c";
const ID: &str = "29";

/// How long something may take until it counts as never, in the clock's own time.
const NEVER: Duration = Duration::from_mins(10);

/// What keeps the two services in sync.
struct World {
    services: Arc<Services>,
    dir: tempfile::TempDir,
    store: Store,
    clock: Clock,
    options: Options,
    running: Option<Running>,
    /// What happens to one write of the state.
    cut: Option<Arc<cuts::Cut>>,
}

/// What a pipeline file says of it.
#[derive(Clone)]
struct Options {
    sync: Value,
    /// Which sides are written, and how.
    write: Vec<(Side, WriteConfig)>,
}

struct Running {
    ledger: Arc<Ledger>,
    workers: JoinSet<()>,
    health: Vec<(Side, Health)>,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self { sync: json!({}), write: Side::ALL.map(|side| (side, WriteConfig::default())).into() }
    }
}

impl Options {
    fn each(write: WriteConfig) -> Self {
        Self { write: Side::ALL.map(|side| (side, write)).into(), ..Self::default() }
    }
}

// === impl World ===

impl World {
    async fn start(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        Self::start_on(dir, store, None, options).await
    }

    async fn start_on(
        dir: tempfile::TempDir,
        store: Store,
        cut: Option<Arc<cuts::Cut>>,
        options: Options,
    ) -> Self {
        let (services, clock) = (Arc::default(), Clock::starting_at(at(0)));
        let mut world = Self { services, dir, store, clock, options, running: None, cut };
        world.restart().await;
        world
    }

    /// One incident in Defender, and its counterpart.
    async fn with_one(options: Options) -> Self {
        let mut world = Self::start(options).await;
        world.services.put(Side::Defender, incident(ID));
        world.settle().await;
        world
    }

    /// Ends what runs wherever it is, and starts it anew.
    async fn restart(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.workers.abort_all();
            while running.workers.join_next().await.is_some() {}
        }
        if let Some(cut) = &self.cut {
            cut.mend();
        }
        let (connector, rng) = (Connector::new(self.clock.clone()), fastrand::Rng::with_seed(7));
        let mut runtime = Runtime::new(connector, rng, self.store.clone(), self.dir.path().into());
        runtime.sync_event_readers.set(vec!["events".to_owned()]);
        let ledger = Ledgers::ledger(&mut runtime, "default");
        let (mut workers, mut health) = (JoinSet::new(), Vec::new());
        for (side, write) in &self.options.write {
            let mut problems: Vec<Problem> = Vec::new();
            let sync = serde_json::from_value(self.options.sync.clone()).unwrap();
            let config = IncidentSyncConfig { sync, write: *write, ..IncidentSyncConfig::default() };
            let options = SyncOptions::validate(config, "sinks.s", &mut problems);
            assert!(problems.is_empty(), "{problems:?}");
            let target = FakeTarget(Arc::clone(&self.services), *side);
            let labels = ComponentLabels { kind: "sink", component_type: "incidents", id: sink(*side) };
            let built = assemble(labels, options, |_| Arc::new(target), &mut runtime).unwrap();
            health.push((*side, built.health));
            workers.spawn(built.task.unwrap()(CancellationToken::new()));
        }
        self.running = Some(Running { ledger, workers, health });
        // They read what was waiting.
        self.clock.sleep(Duration::from_millis(500)).await;
    }

    fn health(&self, side: Side) -> &Health {
        let all = &self.running.as_ref().unwrap().health;
        &all.iter().find(|(of, _)| *of == side).unwrap().1
    }

    fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.running.as_ref().unwrap().ledger)
    }

    /// Both sources offer what their services have.
    async fn offer(&mut self) {
        for side in Side::ALL {
            if let Some(cut) = self.cut.clone() {
                // A source offers what was not taken again, after a restart too.
                while self.ledger().take(side, self.services.all(side)).await.is_err() {
                    if cut.is_off() {
                        self.restart().await;
                    }
                }
            } else {
                self.offer_from(side, self.services.all(side)).await;
            }
        }
    }

    async fn offer_from(&self, side: Side, incidents: Vec<Snapshot>) {
        self.ledger().take(side, incidents).await.unwrap();
    }

    /// Waits until nothing waits any more, or what waits is held. Starts anew what is killed meanwhile.
    async fn work(&mut self) {
        let began = self.clock.monotonic();
        loop {
            let ledger = self.ledger();
            let mut written = self.options.write.iter();
            let is_idle = written.all(|(side, _)| ledger.queue(side.other()).is_idle());
            if is_idle {
                return;
            }
            assert!(self.clock.monotonic() - began < NEVER, "it never ends: {:#?}", self.services.calls());
            drop(ledger);
            let services = Arc::clone(&self.services);
            tokio::select! {
                () = services.killed.notified() => self.restart().await,
                () = cuts::is_off(self.cut.clone()) => self.restart().await,
                () = self.clock.sleep(Duration::from_millis(100)) => {}
            }
        }
    }

    /// Has the sources offer, and the sinks write, until nothing changes any more.
    async fn settle(&mut self) {
        for _ in 0..20 {
            let before = Side::ALL.map(|side| self.services.all(side));
            self.offer().await;
            self.work().await;
            if before == Side::ALL.map(|side| self.services.all(side)) {
                return;
            }
        }
        panic!("it never settles: {:#?}", self.services.calls());
    }

    /// The fields of the only incident of a side, and its tags and comments.
    fn seen(&self, side: Side) -> (Vec<String>, Vec<String>) {
        let incident = self.services.only(side);
        let fields = incident.fields.iter().map(|(field, value)| format!("{field}={value}"));
        let tags = incident.tags.iter().flatten().map(|tag| format!("#{tag}"));
        (fields.chain(tags).collect(), texts(&incident))
    }

    fn value(&self, side: Side, field: Field) -> String {
        self.services.only(side).field(field).unwrap_or_default().to_owned()
    }

    /// What was said for the pipeline, by kind.
    async fn events(&self, kind: &str) -> Vec<Value> {
        let all: Vec<(String, Value)> = self.store.told("events", "", 10_000).await.unwrap();
        all.into_iter().map(|(_, event)| event).filter(|event| event["kind"] == kind).collect()
    }

    async fn notices(&self) -> Vec<String> {
        let events = self.events("notice").await;
        events.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    }

    /// What is in the quarantine of the sink that writes to a side, and why.
    fn quarantined(&self, side: Side) -> Vec<String> {
        let contents = Contents::of(self.dir.path(), &sink(side)).unwrap();
        let entries = contents.iter().flat_map(Contents::entries);
        let said = |entry: Entry| format!("{}: {} {}", entry.code, entry.message, entry.event_text());
        entries.map(|entry| said(entry.unwrap())).collect()
    }

    /// Asks whoever writes to a side for something.
    fn ask(&self, side: Side, command: SyncCommand) -> Asked<SyncCommand> {
        let mut mailbox = Mailbox::new(self.dir.path(), self.clock.clone(), fastrand::Rng::with_seed(7));
        mailbox.ask(recipient("default", side), command).unwrap()
    }

    fn status(&self, side: Side) -> Status {
        let all = status::read_all(self.dir.path()).unwrap();
        all.into_iter().find(|status| status.target == side).unwrap()
    }

    fn sentinel_id(&self) -> String {
        self.services.only(Side::Sentinel).id
    }
}

fn sink(side: Side) -> String {
    format!("to_{}", side.to_string().to_lowercase())
}

fn texts(incident: &Snapshot) -> Vec<String> {
    incident.comments.iter().flatten().map(|comment| comment.text.clone()).collect()
}

/// An incident in Defender that nobody has touched.
fn incident(id: &str) -> Snapshot {
    let fields = [
        (Field::Status, "active"),
        (Field::Severity, "high"),
        (Field::Owner, ""),
        (Field::Classification, "unknown/unknown"),
        (Field::ClosingComment, ""),
    ];
    Snapshot {
        id: id.to_owned(),
        version: at(0),
        fields: fields.map(|(field, value)| (field, value.to_owned())).into(),
        tags: Some([].into()),
        comments: Some(Vec::new()),
        own: Own::Defender(Profile {
            tenant: TENANT.to_owned(),
            title: "An incident".to_owned(),
            ..Profile::default()
        }),
    }
}
