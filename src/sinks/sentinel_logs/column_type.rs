//! What a column holds, and which values it can take.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use model::time::{log_time, rfc3339};

/// Most digits behind the point of a second, if a table takes no more than microseconds.
const MICROS_DIGITS: usize = 6;

/// The type of a column, as the stream declares it.
///
/// Source: <https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure#stream-declarations>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Text, of at most 64 KB; a number or a boolean becomes the text that it is written as.
    String,
    /// A whole number of 32 bits, with a sign.
    Int,
    /// A whole number of 64 bits, with a sign.
    Long,
    /// A number of 64 bits, with a point, an exponent or neither.
    Real,
    /// The word `true` or `false`; neither 0 nor 1 is taken for one.
    Boolean,
    /// Any JSON value, of at most 64 KB as text.
    Dynamic,
    /// A time, in RFC 3339 or another form that logs have. Example: `2026-11-23T12:00:00.123Z`.
    DateTime,
}

// === impl ColumnType ===

impl ColumnType {
    /// Name of the type in a stream's declaration.
    /// Source: <https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure#stream-declarations>
    pub const fn in_stream(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Long => "long",
            Self::Real => "real",
            Self::Boolean => "boolean",
            Self::Dynamic => "dynamic",
            Self::DateTime => "datetime",
        }
    }

    /// Whether a value, as JSON, can stand in such a column as it is. What cannot becomes null there without a word, and nothing
    /// that Microsoft says promises that it is converted: so not even a number is taken for a text.
    /// Source: <https://learn.microsoft.com/azure/data-explorer/ingest-invalid-data#failure-without-error-code>
    pub(super) fn takes(self, json: &str) -> bool {
        match self {
            Self::String => json.starts_with('"'),
            // Written as we would: "-0" is a number with a point to some readers.
            Self::Int => json.parse::<i32>().is_ok_and(|number| number.to_string() == json),
            Self::Long => json.parse::<i64>().is_ok_and(|number| number.to_string() == json),
            Self::Real => json.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Boolean => matches!(json, "true" | "false"),
            Self::Dynamic => true,
            Self::DateTime => serde_json::from_str::<String>(json).is_ok_and(|text| is_time(&text)),
        }
    }
}

impl ColumnType {
    /// What is written of a value, as JSON, into such a column: the value itself, or what it becomes without losing anything
    /// (`"443"` the number, `1296.0` the whole number, a number its text, a time of another form one in RFC 3339); nothing if the
    /// column cannot hold it.
    pub(super) fn fit(self, json: &str) -> Option<Cow<'_, str>> {
        if self.takes(json) {
            return Some(Cow::Borrowed(json));
        }
        let text: Option<Cow<'_, str>> = json
            .starts_with('"')
            .then(|| serde_json::from_str::<String>(json).ok().map(Cow::Owned))
            .flatten();
        let converted = match self {
            Self::Int | Self::Long => {
                let number = text.as_deref().unwrap_or(json);
                let is_whole =
                    |fraction: &str| !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
                let whole = number.split_once('.').filter(|(_, fraction)| is_whole(fraction));
                whole.map_or(number, |(whole, _)| whole).to_owned()
            }
            // What JSON has for a number, and not what else could be read as one.
            Self::Real => text.filter(|text| serde_json::from_str::<&RawValue>(text).is_ok())?.into_owned(),
            Self::Boolean => text?.into_owned(),
            Self::DateTime => {
                let time = log_time(text.as_deref().unwrap_or(json), None)?;
                format!("\"{}\"", time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
            Self::String if !json.starts_with(['{', '[', 'n']) => format!("\"{json}\""),
            Self::String | Self::Dynamic => return None,
        };
        self.takes(&converted).then_some(Cow::Owned(converted))
    }
}

/// Whether a text is a time as Microsoft and Vector write it.
pub(super) fn is_time(text: &str) -> bool {
    rfc3339(text).is_some()
}

/// A time, as JSON, in a form that has no more than six digits behind the point. What is no time stays as it is.
pub(super) fn in_micros(json: &str) -> Cow<'_, str> {
    let Ok(text) = serde_json::from_str::<String>(json) else { return json.into() };
    let digits = text
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.bytes().take_while(u8::is_ascii_digit).count());
    match DateTime::parse_from_rfc3339(&text) {
        // RFC 3339 allows a blank in the place of the T, and ISO 8601 does not.
        Ok(time) if digits > MICROS_DIGITS || text.as_bytes().get(10) != Some(&b'T') => {
            format!("\"{}\"", time.to_utc().to_rfc3339_opts(SecondsFormat::Micros, true)).into()
        }
        _ => json.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_takes_what_is_of_its_type_and_nothing_else() {
        use ColumnType::{Boolean, DateTime, Dynamic, Int, Long, Real, String};
        let cases: [(&str, &[ColumnType]); 12] = [
            ("\"a\"", &[String, Dynamic]),
            ("\"1\"", &[String, Dynamic]),
            ("\"2026-11-23T12:00:00.123456789+01:00\"", &[String, Dynamic, DateTime]),
            ("1", &[Int, Long, Real, Dynamic]),
            ("2147483648", &[Long, Real, Dynamic]),
            ("9223372036854775808", &[Real, Dynamic]),
            ("-0", &[Real, Dynamic]),
            ("1.0", &[Real, Dynamic]),
            ("1e400", &[Dynamic]),
            ("true", &[Boolean, Dynamic]),
            ("[\"a\"]", &[Dynamic]),
            ("{\"a\":1}", &[Dynamic]),
        ];
        for (json, expected) in cases {
            for column_type in [String, Int, Long, Real, Boolean, Dynamic, DateTime] {
                assert_eq!(
                    column_type.takes(json),
                    expected.contains(&column_type),
                    "{column_type:?} {json}"
                );
            }
        }
    }

    #[test]
    fn what_loses_nothing_is_converted() {
        use ColumnType::{Boolean, DateTime, Dynamic, Int, Long, Real, String};
        for (column_type, json, expected) in [
            (Int, "\"22\"", Some("22")),
            (Int, "22.0", Some("22")),
            (Int, "\"22.00\"", Some("22")),
            (Int, "22.5", None),
            (Int, "\"2147483648\"", None),
            (Int, "\"0x16\"", None),
            (Int, "\"022\"", None),
            (Int, "true", None),
            (Long, "1795000000.0", Some("1795000000")),
            (Long, "\"9007199254740993\"", Some("9007199254740993")),
            (Long, "1e3", None),
            (Long, "1.", None),
            (Real, "\"1.5\"", Some("1.5")),
            (Real, "\"inf\"", None),
            (Real, "\" 1\"", None),
            (Boolean, "\"true\"", Some("true")),
            (Boolean, "1", None),
            (String, "200", Some("\"200\"")),
            (String, "1.50", Some("\"1.50\"")),
            (String, "false", Some("\"false\"")),
            (String, "{}", None),
            (String, "[\"a\"]", None),
            (DateTime, "\"2026-11-27T20:00:00\"", Some("\"2026-11-27T20:00:00Z\"")),
            (DateTime, "\"2026-11-27T20:00:00.5+0000\"", Some("\"2026-11-27T20:00:00.500Z\"")),
            (DateTime, "1795809600000", Some("\"2026-11-27T20:00:00Z\"")),
            (DateTime, "\"noon\"", None),
            (DateTime, "5", None),
            (Dynamic, "5", Some("5")),
        ] {
            assert_eq!(column_type.fit(json).as_deref(), expected, "{column_type:?} {json}");
        }
    }

    #[test]
    fn a_time_has_six_digits_at_most_and_else_stays_as_it_is() {
        for (time, expected) in [
            ("2026-11-23T12:00:00.123456789Z", "2026-11-23T12:00:00.123456Z"),
            ("2026-11-23T12:00:00.1234567+01:00", "2026-11-23T11:00:00.123456Z"),
            ("2026-11-23 12:00:00Z", "2026-11-23T12:00:00.000000Z"),
            ("2026-11-23T12:00:00.123456Z", "2026-11-23T12:00:00.123456Z"),
            ("2026-11-23T12:00:00+01:00", "2026-11-23T12:00:00+01:00"),
            ("version 1.23456789", "version 1.23456789"),
        ] {
            assert_eq!(in_micros(&format!("\"{time}\"")), format!("\"{expected}\""));
        }
    }
}
