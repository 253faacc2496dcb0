//! Reads times as logs have them.

use chrono::{DateTime, NaiveDate, Utc};

/// The time that a text is, in RFC 3339.
///
/// Rows are read by the million and nearly all have their time as `2026-11-23T12:00:00.123Z`: so that form is read here, and
/// every other by a calendar's own reader.
pub fn rfc3339(text: &str) -> Option<DateTime<Utc>> {
    usual_form(text.as_bytes()).or_else(|| DateTime::parse_from_rfc3339(text).ok().map(Into::into))
}

fn usual_form(text: &[u8]) -> Option<DateTime<Utc>> {
    let (&[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2], rest) =
        text.split_first_chunk::<19>()?
    else {
        return None;
    };
    let fraction = match rest {
        b"Z" => &[][..],
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => fraction,
        _ => return None,
    };
    let date = NaiveDate::from_ymd_opt(
        number(&[y1, y2, y3, y4])?.cast_signed(),
        number(&[m1, m2])?,
        number(&[d1, d2])?,
    )?;
    let mut nanos = number(fraction)?;
    for _ in fraction.len()..9 {
        nanos *= 10;
    }
    // A leap second is no usual form.
    let time = date.and_hms_nano_opt(number(&[h1, h2])?, number(&[i1, i2])?, number(&[s1, s2])?, nanos)?;
    Some(time.and_utc())
}

/// The number that at most nine digits are.
fn number(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_as_the_calendar_has_it(text: &str) {
        let calendar = DateTime::parse_from_rfc3339(text).ok().map(DateTime::<Utc>::from);
        assert_eq!(rfc3339(text), calendar, "{text}");
        // The short way is taken only where it comes to the same.
        assert!(usual_form(text.as_bytes()).is_none_or(|time| Some(time) == calendar), "{text}");
    }

    #[test]
    fn every_form_of_a_time_is_read() {
        for text in [
            "2026-11-23T12:00:00Z",
            "2026-11-23T12:00:00.1234567Z",
            "2026-11-23T12:00:00.123456789Z",
            "2026-11-23T12:00:00.1234567891Z",
            "2026-11-23T12:00:00.Z",
            "2026-11-23t12:00:00z",
            "2026-11-23 12:00:00Z",
            "2026-11-23T14:00:00+02:00",
            "2024-02-29T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2016-12-31T23:59:60Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T12:60:00Z",
            "2026-11-23T12:00:61Z",
            "0000-01-01T00:00:00Z",
            "2026-11-23",
            "",
        ] {
            assert_as_the_calendar_has_it(text);
        }
        assert!(usual_form(b"2026-11-23T12:00:00.5Z").is_some());
    }

    proptest! {
        #[test]
        fn any_time_is_the_calendars(text in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?(Z|z|[+-]0[0-9]:[0-9]0|)") {
            assert_as_the_calendar_has_it(&text);
        }

        #[test]
        fn a_time_with_a_mistake_is_the_calendars(
            at in 0..24_usize, wrong in any::<char>(), fraction in "(\\.[0-9]{1,9})?",
        ) {
            let mut text: Vec<char> = format!("2026-11-23T12:34:56{fraction}Z").chars().collect();
            let at = at.min(text.len() - 1);
            text[at] = wrong;
            assert_as_the_calendar_has_it(&text.into_iter().collect::<String>());
        }
    }
}
