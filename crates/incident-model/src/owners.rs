//! People who have different names on the two sides.

use serde::Deserialize;
use thiserror::Error;
use uuid::Uuid;

/// One person, as each side knows them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// What Defender has in `assignedTo`, most often a user principal name.
    pub defender: String,
    /// Who that is in Sentinel.
    pub sentinel: SentinelUser,
}

/// A user as Sentinel knows one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentinelUser {
    /// The user principal name. Example: `user@example.com`.
    pub user_principal_name: Option<String>,
    /// The object id, a GUID.
    pub object_id: Option<String>,
}

/// Everybody who has different names. Names are compared without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners(Vec<Person>);

/// Why a list of people cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OwnersError {
    /// Somebody has no name on one of the sides.
    #[error("'{0}' needs a name in defender and a user_principal_name or object_id in sentinel")]
    Nameless(String),
    /// Two have the same name on a side.
    #[error("{0} is there twice")]
    Twice(String),
}

// === impl Owners ===

impl Owners {
    /// Checks a list of people: each has a name on both sides, and none is there twice. The error says what to mend.
    pub fn new(people: Vec<Person>) -> Result<Self, OwnersError> {
        let mut names = std::collections::BTreeSet::new();
        for Person { defender, sentinel } in &people {
            let user = [&sentinel.user_principal_name, &sentinel.object_id];
            if defender.is_empty() || user.iter().all(|name| name.is_none()) {
                return Err(OwnersError::Nameless(defender.clone()));
            }
            let sentinels =
                user.into_iter().flatten().map(|name| format!("sentinel {}", name.to_lowercase()));
            for name in sentinels.chain([format!("defender {}", defender.to_lowercase())]) {
                if !names.insert(name.clone()) {
                    return Err(OwnersError::Twice(name));
                }
            }
        }
        Ok(Self(people))
    }

    /// Who somebody in Defender is in Sentinel: the same name, unless the list says otherwise.
    pub fn in_sentinel(&self, defender: &str) -> SentinelUser {
        let person = self.0.iter().find(|person| same(&person.defender, defender));
        person.map_or_else(
            || SentinelUser { user_principal_name: Some(defender.to_owned()), object_id: None },
            |person| person.sentinel.clone(),
        )
    }

    /// Everything that is known of a user in Sentinel of whom one name is known.
    pub fn user(&self, name: &str) -> SentinelUser {
        let is = |known: &Option<String>| known.as_deref().is_some_and(|known| same(known, name));
        let person = self
            .0
            .iter()
            .find(|person| is(&person.sentinel.user_principal_name) || is(&person.sentinel.object_id));
        match person {
            Some(person) => person.sentinel.clone(),
            None if Uuid::try_parse(name).is_ok() => {
                SentinelUser { user_principal_name: None, object_id: Some(name.to_owned()) }
            }
            None => SentinelUser { user_principal_name: Some(name.to_owned()), object_id: None },
        }
    }

    /// Who somebody in Sentinel is in Defender. `name` is the one that Sentinel's incident is known to have, `aliases` the
    /// same person's others.
    pub fn in_defender(&self, name: &str, aliases: &[String]) -> String {
        let names = || std::iter::once(name).chain(aliases.iter().map(String::as_str));
        let is = |known: &Option<String>| {
            known.as_deref().is_some_and(|known| names().any(|name| same(known, name)))
        };
        let person = self
            .0
            .iter()
            .find(|person| is(&person.sentinel.user_principal_name) || is(&person.sentinel.object_id));
        person.map_or_else(|| name.to_owned(), |person| person.defender.clone())
    }
}

/// Whether two names are one person's.
pub fn same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

// === impl SentinelUser ===

impl SentinelUser {
    /// The name that incidents show first.
    pub fn name(&self) -> &str {
        self.user_principal_name.as_deref().or(self.object_id.as_deref()).unwrap_or_default()
    }
}
