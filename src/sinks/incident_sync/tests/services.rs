//! Both services, in memory, with faults before and after each call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use uuid::Uuid;

use super::super::target::{Current, Located, Target, Wrote};
use incident_model::comment::CommentPart;
use incident_model::field::{Field, Side};
use incident_model::mapping::translate;
use incident_model::merge::Merge;
use incident_model::owners::Owners;
use incident_model::snapshot::{Comment, Origin, Own, Snapshot};
use microsoft::ServiceError;
use microsoft::error::{Operation, Rejection};
use runtime::edge::EdgeError;

/// Who writes our comments.
const US: &str = "our application";
/// More calls than any test needs: something goes round in circles.
const TOO_MANY: usize = 1_000;

/// Both services.
#[derive(Default)]
pub(super) struct Services {
    inner: Mutex<Inner>,
    /// Somebody pulls the plug.
    pub(super) killed: Notify,
}

#[derive(Default)]
struct Inner {
    incidents: BTreeMap<(Side, String), Snapshot>,
    second: i64,
    /// How many comments people have written.
    said: i64,
    /// Every call, in order.
    calls: Vec<String>,
    fault: Option<Fault>,
    /// What else happens when a call has been heard.
    then: Option<(usize, Box<dyn FnOnce() + Send>)>,
    /// Calls that are refused for what they say.
    refused: Vec<(String, Rejection)>,
    located: Option<Located>,
    /// Somebody changes the incident in Sentinel between our reading and our writing, so often.
    stale: usize,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    /// Which call.
    pub(super) call: usize,
    /// Whether it is not heard, or heard and not answered.
    pub(super) is_heard: bool,
    /// Whether the process ends with it.
    pub(super) kills: bool,
}

/// One side of them.
pub(super) struct FakeTarget(pub(super) Arc<Services>, pub(super) Side);

pub(super) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

// === impl Services ===

impl Services {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(super) fn put(&self, side: Side, incident: Snapshot) {
        self.lock().incidents.insert((side, incident.id.clone()), incident);
    }

    pub(super) fn remove(&self, side: Side, id: &str) {
        self.lock().incidents.remove(&(side, id.to_owned()));
    }

    /// The incidents of a side, as its source offers them.
    pub(super) fn all(&self, side: Side) -> Vec<Snapshot> {
        let inner = self.lock();
        inner
            .incidents
            .iter()
            .filter(|((of, _), _)| *of == side)
            .map(|(_, incident)| incident.clone())
            .collect()
    }

    /// The only incident of a side.
    pub(super) fn only(&self, side: Side) -> Snapshot {
        let all = self.all(side);
        assert_eq!(all.len(), 1, "{all:#?}");
        all.into_iter().next().unwrap()
    }

    /// Somebody works on an incident.
    pub(super) fn edit(&self, side: Side, id: &str, edit: impl FnOnce(&mut Snapshot)) {
        self.lock().change(side, id, edit);
    }

    pub(super) fn set(&self, side: Side, id: &str, field: Field, value: &str) {
        self.edit(side, id, |incident| set(incident, side, field, value));
    }

    pub(super) fn say(&self, side: Side, id: &str, author: &str, text: &str) {
        self.lock().say(side, id, None, author, text);
    }

    pub(super) fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// The calls that write.
    pub(super) fn writes(&self) -> Vec<String> {
        let is_write = |call: &String| !call.starts_with("read") && !call.starts_with("locate");
        self.calls().into_iter().filter(is_write).collect()
    }

    pub(super) fn fail(&self, fault: Fault) {
        self.lock().fault = Some(fault);
    }

    /// Does something else when a call has been heard, before it is answered.
    pub(super) fn then(&self, call: usize, then: impl FnOnce() + Send + 'static) {
        self.lock().then = Some((call, Box::new(then)));
    }

    pub(super) fn accept_all(&self) {
        self.lock().refused.clear();
    }

    pub(super) fn forbid(&self, call: &str) {
        self.lock().refused.push((call.to_owned(), Rejection::Forbidden));
    }

    pub(super) fn refuse(&self, call: &str) {
        self.lock().refused.push((call.to_owned(), Rejection::BadRequest));
    }

    pub(super) fn locate_as(&self, located: Located) {
        self.lock().located = Some(located);
    }

    pub(super) fn be_stale(&self, times: usize) {
        self.lock().stale = times;
    }

    async fn call<T>(
        &self,
        what: String,
        run: impl FnOnce(&mut Inner) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let (fault, answer) = {
            let mut inner = self.lock();
            let nth = inner.calls.len();
            assert!(nth < TOO_MANY, "it goes round in circles: {:#?}", inner.calls);
            inner.calls.push(what.clone());
            let refused = inner.refused.iter().find(|(refused, _)| what.starts_with(refused));
            if let Some((_, rejection)) = refused {
                let words = "HTTP 4xx: the service refuses it";
                return Err(ServiceError::refused(Operation::SentinelIncident, *rejection, words));
            }
            let fault = inner.fault.filter(|fault| fault.call == nth);
            let is_heard = fault.is_none_or(|fault| fault.is_heard);
            let answer = is_heard.then(|| run(&mut inner));
            if let Some((_, then)) = inner.then.take_if(|(call, _)| *call == nth) {
                then();
            }
            (fault, answer)
        };
        match (fault, answer) {
            (Some(Fault { kills: true, .. }), _) => {
                self.killed.notify_one();
                std::future::pending().await
            }
            (None, Some(answer)) => answer,
            _ => Err(EdgeError::Lost("the connection is lost".to_owned()).into()),
        }
    }
}

// === impl Inner ===

impl Inner {
    fn change(&mut self, side: Side, id: &str, change: impl FnOnce(&mut Snapshot)) -> Snapshot {
        self.second += 1;
        let version = at(self.second);
        let incident = self.incidents.get_mut(&(side, id.to_owned())).unwrap();
        change(incident);
        incident.version = version;
        incident.clone()
    }

    fn say(&mut self, side: Side, id: &str, comment: Option<&str>, author: &str, text: &str) {
        let nth = self.said;
        self.said += i64::from(author != US);
        let created = Some(at(nth));
        let second = self.second;
        self.change(side, id, |incident| {
            let comments = incident.comments.get_or_insert_default();
            let own = format!("{side} {second}");
            let (id, author, text) = (comment.unwrap_or(&own).to_owned(), author.to_owned(), text.to_owned());
            match comments.iter_mut().find(|comment| comment.id == id) {
                Some(there) => there.text = text,
                None => comments.push(Comment { id, author, created, text }),
            }
            if let Own::Sentinel(origin) = &mut incident.own {
                origin.comments = comments.len() as u64;
            }
        });
    }
}

/// Sets a field as the service does: in Sentinel only a closed incident is classified.
fn set(incident: &mut Snapshot, side: Side, field: Field, value: &str) {
    incident.fields.insert(field, value.to_owned());
    if side == Side::Sentinel && incident.is_closed() {
        incident.fields.entry(Field::Classification).or_insert_with(|| "Undetermined".to_owned());
        incident.fields.entry(Field::ClosingComment).or_default();
    } else if side == Side::Sentinel {
        incident.fields.retain(|field, _| !field.is_of_closed());
    }
}

// === impl FakeTarget ===

impl FakeTarget {
    fn current(&self, incident: &Snapshot) -> Current {
        let mut snapshot = incident.clone();
        if self.1 == Side::Sentinel {
            // Which comments there are is a question of its own.
            snapshot.comments = None;
        }
        Current { snapshot, raw: Bytes::new() }
    }
}

#[async_trait]
impl Target for FakeTarget {
    fn side(&self) -> Side {
        self.1
    }

    async fn read(&self, id: &str) -> Result<Option<Current>, ServiceError> {
        let read = |inner: &mut Inner| {
            Ok(inner.incidents.get(&(self.1, id.to_owned())).map(|incident| self.current(incident)))
        };
        self.0.call(format!("read {}", self.1), read).await
    }

    async fn comments(&self, id: &str) -> Result<Vec<Comment>, ServiceError> {
        let comments = |inner: &mut Inner| {
            let incident = inner.incidents.get(&(self.1, id.to_owned()));
            Ok(incident.and_then(|incident| incident.comments.clone()).unwrap_or_default())
        };
        self.0.call(format!("read comments {}", self.1), comments).await
    }

    async fn locate(&self, key: &str, _: &Snapshot) -> Result<Located, ServiceError> {
        let located = |inner: &mut Inner| {
            let ours = || Located::Ours(Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()).to_string());
            Ok(inner.located.clone().unwrap_or_else(ours))
        };
        self.0.call(format!("locate {}", self.1), located).await
    }

    async fn create(&self, id: &str, offer: &Snapshot) -> Result<Current, ServiceError> {
        let create = |inner: &mut Inner| {
            let mut incident = Snapshot {
                id: id.to_owned(),
                version: offer.version,
                fields: [(Field::Owner, String::new())].into(),
                tags: Some(offer.tags.clone().unwrap_or_default()),
                comments: Some(Vec::new()),
                own: Own::Sentinel(Origin::default()),
            };
            for field in Field::ALL {
                let word = translate(field, Side::Defender, offer, &incident, None, &Owners::default());
                if let Some(word) = word.filter(|_| !field.is_of_closed()) {
                    incident.fields.insert(field, word);
                }
            }
            inner.incidents.insert((self.1, id.to_owned()), incident);
            Ok(self.current(&inner.change(self.1, id, |_| ())))
        };
        self.0.call(format!("create {} {}", self.1, owner_of(offer)), create).await
    }

    async fn write(&self, current: &Current, merge: &Merge) -> Result<Option<Current>, ServiceError> {
        let (side, id) = (self.1, current.snapshot.id.as_str());
        let write = |inner: &mut Inner| {
            if side == Side::Sentinel && inner.stale > 0 {
                inner.stale -= 1;
                inner.change(side, id, |_| ());
            }
            let Some(there) = inner.incidents.get(&(side, id.to_owned())) else {
                return Err(ServiceError::refused(
                    Operation::SentinelIncident,
                    Rejection::NoSuchIncident,
                    "there is no such incident",
                ));
            };
            if side == Side::Sentinel && there.version != current.snapshot.version {
                return Ok(None);
            }
            let after = inner.change(side, id, |incident| {
                for one in &merge.moves {
                    set(incident, side, one.field, &one.after);
                }
                incident.tags = merge.tags.clone().or_else(|| incident.tags.take());
            });
            Ok(Some(self.current(&after)))
        };
        let fields: Vec<_> = merge.moves.iter().map(|one| format!("{}={}", one.field, one.after)).collect();
        self.0.call(format!("write {side} {}", fields.join(" ")), write).await
    }

    async fn comment(&self, id: &str, part: &CommentPart) -> Result<Wrote, ServiceError> {
        let comment = |inner: &mut Inner| {
            let own = (self.1 == Side::Sentinel).then_some(part.id.as_str());
            inner.say(self.1, id, own, US, &part.text);
            Ok(match own {
                Some(id) => Wrote::As(id.to_owned()),
                None => Wrote::Among(
                    inner.incidents[&(self.1, id.to_owned())].comments.clone().unwrap_or_default(),
                ),
            })
        };
        self.0.call(format!("comment {} {}", self.1, part.text), comment).await
    }
}

fn owner_of(offer: &Snapshot) -> &str {
    offer.field(Field::Owner).unwrap_or_default()
}
