//! Who can own incidents: what Entra ID knows of a user.

use serde_json::{Map, Value, json};

use crate::core::text::ANALYSTS;

/// A user of the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The object id.
    pub object_id: String,
    /// The user principal name, which is the address as well.
    pub user_principal_name: String,
    /// The display name.
    pub display_name: String,
}

/// Those who work on the simulated tenant's incidents.
pub(crate) fn analysts() -> Vec<User> {
    let users = ANALYSTS.iter().enumerate();
    users
        .map(|(position, address)| User {
            object_id: format!("2046feea-040d-4a46-9e2b-{position:012}"),
            user_principal_name: (*address).to_owned(),
            display_name: address.split('@').next().unwrap_or(address).replace(['.', '-'], " "),
        })
        .collect()
}

/// Finds the user that an owner in a request means, by whatever says most. `Ok(None)` for nobody.
// https://learn.microsoft.com/rest/api/securityinsights/incidents/create-or-update#incidentownerinfo
pub(crate) fn find(users: &[User], owner: &Value) -> Result<Option<User>, String> {
    let none = Map::new();
    let owner = match owner {
        Value::Null => &none,
        Value::Object(owner) => owner,
        _ => return Err("Invalid value for property 'owner': it must be an object.".to_owned()),
    };
    for property in ["objectId", "userPrincipalName", "email", "assignedTo"] {
        let wanted = match owner.get(property) {
            None | Some(Value::Null) => continue,
            Some(Value::String(wanted)) => wanted,
            Some(_) => return Err(format!("Invalid value for property 'owner.{property}': no string.")),
        };
        let name = |user: &User| match property {
            "objectId" => user.object_id.to_ascii_lowercase(),
            "assignedTo" => user.display_name.to_ascii_lowercase(),
            _ => user.user_principal_name.to_ascii_lowercase(),
        };
        let found = users.iter().find(|user| name(user) == wanted.to_ascii_lowercase());
        let unknown =
            || format!("Owner with {property} '{wanted}' was not found in the directory of the tenant.");
        return found.cloned().map(Some).ok_or_else(unknown);
    }
    Ok(None)
}

/// The property `owner` of an incident.
pub(crate) fn shown(owner: Option<&User>) -> Value {
    json!({
        "objectId": owner.map(|user| &user.object_id),
        "email": owner.map(|user| &user.user_principal_name),
        "assignedTo": owner.map(|user| &user.display_name),
        "userPrincipalName": owner.map(|user| &user.user_principal_name),
        "ownerType": owner.map(|_| "User"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_any_name_and_the_others_are_filled_in() {
        let users = analysts();
        let shown_as = shown(users.get(1));
        for owner in [
            json!({"objectId": users[1].object_id}),
            json!({"userPrincipalName": "Bruno.Keller@contoso.com", "assignedTo": "somebody else"}),
            json!({"email": "bruno.keller@contoso.com", "objectId": null}),
            json!({"assignedTo": "bruno keller"}),
            shown_as.clone(),
        ] {
            assert_eq!(shown(find(&users, &owner).unwrap().as_ref()), shown_as, "{owner}");
        }
    }

    #[test]
    fn nobody_is_nobody_and_a_stranger_is_refused() {
        let users = analysts();
        for owner in [Value::Null, json!({}), shown(None)] {
            assert_eq!(find(&users, &owner), Ok(None), "{owner}");
        }
        for owner in
            [json!({"userPrincipalName": "mallory@example.com"}), json!({"objectId": 7}), json!("me")]
        {
            assert!(find(&users, &owner).is_err(), "{owner}");
        }
    }
}
