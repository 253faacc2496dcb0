//! A text where a number is wanted: what was meant by `1m` or `1GB`.

/// What an option counts in, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Seconds,
    Bytes,
    Things,
}

/// Units, and how many seconds each has.
const SECONDS: [(&[&str], f64); 5] = [
    (&["ms", "millis", "milliseconds"], 0.001),
    (&["", "s", "sec", "secs", "second", "seconds"], 1.0),
    (&["m", "min", "mins", "minute", "minutes"], 60.0),
    (&["h", "hr", "hour", "hours"], 3_600.0),
    (&["d", "day", "days"], 86_400.0),
];
/// Units, and how many bytes each has.
const BYTES: [(&[&str], f64); 9] = [
    (&["", "b", "byte", "bytes"], 1.0),
    (&["k", "kb"], 1e3),
    (&["m", "mb"], 1e6),
    (&["g", "gb"], 1e9),
    (&["t", "tb"], 1e12),
    (&["ki", "kib"], 1_024.0),
    (&["mi", "mib"], 1_048_576.0),
    (&["gi", "gib"], 1_073_741_824.0),
    (&["ti", "tib"], 1_099_511_627_776.0),
];
const NO_UNIT: [(&[&str], f64); 1] = [(&[""], 1.0)];

/// Largest number that is suggested; doubles are exact below.
const MOST: f64 = 9e15;

// === impl Counted ===

impl Counted {
    fn by(option: &str) -> Self {
        if option.ends_with("_secs") {
            Self::Seconds
        } else if option.ends_with("_bytes") || option.ends_with("_size") {
            Self::Bytes
        } else {
            Self::Things
        }
    }

    const fn units(self) -> &'static [(&'static [&'static str], f64)] {
        match self {
            Self::Seconds => &SECONDS,
            Self::Bytes => &BYTES,
            Self::Things => &NO_UNIT,
        }
    }

    /// What a number of them is, with an example if there is one that is as good as any other.
    const fn words(self) -> &'static str {
        match self {
            Self::Seconds => " of seconds, such as 60",
            Self::Bytes => " of bytes, such as 1000000",
            Self::Things => "",
        }
    }
}

/// What the number at `path` is of, behind `a whole number`.
pub(super) fn counted(path: &str) -> &'static str {
    Counted::by(option(path)).words()
}

/// What to write in the place of `text`, where a number is wanted at `path`, a whole one or any.
pub(super) fn meant(path: &str, text: &str, whole: bool) -> Option<String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = unit.trim().to_lowercase();
    let units = Counted::by(option(path)).units().iter();
    let (_, factor) = units.into_iter().find(|(names, _)| names.contains(&unit.as_str()))?;
    let meant = number.replace('_', "").parse::<f64>().ok()? * factor;
    let is_possible = meant <= MOST && (!whole || meant.fract() == 0.0);
    is_possible.then(|| if unit.is_empty() { format!("{meant} without quotes") } else { meant.to_string() })
}

/// The name of the option at `path`, which may be an item of a list.
fn option(path: &str) -> &str {
    path.rsplit('.').find(|part| part.parse::<usize>().is_err()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_counted_out_where_the_option_says_in_what() {
        for (path, text, whole, expected) in [
            ("s.poll_interval_secs", "1m", true, Some("60")),
            ("s.timeout_secs", "1.5 hours", true, Some("5400")),
            ("s.timeout_secs", "500ms", true, None),
            ("s.timeout_secs", "500ms", false, Some("0.5")),
            ("s.timeout_secs", "60", true, Some("60 without quotes")),
            ("s.batch.max_bytes", "1GB", true, Some("1000000000")),
            ("s.batch.max_bytes", "10 MiB", true, Some("10485760")),
            ("s.batch.max_bytes", "1_000", true, Some("1000 without quotes")),
            ("s.timeouts_secs.0", "2h", true, Some("7200")),
            ("s.page_size", "50", true, Some("50 without quotes")),
            ("s.rate_limit_num", "1m", true, None),
            ("s.timeout_secs", "soon", true, None),
            ("s.timeout_secs", "99999999999999999d", true, None),
            ("s.timeout_secs", "", true, None),
            ("s.timeout_secs", "-1", true, None),
        ] {
            assert_eq!(meant(path, text, whole).as_deref(), expected, "{path} {text}");
        }
    }
}
