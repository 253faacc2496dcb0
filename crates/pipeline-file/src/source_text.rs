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

/// User and password in a URL, or in front of a host.
static USER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?<head>://).*@|[^\s"'{}\[\],:@/]+:/?[^\s@/][^\s@]*@"#).ok());
/// The query of a URL, which may have a signature in it.
static QUERY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?<head>://[^\s"'?]*\?)[^\s"']+"#).ok());
/// A value that is nothing but a variable, without a default, or a secret that is fetched.
static REFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^["']?(\$\w[\w.]*|\$\{[\w.]+\}|SECRET\[[\w\-]+\.[\w.\-/]+\])["']?$"#).ok()
});
/// A key and its value in a text that cannot be parsed.
static ENTRY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?<key>\*?[\w.\-]+)(?:["']\s*:\s*|\s*:\s+|["']?\s+=\s+)(?<value>\S.*)"#).ok()
});
/// How a line of such a text begins that has a key first.
static BEGINNING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^[\s{\[\-]*["']?(?<key>\*?[\w.\-]+)(?:["']\s*:|\s*:(?:\s|$)|["']?\s+=\s)"#).ok()
});

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
            let mut all: Vec<Located<'_>> = self.0.iter().map(Located::of).collect();
            let mut found = Vec::new();
            for (number, problem) in
                problems.iter().enumerate().filter(|(_, problem)| problem.place.is_none())
            {
                let found_in = all.iter().enumerate().map(|(file, one)| (file, one.find(problem)));
                // Of several files that have a part of the path, the first.
                let best = found_in.reduce(|best, next| if next.1.0 > best.1.0 { next } else { best });
                found.extend(
                    best.filter(|(_, (matched, _))| *matched > 0).map(|(file, (_, at))| (number, file, at)),
                );
            }
            // What an unknown option holds is in no line, be that about another problem.
            for (number, file, _) in &found {
                if let (Some(problem), Some(one)) = (problems.get(*number), all.get_mut(*file)) {
                    one.hide_unknown(problem);
                }
            }
            for (number, file, at) in found {
                if let (Some(problem), Some(one)) = (problems.get_mut(number), all.get(file)) {
                    problem.place = Some(Box::new(one.place(at)));
                }
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
    /// The words in it that have a `#`, and whether they are in quotes.
    texts: Vec<(Range<usize>, bool)>,
    /// Where its lines begin.
    lines: Vec<usize>,
}

// === impl Located ===

impl<'s> Located<'s> {
    fn of(source: &'s SourceText) -> Self {
        let outline = Outline::of(source.format, &source.replaced);
        let ends = source.raw.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        let (mut secrets, mut texts) = (Vec::new(), Vec::new());
        hide(source, &outline.secrets, &mut secrets);
        for range in outline.scalars.iter().map(|range| written(source, range)) {
            let text = source.raw.get(range.clone()).unwrap_or_default();
            // A text of several lines has its lines' own places, and may have a comment in its first one.
            if text.contains('#') && !text.starts_with(['|', '>']) {
                texts.push((range, text.starts_with(['"', '\''])));
            }
        }
        Self { source, outline, secrets, texts, lines }
    }

    /// What stands behind an unknown option may be a secret, whose option is misspelt.
    fn hide_unknown(&mut self, problem: &Problem) {
        if let Some(entry) = &problem.entry {
            hide(self.source, &self.outline.values_of_unknown(&problem.path, entry), &mut self.secrets);
        }
    }

    /// Where in the line the comment begins, or its end.
    fn without_comment(&self, line: Range<usize>) -> Range<usize> {
        let text = self.source.raw.get(line.clone()).unwrap_or_default();
        let is_in_text = |at: usize, follows_blank: bool| {
            let around = |(range, is_quoted): &(Range<usize>, bool)| {
                range.contains(&at) && (*is_quoted || !follows_blank)
            };
            self.texts.iter().any(around)
        };
        let comment = text.match_indices('#').map(|(at, _)| at).find(|at| {
            let before = text.get(..*at).unwrap_or_default();
            !is_in_text(line.start + at, before.is_empty() || before.ends_with(char::is_whitespace))
        });
        let shown = text.get(..comment.unwrap_or(text.len())).unwrap_or_default();
        line.start..line.start + shown.trim_end().len()
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
        let line = self.without_comment(line_of(raw, start));
        let mut text = String::new();
        let (mut shown, mut hidden) = (line.start, 0);
        for secret in self.secrets.iter().filter(|one| one.start < line.end && one.end > line.start) {
            // Of two that overlap, one mask.
            if secret.start >= hidden {
                text.push_str(raw.get(shown..secret.start.max(shown)).unwrap_or_default());
                text.push_str(MASK);
            }
            hidden = hidden.max(secret.end);
            shown = secret.end.clamp(shown, line.end);
        }
        text.push_str(raw.get(shown..line.end).unwrap_or_default());
        let text = fitting(&text, column);
        Place { file: self.source.name.clone(), line: number, column, text }
    }
}

/// Where a part of the text that was parsed stands in the file as it is written.
fn written(source: &SourceText, range: &Range<usize>) -> Range<usize> {
    let (start, end) = (source.parts.raw(range.start), source.parts.raw(range.end));
    // A text of several lines reaches to where the next option begins.
    start..start + source.raw.get(start..end).map_or(0, |written| written.trim_end().len())
}

/// Adds to `secrets` those values that are more than the name of a variable.
fn hide(source: &SourceText, values: &[Range<usize>], secrets: &mut Vec<Range<usize>>) {
    let is_secret = |range: &Range<usize>| {
        let value = source.raw.get(range.clone()).unwrap_or_default().trim();
        !value.is_empty() && !REFERENCE.as_ref().is_some_and(|regex| regex.is_match(value))
    };
    secrets.extend(values.iter().map(|range| written(source, range)).filter(is_secret));
    secrets.sort_by_key(|range| (range.start, range.end));
    secrets.dedup();
}

/// The place in a text that cannot be parsed, or of which a variable is missing: what looks like a secret is not shown.
pub(super) fn place_in_raw(file: &str, raw: &str, at: usize) -> Place {
    let position = position(raw, at);
    let line = line_of(raw, at);
    let before = raw.get(..line.start).unwrap_or_default();
    // Where texts begin and end is not known, so a comment may begin at each `#`.
    let line = raw.get(line).and_then(|line| line.split('#').next()).unwrap_or_default().trim_end();
    // What has no key in it may be a part of a longer value: of a certificate's key, perhaps.
    let key =
        BEGINNING.as_ref().and_then(|regex| regex.captures(line)).filter(|_| !is_within_secret(before, line));
    let text = key.and(ENTRY.as_ref()).map(|regex| masked(regex, line));
    let text = fitting(&text.unwrap_or_default(), position.column);
    Place { file: file.to_owned(), line: position.line, column: position.column, text }
}

/// Whether the line is indented below a key that sounds like a secret.
fn is_within_secret(before: &str, line: &str) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut least = indent(line);
    for above in before.lines().rev().filter(|line| !line.trim().is_empty()) {
        if indent(above) < least {
            least = indent(above);
            let within = (least > 0).then_some("");
            let found = BEGINNING.as_ref().and_then(|regex| regex.captures(above));
            let key = found.and_then(|found| found.name("key"));
            if key.is_some_and(|key| holds_secret(within, key.as_str())) {
                return true;
            }
        }
    }
    false
}

/// `line` without what stands behind the first key in it that sounds like a secret.
fn masked(regex: &Regex, line: &str) -> String {
    let mut from = 0;
    while let Some(found) = line.get(from..).and_then(|rest| regex.captures(rest)) {
        let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
        let value = from + found.name("value").map_or(0, |value| value.start());
        let is_reference = REFERENCE.as_ref().is_some_and(|regex| regex.is_match(part("value").trim()));
        let is_secret = part("key").starts_with('*') || holds_secret(Some("proxy"), part("key"));
        if is_secret && !is_reference {
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
    let mut line = line.to_owned();
    for (regex, end) in [(&USER, "@"), (&QUERY, "")] {
        let mask = |found: &Captures<'_>| {
            format!("{}{MASK}{end}", found.name("head").map_or("", |head| head.as_str()))
        };
        line = regex.as_ref().map_or_else(String::new, |regex| regex.replace_all(&line, mask).into_owned());
    }
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
