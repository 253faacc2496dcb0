//! Reads the part of the `$filter` language of `OData` that incidents support.

// https://learn.microsoft.com/graph/api/security-list-incidents#optional-query-parameters

use super::ticks::Ticks;

/// Finer than Graph keeps a time.
const MOST_FRACTION_DIGITS: usize = 7;

pub(super) const STATUSES: [&str; 6] =
    ["active", "resolved", "inProgress", "redirected", "unknownFutureValue", "awaitingAction"];
pub(super) const SEVERITIES: [&str; 6] =
    ["unknown", "informational", "low", "medium", "high", "unknownFutureValue"];
pub(super) const CLASSIFICATIONS: [&str; 5] =
    ["unknown", "falsePositive", "truePositive", "informationalExpectedActivity", "unknownFutureValue"];
pub(super) const DETERMINATIONS: [&str; 16] = [
    "unknown",
    "apt",
    "malware",
    "securityPersonnel",
    "securityTesting",
    "unwantedSoftware",
    "other",
    "multiStagedAttack",
    "compromisedAccount",
    "phishing",
    "maliciousUserActivity",
    "notMalicious",
    "notEnoughDataToValidate",
    "confirmedActivity",
    "lineOfBusinessApplication",
    "unknownFutureValue",
];

/// Conditions that all must hold. The default lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter(Vec<Condition>);

/// What a filter can ask of an incident, beside when it was updated.
#[derive(Debug)]
pub(super) struct Traits<'a> {
    pub(super) created: Option<Ticks>,
    pub(super) status: Option<&'a str>,
    pub(super) severity: Option<&'a str>,
    pub(super) assigned_to: Option<&'a str>,
    pub(super) classification: Option<&'a str>,
    pub(super) determination: Option<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Updated(Between),
    Created(Between),
    Text(Property, String),
}

/// Both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Between {
    from: Ticks,
    to: Ticks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Property {
    Status,
    Severity,
    AssignedTo,
    Classification,
    Determination,
}

// === impl Filter ===

impl Filter {
    /// Reads a filter. The error is a sentence for the caller.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = words(text)?.into_iter();
        let mut conditions = Vec::new();
        loop {
            let (Some(property), Some(operator), Some(literal)) = (rest.next(), rest.next(), rest.next())
            else {
                return Err(format!("Invalid filter clause: Syntax error in '{text}'."));
            };
            conditions.push(condition(&property, &operator, &literal)?);
            match rest.next().as_deref() {
                None => return Ok(Self(conditions)),
                Some("and") => {}
                Some(other) => {
                    return Err(format!("Invalid filter clause: '{other}' is not supported here."));
                }
            }
        }
    }

    /// The first and the last `lastUpdateDateTime` that can match.
    pub(super) fn updated_between(&self) -> (Ticks, Ticks) {
        let everything = (Ticks(i64::MIN), Ticks(i64::MAX));
        self.0.iter().fold(everything, |(from, to), condition| match condition {
            Condition::Updated(between) => (from.max(between.from), to.min(between.to)),
            _ => (from, to),
        })
    }

    /// Whether `updated_between` says it all.
    pub(super) fn is_about_updates_only(&self) -> bool {
        self.0.iter().all(|condition| matches!(condition, Condition::Updated(_)))
    }

    /// Whether all conditions hold, but for those on the update.
    pub(super) fn matches(&self, traits: &Traits<'_>) -> bool {
        self.0.iter().all(|condition| match condition {
            Condition::Updated(_) => true,
            Condition::Created(between) => {
                traits.created.is_some_and(|at| between.from <= at && at <= between.to)
            }
            Condition::Text(property, wanted) => {
                let value = match property {
                    Property::Status => traits.status,
                    Property::Severity => traits.severity,
                    Property::AssignedTo => traits.assigned_to,
                    Property::Classification => traits.classification,
                    Property::Determination => traits.determination,
                };
                value.is_some_and(|value| value.eq_ignore_ascii_case(wanted))
            }
        })
    }
}

fn condition(property: &str, operator: &str, literal: &str) -> Result<Condition, String> {
    let property = match property {
        "lastUpdateDateTime" => return between(operator, literal).map(Condition::Updated),
        "createdDateTime" => return between(operator, literal).map(Condition::Created),
        "status" => Property::Status,
        "severity" => Property::Severity,
        "assignedTo" => Property::AssignedTo,
        "classification" => Property::Classification,
        "determination" => Property::Determination,
        other => {
            return Err(format!(
                "Could not find a property named '{other}' on type 'microsoft.graph.security.incident'."
            ));
        }
    };
    if operator != "eq" {
        return Err(format!(
            "Invalid filter clause: operator '{operator}' is not supported for this property."
        ));
    }
    let Some(text) = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) else {
        return Err(format!("Invalid filter clause: '{literal}' is not a quoted string."));
    };
    let text = text.replace("''", "'");
    let members: &[&str] = match property {
        Property::Status => &STATUSES,
        Property::Severity => &SEVERITIES,
        Property::Classification => &CLASSIFICATIONS,
        Property::Determination => &DETERMINATIONS,
        Property::AssignedTo => return Ok(Condition::Text(property, text)),
    };
    if members.iter().any(|member| member.eq_ignore_ascii_case(&text)) {
        Ok(Condition::Text(property, text))
    } else {
        Err(format!("Invalid filter clause: '{text}' is not a member of the property's enumeration."))
    }
}

fn between(operator: &str, literal: &str) -> Result<Between, String> {
    let fraction = literal.split_once('.').map_or("", |(_, rest)| rest);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let at = Ticks::parse(literal)
        .filter(|_| digits <= MOST_FRACTION_DIGITS)
        .ok_or_else(|| format!("Invalid filter clause: '{literal}' is not a DateTimeOffset literal."))?;
    let (lowest, highest) = (Ticks(i64::MIN), Ticks(i64::MAX));
    match operator {
        "ge" => Ok(Between { from: at, to: highest }),
        "gt" => Ok(Between { from: Ticks(at.0 + 1), to: highest }),
        "le" => Ok(Between { from: lowest, to: at }),
        "lt" => Ok(Between { from: lowest, to: Ticks(at.0 - 1) }),
        "eq" => Ok(Between { from: at, to: at }),
        other => {
            Err(format!("Invalid filter clause: operator '{other}' is not supported for this property."))
        }
    }
}

/// Splits at spaces outside of quotes; quoted strings keep their quotes.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for character in text.chars() {
        if character == '\'' {
            quoted = !quoted;
        }
        if character == ' ' && !quoted {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(character);
        }
    }
    if quoted {
        return Err("Invalid filter clause: there is an unterminated string literal.".to_owned());
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-02-25T16:29:33.1133333Z";

    fn at() -> Ticks {
        Ticks::parse(AT).unwrap()
    }

    #[test]
    fn every_comparison_is_exact_to_the_seventh_digit() {
        let range = |operator: &str| {
            Filter::parse(&format!("lastUpdateDateTime {operator} {AT}")).unwrap().updated_between()
        };
        assert_eq!(range("ge").0, at());
        assert_eq!(range("gt").0, Ticks(at().0 + 1));
        assert_eq!(range("le").1, at());
        assert_eq!(range("lt").1, Ticks(at().0 - 1));
        assert_eq!(range("eq"), (at(), at()));
        let both = format!("lastUpdateDateTime gt {AT} and lastUpdateDateTime lt {AT}");
        let (from, to) = Filter::parse(&both).unwrap().updated_between();
        assert!(from > to);
    }

    #[test]
    fn a_name_with_a_quote_is_found() {
        let filter = Filter::parse("assignedTo eq 'O''Hara and sons' and status eq 'inProgress'").unwrap();
        let mut traits = Traits {
            created: None,
            status: Some("inProgress"),
            severity: None,
            assigned_to: Some("O'Hara and sons"),
            classification: None,
            determination: None,
        };
        assert!(filter.matches(&traits));
        assert!(!filter.is_about_updates_only());
        traits.status = Some("active");
        assert!(!filter.matches(&traits));
    }

    #[test]
    fn what_graph_would_not_understand_is_refused() {
        for text in [
            "",
            "status",
            "status eq active",
            "status eq 'asleep'",
            "status ne 'active'",
            "status eq 'active",
            "status eq 'active' or severity eq 'high'",
            "status eq 'active' and",
            "displayName eq 'x'",
            "lastUpdateDateTime ge '2026-02-25T16:29:33Z'",
            "lastUpdateDateTime ge 2026-02-25T16:29:33.12345678Z",
            "lastUpdateDateTime ge 2026-02-25",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }
}
