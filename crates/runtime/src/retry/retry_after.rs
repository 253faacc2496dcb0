//! Reads the `Retry-After` header.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Reads the header's value: seconds (Graph sends decimals, `2.128`) or an HTTP date. `now` is the time of the answer.
///
/// How long that is obeyed is not decided here.
///
/// Source: <https://learn.microsoft.com/graph/throttling>, RFC 9110 section 10.2.3.
pub fn parse(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?.to_utc();
    Some((date - now).to_std().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_servers_send_is_read() {
        let now = DateTime::parse_from_rfc3339("2026-11-23T12:00:00Z").unwrap().to_utc();
        let cases = [
            ("5", Some(Duration::from_secs(5))),
            (" 2.128 ", Some(Duration::from_secs_f64(2.128))),
            ("0", Some(Duration::ZERO)),
            ("Mon, 23 Nov 2026 12:01:30 GMT", Some(Duration::from_secs(90))),
            ("Mon, 23 Nov 2026 11:00:00 GMT", Some(Duration::ZERO)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
            ("999999999", Some(Duration::from_secs(999_999_999))),
            ("1e300", None),
        ];
        for (value, expected) in cases {
            assert_eq!(parse(value, now), expected, "{value}");
        }
    }
}
