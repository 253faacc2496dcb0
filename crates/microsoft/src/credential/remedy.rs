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
    (
        "AADSTS700024",
        "the assertion is out of its time: check this machine's clock, and that the token file is renewed by whoever writes it",
    ),
    (
        "AADSTS7000112",
        "the application is disabled in its tenant: enable it in Entra ID, Enterprise applications",
    ),
    (
        "AADSTS53003",
        "a conditional access policy blocks the application: exclude its service principal, or ask from an allowed network",
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
    let by_code = REMEDIES.iter().find(|(code, _)| is_in(code)).map(|(_, remedy)| *remedy);
    // What serde_json says of a page.
    let is_page = error.contains("expected value at line 1 column 1");
    by_code.or(is_page.then_some(
        "what answers is no login host: check auth.authority_host, and whether a proxy answers in its place",
    ))
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
        assert!(remedy_for("AADSTS700024: Client assertion").unwrap().contains("clock"));
        assert!(remedy_for("expected value at line 1 column 1").unwrap().contains("no login host"));
        assert_eq!(remedy_for("AADSTS7002199: what"), None);
        assert_eq!(remedy_for("something else"), None);
    }
}
