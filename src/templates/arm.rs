//! Writes a template as JSON for Azure Resource Manager.
//!
//! Source: <https://learn.microsoft.com/azure/azure-resource-manager/templates/syntax>

use serde_json::{Map, Value, json};

use super::node::{Node, PUBLISHER_ROLE, Reference, Resource, ResourceKind, Template, numbered};

pub(super) fn write(template: &Template) -> String {
    let mut parameters = json!({
        "workspaceName": {"type": "string", "metadata": {"description": "The workspace, in this resource group."}},
        "location": {
            "type": "string",
            "defaultValue": "[resourceGroup().location]",
            "metadata": {"description": "The workspace's region."},
        },
        "principalId": {"type": "string", "metadata": {"description": "Object id of the identity that writes."}},
    });
    let default = |name: &str| json!({"type": "string", "defaultValue": name});
    let mut outputs = Map::new();
    for (number, name) in template.names.iter().enumerate() {
        parameters[numbered("ruleName", number)] = default(&format!("vector-sentinel-{name}"));
        let place = if template.endpoint { ResourceKind::Endpoint } else { ResourceKind::Rule(number) };
        let path = if template.endpoint { "logsIngestion.endpoint" } else { "endpoints.logsIngestion" };
        let url = format!("[reference({}, '{}').{path}]", id(place), place.api_version());
        let rule = ResourceKind::Rule(number);
        let immutable_id = format!("[reference({}, '{}').immutableId]", id(rule), rule.api_version());
        outputs.insert(numbered("ingestionEndpoint", number), json!({"type": "string", "value": url}));
        outputs.insert(numbered("dcrImmutableId", number), json!({"type": "string", "value": immutable_id}));
    }
    if template.endpoint {
        parameters["endpointName"] = default(&template.endpoint_name());
    }
    let template = json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "metadata": {"comments": template.head},
        "parameters": parameters,
        "resources": template.resources.iter().map(|resource| write_resource(resource, template)).collect::<Vec<_>>(),
        "outputs": outputs,
    });
    format!("{template:#}")
}

fn write_resource(resource: &Resource, template: &Template) -> Value {
    let place = resource.place;
    let name = match place {
        ResourceKind::Table(name) => {
            format!("[format('{{0}}/{{1}}', parameters('workspaceName'), '{name}')]")
        }
        ResourceKind::Endpoint => "[parameters('endpointName')]".to_owned(),
        ResourceKind::Rule(number) => format!("[parameters('{}')]", numbered("ruleName", number)),
        ResourceKind::Role(number) => {
            format!(
                "[guid({}, parameters('principalId'), '{PUBLISHER_ROLE}')]",
                id(ResourceKind::Rule(number))
            )
        }
    };
    let mut written = Map::new();
    written.insert("type".to_owned(), place.resource_type().into());
    written.insert("apiVersion".to_owned(), place.api_version().into());
    written.insert("name".to_owned(), name.into());
    let mut after: Vec<_> =
        resource.after_tables.iter().map(|table| id(ResourceKind::Table(table))).collect();
    match place {
        ResourceKind::Role(number) => {
            let rule = id(ResourceKind::Rule(number));
            written.insert("scope".to_owned(), format!("[{rule}]").into());
            after.push(rule);
        }
        ResourceKind::Rule(_) if template.endpoint => after.push(id(ResourceKind::Endpoint)),
        _ => {}
    }
    if matches!(place, ResourceKind::Rule(_) | ResourceKind::Endpoint) {
        written.insert("location".to_owned(), "[parameters('location')]".into());
    }
    if let Some(kind) = resource.kind {
        written.insert("kind".to_owned(), kind.into());
    }
    if !after.is_empty() {
        let after: Vec<_> = after.iter().map(|id| format!("[{id}]")).collect();
        written.insert("dependsOn".to_owned(), after.into());
    }
    written.insert("properties".to_owned(), value(&resource.properties));
    Value::Object(written)
}

fn value(node: &Node) -> Value {
    match node {
        // A bracket in front would make it an expression.
        Node::Text(text) if text.starts_with('[') => format!("[{text}").into(),
        Node::Text(text) => text.as_str().into(),
        Node::Reference(reference) => format!("[{}]", expression(*reference)).into(),
        Node::List(items) => items.iter().map(value).collect(),
        Node::Object(fields) => fields.iter().map(|(name, node)| (name.clone(), value(node))).collect(),
    }
}

fn expression(reference: Reference) -> String {
    match reference {
        Reference::Workspace => {
            "resourceId('Microsoft.OperationalInsights/workspaces', parameters('workspaceName'))".to_owned()
        }
        Reference::Endpoint => id(ResourceKind::Endpoint),
        Reference::RoleDefinition => {
            format!("subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{PUBLISHER_ROLE}')")
        }
        Reference::Principal => "parameters('principalId')".to_owned(),
    }
}

/// The expression for a resource's id.
fn id(place: ResourceKind) -> String {
    let name = match place {
        ResourceKind::Table(name) => format!("parameters('workspaceName'), '{name}'"),
        ResourceKind::Endpoint => "parameters('endpointName')".to_owned(),
        ResourceKind::Rule(number) | ResourceKind::Role(number) => {
            format!("parameters('{}')", numbered("ruleName", number))
        }
    };
    format!("resourceId('{}', {name})", place.resource_type())
}
