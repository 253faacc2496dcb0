//! The `auth` options.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use url::Url;

use crate::cloud::Cloud;
use crate::hosts::of_another_cloud;
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
        let id_type_is_resource =
            self.user_assigned_managed_identity_id_type == Some(IdentityIdType::ResourceId);
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
                Some(value) if used => match shape(name, value, id_type_is_resource) {
                    Some(message) => message,
                    None => continue,
                },
                Some(_) => "has no effect with this azure_credential_kind: remove it or change the kind",
                None => continue,
            };
            problems.push(Problem::new(format!("{path}.{name}"), message));
        }
    }

    /// Reports a login host of another cloud than `cloud`.
    pub(crate) fn validate_host(&self, cloud: Cloud, path: &str, problems: &mut Vec<Problem>) {
        let host = self.authority_host.as_deref().and_then(|host| Url::parse(host).ok());
        let foreign = host.and_then(|host| of_another_cloud(&host, cloud));
        problems.extend(foreign.map(|message| Problem::new(format!("{path}.authority_host"), message)));
    }

    /// Reports a scope that no login host gives a token for, which stands in the option at `path`.
    pub fn validate_scope(&self, scope: Option<&str>, path: &str, problems: &mut Vec<Problem>) {
        // These two are asked for a resource, which is the scope without that ending.
        let is_resource =
            matches!(self.azure_credential_kind, CredentialKind::ManagedIdentity | CredentialKind::AzureCli);
        if scope.is_some_and(|scope| !is_resource && !scope.ends_with("/.default")) {
            let message = "must end with /.default, as https://monitor.azure.com/.default does";
            problems.push(Problem::new(path, message));
        }
    }
}

/// What is wrong with how the value of an option is written.
fn shape(option: &str, value: &str, is_resource_id: bool) -> Option<&'static str> {
    let is_in_braces = value.starts_with(['{', '(', '<']);
    let is_url = value.contains("://");
    let is_resource = value.starts_with("/subscriptions/");
    match option {
        "azure_tenant_id" | "tenant_id" | "client_assertion_tenant_id" => {
            let is_plain =
                value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
            match value {
                _ if is_in_braces => Some("must be the tenant's id alone, without braces"),
                _ if is_url => Some(
                    "must be the tenant's id alone, such as 11111111-2222-3333-4444-555555555555, without the URL around it; \
                     a login host of its own goes into authority_host",
                ),
                "common" | "organizations" | "consumers" => {
                    Some("must be the id of one tenant: an application cannot log in to all of them")
                }
                _ if !is_plain => {
                    Some("must be the tenant's id, or one of its domains, such as contoso.onmicrosoft.com")
                }
                _ => None,
            }
        }
        "azure_client_id" | "client_id" | "client_assertion_client_id" => {
            if is_in_braces {
                Some("must be the application's id alone, without braces")
            } else if is_url || is_resource || value.contains(['/', '@', ' ']) {
                Some(
                    "must be the application (client) id, such as 66666666-7777-8888-9999-000000000000; neither its URI nor \
                     its name",
                )
            } else {
                None
            }
        }
        "user_assigned_managed_identity_id" => match (is_resource, is_resource_id) {
            (true, false) => {
                Some("is a resource id: set user_assigned_managed_identity_id_type to resource_id")
            }
            (false, true) => Some(
                "is no resource id, which begins with /subscriptions/: set \
                user_assigned_managed_identity_id_type to what it is",
            ),
            _ if is_in_braces => Some("must be the identity's id alone, without braces"),
            _ => None,
        },
        "authority_host" => match Url::parse(value) {
            Ok(url) if url.scheme() == "https" && url.path() == "/" && url.query().is_none() => None,
            Ok(url) if url.scheme() == "https" => Some(
                "must be the login host alone, such as https://login.microsoftonline.com; the tenant goes into \
                 azure_tenant_id, or what the kind of credential has for it",
            ),
            _ => Some("must be an https URL, such as https://login.microsoftonline.com"),
        },
        _ => None,
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
    fn ids_that_are_written_as_something_else_say_what_to_write() {
        let id = "11111111-2222-3333-4444-555555555555";
        let application = |tenant: &str, client: &str| {
            serde_json::json!({"azure_credential_kind": "client_secret_credential", "azure_client_secret": "s",
                "azure_tenant_id": tenant, "azure_client_id": client})
        };
        let managed = |id: &str, id_type: &str| {
            serde_json::json!({"azure_credential_kind": "managed_identity", "user_assigned_managed_identity_id": id,
                "user_assigned_managed_identity_id_type": id_type})
        };
        let resource =
            "/subscriptions/1/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i";
        for right in [
            application(id, id),
            application("contoso.onmicrosoft.com", id),
            managed(id, "client_id"),
            managed(id, "object_id"),
            managed(resource, "resource_id"),
        ] {
            assert_eq!(problems(right.clone()), [""; 0], "{right}");
        }
        let url = format!("https://login.microsoftonline.com/{id}");
        for (wrong, expected) in [
            (
                application(&format!("{{{id}}}"), id),
                "azure_tenant_id: must be the tenant's id alone, without braces",
            ),
            (application(&url, id), "azure_tenant_id: must be the tenant's id alone, such as"),
            (application("common", id), "azure_tenant_id: must be the id of one tenant"),
            (
                application("Contoso Ltd", id),
                "azure_tenant_id: must be the tenant's id, or one of its domains",
            ),
            (application(id, &format!("{{{id}}}")), "azure_client_id: must be the application's id alone"),
            (application(id, &format!("api://{id}")), "azure_client_id: must be the application (client) id"),
            (application(id, resource), "azure_client_id: must be the application (client) id"),
            (managed(resource, "client_id"), "user_assigned_managed_identity_id: is a resource id: set"),
            (managed(id, "resource_id"), "user_assigned_managed_identity_id: is no resource id"),
            (
                managed(&format!("{{{id}}}"), "client_id"),
                "user_assigned_managed_identity_id: must be the identity's",
            ),
        ] {
            let found = problems(wrong.clone());
            assert!(
                found.len() == 1 && found[0].starts_with(&format!("auth.{expected}")),
                "{wrong} {found:?}"
            );
        }
        let mut with_tenant = application(id, id);
        with_tenant["authority_host"] = url.into();
        assert!(problems(with_tenant)[0].contains("must be the login host alone"));
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
