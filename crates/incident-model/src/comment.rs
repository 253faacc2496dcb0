//! Which comments must be copied, and what the copies say.
//!
//! A copy is known by its id: in Sentinel whoever writes a comment chooses its GUID, and ours follow from the original; in
//! Defender the record keeps which comment the service made of ours. Neither API lets us say who wrote the original, and
//! when: so that is a copy's first line.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::field::Side;
use super::record::{CommentLink, PartLink, Record};
use super::snapshot::Comment;

/// Longest comment, in characters.
/// Source: <https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits>
pub const MAX_COMMENT_CHARS: usize = 30_000;
/// Most comments of an incident in Sentinel.
/// Source: <https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits>
pub const MAX_COMMENTS: u64 = 100;

/// A comment that must be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The original's id.
    pub id: String,
    /// The original's text's hash.
    pub hash: String,
    /// What to write: more than one comment if it is long. In Sentinel each has the id that it is to get; in Defender that
    /// is known afterwards.
    pub parts: Vec<CommentPart>,
}

/// One comment to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentPart {
    /// The GUID that it gets in Sentinel.
    pub id: String,
    /// What it says.
    pub text: String,
}

/// What happened to comments that are copied already, which is said and not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Later {
    /// The text of the comment with this id is another one now.
    Edited(String),
    /// The comment with this id is gone.
    Removed(String),
}

/// The comments of `origin` whose copies are not all written yet, oldest first. `incident` names the incident for ever:
/// copies' ids follow from it. `others` are the other side's comments, as far as they are known.
pub fn missing(
    record: &Record,
    origin: Side,
    comments: &[Comment],
    others: &[Comment],
    incident: &str,
) -> Vec<Copy> {
    let known: BTreeSet<&str> = settled(record, origin).collect();
    let ours = ours(record, origin, others, incident);
    let is_new = |comment: &&Comment| {
        !known.contains(comment.id.as_str())
            && !ours.contains(&comment.id)
            && !ours.contains(&hash(&comment.text))
    };
    comments.iter().filter(is_new).map(|comment| copy(comment, origin, incident)).collect()
}

/// What copies on a side are known by, even if nobody has told us of them: the ids that they have in Sentinel, and the
/// hashes of what they say, as Defender gives them ids of its own.
fn ours(record: &Record, side: Side, others: &[Comment], incident: &str) -> BTreeSet<String> {
    let planned = record.comments.iter().filter(|link| link.origin != side).flat_map(|link| {
        let ids = (0..link.parts.len().max(1)).map(|part| copy_id(incident, &link.id, part));
        ids.chain(link.parts.iter().map(|part| part.hash.clone()))
    });
    // If the ledger was lost.
    let copies = others.iter().flat_map(|other| copy(other, side.other(), incident).parts);
    planned.chain(copies.flat_map(|part| [hash(&part.text), part.id])).collect()
}

/// The ids of all comments of a side that nothing is to be done about: originals whose copies are written or not wanted,
/// and copies.
fn settled(record: &Record, side: Side) -> impl Iterator<Item = &str> {
    record.comments.iter().flat_map(move |link| {
        let is_done = link.parts.iter().all(|part| part.id.is_some());
        let original = (link.origin == side && is_done).then_some(link.id.as_str());
        let copies = link.parts.iter().filter(move |_| link.origin != side);
        original.into_iter().chain(copies.filter_map(|part| part.id.as_deref()))
    })
}

/// The copy of a comment.
fn copy(comment: &Comment, origin: Side, incident: &str) -> Copy {
    let when =
        comment.created.map(|time| time.format(", %Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
    let who = if comment.author.is_empty() { "Somebody" } else { &comment.author };
    let text = format!("{who}{when}, in {origin}:\n{}", comment.text);
    let parts = parts(&text).into_iter().enumerate();
    let part = |(nth, text)| CommentPart { id: copy_id(incident, &comment.id, nth), text };
    Copy { id: comment.id.clone(), hash: hash(&comment.text), parts: parts.map(part).collect() }
}

/// The GUID of a copy in Sentinel, or of a part of it.
fn copy_id(incident: &str, comment: &str, part: usize) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{incident}\u{1f}{comment}\u{1f}{part}").as_bytes())
        .to_string()
}

/// A text in as many parts as it needs.
fn parts(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(MAX_COMMENT_CHARS).map(|part| part.iter().collect()).collect()
}

/// What is said in Sentinel of an incident that was merged into another one.
pub fn merged_into(incident: &str, when: DateTime<Utc>) -> Comment {
    Comment {
        id: format!("merged into {incident}"),
        author: "Microsoft Defender XDR".to_owned(),
        created: Some(when),
        text: format!("This incident was merged into incident {incident}."),
    }
}

/// Names a text. Services trim texts, and end lines in their own ways: that makes no other text.
pub fn hash(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    Uuid::new_v5(&Uuid::NAMESPACE_OID, words.join(" ").as_bytes()).to_string()
}

/// What happened since to comments of `origin` that were copied. Each is answered once: the record notes it.
pub fn note_later(record: &mut Record, origin: Side, comments: &[Comment]) -> Vec<Later> {
    let by_id: BTreeMap<&str, &Comment> =
        comments.iter().map(|comment| (comment.id.as_str(), comment)).collect();
    let mut later = Vec::new();
    for link in record.comments.iter_mut().filter(|link| link.origin == origin && !link.parts.is_empty()) {
        match by_id.get(link.id.as_str()) {
            Some(comment) if hash(&comment.text) != link.hash => {
                link.hash = hash(&comment.text);
                later.push(Later::Edited(link.id.clone()));
            }
            None if !link.removed => {
                link.removed = true;
                later.push(Later::Removed(link.id.clone()));
            }
            _ => {}
        }
    }
    later
}

// === impl Record ===

impl Record {
    /// Notes that a comment is about to be copied: from here on copies may exist that nobody has told us of.
    pub fn plan_copy(&mut self, origin: Side, copy: &Copy) {
        if !self.is_planned(origin, copy) {
            let parts = copy.parts.iter().map(|part| PartLink { hash: hash(&part.text), id: None });
            self.comments.push(copy.link(origin, parts.collect()));
        }
    }

    /// Whether a comment was about to be copied before: its copy may be there.
    pub fn is_planned(&self, origin: Side, copy: &Copy) -> bool {
        self.comments.iter().any(|link| link.origin == origin && link.id == copy.id)
    }

    /// Notes that a comment is not to be copied, or no further.
    pub fn refuse_copy(&mut self, origin: Side, copy: &Copy) {
        self.plan_copy(origin, copy);
        let refused = |link: &&mut CommentLink| link.origin == origin && link.id == copy.id;
        for link in self.comments.iter_mut().filter(refused) {
            link.parts.retain(|part| part.id.is_some());
        }
    }

    /// Notes that a part of a copy is written.
    pub fn note_copied(&mut self, origin: Side, copy: &str, part: usize, id: String) {
        let link = self.comments.iter_mut().find(|link| link.origin == origin && link.id == copy);
        if let Some(part) = link.and_then(|link| link.parts.get_mut(part)) {
            part.id = Some(id);
        }
    }

    /// Which parts of a copy are not known to be written.
    pub fn unwritten(&self, origin: Side, copy: &str) -> Vec<usize> {
        let link = self.comments.iter().find(|link| link.origin == origin && link.id == copy);
        let parts = link.map(|link| link.parts.as_slice()).unwrap_or_default();
        parts.iter().enumerate().filter(|(_, part)| part.id.is_none()).map(|(nth, _)| nth).collect()
    }

    /// Finds, among a side's comments, copies that were planned and may have been written, the answer lost.
    pub fn find_planned(&mut self, target: Side, comments: &[Comment]) {
        let known: BTreeSet<String> = settled(self, target).map(ToOwned::to_owned).collect();
        let mut by_hash: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for comment in comments.iter().rev().filter(|comment| !known.contains(&comment.id)) {
            by_hash.entry(hash(&comment.text)).or_default().push(&comment.id);
        }
        let planned =
            self.comments.iter_mut().filter(|link| link.origin != target).flat_map(|link| &mut link.parts);
        for part in planned.filter(|part| part.id.is_none()) {
            part.id = by_hash.get_mut(&part.hash).and_then(Vec::pop).map(ToOwned::to_owned);
        }
    }
}

// === impl Copy ===

impl Copy {
    fn link(&self, origin: Side, parts: Vec<PartLink>) -> CommentLink {
        CommentLink { origin, id: self.id.clone(), hash: self.hash.clone(), parts, removed: false }
    }
}
