//! The `auth` options.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use model::problem::Problem;
use runtime::secret::SensitiveString;

/// The identity that requests are made as, and how it proves itself. Names are those of Vector's `azure_logs_ingestion`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-implied" = {"azure_credential_kind": {
    "azure_client_secret": "client_secret_credential",
    "certificate_path": "client_certificate_credential",
    "client_assertion_client_id": "managed_identity_client_assertion",
    "token_file_path": "workload_identity",
    "user_assigned_managed_identity_id": "managed_identity",
}}))]
pub struct AuthConfig {
    /// The kind of credential: decides which of the other options are needed, and the rest must be left out.
    pub azure_credential_kind: CredentialKind,
    /// The tenant (directory) id; needed with `client_secret_credential` and `client_certificate_credential`. Example:
    /// `11111111-2222-3333-4444-555555555555`.
    pub azure_tenant_id: Option<String>,
    /// The application (client) id; needed with `client_secret_credential` and `client_certificate_credential`. Example:
    /// `66666666-7777-8888-9999-000000000000`.
    pub azure_client_id: Option<String>,
    /// The application's client secret; needed with `client_secret_credential`. Example: `SECRET[vault.client_secret]`.
    pub azure_client_secret: Option<SensitiveString>,
    /// The path of a PKCS#12 file (`.pfx`, `.p12`), or of a PEM file with certificate and RSA key; needed with
    /// `client_certificate_credential`. Example: `/etc/vector-sentinel/app.pfx`.
    pub certificate_path: Option<PathBuf>,
    /// The password of the PKCS#12 file, with `client_certificate_credential`. Default: none. Example:
    /// `SECRET[vault.pfx_password]`.
    pub certificate_password: Option<SensitiveString>,
    /// The id of a user-assigned identity, with `managed_identity` and `managed_identity_client_assertion`. Default: the
    /// system-assigned identity.
    pub user_assigned_managed_identity_id: Option<String>,
    /// The kind of id that `user_assigned_managed_identity_id` is. Default: `client_id`.
    pub user_assigned_managed_identity_id_type: Option<IdentityIdType>,
    /// The tenant (directory) id of the application; needed with `managed_identity_client_assertion`. Example:
    /// `11111111-2222-3333-4444-555555555555`.
    pub client_assertion_tenant_id: Option<String>,
    /// The application (client) id, of which the managed identity is a federated credential; needed with
    /// `managed_identity_client_assertion`. Example: `66666666-7777-8888-9999-000000000000`.
    pub client_assertion_client_id: Option<String>,
    /// The tenant (directory) id, with `workload_identity`. Default: the variable `AZURE_TENANT_ID`.
    pub tenant_id: Option<String>,
    /// The application (client) id, with `workload_identity`. Default: the variable `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// The path of the file with the service account's token, with `workload_identity`. Default: the variable
    /// `AZURE_FEDERATED_TOKEN_FILE`.
    pub token_file_path: Option<PathBuf>,
    /// The `https` URL of the login host, with all kinds but `managed_identity` and `azure_cli`. Default: that of `cloud`.
    /// Example: `https://login.microsoftonline.com`.
    pub authority_host: Option<String>,
}

/// A kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// An application in Entra ID that has a client secret.
    ClientSecretCredential,
    /// An application in Entra ID that has a certificate.
    ClientCertificateCredential,
    /// The managed identity of the Azure machine or service that the program runs on.
    ManagedIdentity,
    /// An application in Entra ID, in any tenant, that trusts a managed identity by federation: no secret anywhere.
    ManagedIdentityClientAssertion,
    /// A Kubernetes service account that Entra ID trusts, by federation.
    WorkloadIdentity,
    /// Whoever is logged in to the `az` command: for trying things out.
    AzureCli,
}

/// A kind of id of a user-assigned managed identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdentityIdType {
    /// The identity's client (application) id.
    #[default]
    ClientId,
    /// The identity's object (principal) id.
    ObjectId,
    /// The identity's Azure resource id, which begins with `/subscriptions/`.
    ResourceId,
}

// === impl AuthConfig ===

impl AuthConfig {
    /// Reports options that are missing, empty, or of no use to the chosen kind.
    pub fn validate(&self, path: &str, problems: &mut Vec<Problem>) {
        use CredentialKind::{
            ClientCertificateCredential, ClientSecretCredential, ManagedIdentity,
            ManagedIdentityClientAssertion, WorkloadIdentity,
        };
        let id_type = self.user_assigned_managed_identity_id_type.map(|_| "set");
        let file = |path: &'_ Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let secret =
            |secret: &'_ Option<SensitiveString>| secret.as_ref().map(|secret| secret.expose().to_owned());
        let application = &[ClientSecretCredential, ClientCertificateCredential][..];
        let managed = &[ManagedIdentity, ManagedIdentityClientAssertion][..];
        let asserting = &[ManagedIdentityClientAssertion][..];
        let at_login = &[
            ClientSecretCredential,
            ClientCertificateCredential,
            ManagedIdentityClientAssertion,
            WorkloadIdentity,
        ][..];
        // Option, its value, the kinds that use it, whether those need it.
        let options: [(&str, Option<String>, &[CredentialKind], bool); 13] = [
            ("azure_tenant_id", self.azure_tenant_id.clone(), application, true),
            ("azure_client_id", self.azure_client_id.clone(), application, true),
            ("azure_client_secret", secret(&self.azure_client_secret), &[ClientSecretCredential], true),
            ("certificate_path", file(&self.certificate_path), &[ClientCertificateCredential], true),
            (
                "certificate_password",
                secret(&self.certificate_password),
                &[ClientCertificateCredential],
                false,
            ),
            ("tenant_id", self.tenant_id.clone(), &[WorkloadIdentity], false),
            ("client_id", self.client_id.clone(), &[WorkloadIdentity], false),
            ("token_file_path", file(&self.token_file_path), &[WorkloadIdentity], false),
            (
                "user_assigned_managed_identity_id",
                self.user_assigned_managed_identity_id.clone(),
                managed,
                false,
            ),
            ("user_assigned_managed_identity_id_type", id_type.map(str::to_owned), managed, false),
            ("client_assertion_tenant_id", self.client_assertion_tenant_id.clone(), asserting, true),
            ("client_assertion_client_id", self.client_assertion_client_id.clone(), asserting, true),
            ("authority_host", self.authority_host.clone(), at_login, false),
        ];
        for (name, value, kinds, needed) in options {
            let used = kinds.contains(&self.azure_credential_kind);
            let message = match value.as_deref() {
                None if used && needed => "missing: this kind of credential needs it",
                Some("") => "must not be empty",
                Some(value) if value.trim() != value => {
                    "begins or ends with white space; if it comes from a file, set remove_trailing_whitespace there"
                }
                Some(value) if value.starts_with("SECRET[") || value.starts_with("${") => {
                    "looks like a secret or a variable that was not put in: write SECRET[backend.key] or ${NAME}"
                }
                Some(_) if !used => {
                    "has no effect with this azure_credential_kind: remove it or change the kind"
                }
                _ => continue,
            };
            problems.push(Problem::new(format!("{path}.{name}"), message));
        }
        if self.authority_host.as_ref().is_some_and(|host| !host.starts_with("https://")) {
            let message = "must be an https URL, such as https://login.microsoftonline.com";
            problems.push(Problem::new(format!("{path}.authority_host"), message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(json: serde_json::Value) -> Vec<String> {
        let auth: AuthConfig = serde_json::from_value(json).unwrap();
        let mut problems = Vec::new();
        auth.validate("auth", &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_kind_needs_and_what_it_does_not_use_is_said_at_once() {
        let found = problems(serde_json::json!({
            "azure_credential_kind": "client_secret_credential",
            "azure_tenant_id": "",
            "certificate_path": "x.pfx",
            "authority_host": "http://login",
        }));
        assert_eq!(found.len(), 5, "{found:#?}");
        assert!(found.iter().any(|problem| problem.starts_with("auth.azure_client_secret: missing")));
        assert!(found.iter().any(|problem| problem.starts_with("auth.certificate_path: has no effect")));
    }

    #[test]
    fn a_debug_print_shows_no_secret() {
        let auth: AuthConfig = serde_json::from_value(serde_json::json!({
            "azure_credential_kind": "client_secret_credential",
            "azure_client_secret": "hunter2",
            "certificate_password": "hunter2",
        }))
        .unwrap();
        assert!(!format!("{auth:#?}").contains("hunter2"));
    }
}
