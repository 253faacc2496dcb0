//! The part of a pass that copies comments.

use serde_json::{Value, json};

use super::error::PassError;
use super::pass::Direction;
use super::target::Wrote;
use super::tell::About;
use incident_model::comment::{self, CommentPart, Copy, Later, MAX_COMMENTS};
use incident_model::field::Side;
use incident_model::record::{CommentLink, Record};
use incident_model::snapshot::{Comment, Snapshot};
use microsoft::ServiceError;
use runtime::quarantine::Reason;

/// A comment of Defender's that is so long is taken for the original of a comment in Sentinel that has all of its words: of
/// Microsoft's connector it is not documented what it writes around them. A shorter one may be in anybody's sentence.
const LONG_ENOUGH: usize = 20;

/// What is copied, and where to.
#[derive(Clone, Copy)]
pub(super) struct Copying<'a> {
    pub(super) about: About<'a>,
    /// The incident's id on the side that is written.
    pub(super) id: &'a str,
    /// Where the comments come from.
    pub(super) offer: &'a Snapshot,
    /// Where they go, as it was read.
    pub(super) current: &'a Snapshot,
    /// Whether it was created just now.
    pub(super) is_new: bool,
}

// === impl Direction ===

impl Direction {
    /// Copies the comments that have no copy yet, in order. Answers whether some are left because nothing is written now.
    pub(super) async fn copy_comments(
        &self,
        copying: &Copying<'_>,
        record: &mut Record,
    ) -> Result<bool, PassError> {
        let Copying { about, id, offer, current, is_new } = *copying;
        let origin = self.origin();
        let Some(comments) = offer.comments.as_deref() else { return Ok(false) };
        let mut others = current.comments.clone().unwrap_or_default();
        let known = record.clone();
        if record.native && origin == Side::Sentinel {
            note_native_copies(record, comments, &others);
        }
        // What comes from the other direction, and was written when the answer was lost, is no original.
        record.find_planned(origin, comments);
        let mut missing = comment::missing(record, origin, comments, &others, about.key);
        let mut there = current.origin().map_or(0, |origin| origin.comments);
        if !missing.is_empty() && there > 0 && !record.comments.iter().any(|link| link.origin == origin) {
            // Nothing is known to be copied, and there are comments: they may be the copies, and the ledger lost.
            others = self.target.comments(id).await?;
            missing = comment::missing(record, origin, comments, &others, about.key);
        }
        if missing.is_empty() {
            if *record != known {
                self.ledger.save(about.key, record, Vec::new()).await?;
            }
            return Ok(false);
        }
        if self.is_dry() {
            self.ledger
                .tell(missing.iter().map(|copy| self.say_copied(about, copy.parts.first(), true)).collect())
                .await?;
            return Ok(true);
        }
        // What an incident comes with is part of creating it.
        if if is_new { self.is_halted().await? } else { self.must_halt(about.key).await? } {
            return Ok(true);
        }
        for copy in &missing {
            // One that may be there already is written again, under the same id: it needs no more room.
            let may_be_there = record.is_planned(origin, copy);
            record.plan_copy(origin, copy);
            let planned = record.unwritten(origin, &copy.id);
            record.find_planned(self.target.side(), &others);
            let unwritten = record.unwritten(origin, &copy.id);
            let found = planned.iter().filter(|nth| !unwritten.contains(nth));
            let found =
                found.filter_map(|nth| Some(self.say_copied(about, Some(copy.parts.get(*nth)?), false)));
            let found: Vec<_> = found.collect();
            if self.target.side() == Side::Sentinel
                && !may_be_there
                && there + unwritten.len() as u64 > MAX_COMMENTS
            {
                let message = format!(
                    "the incident has {there} comments in Sentinel, which takes no more than {MAX_COMMENTS}: this one is not copied"
                );
                let reason = Reason { code: "comment_limit", message, request_id: None };
                self.refuse(copying, record, copy, reason).await?;
                continue;
            }
            self.ledger.save(about.key, record, found).await?;
            for nth in unwritten {
                let Some(part) = copy.parts.get(nth) else { continue };
                match self.target.comment(id, part).await {
                    Ok(Wrote::As(id)) => record.note_copied(origin, &copy.id, nth, id),
                    Ok(Wrote::Among(all)) => {
                        record.find_planned(self.target.side(), &all);
                        note_new_one(record, origin, (&copy.id, nth), &others, &all)?;
                    }
                    Err(failure) if failure.is_bad_request() => {
                        let request_id = failure.request_id().map(str::to_owned);
                        let reason = Reason { code: "refused", message: failure.message(), request_id };
                        self.refuse(copying, record, copy, reason).await?;
                        break;
                    }
                    Err(failure) => return Err(failure.into()),
                }
                there += 1;
                let event = self.say_copied(about, Some(part), false);
                self.ledger.save(about.key, record, vec![event]).await?;
            }
        }
        Ok(false)
    }

    fn say_copied(&self, about: About<'_>, part: Option<&CommentPart>, is_dry: bool) -> Value {
        let change = json!({"field": "comments", "after": part.map(|part| &part.text)});
        self.teller.done(about, "comments", &change, "a comment on the other side", is_dry)
    }

    /// Keeps a comment that is not taken.
    async fn refuse(
        &self,
        copying: &Copying<'_>,
        record: &mut Record,
        copy: &Copy,
        reason: Reason,
    ) -> Result<(), PassError> {
        let Copying { about, offer, .. } = copying;
        let comment = offer.comments.iter().flatten().find(|comment| comment.id == copy.id);
        let kept = json!({"incident": about.key, "sentinel": about.sentinel, "comment": comment});
        self.keep(&kept, reason).await;
        record.refuse_copy(self.origin(), copy);
        Ok(self.ledger.save(about.key, record, Vec::new()).await?)
    }

    /// Says which comments were edited or removed after they were copied.
    pub(super) async fn tell_of_later(
        &self,
        about: About<'_>,
        record: &mut Record,
        comments: &[Comment],
    ) -> Result<(), PassError> {
        let (origin, mut events) = (self.origin(), Vec::new());
        for later in comment::note_later(record, origin, comments) {
            let (id, what) = match &later {
                Later::Edited(id) => (id, "edited"),
                Later::Removed(id) => (id, "removed"),
            };
            let message = format!(
                "The comment {id} was {what} in {origin} after it was copied; its copy in {} stays as it is.",
                origin.other()
            );
            events.extend(self.teller.notice(about, record, &format!("comment {id}"), &message));
        }
        if events.is_empty() { Ok(()) } else { Ok(self.ledger.save(about.key, record, events).await?) }
    }
}

/// Comments that Microsoft's connector has brought from Defender are no originals. Each of Defender's is brought once: who
/// says the same in Sentinel says it for themselves.
fn note_native_copies(record: &mut Record, in_sentinel: &[Comment], in_defender: &[Comment]) {
    let is_same = |copy: &Comment, original: &Comment| copy.text.trim() == original.text.trim();
    // It may say more around the words.
    let has_it = |copy: &Comment, original: &Comment| {
        let original = original.text.trim();
        original.chars().count() >= LONG_ENOUGH && copy.text.contains(original)
    };
    let mut originals: Vec<&Comment> = in_defender.iter().collect();
    let mut brought: Vec<&Comment> = Vec::new();
    for is_copy in [&is_same as &dyn Fn(&Comment, &Comment) -> bool, &has_it] {
        for copy in in_sentinel {
            let link = |link: &&CommentLink| link.origin == Side::Sentinel && link.id == copy.id;
            let known = record.comments.iter().find(link);
            if known.is_some_and(|known| !known.parts.is_empty()) || brought.contains(&copy) {
                continue;
            }
            if let Some(place) = originals.iter().position(|original| is_copy(copy, original)) {
                originals.remove(place);
                brought.push(copy);
                if known.is_none() {
                    let copy =
                        Copy { id: copy.id.clone(), hash: comment::hash(&copy.text), parts: Vec::new() };
                    record.refuse_copy(Side::Sentinel, &copy);
                }
            }
        }
    }
}

/// The service may have changed our words: then ours is the one that was not there before.
fn note_new_one(
    record: &mut Record,
    origin: Side,
    (copy, part): (&str, usize),
    before: &[Comment],
    after: &[Comment],
) -> Result<(), ServiceError> {
    if !record.unwritten(origin, copy).contains(&part) {
        return Ok(());
    }
    let is_known = |comment: &Comment| {
        before.iter().any(|known| known.id == comment.id)
            || record
                .comments
                .iter()
                .any(|link| link.parts.iter().any(|part| part.id.as_ref() == Some(&comment.id)))
    };
    let newest = after.iter().rev().find(|comment| !is_known(comment)).map(|comment| comment.id.clone());
    let Some(id) = newest else {
        let message = "a comment was written, and is not among those that the service has";
        return Err(ServiceError::unreadable("the service", message, None));
    };
    record.note_copied(origin, copy, part, id);
    Ok(())
}
