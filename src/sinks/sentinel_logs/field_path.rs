//! The path of a field within an event: `a.b`, `a."odd name"`, `list[0]`.
//!
//! Source: <https://vector.dev/docs/reference/vrl/expressions/#path>

use thiserror::Error;

/// The way to a field, from the event's root; at least one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldPath(pub(super) Vec<Segment>);

/// One step on the way to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// The field of an object that has this name.
    Field(String),
    /// The element of an array at this index; a negative one counts from the end.
    Index(isize),
}

/// A text is no path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is no path of a field, such as 'table' or 'meta.\"odd name\"'")]
pub(super) struct NoPath(String);

// === impl FieldPath ===

impl FieldPath {
    /// Reads a path, with or without a dot in front.
    pub(super) fn parse(written: &str) -> Result<Self, NoPath> {
        let segments = segments(written.strip_prefix('.').unwrap_or(written));
        segments.map(Self).ok_or_else(|| NoPath(written.to_owned()))
    }
}

fn segments(mut rest: &str) -> Option<Vec<Segment>> {
    let mut segments = Vec::new();
    loop {
        let after;
        if let Some(index) = rest.strip_prefix('[') {
            let (index, behind) = index.split_once(']')?;
            segments.push(Segment::Index(index.parse().ok()?));
            after = behind;
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (name, behind) = unquoted(quoted)?;
            segments.push(Segment::Field(name));
            after = behind;
        } else {
            let (name, behind) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
            let is_plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '@' | '-'));
            (is_plain && !name.is_empty()).then_some(())?;
            segments.push(Segment::Field(name.to_owned()));
            after = behind;
        }
        match after.strip_prefix('.') {
            Some(next) if !next.starts_with('[') => rest = next,
            None if after.is_empty() => return Some(segments),
            None if after.starts_with('[') => rest = after,
            _ => return None,
        }
    }
}

/// A name in quotes, of which the first is gone, and what is behind it. A backslash stands before a quote or another backslash.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = quoted.chars();
    loop {
        match rest.next()? {
            '"' => return Some((name, rest.as_str())),
            '\\' => name.push(rest.next()?),
            c => name.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_names_and_indices() {
        let field = |name: &str| Segment::Field(name.to_owned());
        for (written, expected) in [
            ("a", vec![field("a")]),
            (".a.b", vec![field("a"), field("b")]),
            ("a.\"b.c\".d-e", vec![field("a"), field("b.c"), field("d-e")]),
            (
                "a[0].b[-1][2]",
                vec![field("a"), Segment::Index(0), field("b"), Segment::Index(-1), Segment::Index(2)],
            ),
        ] {
            assert_eq!(FieldPath::parse(written), Ok(FieldPath(expected)), "{written}");
        }
        for wrong in ["", ".", "\"a\\", "a..b", "a b", "\"a", "\"a\"b", "a[", "a[x]", "a.[0]", "a."] {
            FieldPath::parse(wrong).unwrap_err();
        }
    }
}
