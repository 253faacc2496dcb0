//! Reads the body of an update of an incident, and says what is wrong with it.

// https://learn.microsoft.com/rest/api/securityinsights/incidents/create-or-update#request-body

use serde_json::{Map, Value};

use super::directory::{self, User};
use super::incident::{Label, Properties, SEVERITIES, STATUSES};
use crate::core::ticks::Ticks;

/// Characters of a description.
// https://learn.microsoft.com/azure/sentinel/sentinel-service-limits#incident-limits
const LONGEST_DESCRIPTION: usize = 5_000;

/// Classifications, each with the reasons that go with it: the ones that the portal offers and Microsoft's connector
/// sets. What the service says to any other pair is not documented; here it is refused, so that nobody relies on it.
// https://learn.microsoft.com/azure/sentinel/microsoft-365-defender-sentinel-integration
const CLASSIFICATIONS: [(&str, &[&str]); 4] = [
    ("Undetermined", &[]),
    ("TruePositive", &["SuspiciousActivity"]),
    ("BenignPositive", &["SuspiciousButExpected"]),
    ("FalsePositive", &["IncorrectAlertLogic", "InaccurateData"]),
];

/// What an update is read against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) users: &'a [User],
    pub(crate) reopening_clears_classification: bool,
}

/// Reads the properties of an update, which replaces all that can be written: what it does not name is gone. `before`
/// is what it replaces; what is read-only is passed over. The error is a sentence for the caller.
pub(crate) fn read(
    properties: &Map<String, Value>,
    before: Option<&Properties>,
    rules: Rules<'_>,
) -> Result<Properties, String> {
    let title = text(properties, "title")?.filter(|title| !title.is_empty());
    let status = member(properties, "status", &STATUSES)?;
    let (mut classification, mut classification_reason) = classification(properties)?;
    let mut classification_comment = text(properties, "classificationComment")?;
    let status = status.ok_or_else(|| required("status"))?;
    // "This step is mandatory."
    // https://learn.microsoft.com/azure/sentinel/investigate-cases#closing-an-incident
    if status == "Closed" && classification.is_none() {
        return Err("Incident with status 'Closed' must have classification.".to_owned());
    }
    if status != "Closed" && rules.reopening_clears_classification {
        (classification, classification_reason, classification_comment) = (None, None, None);
    }
    let description = text(properties, "description")?;
    if description.as_ref().is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
        return Err(format!("The length of property 'description' must not exceed {LONGEST_DESCRIPTION}."));
    }
    Ok(Properties {
        title: title.ok_or_else(|| required("title"))?,
        description,
        severity: member(properties, "severity", &SEVERITIES)?.ok_or_else(|| required("severity"))?,
        status,
        classification,
        classification_reason,
        classification_comment,
        owner: directory::find(rules.users, properties.get("owner").unwrap_or(&Value::Null))?,
        labels: labels(properties.get("labels"), before)?,
        first_activity: time(properties, "firstActivityTimeUtc")?,
        last_activity: time(properties, "lastActivityTimeUtc")?,
    })
}

fn classification(
    properties: &Map<String, Value>,
) -> Result<(Option<&'static str>, Option<&'static str>), String> {
    let names = CLASSIFICATIONS.map(|(name, _)| name);
    let reasons: Vec<&'static str> =
        CLASSIFICATIONS.iter().flat_map(|(_, reasons)| *reasons).copied().collect();
    let classification = member(properties, "classification", &names)?;
    let reason = member(properties, "classificationReason", &reasons)?;
    let fitting = CLASSIFICATIONS.iter().find(|(name, _)| Some(*name) == classification);
    let fitting = fitting.map_or(&[] as &[&str], |(_, reasons)| reasons);
    match (classification, reason) {
        // In the words of the service.
        (Some(name), None) if !fitting.is_empty() => {
            Err(format!("classification '{name}' must have classificationReason."))
        }
        (_, Some(reason)) if !fitting.contains(&reason) => Err(format!(
            "classificationReason '{reason}' does not go with classification '{}'.",
            classification.unwrap_or_default()
        )),
        fits => Ok(fits),
    }
}

/// Labels are told apart by their names. Their type is read-only: whatever a client sends is of type `User`, unless it
/// was there before.
// https://learn.microsoft.com/rest/api/securityinsights/incidents/create-or-update#incidentlabel
fn labels(sent: Option<&Value>, before: Option<&Properties>) -> Result<Vec<Label>, String> {
    let invalid = || "Invalid value for property 'labels': each must have a 'labelName'.".to_owned();
    let sent = match sent {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(sent)) => sent,
        Some(_) => return Err(invalid()),
    };
    let mut labels: Vec<Label> = Vec::new();
    for label in sent {
        let name = label.get("labelName").and_then(Value::as_str).filter(|name| !name.is_empty());
        let name = name.ok_or_else(invalid)?;
        let known = before.and_then(|before| before.labels.iter().find(|label| label.name == name));
        if labels.iter().all(|label| label.name != name) {
            let is_automatic = known.is_some_and(|label| label.is_automatic);
            labels.push(Label { name: name.to_owned(), is_automatic });
        }
    }
    Ok(labels)
}

fn text(properties: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match properties.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(invalid(name)),
    }
}

fn time(properties: &Map<String, Value>, name: &str) -> Result<Option<Ticks>, String> {
    let Some(text) = text(properties, name)? else { return Ok(None) };
    Ticks::parse(&text).map(Some).ok_or_else(|| invalid(name))
}

/// A member of an enumeration, whatever its case.
fn member(
    properties: &Map<String, Value>,
    name: &str,
    members: &[&'static str],
) -> Result<Option<&'static str>, String> {
    let Some(text) = text(properties, name)? else { return Ok(None) };
    let found = members.iter().find(|member| member.eq_ignore_ascii_case(&text));
    let unknown =
        || format!("Invalid value '{text}' for property '{name}': known are {}.", members.join(", "));
    found.map(|member| Some(*member)).ok_or_else(unknown)
}

fn invalid(name: &str) -> String {
    format!("Invalid value for property '{name}'.")
}

fn required(name: &str) -> String {
    format!("The property '{name}' is required.")
}
