//! Which options a map may have, when several schemas speak about the same map (flattened structs and
//! enums).

use serde_json::{Map, Value};

use super::walk::{Checker, Location, members};

/// Schemas that only name each other would go round for ever.
const MAX_DEPTH: usize = 16;

impl<'s> Checker<'s> {
    /// The location as one part of `schema` sees it: it need not complain about what the others name.
    pub(super) fn inside<'p>(
        self,
        schema: &'s Map<String, Value>,
        part: &'s Value,
        location: &Location<'p, 's>,
    ) -> Location<'p, 's> {
        let mut beside = location.beside.clone();
        own(schema, &mut beside);
        for other in self.parts(schema).filter(|other| !std::ptr::eq(*other, part)) {
            self.collect(other, MAX_DEPTH, &mut beside);
        }
        Location { path: location.path, beside }
    }

    /// The location as one branch of a choice in `schema` sees it: the other branches' names are not its own.
    pub(super) fn inside_choice<'p>(
        self,
        schema: &'s Map<String, Value>,
        location: &Location<'p, 's>,
    ) -> Location<'p, 's> {
        Location { path: location.path, beside: self.names(schema, location) }
    }

    /// Every option that may stand in the map, but for those of a choice.
    pub(super) fn names(self, schema: &'s Map<String, Value>, location: &Location<'_, 's>) -> Vec<&'s str> {
        let mut names = location.beside.clone();
        own(schema, &mut names);
        let parts = self.target(schema).into_iter().chain(members(schema, "allOf"));
        for part in parts {
            self.collect(part, MAX_DEPTH, &mut names);
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether this schema is the one to report unknown options: where it offers a choice, the branch is.
    pub(super) fn is_closed(self, schema: &'s Map<String, Value>) -> bool {
        let named = schema.contains_key("properties") && !schema.contains_key("additionalProperties");
        let refused = ["additionalProperties", "unevaluatedProperties"]
            .iter()
            .any(|key| schema.get(*key) == Some(&Value::Bool(false)));
        (named || refused) && !self.chooses_between_maps(schema)
    }

    fn chooses_between_maps(self, schema: &'s Map<String, Value>) -> bool {
        let branches = members(schema, "anyOf").iter().chain(members(schema, "oneOf"));
        branches.filter_map(|branch| self.resolved(branch)).any(|branch| branch.contains_key("properties"))
    }

    fn collect(self, schema: &'s Value, depth: usize, names: &mut Vec<&'s str>) {
        let (Some(depth), Some(schema)) = (depth.checked_sub(1), schema.as_object()) else { return };
        own(schema, names);
        for part in self.parts(schema) {
            self.collect(part, depth, names);
        }
    }

    /// The schemas that `schema` is made of.
    fn parts(self, schema: &'s Map<String, Value>) -> impl Iterator<Item = &'s Value> {
        let groups = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(|key| members(schema, key));
        self.target(schema).into_iter().chain(groups)
    }
}

fn own<'s>(schema: &'s Map<String, Value>, names: &mut Vec<&'s str>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    names.extend(properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str)));
}
