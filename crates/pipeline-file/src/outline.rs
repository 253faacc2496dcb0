//! Where each option stands in a text that can be parsed, and where the values of secrets stand, which no message may show.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use serde_saphyr::granit_parser::{Event, Marker, Parser};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::format::Format;

/// Where each option of a text stands, in bytes.
#[derive(Debug, Default)]
pub(super) struct Outline {
    root: Rc<Node>,
    /// The values of options that hold secrets.
    pub(super) secrets: Vec<Range<usize>>,
    /// The words and numbers in it, keys too: a `#` in one begins no comment.
    pub(super) scalars: Vec<Range<usize>>,
}

/// What stands behind a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Scalar,
    Map,
    List,
}

/// An option, or an item of a list.
#[derive(Debug, Default)]
struct Node {
    /// Where its key begins, or the item itself.
    at: usize,
    kind: Kind,
    value: Range<usize>,
    entries: Vec<(String, Rc<Self>)>,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// How many bytes of the path lead there.
    pub(super) matched: usize,
    /// Where it stands.
    pub(super) at: usize,
}

/// Names of options that hold secrets, of ours and of Vector's, by what they end with. Certificates and keys may stand in the
/// file in the place of a path.
const SECRET_ENDINGS: [&str; 21] = [
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "token",
    "credential",
    "credentials",
    "api_key",
    "apikey",
    "access_key",
    "access_key_id",
    "account_key",
    "shared_key",
    "private_key",
    "secret_key",
    "connection_string",
    "authorization",
    "key_file",
    "crt_file",
];
/// A name that has one of these anywhere in it is one of a secret, too.
const SECRET_WORDS: [&str; 4] = ["secret", "password", "passwd", "passphrase"];
/// The longer ones of ours: a word that is nearly one of them holds what was meant for it.
const OFTEN_MISTYPED: [&str; 2] = ["azure_client_secret", "certificate_password"];
/// Most letters that a mistyped word has wrong.
const MOST_WRONG: usize = 4;
/// The options of `proxy` that may have a password in their URL.
const PROXIES: [&str; 2] = ["http", "https"];

/// Whether an option that stands in the map under the key `within` holds a secret; at the top there is none.
pub(super) fn holds_secret(within: Option<&str>, key: &str) -> bool {
    // Where secret backends are declared.
    if within.is_none() && key == "secret" {
        return false;
    }
    let key = key.to_lowercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| key.contains(word))
        || key.split(['_', '.']).any(|word| SECRET_WORDS.iter().any(|secret| is_nearly(word, secret, 1)))
        || SECRET_ENDINGS.iter().any(|ending| ends_nearly(&key, ending))
        || OFTEN_MISTYPED.iter().any(|name| is_nearly(&key, name, MOST_WRONG))
        || (within == Some("proxy") && PROXIES.iter().any(|proxy| is_nearly(&key, proxy, 1)))
}

/// Whether `key` ends with those words, or with what is nearly them: mistyped, or more than one.
fn ends_nearly(key: &str, ending: &str) -> bool {
    let allowed = match ending.len() {
        0..=3 => 0,
        // Of a short one, and of the name of a file, other words are near.
        4..=5 => 1,
        _ if ending.ends_with("_file") => 1,
        _ => 2,
    };
    let words = ending.split('_').count();
    let last = key.rmatch_indices(['_', '.']).nth(words - 1);
    let last = last.map_or(key, |(at, joint)| key.get(at + joint.len()..).unwrap_or_default());
    key.ends_with(ending) || is_nearly(last, ending, allowed)
}

/// Whether at most `allowed` letters make the two different.
fn is_nearly(word: &str, other: &str, allowed: usize) -> bool {
    strsim::damerau_levenshtein(word, other) <= allowed
}

// === impl Outline ===

impl Outline {
    /// Of a text that can be parsed all of it; of another as much as comes before its error.
    pub(super) fn of(format: Format, text: &str) -> Self {
        match format {
            // JSON is YAML, as far as places in it go.
            Format::Yaml | Format::Json => yaml(text),
            Format::Toml => toml(text),
        }
    }

    /// How far the names in `path`, joined by dots, lead. A name may have dots in it.
    pub(super) fn find(&self, path: &str) -> Found {
        let (node, matched) = self.walk(path);
        Found { matched, at: node.at }
    }

    /// What stands behind the key `entry` of the map at `path`, which is no option there. All of that map, if the key cannot be
    /// found as it is; nothing, if it is an item of a list.
    pub(super) fn values_of_unknown(&self, path: &str, entry: &str) -> Vec<Range<usize>> {
        let mut values = Vec::new();
        let (parent, _) = self.walk(path);
        let longer = if path.is_empty() { entry.to_owned() } else { format!("{path}.{entry}") };
        let (node, matched) = self.walk(&longer);
        let is_item = entry.parse::<usize>().is_ok() && (parent.kind != Kind::Map || matched < longer.len());
        if !is_item {
            node.add_values(&mut values);
        }
        values
    }

    /// The node that `path` leads to, and how many bytes of it do.
    fn walk(&self, path: &str) -> (&Node, usize) {
        let (mut node, mut rest) = (&self.root, path);
        loop {
            let next = node.all_entries().filter_map(|(key, entry)| {
                let behind = rest.strip_prefix(key.as_str())?;
                let behind = if behind.is_empty() { "" } else { behind.strip_prefix('.')? };
                Some((behind, entry)).filter(|_| !key.is_empty())
            });
            match next.min_by_key(|(behind, _)| behind.len()) {
                Some((behind, entry)) => (node, rest) = (entry, behind),
                None => return (node, path.len() - rest.len()),
            }
        }
    }
}

// === impl Node ===

impl Node {
    /// Its entries, and behind them those that YAML merges into it.
    fn all_entries(&self) -> impl Iterator<Item = &(String, Rc<Self>)> {
        let merged = self.entries.iter().filter(|(key, _)| key == "<<").flat_map(|(_, merged)| {
            let of_list = merged.entries.iter().flat_map(|(_, item)| &item.entries);
            merged.entries.iter().chain(of_list)
        });
        self.entries.iter().chain(merged)
    }

    /// Adds where its words and numbers stand, and those of its entries.
    fn add_values(&self, values: &mut Vec<Range<usize>>) {
        if self.kind == Kind::Scalar {
            values.push(self.value.clone());
        }
        for (_, entry) in &self.entries {
            if entry.kind == Kind::Scalar && entry.value.is_empty() {
                // `{a}`: the key is all there is.
                values.push(entry.at..entry.value.end.max(entry.at));
            } else {
                entry.add_values(values);
            }
        }
    }
}

/// A map or a list that has begun.
struct Open {
    node: Node,
    anchor: usize,
    is_map: bool,
    /// The key that has no value yet, and where it begins.
    key: Option<(String, usize)>,
    /// Whether it is in the value of a secret.
    is_secret: bool,
}

/// What a walk through YAML knows so far.
#[derive(Default)]
struct YamlWalk {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Rc<Node>>,
    outline: Outline,
}

fn yaml(text: &str) -> Outline {
    let mut walk = YamlWalk::default();
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        let offset = |marker: Marker| marker.byte_offset().unwrap_or_default();
        let range = offset(span.start)..offset(span.end);
        match event {
            Event::Scalar(name, _, anchor, _) => {
                walk.outline.scalars.push(range.clone());
                match walk.open.last_mut() {
                    Some(open) if open.is_map && open.key.is_none() => {
                        open.key = Some((name.into_owned(), range.start));
                    }
                    _ => walk.add(Node { at: range.start, value: range, ..Node::default() }, anchor),
                }
            }
            Event::Alias(anchor) => {
                let named = walk.anchors.get(&anchor).cloned().unwrap_or_default();
                let (kind, value, entries) = (named.kind, named.value.clone(), named.entries.clone());
                walk.add(Node { at: range.start, kind, value, entries }, 0);
            }
            Event::SequenceStart(_, anchor, _) => walk.begin(false, anchor, range),
            Event::MappingStart(_, anchor, _) => walk.begin(true, anchor, range),
            Event::SequenceEnd | Event::MappingEnd => walk.end(range.end),
            _ => {}
        }
    }
    while !walk.open.is_empty() {
        walk.end(text.len());
    }
    walk.outline
}

// === impl YamlWalk ===

impl YamlWalk {
    /// Whether what comes next is the value of a secret, or in it.
    fn is_secret(&self) -> bool {
        let Some((last, others)) = self.open.split_last() else { return false };
        // Behind an item of a list there is no key.
        let within = others.last().map(|open| open.key.as_ref().map_or("", |(key, _)| key.as_str()));
        // What an alias is a key of may be anything.
        let of_key = |(key, _): &(String, usize)| key.is_empty() || holds_secret(within, key);
        last.is_secret || last.key.as_ref().is_some_and(of_key)
    }

    fn begin(&mut self, is_map: bool, anchor: usize, range: Range<usize>) {
        let is_secret = self.is_secret();
        let kind = if is_map { Kind::Map } else { Kind::List };
        let node = Node { at: range.start, kind, value: range, entries: Vec::new() };
        self.open.push(Open { node, anchor, is_map, key: None, is_secret });
    }

    fn end(&mut self, at: usize) {
        if let Some(mut open) = self.open.pop() {
            open.node.value.end = at;
            self.add(open.node, open.anchor);
        }
    }

    fn add(&mut self, mut node: Node, anchor: usize) {
        // What is in a map or a list was added before.
        if node.entries.is_empty() && self.is_secret() {
            let alone = self.open.last().filter(|open| open.is_secret && node.value.is_empty());
            let start = alone.and_then(|open| open.key.as_ref()).map_or(node.value.start, |(_, at)| *at);
            self.outline.secrets.push(start..node.value.end.max(start));
        }
        let Some(open) = self.open.last_mut() else {
            self.outline.root = Rc::new(node);
            return;
        };
        let name = match (open.is_map, open.key.take()) {
            (false, _) => open.node.entries.len().to_string(),
            (true, Some((key, at))) => {
                node.at = at;
                key
            }
            // A map or a list as a key: no option has that.
            (true, None) => {
                open.key = Some((String::new(), node.at));
                return;
            }
        };
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        open.node.entries.push((name, node));
    }
}

fn toml(text: &str) -> Outline {
    let mut outline = Outline::default();
    if let Ok(table) = DeTable::parse(text) {
        let entries = toml_entries(table.get_ref(), None, false, &mut outline);
        outline.root = Rc::new(Node { at: 0, kind: Kind::Map, value: 0..text.len(), entries });
    }
    outline
}

/// The entries of a table, which stands under the key `within`; nothing at the top.
fn toml_entries(
    table: &DeTable<'_>,
    within: Option<&str>,
    is_secret: bool,
    outline: &mut Outline,
) -> Vec<(String, Rc<Node>)> {
    let entries = table.iter().map(|(key, value)| {
        let name = key.get_ref().as_ref();
        outline.scalars.push(key.span());
        let is_secret = is_secret || holds_secret(within, name);
        (name.to_owned(), Rc::new(toml_node(key.span().start, value, name, is_secret, outline)))
    });
    entries.collect()
}

fn toml_node(
    at: usize,
    value: &Spanned<DeValue<'_>>,
    name: &str,
    is_secret: bool,
    outline: &mut Outline,
) -> Node {
    let span = value.span();
    let (kind, entries) = match value.get_ref() {
        DeValue::Table(table) => (Kind::Map, toml_entries(table, Some(name), is_secret, outline)),
        DeValue::Array(items) => {
            let items = items.iter().enumerate().map(|(index, item)| {
                let node = toml_node(item.span().start, item, name, is_secret, outline);
                (index.to_string(), Rc::new(node))
            });
            (Kind::List, items.collect())
        }
        _ => {
            outline.scalars.push(span.clone());
            if is_secret {
                outline.secrets.push(span.clone());
            }
            (Kind::Scalar, Vec::new())
        }
    };
    Node { at, kind, value: span, entries }
}
