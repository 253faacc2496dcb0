//! Microsoft's own Defender XDR connector: Defender's incidents in the workspace, and back.

// https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::config::ConnectorConfig;
use super::directory;
use super::incident::{Alerts, Author, Label, Native, Properties};
use crate::core::random::{guid, mixed};
use crate::core::ticks::Ticks;
use crate::graph::edit::Edit;
use crate::sim_state::SimState;

/// What a merged incident is labelled with.
// https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration
const REDIRECTED: &str = "redirected";

/// The `lastModifiedBy` of what the connector brings back. Not documented.
const BY: &str = "Microsoft Sentinel";

/// Statuses: Defender's, Sentinel's. The first one of a kind leads back.
const STATUSES: [(&str, &str); 5] = [
    ("active", "New"),
    ("inProgress", "Active"),
    ("awaitingAction", "Active"),
    ("resolved", "Closed"),
    (REDIRECTED, "Closed"),
];

/// Classifications: Defender's, Sentinel's with its reason, and a determination for the way back. The first one of a
/// kind leads back.
// https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration
const CLASSIFICATIONS: [(&str, &str, Option<&str>, &str); 4] = [
    ("truePositive", "TruePositive", Some("SuspiciousActivity"), "other"),
    ("falsePositive", "FalsePositive", Some("InaccurateData"), "other"),
    ("informationalExpectedActivity", "BenignPositive", Some("SuspiciousButExpected"), "other"),
    ("unknown", "Undetermined", None, "unknown"),
];

/// Brings into the workspace what happened in Defender since the last time.
pub(crate) fn mirror(state: &SimState) {
    let Some(connector) = state.config.workspace.connector else { return };
    let now = Ticks::of(state.clock.now());
    for revision in state.tenant.current() {
        if !takes(state, connector, &revision.id) {
            continue;
        }
        let known = state.incidents.change(|incidents, _| incidents.mirrored.get(&revision.id).cloned());
        if known.as_ref() == Some(&revision.last_update) {
            continue;
        }
        let Some(incident) = state.tenant.incident(&revision.id) else { continue };
        let opened = time(&incident, "createdDateTime").unwrap_or(now);
        if known.is_some() || opened.plus(connector.delay) <= now {
            bring(state, &revision.id, &incident);
            state
                .incidents
                .change(|incidents, _| incidents.mirrored.insert(revision.id, revision.last_update));
        }
    }
}

/// Takes back to Defender what an update of the workspace did to the incident of this name, if it is a mirrored one.
pub(crate) fn write_back(state: &SimState, name: &str) {
    let found = state.incidents.change(|incidents, _| {
        let incident = incidents.get(name)?;
        Some((incident.native.clone()?, incident.properties.clone()))
    });
    let Some((native, properties)) = found else { return };
    let Some(theirs) = state.tenant.incident(&native.id) else { return };
    // What would be here if only Defender had a say.
    let without_us = read(state, &native.id, &theirs);
    let mut changes = Map::new();
    if without_us.status != properties.status {
        let status = STATUSES.iter().find(|(_, ours)| *ours == properties.status);
        changes.extend(status.map(|(status, _)| ("status".to_owned(), json!(status))));
    }
    if without_us.classification != properties.classification {
        let ours = properties.classification.unwrap_or("Undetermined");
        if let Some((name, _, _, determination)) = CLASSIFICATIONS.iter().find(|(_, name, ..)| *name == ours)
        {
            changes.insert("classification".to_owned(), json!(name));
            changes.insert("determination".to_owned(), json!(determination));
        }
    }
    if without_us.owner != properties.owner {
        let owner = properties.owner.map(|user| user.user_principal_name);
        changes.insert("assignedTo".to_owned(), json!(owner));
    }
    if !changes.is_empty() {
        state.tenant.change(&native.id, Edit { properties: changes, comment: None, by: BY.to_owned() });
    }
}

/// Whether the connector takes an incident.
fn takes(state: &SimState, connector: ConnectorConfig, id: &str) -> bool {
    mixed(state.config.seed, number(id)) % 100 < u64::from(connector.percent)
}

/// What Defender's incident is here.
fn read(state: &SimState, id: &str, theirs: &Value) -> Properties {
    let is_merged = theirs["status"] == REDIRECTED;
    let text = |property: &str| theirs[property].as_str().map(str::to_owned);
    let (classification, classification_reason) = sentinel_classification(theirs);
    let is_closed = sentinel_status(theirs) == "Closed";
    let tags = theirs["customTags"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let labels = tags.map(|tag| Label { name: tag.to_owned(), is_automatic: false });
    let labels = labels.chain(is_merged.then(|| Label { name: REDIRECTED.to_owned(), is_automatic: false }));
    let owner = json!({"userPrincipalName": theirs["assignedTo"]});
    Properties {
        title: text("displayName").unwrap_or_else(|| format!("Incident {id}")),
        description: text("description"),
        severity: match theirs["severity"].as_str() {
            Some("high") => "High",
            Some("medium") => "Medium",
            Some("low") => "Low",
            _ => "Informational",
        },
        status: sentinel_status(theirs),
        classification: is_closed.then_some(classification),
        classification_reason: classification_reason.filter(|_| is_closed),
        classification_comment: text("resolvingComment").filter(|_| is_closed),
        // Somebody whom the directory does not know cannot own anything here.
        owner: directory::find(&state.config.workspace.users, &owner).unwrap_or_default(),
        labels: labels.collect(),
        first_activity: activity(theirs, "firstActivityDateTime").min(),
        last_activity: activity(theirs, "lastActivityDateTime").max(),
    }
}

fn bring(state: &SimState, id: &str, theirs: &Value) {
    let name = guid(&mut Rng::with_seed(mixed(state.config.seed, number(id))));
    let properties = read(state, id, theirs);
    let alerts = Alerts {
        count: theirs["alerts"].as_array().map_or(0, Vec::len),
        products: of_alerts(theirs, "productName"),
        tactics: of_alerts(theirs, "category"),
    };
    let native = Native {
        id: id.to_owned(),
        url: format!("https://security.microsoft.com/incidents/{id}?tid={}", state.config.tenant_id),
    };
    state.incidents.change(|incidents, times| {
        match incidents.get(&name) {
            None => incidents.create(&name, properties, alerts, Some(native), times),
            Some(known) if known.properties == properties && known.alerts == alerts => {}
            Some(_) => {
                incidents.update(&name, times, |incident| {
                    (incident.properties, incident.alerts) = (properties, alerts);
                });
            }
        }
        for (position, comment) in theirs["comments"].as_array().into_iter().flatten().enumerate() {
            let seed = mixed(number(id), position as u64 + 1);
            let comment_name = guid(&mut Rng::with_seed(mixed(state.config.seed, seed)));
            if incidents.get(&name).is_some_and(|incident| incident.comment(&comment_name).is_none()) {
                let author = comment["createdByDisplayName"].as_str().unwrap_or_default().to_owned();
                let author = Author { name: author, object_id: None, user_principal_name: None };
                let message = comment["comment"].as_str().unwrap_or_default();
                incidents.comment(&name, &comment_name, message, author, times);
            }
        }
    });
}

fn sentinel_status(theirs: &Value) -> &'static str {
    let known = STATUSES.iter().find(|(status, _)| theirs["status"] == *status);
    known.map_or("New", |(_, status)| status)
}

fn sentinel_classification(theirs: &Value) -> (&'static str, Option<&'static str>) {
    let known = CLASSIFICATIONS.iter().find(|(name, ..)| theirs["classification"] == *name);
    known.map_or(("Undetermined", None), |(_, name, reason, _)| (name, *reason))
}

/// Different texts of a property of the alerts.
fn of_alerts(theirs: &Value, property: &str) -> Vec<String> {
    let alerts = theirs["alerts"].as_array().into_iter().flatten();
    let texts: BTreeSet<_> = alerts.filter_map(|alert| alert[property].as_str()).collect();
    texts.into_iter().map(str::to_owned).collect()
}

fn activity(theirs: &Value, property: &str) -> impl Iterator<Item = Ticks> {
    let alerts = theirs["alerts"].as_array().into_iter().flatten();
    alerts.filter_map(move |alert| time(alert, property))
}

fn time(object: &Value, property: &str) -> Option<Ticks> {
    object[property].as_str().and_then(Ticks::parse)
}

/// The id of an incident as a number, whatever it is made of.
fn number(id: &str) -> u64 {
    id.bytes().fold(0, |number, byte| mixed(number, byte.into()))
}
