//! The one form of query that is understood: `Table | where Column == 'text' | project A, B | take 1`.

use serde_json::{Map, Value};

/// A query, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) table: String,
    conditions: Vec<Condition>,
    /// The columns that are shown.
    pub(super) project: Vec<String>,
    /// Most rows of the answer.
    pub(super) most: usize,
}

/// `Column == 'text'` or `tostring(Column.key) == 'text'`.
#[derive(Debug, PartialEq, Eq)]
struct Condition {
    column: String,
    key: Option<String>,
    text: String,
}

// === impl Query ===

impl Query {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(" | ").map(str::trim);
        let table = name(parts.next()?)?;
        let mut query = Self { table, conditions: Vec::new(), project: Vec::new(), most: usize::MAX };
        for part in parts {
            let (operator, rest) = part.split_once(' ')?;
            match operator {
                "where" => query.conditions.push(Condition::parse(rest)?),
                "project" => {
                    query.project = rest.split(',').map(|one| name(one.trim())).collect::<Option<_>>()?;
                }
                "take" => query.most = rest.trim().parse().ok()?,
                _ => return None,
            }
        }
        Some(query)
    }

    /// The columns that it names.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        let compared = self.conditions.iter().map(|condition| condition.column.as_str());
        compared.chain(self.project.iter().map(String::as_str))
    }

    /// Whether a row is among those that are looked for.
    pub(super) fn takes(&self, row: &Map<String, Value>) -> bool {
        self.conditions.iter().all(|Condition { column, key, text }| {
            let value = row.get(column);
            let value = key.as_ref().map_or(value, |key| value.and_then(|value| value.get(key)));
            value.and_then(Value::as_str) == Some(text)
        })
    }
}

// === impl Condition ===

impl Condition {
    fn parse(text: &str) -> Option<Self> {
        let (left, right) = text.split_once(" == ")?;
        let text = right.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        // A quote in a text would need an escape.
        (!text.contains(['\'', '\\'])).then_some(())?;
        let inner = left.strip_prefix("tostring(").and_then(|left| left.strip_suffix(')'));
        let (column, key) = match inner {
            Some(path) => {
                let (column, key) = path.split_once('.')?;
                (name(column)?, Some(name(key)?))
            }
            None => (name(left)?, None),
        };
        Some(Self { column, key, text: text.to_owned() })
    }
}

fn name(text: &str) -> Option<String> {
    let legal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    legal.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_is_taken_apart() {
        let query =
            Query::parse("T_CL | where A == 'x-1' | where tostring(B.k) == 'y' | project A, C | take 2")
                .unwrap();
        assert_eq!((query.table.as_str(), query.most), ("T_CL", 2));
        assert_eq!(query.columns().collect::<Vec<_>>(), ["A", "B", "A", "C"]);
        let takes = |row: Value| query.takes(row.as_object().unwrap());
        assert!(takes(json!({"A": "x-1", "B": {"k": "y"}})));
        assert!(!takes(json!({"A": "x-1", "B": {"k": "z"}})));
        assert!(!takes(json!({"A": "x-1", "B": "y"})));
        for wrong in
            ["", "T CL", "T | drop A", "T | where A = 'x'", "T | where A == 'x' or 'y'", "T | take all"]
        {
            assert_eq!(Query::parse(wrong), None, "{wrong}");
        }
    }
}
