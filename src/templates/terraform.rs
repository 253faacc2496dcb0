//! Writes a template for Terraform, with the provider azapi, which takes every resource as Azure has it: so one provider
//! is enough, and a rule's own URL can be read.
//!
//! Sources: <https://learn.microsoft.com/azure/developer/terraform/overview-azapi-provider>,
//! <https://developer.hashicorp.com/terraform/language/syntax/configuration>

use super::head::comments;
use super::node::{PUBLISHER_ROLE, Reference, Resource, ResourceKind, Template};
use super::syntax::Syntax;

const SYNTAX: Syntax = Syntax { assign: " = ", item_end: ",", quoted, expression };

const PROVIDER: &str = r#"terraform {
  required_providers {
    azapi = {
      source  = "Azure/azapi"
      version = "~> 2.0"
    }
  }
}
"#;

pub(super) fn write(template: &Template) -> String {
    let mut parts = comments(&template.head, "#");
    parts.extend([
        PROVIDER.to_owned(),
        variable("workspace_id", "Resource id of the workspace.", None),
        variable("resource_group_id", "Resource id of the resource group of the rule.", None),
        variable("location", "The region of the workspace.", None),
        variable("principal_id", "Object id of the identity that writes.", None),
    ]);
    for (number, name) in template.names.iter().enumerate() {
        let name = format!("vector-sentinel-{name}");
        let variable_name = numbered("rule_name", number);
        parts.push(variable(&variable_name, "Name of the data collection rule.", Some(&name)));
    }
    if template.endpoint {
        let name = template.endpoint_name();
        parts.push(variable("endpoint_name", "Name of the data collection endpoint.", Some(&name)));
    }
    parts.extend(template.resources.iter().map(resource));
    let mut outputs = Vec::new();
    for number in 0..template.names.len() {
        let rule = ResourceKind::Rule(number).symbol();
        let url = if template.endpoint {
            "endpoint.output.properties.logsIngestion.endpoint".to_owned()
        } else {
            format!("{rule}.output.properties.endpoints.logsIngestion")
        };
        outputs.push((numbered("ingestion_endpoint", number), url));
        outputs.push((numbered("dcr_immutable_id", number), format!("{rule}.output.properties.immutableId")));
    }
    let output = |(name, value)| format!("\noutput \"{name}\" {{\n  value = azapi_resource.{value}\n}}");
    parts.push(outputs.into_iter().map(output).collect::<Vec<_>>().join("\n"));
    parts.concat()
}

/// A name of something that each rule has: the first as it is, and then `rule_name_2`.
fn numbered(name: &str, number: usize) -> String {
    if number == 0 { name.to_owned() } else { format!("{name}_{}", number + 1) }
}

fn variable(name: &str, description: &str, default: Option<&str>) -> String {
    let default = default.map(|default| format!("  default     = \"{default}\"\n")).unwrap_or_default();
    format!(
        "\nvariable \"{name}\" {{\n  type        = string\n  description = \"{description}\"\n{default}}}\n"
    )
}

fn resource(resource: &Resource) -> String {
    let place = resource.place;
    let (name, parent) = match place {
        ResourceKind::Table(name) => (quoted(name), "var.workspace_id".to_owned()),
        ResourceKind::Endpoint => ("var.endpoint_name".to_owned(), "var.resource_group_id".to_owned()),
        ResourceKind::Rule(number) => {
            (format!("var.{}", numbered("rule_name", number)), "var.resource_group_id".to_owned())
        }
        ResourceKind::Role(number) => {
            // The same each time, and known before the rule is there.
            let name = numbered("rule_name", number);
            let seed = format!("${{var.resource_group_id}}/${{var.{name}}}/${{var.principal_id}}");
            let rule = ResourceKind::Rule(number).symbol();
            (format!("uuidv5(\"url\", \"{seed}\")"), format!("azapi_resource.{rule}.id"))
        }
    };
    let location = if matches!(place, ResourceKind::Rule(_) | ResourceKind::Endpoint) {
        "  location  = var.location\n"
    } else {
        ""
    };
    let kind = resource.kind.map(|kind| format!("    kind = \"{kind}\"\n")).unwrap_or_default();
    let exported = match place {
        ResourceKind::Rule(_) => {
            "  response_export_values = [\"properties.immutableId\", \"properties.endpoints\"]\n"
        }
        ResourceKind::Endpoint => "  response_export_values = [\"properties.logsIngestion\"]\n",
        ResourceKind::Table(_) | ResourceKind::Role(_) => "",
    };
    let tables = resource.after_tables.iter().map(|table| format!("    azapi_resource.{table},\n"));
    let after = if resource.after_tables.is_empty() {
        String::new()
    } else {
        format!("  depends_on = [\n{}  ]\n", tables.collect::<String>())
    };
    format!(
        "\nresource \"azapi_resource\" \"{}\" {{\n  type      = \"{}@{}\"\n  name      = {name}\n  \
         parent_id = {parent}\n{location}  body = {{\n{kind}    properties = {}\n  }}\n{exported}{after}}}\n",
        place.symbol(),
        place.resource_type(),
        place.api_version(),
        SYNTAX.value(&resource.properties, 2)
    )
}

fn expression(reference: Reference) -> String {
    match reference {
        Reference::Workspace => "var.workspace_id".to_owned(),
        Reference::Endpoint => "azapi_resource.endpoint.id".to_owned(),
        Reference::RoleDefinition => {
            // Built-in roles are below each subscription: the first three parts of the resource group's id.
            let subscription = r#"${join("/", slice(split("/", var.resource_group_id), 0, 3))}"#;
            format!("\"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{PUBLISHER_ROLE}\"")
        }
        Reference::Principal => "var.principal_id".to_owned(),
    }
}

/// Source: <https://developer.hashicorp.com/terraform/language/expressions/strings#escape-sequences>
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
        .replace('\t', "\\t")
        .replace("${", "$${")
        .replace("%{", "%%{");
    format!("\"{escaped}\"")
}
