//! What an entry of `inputs` stands for.

/// One symbol of a pattern, as the shell has them.
/// Source: <https://docs.rs/glob/latest/glob/struct.Pattern.html>
enum Symbol {
    /// `*`: any run of characters.
    Any,
    /// `?`: exactly one character.
    One,
    /// `[a-z]`, or `[!a-z]` for all others.
    Class {
        ranges: Vec<(char, char)>,
        is_negated: bool,
    },
    Literal(char),
}

/// Whether it may stand for several components.
pub(super) fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// Whether `id` is what `pattern` says: `*` stands for any run of characters, `?` for one.
pub(super) fn matches(pattern: &str, id: &str) -> bool {
    eaten(pattern, id).last().is_some_and(|reached| reached.last() == Some(&true))
}

/// Whether `pattern` reads something of the source or transform `id`: its output, or one of its ports such as `high.dropped`.
/// Which ports there are, only Vector knows.
pub(super) fn reads_port(pattern: &str, id: &str) -> bool {
    let port = format!("{id}.");
    let begun = |row: &Vec<bool>| row.last() == Some(&true);
    matches(pattern, id) || eaten(pattern, &port).iter().any(begun)
}

/// Row by row over the pattern: which lengths of `id` so much of it can have eaten.
fn eaten(pattern: &str, id: &str) -> Vec<Vec<bool>> {
    let id: Vec<char> = id.chars().collect();
    let mut rows = vec![(0..=id.len()).map(|eaten| eaten == 0).collect::<Vec<bool>>()];
    for symbol in symbols(pattern) {
        let mut next = vec![false; id.len() + 1];
        if let Some(reached) = rows.last() {
            for eaten in 0..=id.len() {
                next[eaten] = match &symbol {
                    Symbol::Any => reached[eaten] || (eaten > 0 && next[eaten - 1]),
                    symbol => eaten > 0 && reached[eaten - 1] && symbol.is(id[eaten - 1]),
                };
            }
        }
        rows.push(next);
    }
    rows
}

/// The symbols of a pattern; a bracket that nothing closes stands for itself.
fn symbols(pattern: &str) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        rest = rest.strip_prefix(first).unwrap_or_default();
        symbols.push(match first {
            '*' => Symbol::Any,
            '?' => Symbol::One,
            '[' => match class(rest) {
                Some((class, after)) => {
                    rest = after;
                    class
                }
                None => Symbol::Literal('['),
            },
            other => Symbol::Literal(other),
        });
    }
    symbols
}

/// What stands behind an opening bracket, up to the one that closes it, and the rest.
fn class(text: &str) -> Option<(Symbol, &str)> {
    let inside = text.strip_prefix('!').unwrap_or(text);
    // A closing bracket that comes first is one of the characters.
    let end = inside.char_indices().skip(1).find(|(_, c)| *c == ']')?.0;
    let (members, after) = inside.split_at_checked(end)?;
    let members: Vec<char> = members.chars().collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(first) = members.get(at) {
        let last = members.get(at + 2).filter(|_| members.get(at + 1) == Some(&'-'));
        ranges.push((*first, *last.unwrap_or(first)));
        at += if last.is_some() { 3 } else { 1 };
    }
    Some((Symbol::Class { ranges, is_negated: inside.len() < text.len() }, after.strip_prefix(']')?))
}

impl Symbol {
    fn is(&self, c: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Class { ranges, is_negated } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != *is_negated
            }
            Self::Literal(literal) => *literal == c,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_vector() {
        for (pattern, id, expected) in [
            ("abc", "abc", true),
            ("[d]efender", "defender", true),
            ("[a-f]efender", "defender", true),
            ("[!a-f]efender", "defender", false),
            ("[!x]efender", "defender", true),
            ("[]x]efender", "]efender", true),
            ("[defender", "[defender", true),
            ("[x]*", "defender", false),
            ("abc", "abcd", false),
            ("*", "anything", true),
            ("def*", "defender", true),
            ("*er", "defender", true),
            ("*fen*", "defender", true),
            ("d*r", "defender", true),
            ("d*x", "defender", false),
            ("foo?", "foo1", true),
            ("foo?", "foo", false),
            ("**", "", true),
        ] {
            assert_eq!(matches(pattern, id), expected, "{pattern} {id}");
        }
    }

    #[test]
    fn a_transform_is_read_by_its_id_and_by_its_ports() {
        for (pattern, id, expected) in [
            ("route", "route", true),
            ("route.high", "route", true),
            ("route.*", "route", true),
            ("*.dropped", "parse", true),
            ("ro*", "route", true),
            ("route.high", "rout", false),
            ("router", "route", false),
            ("x*", "route", false),
        ] {
            assert_eq!(reads_port(pattern, id), expected, "{pattern} {id}");
        }
    }
}
