//! The component types there are: one line each.

use std::sync::Arc;

use model::problem::Problem;
use pipeline_file::ComponentType;
use schemars::schema_for;
use serde_json::Value;

use crate::component::{Component, Registered, Validation};
use crate::{sinks, sources};

/// Every component type. Whoever needs one of them by name finds it here; an unknown name is nobody's.
const TYPES: &[Entry] = &[
    Entry::of::<sources::defender_incidents::DefenderIncidents>(),
    Entry::of::<sources::sentinel_incidents::SentinelIncidents>(),
    Entry::of::<sources::vector_sentinel_events::VectorSentinelEvents>(),
    Entry::of::<sinks::sentinel_logs::SentinelLogs>(),
    Entry::of::<sinks::sentinel_incidents::SentinelIncidents>(),
    Entry::of::<sinks::defender_incidents::DefenderIncidents>(),
];

/// What is known of a type.
struct Entry {
    file: ComponentType,
    validate: fn(Value, &Validation<'_>) -> Checked,
}

/// What checking options comes to.
type Checked = Result<Arc<dyn Component>, Invalid>;

/// Why options make no component.
pub enum Invalid {
    /// A value does not fit its option's type. What it is stands in the schema's words, which do not show the value.
    Misfit,
    /// What is wrong with them.
    Problems(Vec<Problem>),
}

// === impl Entry ===

impl Entry {
    const fn of<C: Registered>() -> Self {
        let file = ComponentType {
            kind: C::KIND,
            name: C::TYPE,
            schema: || schema_for!(C::Config).to_value(),
            emits_own_events: C::EMITS_OWN_EVENTS,
        };
        Self { file, validate: validate::<C> }
    }
}

fn validate<C: Registered>(options: Value, validation: &Validation<'_>) -> Checked {
    let config = serde_json::from_value(options).map_err(|_| Invalid::Misfit)?;
    let ready = C::validate(config, validation).map_err(Invalid::Problems)?;
    Ok(Arc::new(ready))
}

/// The component types, as a pipeline file is read with.
pub fn catalogue() -> Vec<ComponentType> {
    TYPES.iter().map(|entry| entry.file).collect()
}

/// The type of that name, as the file's reader has found it, and its options, checked.
pub fn component(found: &ComponentType, options: Value, validation: &Validation<'_>) -> Checked {
    let entry = TYPES.iter().find(|entry| (entry.file.kind, entry.file.name) == (found.kind, found.name));
    // The reader has it from the catalogue above, so it is one of ours.
    entry.map_or(Err(Invalid::Misfit), |entry| (entry.validate)(options, validation))
}
