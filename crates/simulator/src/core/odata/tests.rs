use super::*;
use crate::graph::dialect::{INCIDENTS, UPDATED};

const AT: &str = "2026-02-25T16:29:33.1133333Z";

fn parse(raw: &str, page_size: usize) -> Result<Query, QueryError> {
    Query::parse(&INCIDENTS, raw, page_size)
}

fn filter(text: &str) -> Result<Filter, QueryError> {
    Filter::parse(&INCIDENTS, text)
}

#[test]
fn the_next_link_asks_for_the_same_and_skips() {
    let raw = "$filter=lastUpdateDateTime%20ge%202026-02-25T16:29:33.1133333Z%20and%20status%20eq%20%27active%27&$top=2&$skip=2";
    let first = parse(raw, 50).unwrap();
    let link = first.next_link("https://127.0.0.1:1/v1.0/security/incidents", 4, true);
    let url = url::Url::parse(&link).unwrap();
    let again = parse(url.query().unwrap(), 50).unwrap();
    assert_eq!(again.filter, first.filter);
    assert_eq!((again.top, again.skip, first.window(3)), (2, 4, 2..3));
}

#[test]
fn more_than_fifty_are_refused_in_the_vendors_words() {
    assert_eq!(
        parse("$top=1000", 50).unwrap_err().to_string(),
        "The query specified in the URI is not valid. The limit of '50' for Top query has been exceeded. \
        The value from the incoming request is '1000'."
    );
    assert_eq!(parse("%24top=50", 10).unwrap().top, 50);
    assert_eq!(parse("", 10).unwrap().top, 10);
}

#[test]
fn options_that_nobody_documents_are_refused() {
    for raw in [
        "$select=id",
        "top=5",
        "$top=0",
        "$top=-1",
        "$top=5&$top=6",
        "$skip=x",
        "$skipToken=x",
        "$count=yes",
        "$expand=alerts,comments",
        "$orderby=createdDateTime",
        "$orderby=lastUpdateDateTime%20up",
        "$filter=status%20eq%20'active'",
    ] {
        assert!(parse(raw, 50).is_err(), "{raw}");
    }
}

#[test]
fn every_comparison_is_exact_to_the_seventh_digit() {
    let at = Ticks::parse(AT).unwrap();
    let range =
        |operator: &str| filter(&format!("lastUpdateDateTime {operator} {AT}")).unwrap().range(UPDATED);
    assert_eq!(range("ge"), (at, Ticks::MAX));
    assert_eq!(range("gt").0, Ticks(at.0 + 1));
    assert_eq!(range("le"), (Ticks::MIN, at));
    assert_eq!(range("lt").1, Ticks(at.0 - 1));
    assert_eq!(range("eq"), (at, at));
    let both = format!("lastUpdateDateTime gt {AT} and lastUpdateDateTime lt {AT}");
    let (from, to) = filter(&both).unwrap().range(UPDATED);
    assert!(from > to);
}

#[test]
fn a_name_with_a_quote_is_found() {
    let filter = filter("assignedTo eq 'O''Hara and sons' and status eq 'inProgress'").unwrap();
    let matches = |status| {
        filter.matches(|property| match property {
            "status" => Some(Field::Text(status)),
            "assignedTo" => Some(Field::Text("O'Hara and sons")),
            _ => None,
        })
    };
    assert!(matches("inProgress") && !matches("active"));
    assert!(!filter.is_about(UPDATED));
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
        assert!(filter(text).is_err(), "{text}");
    }
}

#[test]
fn what_sentinel_would_not_understand_is_refused() {
    use crate::sentinel::INCIDENTS;
    for text in [
        "",
        "properties/status",
        "properties/status eq New",
        "properties/status eq 'Asleep'",
        "properties/status eq 'new'",
        "properties/status ne 'New'",
        "status eq 'New'",
        "properties/severity eq 'High' or properties/severity eq 'Low'",
        "properties/severity eq 'High' and ",
        "properties/providerIncidentId eq '29'",
        "properties/incidentNumber eq '29'",
        "properties/lastModifiedTimeUtc ge yesterday",
        "properties/lastModifiedTimeUtc eq 2026-10-01T00:00:00Z",
        "properties/labels/any(label: label/labelName eq 'test')",
    ] {
        assert!(Filter::parse(&INCIDENTS, text).is_err(), "{text}");
    }
    for text in ["properties/title", "properties/createdTimeUtc up", "createdTimeUtc", ""] {
        assert!(Order::parse(&INCIDENTS, text).is_none(), "{text}");
    }
}
