//! Reads the query options of a list of incidents, and writes the link to its next page.

// https://learn.microsoft.com/graph/api/security-list-incidents#optional-query-parameters

use url::form_urlencoded;

use super::config::LARGEST_PAGE;
use super::filter::Filter;
use super::roster::{Order, Request};

/// The options as they were asked for.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) request: Request,
    pub(super) counts: bool,
    /// Everything but `$skip`, for the next page.
    kept: Vec<(String, String)>,
}

// === impl Query ===

impl Query {
    /// Reads the raw query of a URL. The error is a sentence for the caller.
    pub(super) fn parse(raw: &str, page_size: usize) -> Result<Self, String> {
        if raw.contains('\'') {
            return Err("The query specified in the URI is not valid. A quote was not encoded.".to_owned());
        }
        let mut query = Self {
            request: Request {
                filter: Filter::default(),
                order: Order::Arbitrary,
                skip: 0,
                top: page_size.clamp(1, LARGEST_PAGE),
                with_alerts: false,
            },
            counts: false,
            kept: Vec::new(),
        };
        for (name, value) in form_urlencoded::parse(raw.as_bytes()).into_owned() {
            if query.kept.iter().any(|(known, _)| *known == name) {
                return Err(format!(
                    "Query option '{name}' was specified more than once, but it must be specified at most once."
                ));
            }
            query.take(&name, &value)?;
            if name != "$skip" {
                query.kept.push((name, value));
            }
        }
        Ok(query)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        let request = &mut self.request;
        match (name, value) {
            ("$filter", text) => request.filter = Filter::parse(text)?,
            ("$top", number) => request.top = top(number)?,
            ("$skip", number) => request.skip = parsed(name, number)?,
            ("$count", "true" | "false") => self.counts = value == "true",
            ("$expand", "alerts") => request.with_alerts = true,
            ("$expand", other) => {
                return Err(format!(
                    "Parsing OData Select and Expand failed: Could not find a property named \
                    '{other}' on type 'microsoft.graph.security.incident'."
                ));
            }
            ("$orderby", order) => request.order = parse_order(order)?,
            _ => {
                return Err(format!(
                    "The query specified in the URI is not valid. The query option '{name}' with \
                    the value '{value}' is not supported."
                ));
            }
        }
        Ok(())
    }

    /// The address of the page that begins after `skip` incidents.
    pub(super) fn next_link(&self, address: &str, skip: usize) -> String {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(&self.kept);
        pairs.append_pair("$skip", &skip.to_string());
        // The names of the options keep their dollar, as in links of the real service.
        format!("{address}?{}", pairs.finish().replace("%24", "$"))
    }
}

fn top(number: &str) -> Result<usize, String> {
    let top: usize = parsed("$top", number)?;
    if top > LARGEST_PAGE {
        return Err(format!(
            "The query specified in the URI is not valid. The limit of '{LARGEST_PAGE}' for Top \
            query has been exceeded. The value from the incoming request is '{top}'."
        ));
    }
    if top == 0 { Err(invalid("$top", number)) } else { Ok(top) }
}

fn parse_order(text: &str) -> Result<Order, String> {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (Some("lastUpdateDateTime"), None | Some("asc"), None) => Ok(Order::OldestFirst),
        (Some("lastUpdateDateTime"), Some("desc"), None) => Ok(Order::NewestFirst),
        _ => Err(invalid("$orderby", text)),
    }
}

fn parsed(name: &str, number: &str) -> Result<usize, String> {
    number.parse().map_err(|_| invalid(name, number))
}

fn invalid(name: &str, value: &str) -> String {
    format!(
        "The query specified in the URI is not valid. Invalid value '{value}' for {name} query option found."
    )
}

/// One incident takes `$expand` only.
pub(super) fn wants_alerts(raw: &str) -> Result<bool, String> {
    let query = Query::parse(raw, LARGEST_PAGE)?;
    match query.kept.iter().find(|(name, _)| name != "$expand") {
        Some((name, _)) => Err(format!(
            "The query specified in the URI is not valid. The query option '{name}' is not supported here."
        )),
        None => Ok(query.request.with_alerts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_asks_for_the_same_and_skips() {
        let raw = "$filter=lastUpdateDateTime%20ge%202026-02-25T16:29:33.1133333Z%20and%20status%20eq%20%27active%27&$top=2&$skip=2";
        let link = Query::parse(raw, 50).unwrap().next_link("https://127.0.0.1:1/v1.0/security/incidents", 4);
        let url = url::Url::parse(&link).unwrap();
        let again = Query::parse(url.query().unwrap(), 50).unwrap();
        let first = Query::parse(raw, 50).unwrap();
        assert_eq!(again.request.filter, first.request.filter);
        assert_eq!((again.request.top, again.request.skip), (2, 4));
    }

    #[test]
    fn more_than_fifty_are_refused_in_the_vendors_words() {
        assert_eq!(
            Query::parse("$top=1000", 50).unwrap_err(),
            "The query specified in the URI is not valid. The limit of '50' for Top query has been exceeded. \
            The value from the incoming request is '1000'."
        );
        assert_eq!(Query::parse("%24top=50", 10).unwrap().request.top, 50);
        assert_eq!(Query::parse("", 10).unwrap().request.top, 10);
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
            "$count=yes",
            "$expand=alerts,comments",
            "$orderby=createdDateTime",
            "$orderby=lastUpdateDateTime%20up",
            "$filter=status%20eq%20'active'",
        ] {
            assert!(Query::parse(raw, 50).is_err(), "{raw}");
        }
    }
}
