//! Values as Bicep and Terraform write them: alike, but for a few signs.

use super::node::{Node, Reference};

/// The signs in which the two languages differ.
pub(super) struct Syntax {
    /// Between a property's name and its value.
    pub(super) assign: &'static str,
    /// Behind an item of a list that has a line of its own.
    pub(super) item_end: &'static str,
    pub(super) quoted: fn(&str) -> String,
    pub(super) expression: fn(Reference) -> String,
}

// === impl Syntax ===

impl Syntax {
    /// A value. Lines behind the first are indented for `depth`.
    pub(super) fn value(&self, node: &Node, depth: usize) -> String {
        let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
        match node {
            Node::Text(text) => (self.quoted)(text),
            Node::Reference(reference) => (self.expression)(*reference),
            Node::List(items) if node.is_short() => {
                format!("[{}]", items.iter().map(|item| self.value(item, depth)).collect::<String>())
            }
            Node::List(items) => {
                let line = |item| format!("{inner}{}{}\n", self.value(item, depth + 1), self.item_end);
                format!("[\n{}{outer}]", items.iter().map(line).collect::<String>())
            }
            Node::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| {
                    format!("{}{}{}", self.key(name), self.assign, self.value(value, depth + 1))
                });
                if node.is_short() {
                    return format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "));
                }
                let lines = fields.map(|field| format!("{inner}{field}\n"));
                format!("{{\n{}{outer}}}", lines.collect::<String>())
            }
        }
    }

    /// A property's name: with quotes if it could not be a name in the language.
    fn key(&self, name: &str) -> String {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if plain { name.to_owned() } else { (self.quoted)(name) }
    }
}
