//! What it means that both sides agree: written from Microsoft's table, and not from the product's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use simulator::Simulator;

use super::analysts::Analysts;

pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn is_merged(defender: &Value) -> bool {
    text(defender, "/status") == "redirected"
}

pub(super) fn labels(sentinel: &Value) -> BTreeSet<String> {
    let labels = sentinel["properties"]["labels"].as_array().into_iter().flatten();
    labels.map(|label| text(label, "/labelName").to_owned()).collect()
}

/// Defender's id of an incident in Sentinel, which its description names.
pub(super) fn defender_id(simulator: &Simulator, sentinel: &Value) -> Option<String> {
    let description = text(sentinel, "/properties/description");
    let (_, rest) = description.split_once("Microsoft Defender XDR incident ")?;
    let id = rest.split(':').next()?;
    simulator.tenant().incident(id).map(|_| id.to_owned())
}

/// Every incident that is on both sides.
pub(super) fn pairs(simulator: &Simulator) -> Vec<(Value, Value)> {
    let by_id = |sentinel: Value| Some((defender_id(simulator, &sentinel)?, sentinel));
    let mut sentinel: BTreeMap<_, _> = simulator.workspace().state().into_iter().filter_map(by_id).collect();
    let pair = |defender: Value| {
        let there = sentinel.remove(text(&defender, "/id"))?;
        Some((defender, there))
    };
    simulator.tenant().state().into_iter().filter_map(pair).collect()
}

/// Asserts that all that is on both sides is the same, and that all is on both sides that should be.
pub(super) fn check(simulator: &Simulator, analysts: &Analysts, round: usize) {
    let pairs = pairs(simulator);
    for (defender, sentinel) in &pairs {
        let (status, there) = (text(defender, "/status"), text(sentinel, "/properties/status"));
        let owner = text(sentinel, "/properties/owner/userPrincipalName");
        let told = format!("in round {round}: {} {}", brief(defender), brief(sentinel));
        if is_merged(defender) {
            assert_eq!((there, labels(sentinel).contains("redirected")), ("Closed", true), "{told}");
            continue;
        }
        let agrees = match status {
            // Active in Sentinel, it had an owner once, who may have gone.
            "active" => matches!(there, "New" | "Active"),
            "inProgress" | "awaitingAction" => there == "Active",
            "resolved" => there == "Closed",
            _ => false,
        };
        assert!(agrees, "status {told}");
        assert_eq!(text(defender, "/assignedTo"), owner, "owner {told}");
        let tags: BTreeSet<String> = serde_json::from_value(defender["customTags"].clone()).unwrap();
        assert_eq!(tags, labels(sentinel), "tags {told}");
        if there == "Closed" {
            let counterpart = match text(defender, "/classification") {
                "truePositive" => "TruePositive",
                "falsePositive" => "FalsePositive",
                "informationalExpectedActivity" => "BenignPositive",
                _ => "Undetermined",
            };
            assert_eq!(text(sentinel, "/properties/classification"), counterpart, "classification {told}");
            let comment = text(sentinel, "/properties/classificationComment");
            assert_eq!(text(defender, "/resolvingComment"), comment, "closing comment {told}");
        }
    }
    let merged: BTreeSet<_> =
        pairs.iter().filter(|(one, _)| is_merged(one)).map(|(one, _)| text(one, "/id").to_owned()).collect();
    let by_id: BTreeMap<_, _> = pairs.iter().map(|pair| (text(&pair.0, "/id"), pair)).collect();
    for written in analysts.comments.iter().filter(|written| !merged.contains(&written.incident)) {
        let Some((defender, sentinel)) = by_id.get(written.incident.as_str()) else { continue };
        let here = count(&defender["comments"], "/comment", &written.text);
        let there = count(&sentinel["comments"], "/properties/message", &written.text);
        assert_eq!(
            (here, there),
            (1, 1),
            "'{}' in round {round}: {}",
            written.text,
            comments(defender, sentinel)
        );
    }
    // Only what was closed before anybody heard of it may be missing.
    let unknown = simulator.tenant().state().into_iter().filter(|one| !by_id.contains_key(text(one, "/id")));
    for incident in unknown {
        let is_closed = matches!(text(&incident, "/status"), "resolved" | "redirected");
        assert!(is_closed, "missing in Sentinel: {incident:#}");
    }
}

/// An incident without what it is about.
pub(super) fn brief(incident: &Value) -> Value {
    let mut brief = incident.clone();
    for fields in [incident, &incident["properties"]] {
        for name in fields.as_object().into_iter().flat_map(|fields| fields.keys()) {
            let of_sync = [
                "id",
                "name",
                "status",
                "owner",
                "assignedTo",
                "class",
                "determ",
                "resolving",
                "tags",
                "labels",
                "last",
            ];
            if name != "properties"
                && !of_sync.iter().any(|word| name.to_lowercase().contains(&word.to_lowercase()))
            {
                brief.as_object_mut().unwrap().remove(name);
                brief.get_mut("properties").and_then(Value::as_object_mut).map(|fields| fields.remove(name));
            }
        }
    }
    brief
}

fn comments(defender: &Value, sentinel: &Value) -> String {
    let texts = |comments: &Value, pointer: &str| {
        let all = comments.as_array().into_iter().flatten();
        all.map(|comment| text(comment, pointer).to_owned()).collect::<Vec<_>>()
    };
    let sides = [(defender, "/comment"), (sentinel, "/properties/message")];
    format!("{:#?}", sides.map(|(incident, pointer)| texts(&incident["comments"], pointer)))
}

fn count(comments: &Value, pointer: &str, wanted: &str) -> usize {
    let all = comments.as_array().into_iter().flatten();
    all.filter(|comment| text(comment, pointer).lines().last() == Some(wanted)).count()
}
