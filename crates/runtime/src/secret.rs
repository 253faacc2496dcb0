//! A string that never shows itself.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// A secret value. `Debug` and `Display` print `**REDACTED**`; there is no `Serialize`.
#[derive(Clone, Default, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(transparent)]
pub struct SensitiveString(String);

impl SensitiveString {
    /// The value itself: for handing to whoever must have it, never for a message.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SensitiveString {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for SensitiveString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("**REDACTED**")
    }
}

impl fmt::Display for SensitiveString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("**REDACTED**")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_display_shows_the_value() {
        let secret = SensitiveString::from("hunter2".to_owned());
        assert_eq!(format!("{secret} {secret:?}"), "**REDACTED** **REDACTED**");
        assert_eq!(secret.expose(), "hunter2");
    }
}
