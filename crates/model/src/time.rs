//! Reads times as logs have them.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};

/// The years in which a log can have happened: a number that comes to another is in another unit, or no time. The ticks of .NET (100 ns
/// since the year 1) are such numbers: read as nanoseconds since 1970, those of this century come to 1990.
const YEARS: std::ops::Range<i32> = 1991..2200;
/// Names of months, as in English dates: whole, or their first three letters.
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// Names of days, the same way.
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// Zones that have names, and their minutes east of Greenwich.
/// Source: <https://www.rfc-editor.org/rfc/rfc2822#section-4.3>
const ZONES: [(&str, i32); 12] = [
    ("Z", 0),
    ("UT", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
];

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

/// The time that a text is, in any form that Azure Data Explorer documents for `datetime`, or that logs are known to have: ISO 8601
/// with and without zone (which is UTC then), with a blank for the `T`, without seconds or without a time of day; RFC 822, 850
/// and 2822; `Oct 19 2022 15:33:03.123 GMT`; and the seconds, milliseconds, microseconds or nanoseconds since 1970, whichever come
/// to a year from 1990 on.
///
/// A date without a year, as in `Oct 19 15:33:03`, is taken for the one that is nearest before `now`, or up to a week after it.
/// Without `now` it is no time.
///
/// Source: <https://learn.microsoft.com/kusto/query/scalar-data-types/datetime>
pub fn log_time(text: &str, now: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    let text = text.trim();
    rfc3339(text).or_else(|| epoch(text)).or_else(|| iso(text)).or_else(|| english(text, now))
}

/// Seconds, or a smaller unit, since 1970.
fn epoch(text: &str) -> Option<DateTime<Utc>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (are_digits(whole) && are_digits(fraction) && (9..=19).contains(&whole.len())).then_some(())?;
    let number: i64 = whole.parse().ok()?;
    let nanos_of_one = match number {
        0..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    let digits = fraction.get(..9.min(fraction.len()))?;
    let parts =
        i64::from(self::number(digits.as_bytes())?) * 10_i64.pow(9 - u32::try_from(digits.len()).ok()?);
    let nanos = i128::from(number) * i128::from(nanos_of_one)
        + i128::from(parts) * i128::from(nanos_of_one) / 1_000_000_000;
    let time = DateTime::from_timestamp_nanos(i64::try_from(nanos).ok()?);
    YEARS.contains(&time.year()).then_some(time)
}

/// ISO 8601, more or less: the zone and all of the time but hour and minute may be missing, and a time.
fn iso(text: &str) -> Option<DateTime<Utc>> {
    let (date, rest) = text.split_at_checked(10)?;
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    if rest.is_empty() {
        return Some(date.and_time(NaiveTime::MIN).and_utc());
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?.trim_start();
    let end =
        rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ','))).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(end);
    in_zone(date, time_of_day(time)?, zone)
}

/// Dates with the name of a month, in any order that is known: `Fri, 27 Nov 2026 20:00:00 GMT`, `Friday, 27-Nov-26 20:00 GMT`,
/// `Nov 27 2026 20:00:00.123 UTC`, `Fri Nov 27 20:00:00 2026`.
fn english(text: &str, now: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    let clock = text.find(':')?;
    // The day and the month stand before the time of day; hyphens between them are as good as blanks.
    let begins = text.get(..clock)?.rfind(' ')?;
    let date = text.get(..begins)?.replace(['-', ','], " ");
    let mut after = text.get(begins..)?.split_whitespace();
    let time = time_of_day(after.next()?)?;
    let (mut month, mut day, mut year) = (None, None, None);
    let words: Vec<&str> = date.split_whitespace().collect();
    for (at, word) in words.iter().enumerate() {
        if word.bytes().all(|byte| byte.is_ascii_digit()) {
            match (day, word.len()) {
                (None, 1 | 2) => day = Some(word.parse().ok()?),
                (Some(_), 2) => year = Some(2_000 + word.parse::<i32>().ok()?),
                (_, 4) => year = Some(word.parse().ok()?),
                _ => return None,
            }
        } else if let Some(index) = month_of(word) {
            month = Some(index);
        } else if at > 0 || !is_day_of_week(word) {
            return None;
        }
    }
    let mut zone = after.next().unwrap_or_default();
    if year.is_none() && zone.len() == 4 && zone.bytes().all(|byte| byte.is_ascii_digit()) {
        year = Some(zone.parse().ok()?);
        zone = after.next().unwrap_or_default();
    }
    after.next().is_none().then_some(())?;
    let in_year = |year| in_zone(NaiveDate::from_ymd_opt(year, month?, day?)?, time, zone);
    let Some(year) = year else {
        let now = now?;
        let latest = now + TimeDelta::weeks(1);
        return (now.year() - 8..=latest.year()).rev().filter_map(in_year).find(|time| *time <= latest);
    };
    in_year(year)
}

fn month_of(word: &str) -> Option<u32> {
    let at = MONTHS.iter().position(|month| is_name(word, month))?;
    u32::try_from(at + 1).ok()
}

fn is_day_of_week(word: &str) -> bool {
    DAYS.iter().any(|day| is_name(word, day))
}

/// Whether a word is a name in lower case, or at least its first three letters; a point or a comma may follow.
fn is_name(word: &str, name: &str) -> bool {
    let word = word.trim_end_matches(['.', ',']).to_ascii_lowercase();
    word.len() >= 3 && name.starts_with(&word)
}

/// `20:00`, `20:00:00` or `20:00:00.123`, with a comma for the point too.
fn time_of_day(text: &str) -> Option<NaiveTime> {
    let text = text.replace(',', ".");
    let (clock, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut parts =
        clock.split(':').map(|part| (1..=2).contains(&part.len()).then(|| number(part.as_bytes())).flatten());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    parts.next().is_none().then_some(())?;
    // What is finer than a nanosecond cannot be kept.
    let digits = fraction.as_bytes().get(..9.min(fraction.len()))?;
    fraction.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    let nanos = number(digits)? * 10_u32.pow(9 - u32::try_from(digits.len()).ok()?);
    NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)
}

/// That time of day there, by a zone such as `+02:00`, `-0500`, `+02`, `GMT`, `UTC+2` or none, which is UTC.
fn in_zone(date: NaiveDate, time: NaiveTime, zone: &str) -> Option<DateTime<Utc>> {
    let zone = zone.trim().to_ascii_uppercase();
    let begins = zone.find(['+', '-']).unwrap_or(zone.len());
    let (name, offset) = zone.split_at(begins);
    let name = name.trim();
    let named = if name.is_empty() { 0 } else { ZONES.iter().find(|(known, _)| *known == name)?.1 };
    let minutes = match offset.split_at_checked(1) {
        None => 0,
        Some((sign, digits)) => {
            let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
                (Some((hours, minutes)), _) => (hours, minutes),
                (None, 1 | 2) => (digits, "0"),
                (None, 4) => digits.split_at_checked(2)?,
                _ => return None,
            };
            let minutes =
                number(hours.as_bytes())?.checked_mul(60)?.checked_add(number(minutes.as_bytes())?)?;
            let minutes = i32::try_from(minutes).ok().filter(|minutes| *minutes <= 18 * 60)?;
            if sign == "-" { -minutes } else { minutes }
        }
    };
    date.and_time(time).and_utc().checked_sub_signed(TimeDelta::minutes(i64::from(named + minutes)))
}

/// The number that at most nine digits are.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.len() > 9 {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_follows_a_time_it_is_a_time_or_none(zone in "[+-]?\\PC{0,6}", digits in "[+-][0-9]{1,14}(:[0-9]{1,9})?") {
            for zone in [zone, digits] {
                for time in ["2026-11-28T10:00:00", "Nov 28 10:00:00 ", "Nov 28 2026 10:00:00 "] {
                    let text = format!("{time}{zone}");
                    if let Some(read) = log_time(&text, DateTime::from_timestamp(1_795_800_000, 0)) {
                        let day = TimeDelta::days(1);
                        let at = DateTime::from_timestamp(1_795_860_000, 0).unwrap();
                        prop_assert!(read > at - day && read < at + day, "{text}: {read}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_time_is_none() {
        let now = DateTime::from_timestamp(1_795_800_000, 0);
        let odd = [
            "2026-11-28T10:00:00+😀",
            "2026-11-28T10:00:00+€1",
            "2026-11-28T10:00:00+99999999999:00",
            "2026-11-28T10:00:00+4294967297:00",
            "Marathon 5 2026 10:00",
            "Sunglasses Mar 5 2026 10:00",
            "639155000000000000",
        ];
        for text in odd {
            assert_eq!(log_time(text, now), None, "{text}");
        }
        for text in ["March 5 2026 10:00", "Thu, Mar 5 2026 10:00:00", "Thursday Mar 5 2026 10:00:00 GMT"] {
            assert_eq!(log_time(text, now), DateTime::from_timestamp(1_772_704_800, 0), "{text}");
        }
    }

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

    #[test]
    fn the_forms_of_logs_come_to_the_same_time() {
        let time: DateTime<Utc> = "2026-11-27T20:00:00Z".parse().unwrap();
        for text in [
            "2026-11-27T20:00:00",
            "2026-11-27T20:00",
            "2026-11-27 20:00:00",
            "2026-11-27  20:00:00Z",
            "2026-11-27T20:00:00+0000",
            "2026-11-27T22:00:00.000+02",
            "2026-11-27T22:00:00 +02:00",
            "2026-11-27T15:00:00-0500",
            "2026-11-27 20:00:00,000",
            "2026-11-27 20:00:00 UTC",
            "Fri, 27 Nov 2026 20:00:00 GMT",
            "Fri, 27 Nov 26 20:00 GMT",
            "27 Nov 2026 20:00:00",
            "Friday, 27-Nov-26 20:00:00 GMT",
            "Fri, 27 Nov 2026 15:00:00 EST",
            "Fri Nov 27 20:00:00 2026",
            "Nov 27 2026 20:00:00",
            "Nov 27 2026 20:00:00.000 UTC",
            "Nov 27 2026 22:00:00 GMT+02:00",
            "Nov 27 20:00:00",
            "nov 27 20:00:00 GMT",
            "1795809600",
            "1795809600000",
            "1795809600000000",
            "1795809600000000000",
            "1795809600.000",
            " 1795809600 ",
        ] {
            assert_eq!(log_time(text, Some(time)), Some(time), "{text}");
        }
        let at = |text: &str| log_time(text, None).map(|time| time.to_rfc3339());
        assert_eq!(at("1795813799.5").as_deref(), Some("2026-11-27T21:09:59.500+00:00"));
        assert_eq!(at("1795813799123.25").as_deref(), Some("2026-11-27T21:09:59.123250+00:00"));
        assert_eq!(at("2026-11-27").as_deref(), Some("2026-11-27T00:00:00+00:00"));
        assert_eq!(at("2026-11-27T20:00:00.123456").as_deref(), Some("2026-11-27T20:00:00.123456+00:00"));
        for no_time in [
            "",
            "0",
            "443",
            "86400",
            "1666193583123456789012",
            "2026",
            "2026-13-01",
            "2026-11-27T25:00",
            "2026-11-27T20",
            "20:00:00",
            "noon",
            "2026-11-27T20:00:00 CEST",
            "2026-11-27T20:00:00+99:00",
            "Nov 27",
            "x Nov 27 2026 20:00:00",
            "1.5",
            "-1795809600",
            "Nov 27 20:00:00",
            "2026-11-27é20:00",
        ] {
            assert_eq!(at(no_time), None, "{no_time}");
        }
    }

    #[test]
    fn a_date_without_a_year_is_the_nearest_that_can_have_been() {
        let now: DateTime<Utc> = "2027-01-02T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("Dec 31 23:59:59", "2026-12-31T23:59:59Z"),
            ("Jan 2 13:00:00", "2027-01-02T13:00:00Z"),
            ("Jan 12 00:00:00", "2026-01-12T00:00:00Z"),
            ("Feb 29 00:00:00", "2024-02-29T00:00:00Z"),
        ] {
            assert_eq!(log_time(text, Some(now)), Some(expected.parse().unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_text_is_it_is_a_time_or_none(text in "\\PC{0,40}|[0-9 :.,+-]{0,30}|[A-Za-z]{3},? [0-9 :-]{0,25}") {
            log_time(&text, DateTime::from_timestamp(1_795_809_600, 0));
        }

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
