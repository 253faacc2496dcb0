//! What to do about Entra ID's error codes.

/// Code and remedy.
/// Source: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
const REMEDIES: &[(&str, &str)] = &[
    (
        "AADSTS7000215",
        "the client secret is wrong: use the secret's value, not its id, in auth.azure_client_secret",
    ),
    ("AADSTS7000222", "the client secret has expired: make a new one in the app registration"),
    (
        "AADSTS700016",
        "no such application in this tenant: check auth.azure_client_id and auth.azure_tenant_id",
    ),
    ("AADSTS700027", "the certificate is not accepted: upload its public part to the app registration"),
    (
        "AADSTS700213",
        "no federated credential matches: check its issuer, subject and audience in the app registration",
    ),
    (
        "AADSTS70021",
        "no federated credential matches: check its issuer, subject and audience in the app registration",
    ),
    ("AADSTS70011", "the scope is not valid: check token_scope and cloud"),
    ("AADSTS90002", "no such tenant in this cloud: check auth.azure_tenant_id and cloud"),
    ("AADSTS900023", "the tenant id is not a valid id or domain: check auth.azure_tenant_id"),
    ("AADSTS500011", "no such resource in this tenant: check token_scope and cloud"),
];

/// The remedy for an error text that names one of the codes.
pub(crate) fn remedy_for(error: &str) -> Option<&'static str> {
    let is_in = |code: &str| {
        error.match_indices(code).any(|(at, _)| {
            // AADSTS70021 must not be found in AADSTS700213.
            !error
                .get(at + code.len()..)
                .is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()))
        })
    };
    REMEDIES.iter().find(|(code, _)| is_in(code)).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_not_taken_for_a_longer_one() {
        assert!(
            remedy_for("AADSTS7000215: Invalid client secret provided.").unwrap().contains("secret is wrong")
        );
        assert!(remedy_for("(AADSTS70021)").unwrap().contains("federated"));
        assert_eq!(remedy_for("AADSTS7002199: what"), None);
        assert_eq!(remedy_for("something else"), None);
    }
}
