//! What stands in front of a template: how to deploy it, and what it cannot deploy.

use super::Format;
use super::rule::RuleTemplate;

/// How a template is deployed, line by line.
///
/// Sources: <https://learn.microsoft.com/azure/azure-resource-manager/bicep/deploy-cli>,
/// <https://learn.microsoft.com/cli/azure/ad/sp>
pub(super) fn how_to_deploy(format: Format) -> Vec<String> {
    let with_az = |file: &str| {
        format!(
            "Deploy: az deployment group create -g RESOURCE_GROUP -n vector-sentinel -f {file} -p workspaceName=WORKSPACE \
             principalId=OBJECT_ID"
        )
    };
    let (deploy, outputs) = match format {
        Format::Bicep => (with_az("rule.bicep"), "az deployment group show -g RESOURCE_GROUP -n vector-sentinel --query properties.outputs"),
        Format::Arm => (with_az("rule.json"), "az deployment group show -g RESOURCE_GROUP -n vector-sentinel --query properties.outputs"),
        Format::Terraform => (
            "Deploy: terraform init && terraform apply -var workspace_id=... -var resource_group_id=... -var location=... -var \
             principal_id=OBJECT_ID"
                .to_owned(),
            "terraform output",
        ),
    };
    vec![
        "Tables, data collection rules and the role that lets an identity write, for vector-sentinel.".to_owned(),
        deploy,
        "Where: the resource group of the Log Analytics workspace. OBJECT_ID is that of the service principal, which is not the \
         client id: az ad sp show --id CLIENT_ID --query id -o tsv"
            .to_owned(),
        format!("Afterwards, what belongs into the pipeline file: {outputs}"),
    ]
}

/// A text as one line, whatever is in it: parts of samples and of pipeline files stand in the head, and a line behind a comment
/// would be code.
pub fn one_line(text: &str) -> String {
    let is_end = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.replace(is_end, "\u{fffd}")
}

/// The head as comments behind a `sign`.
pub(super) fn comments(head: &[String], sign: &str) -> Vec<String> {
    head.iter().map(|line| format!("{sign} {}", one_line(line)).trim_end().to_owned() + "\n").collect()
}

/// What is said of Microsoft's tables.
pub(super) fn of_built_in(rules: &[RuleTemplate]) -> Vec<String> {
    let tables = rules.iter().flat_map(|rule| &rule.streams).map(|stream| &stream.table);
    let mut names: Vec<_> = tables.filter(|table| table.needs_sentinel()).map(|table| table.name).collect();
    names.sort_unstable();
    names.dedup();
    let say = |name: &&str| {
        format!(
            "{name} is there once Microsoft Sentinel is enabled on the workspace, and cannot be created; until then Azure \
             answers InvalidOutputTable."
        )
    };
    names.iter().map(say).collect()
}
