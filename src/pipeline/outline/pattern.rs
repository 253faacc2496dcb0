//! What an entry of `inputs` stands for.

/// Whether it may stand for several components.
pub(super) fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
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
    for symbol in pattern.chars() {
        let mut next = vec![false; id.len() + 1];
        if let Some(reached) = rows.last() {
            for eaten in 0..=id.len() {
                next[eaten] = match symbol {
                    '*' => reached[eaten] || (eaten > 0 && next[eaten - 1]),
                    symbol => eaten > 0 && reached[eaten - 1] && (symbol == '?' || symbol == id[eaten - 1]),
                };
            }
        }
        rows.push(next);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_vector() {
        for (pattern, id, expected) in [
            ("abc", "abc", true),
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
