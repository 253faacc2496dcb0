//! Redaction: a message repeats of a file only what its author wrote there literally.

use serde_json::Value;

/// Longer values would drown the message.
const SHOWN_CHARS: usize = 60;

/// The file as written, and what came into it from elsewhere.
#[derive(Clone, Copy)]
pub(super) struct Redaction<'a> {
    raw: &'a str,
    brought_in: &'a [String],
}

// === impl Redaction ===

impl<'a> Redaction<'a> {
    pub(super) const fn new(raw: &'a str, brought_in: &'a [String]) -> Self {
        Self { raw, brought_in }
    }

    /// `'name'` for a key or an id that stands in the file, and `None` for one made by the environment.
    pub(super) fn key(self, key: &str) -> Option<String> {
        self.raw.contains(key).then(|| format!("'{key}'"))
    }

    /// The value in quotes if it stands in the file and holds nothing from the environment or a secret
    /// (which may happen to be spelt like something in the file), else `the value`.
    pub(super) fn value(self, value: &Value) -> String {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
        };
        let literal = !text.is_empty()
            && text.chars().count() <= SHOWN_CHARS
            && self.raw.contains(&text)
            && !self.brought_in.iter().any(|other| text.contains(other.as_str()));
        if literal { format!("'{text}'") } else { "the value".to_owned() }
    }

    /// The value's own text, if [`Self::value`] would show it: for looking up what was meant.
    pub(super) fn shows(self, value: &Value) -> bool {
        self.value(value) != "the value"
    }

    /// The place of `key` inside `path`.
    pub(super) fn join(self, path: &str, key: &str) -> String {
        let key = if self.raw.contains(key) { key } else { "(from the environment)" };
        if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_stands_in_the_file_is_shown() {
        let brought_in = ["hunter2".to_owned(), "type".to_owned()];
        let redaction = Redaction::new("type: sink\nport: 80\n", &brought_in);
        assert_eq!(redaction.value(&json!("sink")), "'sink'");
        assert_eq!(redaction.value(&json!(80)), "'80'");
        for hidden in [json!("hunter2"), json!("type"), json!(4711), json!(null), json!("")] {
            assert_eq!(redaction.value(&hidden), "the value", "{hidden}");
        }
        assert_eq!(redaction.join("a", "port"), "a.port");
        assert_eq!(redaction.join("", "port"), "port");
        assert_eq!(redaction.join("a", "hunter2"), "a.(from the environment)");
        assert_eq!(redaction.key("hunter2"), None);
    }
}
