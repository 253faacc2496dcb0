//! The files as they are written: the line that a problem is about, and what of that line may be shown.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use regex::{Captures, Regex};

use super::format::Format;
use super::outline::{Outline, holds_secret};
use super::text::{Parts, position};
use model::problem::{Place, Problem, tidy};

/// What stands in the place of a secret.
const MASK: &str = "***";
/// Most characters of a line that are shown.
const SHOWN_CHARS: usize = 140;
/// How many of them come before the column that a problem is about, in a longer line.
const SHOWN_BEFORE: usize = 40;

/// User and password in a URL.
static USER_OF_URL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"://[^\s"']*@"#).ok());
/// A value that is nothing but a variable, without a default, or a secret that is fetched.
static REFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^["']?(\$\w[\w.]*|\$\{[\w.]+\}|SECRET\[[\w\-]+\.[\w.\-/]+\])["']?$"#).ok()
});
/// A key and its value in a text that cannot be parsed.
static ENTRY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?<head>["']?(?<key>[\w.\-]+)["']?\s*[:=]\s*)(?<value>[^\s].*)"#).ok());

/// A file as it is written, and the text that was parsed in its place.
pub(super) struct SourceText {
    pub(super) name: String,
    pub(super) format: Format,
    pub(super) raw: String,
    /// With the values of variables in it.
    pub(super) replaced: String,
    pub(super) parts: Parts,
}

/// All files of a pipeline. Cheap to clone. Two are always equal: what they say is compared elsewhere.
#[derive(Clone, Default)]
pub(crate) struct SourceTexts(pub(super) Arc<[SourceText]>);

// === impl SourceTexts ===

impl PartialEq for SourceTexts {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for SourceTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceTexts").finish_non_exhaustive()
    }
}

impl SourceTexts {
    /// The problems with the lines that they are about, in the order of those.
    pub(super) fn locate(&self, mut problems: Vec<Problem>) -> Vec<Problem> {
        if problems.iter().any(|problem| problem.place.is_none() && !problem.path.is_empty()) {
            let all: Vec<Located<'_>> = self.0.iter().map(Located::of).collect();
            for problem in problems.iter_mut().filter(|problem| problem.place.is_none()) {
                let found = all.iter().map(|one| (one, one.find(problem)));
                // Of several files that have a part of the path, the first.
                let best = found.reduce(|best, next| if next.1.0 > best.1.0 { next } else { best });
                problem.place = best
                    .filter(|(_, (matched, _))| *matched > 0)
                    .map(|(one, (_, at))| Box::new(one.place(at)));
            }
        }
        tidy(problems)
    }
}

/// A file with its outline.
struct Located<'s> {
    source: &'s SourceText,
    outline: Outline,
    /// What must not be shown of the file as it is written.
    secrets: Vec<Range<usize>>,
    /// Where its lines begin.
    lines: Vec<usize>,
}

// === impl Located ===

impl<'s> Located<'s> {
    fn of(source: &'s SourceText) -> Self {
        let outline = Outline::of(source.format, &source.replaced);
        let raw = |range: &Range<usize>| {
            let (start, end) = (source.parts.raw(range.start), source.parts.raw(range.end));
            // A text of several lines reaches to where the next option begins.
            start..start + source.raw.get(start..end).map_or(0, |written| written.trim_end().len())
        };
        let is_secret = |range: &Range<usize>| {
            let written = source.raw.get(range.clone()).unwrap_or_default().trim();
            !REFERENCE.as_ref().is_some_and(|regex| regex.is_match(written))
        };
        let mut secrets: Vec<_> = outline.secrets.iter().map(raw).filter(is_secret).collect();
        secrets.sort_by_key(|range| range.start);
        let ends = source.raw.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Self { source, outline, secrets, lines }
    }

    /// How much of the problem's path leads to something, and where that stands in the file as it is written.
    fn find(&self, problem: &Problem) -> (usize, usize) {
        let found = self.outline.find(&problem.path);
        let entry = problem.entry.as_ref().filter(|_| found.matched == problem.path.len());
        let entry = entry.map(|entry| self.outline.find(&format!("{}.{entry}", problem.path)));
        let found = entry.filter(|entry| entry.matched > found.matched).unwrap_or(found);
        (found.matched, self.source.parts.raw(found.at))
    }

    fn place(&self, at: usize) -> Place {
        let raw = &self.source.raw;
        let number = self.lines.partition_point(|start| *start <= at).max(1);
        let start = self.lines.get(number - 1).copied().unwrap_or_default();
        let column = raw.get(start..at).map_or(1, |before| before.chars().count() + 1);
        let line = line_of(raw, start);
        let mut text = String::new();
        let mut shown = line.start;
        for secret in self.secrets.iter().filter(|one| one.start < line.end && one.end > line.start) {
            text.push_str(raw.get(shown..secret.start.max(shown)).unwrap_or_default());
            text.push_str(MASK);
            shown = secret.end.clamp(shown, line.end);
        }
        text.push_str(raw.get(shown..line.end).unwrap_or_default());
        let text = fitting(&text, column);
        Place { file: self.source.name.clone(), line: number, column, text }
    }
}

/// The place in a text that cannot be parsed, or of which a variable is missing: what looks like a secret is not shown.
pub(super) fn place_in_raw(file: &str, raw: &str, at: usize) -> Place {
    let position = position(raw, at);
    let line = raw.get(line_of(raw, at)).unwrap_or_default();
    // What has no key in it may be a part of a longer value: of a certificate's key, perhaps.
    let text = ENTRY.as_ref().filter(|regex| regex.is_match(line)).map(|regex| masked(regex, line));
    let text = fitting(&text.unwrap_or_default(), position.column);
    Place { file: file.to_owned(), line: position.line, column: position.column, text }
}

/// `line` without what stands behind the first key in it that sounds like a secret.
fn masked(regex: &Regex, line: &str) -> String {
    let mut from = 0;
    while let Some(found) = line.get(from..).and_then(|rest| regex.captures(rest)) {
        let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
        let value = from + found.name("value").map_or(0, |value| value.start());
        let is_reference = REFERENCE.as_ref().is_some_and(|regex| regex.is_match(part("value").trim()));
        if holds_secret(Some("proxy"), part("key")) && !is_reference {
            return format!("{}{MASK}", line.get(..value).unwrap_or_default());
        }
        from = value;
    }
    line.to_owned()
}

/// The line that the byte `at` is in, without its end.
fn line_of(text: &str, at: usize) -> Range<usize> {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let rest = text.get(start..).unwrap_or_default();
    let length = rest.find('\n').unwrap_or(rest.len());
    let length = rest.get(..length).map_or(0, |line| line.trim_end().len());
    start..start + length
}

/// A line as a terminal can show it: of a long one the part around `column`.
fn fitting(line: &str, column: usize) -> String {
    let line = USER_OF_URL
        .as_ref()
        .map_or(line.into(), |regex| regex.replace_all(line, |_: &Captures<'_>| format!("://{MASK}@")));
    let line: Vec<char> = line.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    if line.len() <= SHOWN_CHARS {
        return line.into_iter().collect();
    }
    let start = if column <= SHOWN_CHARS { 0 } else { (column - SHOWN_BEFORE).min(line.len() - SHOWN_CHARS) };
    let end = (start + SHOWN_CHARS).min(line.len());
    let before = if start > 0 { "…" } else { "" };
    let behind = if end < line.len() { "…" } else { "" };
    let shown: String = line.get(start..end).unwrap_or_default().iter().collect();
    format!("{before}{shown}{behind}")
}

#[cfg(test)]
#[path = "tests/source_text.rs"]
mod tests;
