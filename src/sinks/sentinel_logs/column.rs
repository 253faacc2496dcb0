//! Which names a column may have, and what becomes of the others.
//!
//! 1. A name that Log Analytics reserves, in any case, with any number of underscores behind it, gets one underscore
//!    more: `id` becomes `id_`, `id_` becomes `id__`. So do the names of our own two columns.
//! 2. Any other name that cannot be a column keeps its name as a key inside the dynamic column [`EXTRA_COLUMNS`].
//!
//! The rule is reversible, and two fields of one event never meet in one column.

/// Dynamic column: fields whose names cannot be columns, under those names.
pub(super) const EXTRA_COLUMNS: &str = "ExtraColumns";
/// Dynamic column: which columns were cut, and how long they were.
pub(super) const TRUNCATED_COLUMNS: &str = "TruncatedColumns";

/// Names that a custom table cannot have.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table>
const RESERVED: [&str; 8] =
    ["id", "BilledSize", "InvalidTimeGenerated", "IsBillable", "TenantId", "Title", "Type", "UniqueId"];
/// Longest name, in characters.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits>
const MAX_LENGTH: usize = 45;

/// Bytes that a column's name may have.
const LEGAL: [bool; 256] = {
    let mut legal = [false; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        legal[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'_';
        byte += 1;
    }
    legal
};

/// Names that are columns as they are, told by a glance: of the rest, [`Column::of`] knows.
pub(super) struct PlainNames {
    /// By the first byte: a bit for each length that another name with this byte has.
    others: [u64; 256],
}

/// What becomes of a field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column<'a> {
    /// It is the column's name.
    Plain(&'a str),
    /// The column's name is this with one underscore behind it.
    Reserved(&'a str),
    /// It is a key in [`EXTRA_COLUMNS`].
    Extra(&'a str),
}

// === impl Column ===

impl<'a> Column<'a> {
    /// Applies the rule to a field's name.
    pub(super) fn of(name: &'a str) -> Self {
        let bytes = name.as_bytes();
        let legal = bytes.first().is_some_and(u8::is_ascii_alphabetic) && is_legal(bytes);
        let underscores = bytes.iter().rev().take_while(|byte| **byte == b'_').count();
        let base = &bytes[..bytes.len() - underscores];
        let reserved = RESERVED.iter().any(|reserved| base.eq_ignore_ascii_case(reserved.as_bytes()))
            || [EXTRA_COLUMNS, TRUNCATED_COLUMNS].iter().any(|own| base == own.as_bytes());
        match (legal, reserved) {
            (true, false) if name.len() <= MAX_LENGTH => Self::Plain(name),
            (true, true) if name.len() < MAX_LENGTH => Self::Reserved(name),
            _ => Self::Extra(name),
        }
    }
}

fn is_legal(name: &[u8]) -> bool {
    name.iter().all(|byte| LEGAL[usize::from(*byte)])
}

// === impl PlainNames ===

impl PlainNames {
    /// All but the reserved names, our own, and the given ones.
    pub(super) fn except<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut others = [u64::MAX; 256];
        for byte in (0..=u8::MAX).filter(u8::is_ascii_alphabetic) {
            others[usize::from(byte)] = u64::MAX << (MAX_LENGTH + 1);
        }
        for name in names.into_iter().chain(RESERVED).chain([EXTRA_COLUMNS, TRUNCATED_COLUMNS]) {
            for first in name.bytes().take(1) {
                for first in [first.to_ascii_lowercase(), first.to_ascii_uppercase()] {
                    others[usize::from(first)] |= 1 << name.len().min(MAX_LENGTH);
                }
            }
        }
        Self { others }
    }

    /// Whether this is one of them for sure.
    #[inline]
    pub(super) fn contains(&self, name: &str) -> bool {
        let name = name.as_bytes();
        let ([first, ..], [.., last]) = (name, name) else { return false };
        name.len() <= MAX_LENGTH
            && self.others[usize::from(*first)] >> name.len() & 1 == 0
            // A reserved name may have underscores behind it.
            && *last != b'_'
            && is_legal(name)
    }
}

impl Column<'_> {
    /// Whether a stream can have a column of this name.
    pub(super) fn is_declarable(name: &str) -> bool {
        [EXTRA_COLUMNS, TRUNCATED_COLUMNS].contains(&name)
            || Column::of(name) == Column::Plain(name)
            || name.strip_suffix('_').is_some_and(|name| Column::of(name) == Column::Reserved(name))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_of_name_has_its_place() {
        let long = "a".repeat(46);
        let cases = [
            ("severity", Column::Plain("severity")),
            ("Foo_1", Column::Plain("Foo_1")),
            ("id", Column::Reserved("id")),
            ("ID_", Column::Reserved("ID_")),
            ("tenantId", Column::Reserved("tenantId")),
            ("ExtraColumns", Column::Reserved("ExtraColumns")),
            ("identity", Column::Plain("identity")),
            ("@odata.type", Column::Extra("@odata.type")),
            ("_ResourceId", Column::Extra("_ResourceId")),
            ("1st", Column::Extra("1st")),
            ("", Column::Extra("")),
            ("größe", Column::Extra("größe")),
            (long.as_str(), Column::Extra(long.as_str())),
        ];
        for (name, column) in cases {
            assert_eq!(Column::of(name), column, "{name}");
        }
    }

    #[test]
    fn only_names_that_a_field_can_end_up_under_are_columns() {
        let names =
            ["severity", "id_", "id__", "TimeGenerated", "ExtraColumns", "id", "Type", "a b", "_x", ""];
        let declarable: Vec<_> = names.into_iter().filter(|name| Column::is_declarable(name)).collect();
        assert_eq!(declarable, ["severity", "id_", "id__", "TimeGenerated", "ExtraColumns"]);
    }

    proptest! {
        #[test]
        fn a_name_that_is_plain_at_a_glance_is_so(
            name in "(id|ID|Title|type|extra|ExtraColumns|TruncatedColumns|unique|UniqueId|seen|[a-z]{1,3})_{0,2}|[a-z_]{44,47}|.{0,9}"
        ) {
            let plain = PlainNames::except(["seen", "@timestamp", ""]);
            let is_plain = Column::of(&name) == Column::Plain(&name) && name != "seen";
            prop_assert!(!plain.contains(&name) || is_plain, "{}", name);
            // And most are.
            prop_assert!(plain.contains("message") && plain.contains("bytes") && plain.contains("HTTP_status"));
        }

        #[test]
        fn two_names_never_meet_in_one_column(
            names in proptest::collection::hash_set("(id|ID|Title|type|ExtraColumns|a|_|[a-z]{1,3})_{0,3}|.{0,50}", 0..30)
        ) {
            let mut columns = BTreeMap::new();
            for name in &names {
                let column = match Column::of(name) {
                    Column::Plain(name) => name.to_owned(),
                    Column::Reserved(name) => format!("{name}_"),
                    Column::Extra(name) => format!("{EXTRA_COLUMNS}.{name}"),
                };
                prop_assert_eq!(columns.insert(column, name), None);
            }
        }
    }
}
