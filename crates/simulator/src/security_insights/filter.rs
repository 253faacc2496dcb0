//! Reads `$filter` and `$orderby` of a list of incidents, as far as they are known to work.

// https://learn.microsoft.com/rest/api/securityinsights/incidents/list#uri-parameters

use std::cmp::Ordering;

use super::super::ticks::Ticks;
use super::incident::{Incident, SEVERITIES, STATUSES};

/// What the service says of any filter it cannot read.
pub(super) const SYNTAX: &str = "OData query syntax error";

/// Conditions that all must hold. The default lets everything through.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter(Vec<Condition>);

#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Time(Time, Comparison, Ticks),
    Status(&'static str),
    Severity(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    Modified,
    Created,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    AtLeast,
    Above,
    AtMost,
    Below,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    by: Key,
    descending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// Nobody asked for one: stable, but not by time.
    Name,
    Time(Time),
    Number,
}

// === impl Filter ===

impl Filter {
    /// Reads a filter; one that it does not know is an error.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let read = text.split(" and ").map(condition).collect::<Option<_>>();
        read.map(Self).ok_or_else(|| SYNTAX.to_owned())
    }

    pub(super) fn matches(&self, incident: &Incident) -> bool {
        self.0.iter().all(|condition| match condition {
            Condition::Time(time, comparison, limit) => {
                let at = time.of(incident);
                match comparison {
                    Comparison::AtLeast => at >= *limit,
                    Comparison::Above => at > *limit,
                    Comparison::AtMost => at <= *limit,
                    Comparison::Below => at < *limit,
                }
            }
            Condition::Status(status) => incident.properties.status == *status,
            Condition::Severity(severity) => incident.properties.severity == *severity,
        })
    }
}

fn condition(text: &str) -> Option<Condition> {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let (property, operator, literal) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let member = |members: &[&'static str]| {
        let text = literal.strip_prefix('\'')?.strip_suffix('\'')?;
        (operator == "eq").then_some(())?;
        members.iter().find(|member| **member == text).copied()
    };
    let time = match property {
        "properties/status" => return member(&STATUSES).map(Condition::Status),
        "properties/severity" => return member(&SEVERITIES).map(Condition::Severity),
        "properties/lastModifiedTimeUtc" => Time::Modified,
        "properties/createdTimeUtc" => Time::Created,
        _ => return None,
    };
    let comparison = match operator {
        "ge" => Comparison::AtLeast,
        "gt" => Comparison::Above,
        "le" => Comparison::AtMost,
        "lt" => Comparison::Below,
        _ => return None,
    };
    Some(Condition::Time(time, comparison, Ticks::parse(literal)?))
}

// === impl Time ===

impl Time {
    const fn of(self, incident: &Incident) -> Ticks {
        match self {
            Self::Modified => incident.modified,
            Self::Created => incident.created,
        }
    }
}

// === impl Order ===

impl Order {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        let by = match words.next() {
            Some("properties/lastModifiedTimeUtc") => Key::Time(Time::Modified),
            Some("properties/createdTimeUtc") => Key::Time(Time::Created),
            Some("properties/incidentNumber") => Key::Number,
            _ => return Err(SYNTAX.to_owned()),
        };
        let descending = match (words.next(), words.next()) {
            (None | Some("asc"), None) => false,
            (Some("desc"), None) => true,
            _ => return Err(SYNTAX.to_owned()),
        };
        Ok(Self { by, descending })
    }

    pub(super) fn compare(self, a: &Incident, b: &Incident) -> Ordering {
        let by_key = match self.by {
            Key::Name => Ordering::Equal,
            Key::Time(time) => time.of(a).cmp(&time.of(b)),
            Key::Number => a.number.cmp(&b.number),
        };
        let by_key = if self.descending { by_key.reverse() } else { by_key };
        by_key.then_with(|| a.name.cmp(&b.name))
    }
}

impl Default for Order {
    fn default() -> Self {
        Self { by: Key::Name, descending: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_would_not_understand_is_refused() {
        for text in [
            "",
            "properties/status",
            "properties/status eq New",
            "properties/status eq 'Asleep'",
            "properties/status ne 'New'",
            "status eq 'New'",
            "properties/severity eq 'High' or properties/severity eq 'Low'",
            "properties/severity eq 'High' and ",
            "properties/providerIncidentId eq '29'",
            "properties/lastModifiedTimeUtc ge yesterday",
            "properties/lastModifiedTimeUtc eq 2026-10-01T00:00:00Z",
            "properties/labels/any(label: label/labelName eq 'test')",
        ] {
            assert_eq!(Filter::parse(text), Err(SYNTAX.to_owned()), "{text}");
        }
        for text in ["properties/title", "properties/createdTimeUtc up", "createdTimeUtc", ""] {
            assert!(Order::parse(text).is_err(), "{text}");
        }
    }
}
