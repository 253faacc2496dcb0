//! Writes a template as Bicep.
//!
//! Source: <https://learn.microsoft.com/azure/azure-resource-manager/bicep/file>

use super::head::comments;
use super::node::{PUBLISHER_ROLE, Reference, Resource, ResourceKind, Template, numbered};
use super::syntax::Syntax;

const SYNTAX: Syntax = Syntax { assign: ": ", item_end: "", quoted, expression };

pub(super) fn write(template: &Template) -> String {
    let mut parts = comments(&template.head, "//");
    parts.push(
        "@description('The workspace, in this resource group.')\n\
         param workspaceName string\n\
         @description('The region of the workspace.')\n\
         param location string = resourceGroup().location\n\
         @description('Object id of the identity that writes.')\n\
         param principalId string\n"
            .to_owned(),
    );
    for (number, name) in template.names.iter().enumerate() {
        parts.push(format!("param {} string = 'vector-sentinel-{name}'\n", numbered("ruleName", number)));
    }
    if template.endpoint {
        parts.push(format!("param endpointName string = '{}'\n", template.endpoint_name()));
    }
    parts.push(
        "\nresource workspace 'Microsoft.OperationalInsights/workspaces@2022-10-01' existing = {\n  \
         name: workspaceName\n}\n"
            .to_owned(),
    );
    parts.extend(template.resources.iter().map(resource));
    // An output may not have a resource's name.
    for number in 0..template.names.len() {
        let rule = numbered("rule", number);
        let url = if template.endpoint {
            "endpoint.properties.logsIngestion.endpoint".to_owned()
        } else {
            format!("{rule}.properties.endpoints.logsIngestion")
        };
        parts.push(format!(
            "\noutput {} string = {url}\noutput {} string = {rule}.properties.immutableId",
            numbered("ingestionEndpoint", number),
            numbered("dcrImmutableId", number)
        ));
    }
    parts.concat()
}

fn resource(resource: &Resource) -> String {
    let place = resource.place;
    let head = match place {
        ResourceKind::Table(name) => format!("parent: workspace\n  name: '{name}'"),
        ResourceKind::Endpoint => "name: endpointName\n  location: location".to_owned(),
        ResourceKind::Rule(number) => {
            format!("name: {}\n  location: location", numbered("ruleName", number))
        }
        ResourceKind::Role(number) => {
            let rule = numbered("rule", number);
            format!("name: guid({rule}.id, principalId, '{PUBLISHER_ROLE}')\n  scope: {rule}")
        }
    };
    let kind = resource.kind.map(|kind| format!("  kind: '{kind}'\n")).unwrap_or_default();
    let after = if resource.after_tables.is_empty() {
        String::new()
    } else {
        format!("  dependsOn: [\n    {}\n  ]\n", resource.after_tables.join("\n    "))
    };
    format!(
        "\nresource {} '{}@{}' = {{\n  {head}\n{kind}{after}  properties: {}\n}}\n",
        place.symbol(),
        place.resource_type(),
        place.api_version(),
        SYNTAX.value(&resource.properties, 1)
    )
}

fn expression(reference: Reference) -> String {
    match reference {
        Reference::Workspace => "workspace.id".to_owned(),
        Reference::Endpoint => "endpoint.id".to_owned(),
        Reference::RoleDefinition => {
            format!("subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{PUBLISHER_ROLE}')")
        }
        Reference::Principal => "principalId".to_owned(),
    }
}

/// Source: <https://learn.microsoft.com/azure/azure-resource-manager/bicep/data-types#strings>
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('\'', "\\'")
        .replace("${", "\\${")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
        .replace('\t', "\\t");
    format!("'{escaped}'")
}
