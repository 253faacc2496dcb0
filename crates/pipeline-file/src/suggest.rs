//! Suggestions ("did you mean"): the word of a list that a mistyped word comes nearest to.

/// The option nearest to `word`, if one is near enough to be what was meant.
pub(super) fn nearest<'a>(word: &str, options: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    let allowed = match word.chars().count() {
        // A letter of two is not a typo.
        0..=2 => 0,
        length => (length / 3).max(1),
    };
    let options: Vec<&str> = options.into_iter().collect();
    let near = options
        .iter()
        .map(|option| (strsim::damerau_levenshtein(&word, &plain(option)), option))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, option)| *option);
    // Or the only one that it is the beginning of.
    near.or_else(|| {
        let mut begun = options.iter().filter(|option| word.len() > 3 && plain(option).starts_with(&word));
        begun.next().filter(|_| begun.next().is_none()).copied()
    })
}

/// `'a', 'b' and 'c'`, or what to say when there is none.
pub(super) fn list<'a>(options: impl IntoIterator<Item = &'a str>) -> String {
    let mut quoted: Vec<String> = options.into_iter().map(|option| format!("'{option}'")).collect();
    match (quoted.pop(), quoted.is_empty()) {
        (None, _) => "none".to_owned(),
        (Some(only), true) => only,
        (Some(last), false) => format!("{} and {last}", quoted.join(", ")),
    }
}

/// Case and the two ways of joining words are not what makes two names different.
fn plain(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_another_word_does_not() {
        let options = ["tenant_id", "client_id", "endpoint", "y", "it"];
        for (word, expected) in [
            ("tenat_id", Some("tenant_id")),
            ("tennant-id", Some("tenant_id")),
            ("Endpoint", Some("endpoint")),
            ("endopint", Some("endpoint")),
            ("client", Some("client_id")),
            ("end", None),
            ("colour", None),
            ("x", None),
            ("id", None),
        ] {
            assert_eq!(nearest(word, options), expected, "{word}");
        }
    }

    #[test]
    fn a_list_reads_like_a_sentence() {
        assert_eq!(list([]), "none");
        assert_eq!(list(["a"]), "'a'");
        assert_eq!(list(["a", "b", "c"]), "'a', 'b' and 'c'");
    }
}
