//! What was delivered beyond the oldest record that was not.

use std::collections::BTreeSet;
use std::io::{Read, Result, Write};
use std::path::Path;

use crate::files::{Files, Open, if_there};

/// The file's name in the spool's directory.
const NAME: &str = "position";

/// How far a spool is delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// All before this are.
    pub(super) low: u64,
    /// These are, too.
    pub(super) beyond: BTreeSet<u64>,
}

// === impl Position ===

impl Position {
    /// The number behind all that it has ever said something about.
    pub(super) fn end(&self) -> u64 {
        self.beyond.last().map_or(self.low, |last| self.low.max(last + 1))
    }

    /// As it was saved; from the beginning if it was not, or a crash has cut it off.
    pub(super) fn load(files: &Files, dir: &Path) -> Result<Self> {
        let Some(mut file) = if_there(files.open(&dir.join(NAME), Open::Read))? else {
            return Ok(Self::default());
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(str::from_utf8(&bytes).ok().and_then(Self::read).unwrap_or_default())
    }

    pub(super) fn save(&self, files: &Files, dir: &Path) -> Result<()> {
        let new = dir.join(format!("{NAME}.new"));
        if_there(files.remove(&new))?;
        let mut file = files.open(&new, Open::Append)?;
        file.write_all(self.text().as_bytes())?;
        drop(file);
        files.rename(&new, &dir.join(NAME))
    }

    pub(super) fn remove(files: &Files, dir: &Path) -> Result<()> {
        if_there(files.remove(&dir.join(NAME))).map(drop)
    }

    /// A checksum, the number that all before are delivered, and those beyond it.
    fn text(&self) -> String {
        let numbers = std::iter::once(&self.low).chain(&self.beyond).map(u64::to_string);
        let numbers = numbers.collect::<Vec<_>>().join(" ");
        format!("{:08x} {numbers}\n", crc32fast::hash(numbers.as_bytes()))
    }

    fn read(text: &str) -> Option<Self> {
        let (checksum, numbers) = text.strip_suffix('\n')?.split_once(' ')?;
        if u32::from_str_radix(checksum, 16).ok()? != crc32fast::hash(numbers.as_bytes()) {
            return None;
        }
        let mut numbers = numbers.split(' ').map(str::parse);
        Some(Self {
            low: numbers.next()?.ok()?,
            beyond: numbers.collect::<std::result::Result<_, _>>().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_was_and_never_in_part() {
        let position = Position { low: 120, beyond: [123, 130].into() };
        let text = position.text();
        assert_eq!(Position::read(&text), Some(position));
        for end in 0..text.len() {
            assert_eq!(Position::read(text.get(..end).unwrap()), None, "{end}");
        }
    }
}
