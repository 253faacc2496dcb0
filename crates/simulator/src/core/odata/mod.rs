//! One reader of `OData`'s query options for all services: what a list lets its readers ask is data ([`Dialect`]), and so
//! is what they asked ([`Query`]).

use std::cmp::Ordering;
use std::ops::Range;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use thiserror::Error;
use url::form_urlencoded;

use crate::core::ticks::Ticks;

/// Finer than the services keep a time.
const MOST_FRACTION_DIGITS: usize = 7;

/// What one collection lets its readers ask.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The options it takes. Pages go on by `$skipToken` if that is among them, else by `$skip`.
    pub(crate) options: &'static [&'static str],
    pub(crate) properties: &'static [Property],
    /// What `$expand` can name.
    pub(crate) expands: &'static [&'static str],
    pub(crate) largest_page: usize,
    /// Whether members of enumerations are the same in any case.
    pub(crate) any_case: bool,
    /// Whether an option that it does not take is passed over instead of refused, and the last one of a name counts.
    pub(crate) lenient: bool,
}

/// A property that can be asked about.
#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether `$orderby` can name it.
    pub(crate) sorts: bool,
}

/// How a property can be compared.
#[derive(Debug)]
pub(crate) enum Kind {
    /// By order, and by `eq` only if that is said.
    Time { equals: bool },
    /// By `eq` with one of these.
    Member(&'static [&'static str]),
    /// By `eq` with any text.
    Text,
    /// It sorts and cannot be compared with anything.
    Number,
}

/// The value of a property, for filters and orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field<'a> {
    Time(Ticks),
    Text(&'a str),
    Number(u64),
}

/// The options as they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pub(crate) filter: Filter,
    /// `None` if nobody asked for one: then it is stable, but not by time.
    pub(crate) order: Option<Order>,
    pub(crate) skip: usize,
    pub(crate) top: usize,
    pub(crate) counts: bool,
    pub(crate) expands: bool,
    /// Everything but how far to skip, for the next page.
    kept: Vec<(String, String)>,
    by_token: bool,
}

/// Conditions that all must hold. The default lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter(Vec<Condition>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    property: &'static str,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// Both ends belong to it.
    Within(Ticks, Ticks),
    Is(String),
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    property: &'static str,
    pub(crate) descending: bool,
}

/// Why options cannot be read, in the words of Graph.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum QueryError {
    #[error("The query specified in the URI is not valid. A quote was not encoded.")]
    Unencoded,
    #[error("Query option '{0}' was specified more than once, but it must be specified at most once.")]
    Repeated(String),
    #[error(
        "The query specified in the URI is not valid. The query option '{name}' with the value '{value}' is not supported."
    )]
    Option { name: String, value: String },
    #[error(
        "The query specified in the URI is not valid. Invalid value '{value}' for {name} query option found."
    )]
    Value { name: &'static str, value: String },
    #[error(
        "The query specified in the URI is not valid. The limit of '{limit}' for Top query has been exceeded. The value \
        from the incoming request is '{top}'."
    )]
    TooMany { limit: usize, top: usize },
    #[error(
        "Parsing OData Select and Expand failed: Could not find a property named '{0}' on type \
        'microsoft.graph.security.incident'."
    )]
    Expand(String),
    #[error("Could not find a property named '{0}' on type 'microsoft.graph.security.incident'.")]
    Property(String),
    #[error("Invalid filter clause: Syntax error in '{0}'.")]
    Syntax(String),
    #[error("Invalid filter clause: there is an unterminated string literal.")]
    Unterminated,
    #[error("Invalid filter clause: '{0}' is not supported here.")]
    Connective(String),
    #[error("Invalid filter clause: operator '{0}' is not supported for this property.")]
    Operator(String),
    #[error("Invalid filter clause: '{0}' is not a quoted string.")]
    Unquoted(String),
    #[error("Invalid filter clause: '{0}' is not a member of the property's enumeration.")]
    Member(String),
    #[error("Invalid filter clause: '{0}' is not a DateTimeOffset literal.")]
    Time(String),
}

// === impl Dialect ===

impl Dialect {
    fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties.iter().find(|property| property.name == name)
    }
}

// === impl Query ===

impl Query {
    /// Reads the raw query of a URL.
    pub(crate) fn parse(dialect: &Dialect, raw: &str, page_size: usize) -> Result<Self, QueryError> {
        if !dialect.lenient && raw.contains('\'') {
            return Err(QueryError::Unencoded);
        }
        let mut query = Self {
            top: page_size.clamp(1, dialect.largest_page),
            by_token: dialect.options.contains(&"$skipToken"),
            ..Self::default()
        };
        for (name, value) in form_urlencoded::parse(raw.as_bytes()).into_owned() {
            if dialect.lenient {
                // Clients put their own `api-version` behind a link that has one.
                query.kept.retain(|(known, _)| *known != name);
            } else if query.kept.iter().any(|(known, _)| *known == name) {
                return Err(QueryError::Repeated(name));
            }
            query.take(dialect, &name, &value)?;
            if name != query.skips_by() {
                query.kept.push((name, value));
            }
        }
        Ok(query)
    }

    fn take(&mut self, dialect: &Dialect, name: &str, value: &str) -> Result<(), QueryError> {
        let invalid = |name| QueryError::Value { name, value: value.to_owned() };
        match name {
            other if !dialect.options.contains(&other) && dialect.lenient => {}
            other if !dialect.options.contains(&other) => return Err(unsupported(other, value)),
            "$filter" => self.filter = Filter::parse(dialect, value)?,
            "$orderby" => self.order = Some(Order::parse(dialect, value).ok_or_else(|| invalid("$orderby"))?),
            "$top" => match value.parse() {
                Ok(0) | Err(_) => return Err(invalid("$top")),
                Ok(top) if top > dialect.largest_page => {
                    return Err(QueryError::TooMany { limit: dialect.largest_page, top });
                }
                Ok(top) => self.top = top,
            },
            "$skip" => self.skip = value.parse().map_err(|_| invalid("$skip"))?,
            "$skipToken" => self.skip = skip_of(value).ok_or_else(|| invalid("$skipToken"))?,
            "$count" if ["true", "false"].contains(&value) => self.counts = value == "true",
            "$expand" if dialect.expands.contains(&value) => self.expands = true,
            "$expand" => return Err(QueryError::Expand(value.to_owned())),
            other => return Err(unsupported(other, value)),
        }
        Ok(())
    }

    /// What a page holds of a list with `total` entries.
    pub(crate) fn window(&self, total: usize) -> Range<usize> {
        let from = self.skip.min(total);
        from..from.saturating_add(self.top).min(total)
    }

    /// The address of the page that begins after `skip` entries, with its options percent-encoded or as they are.
    pub(crate) fn next_link(&self, address: &str, skip: usize, encoded: bool) -> String {
        let mark = if self.by_token { token_of(skip) } else { skip.to_string() };
        let kept = self.kept.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs = kept.chain([(self.skips_by(), mark.as_str())]);
        let query = if encoded {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            // The names of the options keep their dollar, as in links of the real service.
            query.replace("%24", "$")
        } else {
            pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        };
        format!("{address}?{query}")
    }

    const fn skips_by(&self) -> &'static str {
        if self.by_token { "$skipToken" } else { "$skip" }
    }
}

fn unsupported(name: &str, value: &str) -> QueryError {
    QueryError::Option { name: name.to_owned(), value: value.to_owned() }
}

fn token_of(skip: usize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json!({"skip": skip}).to_string())
}

fn skip_of(token: &str) -> Option<usize> {
    let token: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    usize::try_from(token.get("skip")?.as_u64()?).ok()
}

// === impl Filter ===

impl Filter {
    fn parse(dialect: &Dialect, text: &str) -> Result<Self, QueryError> {
        let mut rest = words(text)?.into_iter();
        let mut conditions = Vec::new();
        loop {
            let (Some(property), Some(operator), Some(literal)) = (rest.next(), rest.next(), rest.next())
            else {
                return Err(QueryError::Syntax(text.to_owned()));
            };
            conditions.push(Condition::parse(dialect, property, operator, literal)?);
            match rest.next() {
                None => return Ok(Self(conditions)),
                Some(connective) if connective == "and" => {}
                Some(other) => return Err(QueryError::Connective(other)),
            }
        }
    }

    /// The first and the last time of a property that can match.
    pub(crate) fn range(&self, property: &str) -> (Ticks, Ticks) {
        self.0.iter().fold((Ticks::MIN, Ticks::MAX), |(from, to), condition| match condition.test {
            Test::Within(first, last) if condition.property == property => (from.max(first), to.min(last)),
            _ => (from, to),
        })
    }

    /// Whether it asks about this property only.
    pub(crate) fn is_about(&self, property: &str) -> bool {
        self.0.iter().all(|condition| condition.property == property)
    }

    /// Whether all conditions hold for something with these values.
    pub(crate) fn matches<'a>(&self, value_of: impl Fn(&str) -> Option<Field<'a>>) -> bool {
        self.0.iter().all(|condition| match (&condition.test, value_of(condition.property)) {
            (Test::Within(from, to), Some(Field::Time(at))) => *from <= at && at <= *to,
            (Test::Is(wanted), Some(Field::Text(text))) => text.eq_ignore_ascii_case(wanted),
            _ => false,
        })
    }
}

// === impl Condition ===

impl Condition {
    fn parse(dialect: &Dialect, name: String, operator: String, literal: String) -> Result<Self, QueryError> {
        let property = dialect.property(&name).filter(|property| !matches!(property.kind, Kind::Number));
        let Some(Property { name, kind, .. }) = property else { return Err(QueryError::Property(name)) };
        let test = match kind {
            Kind::Time { equals } => within(*equals, operator, literal)?,
            _ if operator != "eq" => return Err(QueryError::Operator(operator)),
            kind => {
                let text = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
                let Some(text) = text else { return Err(QueryError::Unquoted(literal)) };
                let text = text.replace("''", "'");
                let same = |member: &&str| {
                    if dialect.any_case { member.eq_ignore_ascii_case(&text) } else { *member == text }
                };
                match kind {
                    Kind::Member(members) if !members.iter().any(same) => {
                        return Err(QueryError::Member(text));
                    }
                    _ => Test::Is(text),
                }
            }
        };
        Ok(Self { property: name, test })
    }
}

fn within(equals: bool, operator: String, literal: String) -> Result<Test, QueryError> {
    let fraction = literal.split_once('.').map_or("", |(_, rest)| rest);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let at = Ticks::parse(&literal).filter(|_| digits <= MOST_FRACTION_DIGITS);
    let at = at.ok_or(QueryError::Time(literal))?;
    let (from, to) = match operator.as_str() {
        "ge" => (at, Ticks::MAX),
        "gt" => (at.after(), Ticks::MAX),
        "le" => (Ticks::MIN, at),
        "lt" => (Ticks::MIN, Ticks(at.0 - 1)),
        "eq" if equals => (at, at),
        _ => return Err(QueryError::Operator(operator)),
    };
    Ok(Test::Within(from, to))
}

/// Splits at spaces outside of quotes; quoted strings keep their quotes.
fn words(text: &str) -> Result<Vec<String>, QueryError> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        quoted ^= character == '\'';
        match words.last_mut() {
            Some(word) if character != ' ' || quoted => word.push(character),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    if quoted { Err(QueryError::Unterminated) } else { Ok(words) }
}

// === impl Order ===

impl Order {
    fn parse(dialect: &Dialect, text: &str) -> Option<Self> {
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        let property = dialect.property(words.next()?).filter(|property| property.sorts)?;
        let descending = match (words.next(), words.next()) {
            (None | Some("asc"), None) => false,
            (Some("desc"), None) => true,
            _ => return None,
        };
        Some(Self { property: property.name, descending })
    }

    /// Which of two comes first, by the values that they have.
    pub(crate) fn compare<'a>(
        self,
        value_of_a: impl Fn(&str) -> Option<Field<'a>>,
        value_of_b: impl Fn(&str) -> Option<Field<'a>>,
    ) -> Ordering {
        let ordering = value_of_a(self.property).cmp(&value_of_b(self.property));
        if self.descending { ordering.reverse() } else { ordering }
    }
}

#[cfg(test)]
mod tests;
