//! From references to secrets to their values: the check that needs no backend, and the fetching.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use serde_json::Value;

use super::{
    backend::{Declared, Fetched, catalogue, declared},
    reference::{Reference, references, replace},
};
use crate::{
    ownership::read_here,
    redaction::Redaction,
    suggest::{list, nearest},
};
use model::problem::{Problem, tidy};
use runtime::clock::Clock;

/// Whether every reference that is read here names a declared backend; asks no backend.
pub(crate) fn check_references(
    tree: &Value,
    backends: &BTreeMap<String, Declared>,
    redaction: Redaction<'_>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (reference, paths) in references(&read_here(tree), redaction) {
        let wrong = match backends.get(&reference.backend) {
            Some(Declared::Here(_) | Declared::Wrong) => None,
            Some(Declared::InVector) => Some(in_vector(&reference.backend, redaction)),
            None => Some(undeclared(&reference.backend, backends, redaction)),
        };
        for path in paths {
            if path.starts_with("secret.") {
                problems.push(Problem::new(path, "a secret backend's own options cannot be secrets"));
            } else if let Some(wrong) = &wrong {
                problems.push(Problem::new(path, wrong.as_str()));
            }
        }
    }
    problems
}

fn in_vector(name: &str, redaction: Redaction<'_>) -> String {
    let shown = redaction.key(name).map(|name| format!(" {name}")).unwrap_or_default();
    let here = catalogue().map(|(name, _)| name);
    format!("secret backend{shown} works only in Vector itself; here there are {}", list(here))
}

fn undeclared(name: &str, backends: &BTreeMap<String, Declared>, redaction: Redaction<'_>) -> String {
    let Some(shown) = redaction.key(name) else {
        return "a secret's backend is not declared under 'secret'".to_owned();
    };
    match nearest(name, backends.keys().map(String::as_str).filter(|name| redaction.key(name).is_some())) {
        Some(near) => {
            format!("secret backend {shown} is not declared under 'secret', did you mean '{near}'?")
        }
        None => format!("secret backend {shown} is not declared under 'secret'"),
    }
}

/// Fetches every secret that is wanted in what is read here of `tree`, and puts it in; the values come back too, to be kept out of messages.
/// When one cannot be fetched, `tree` stays as it was.
pub(crate) async fn resolve(
    tree: &mut Value,
    redaction: Redaction<'_>,
    clock: &Clock,
) -> Result<Vec<String>, Vec<Problem>> {
    let (backends, mut problems) = declared(tree, redaction);
    problems.extend(check_references(tree, &backends, redaction));
    if !problems.is_empty() {
        return Err(tidy(problems));
    }
    let wanted = references(&read_here(tree), redaction);
    let mut keys: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for reference in wanted.keys() {
        keys.entry(&reference.backend).or_default().insert(reference.key.clone());
    }
    let fetches = backends.iter().filter_map(|(name, backend)| {
        let (Some(keys), Declared::Here(backend)) = (keys.get(name.as_str()), backend) else { return None };
        Some(async move { (name, keys, backend.fetch(keys, clock).await) })
    });
    let mut values = BTreeMap::new();
    for (name, keys, fetched) in join_all(fetches).await {
        problems.extend(sort_out(name, keys, fetched, &wanted, &mut values, redaction));
    }
    if !problems.is_empty() {
        return Err(tidy(problems));
    }
    replace(tree, &values);
    Ok(values.into_values().collect())
}

/// Takes the values of one backend, and reports what is missing at each option that wants it.
fn sort_out(
    name: &str,
    keys: &BTreeSet<String>,
    fetched: Fetched,
    wanted: &BTreeMap<Reference, Vec<String>>,
    values: &mut BTreeMap<Reference, String>,
    redaction: Redaction<'_>,
) -> Vec<Problem> {
    let shown = |text: &str| redaction.key(text).unwrap_or_else(|| "(from the environment)".to_owned());
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(error) => {
            let keys = list(keys.iter().filter(|key| redaction.key(key).is_some()).map(String::as_str));
            let path = redaction.join("secret", name);
            return vec![Problem::new(path, format!("{error} (secrets wanted: {keys})"))];
        }
    };
    let mut problems = Vec::new();
    for (key, value) in fetched {
        let reference = Reference { backend: name.to_owned(), key };
        match value {
            Ok(value) => {
                values.insert(reference, value);
            }
            Err(error) => {
                let message = format!("secret {} of backend {} {error}", shown(&reference.key), shown(name));
                for path in wanted.get(&reference).into_iter().flatten() {
                    problems.push(Problem::new(path, message.as_str()));
                }
            }
        }
    }
    problems
}
