//! `generate dcr -c`: what every sink of a pipeline file needs, one rule for each `dcr_immutable_id`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use thiserror::Error;

use crate::cli::{exit, say};
use crate::component::Registered;
use crate::registry;
use crate::sinks::sentinel_logs::SentinelLogs;
use crate::sinks::sentinel_logs::deployment::{
    Deployment, Sample, SampleError, StreamNeed, too_many_streams,
};
use crate::templates::{self, Format, RuleStream, RuleTemplate};
use crate::topology::plan;
use model::problem::Problem;
use pipeline_file::ComponentGraph;

/// Options of a sink that the deployment gives values to, or that have nothing to do with it.
const LATER: [&str; 7] =
    ["auth", "endpoint", "endpoints", "dcr_immutable_id", "token_scope", "management_endpoint", "tls"];

/// Options of `auth` that tell one identity from another, and are no secrets.
const IDENTITY: [&str; 8] = [
    "azure_credential_kind",
    "azure_tenant_id",
    "azure_client_id",
    "tenant_id",
    "client_id",
    "user_assigned_managed_identity_id",
    "client_assertion_tenant_id",
    "client_assertion_client_id",
];

/// How much of a sink's id is in the name of its rule, which may have 64 characters with what stands around it: 16 in front, and a
/// number behind.
/// Source: <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftinsights>
const LONGEST_NAME: usize = 40;

/// What is asked for beside the files.
pub(super) struct Wanted<'a> {
    /// Files of events, each with the id of a sink and `=` in front or without.
    pub(super) samples: &'a [String],
    /// The sink whose rule alone is printed.
    pub(super) sink: Option<&'a str>,
    pub(super) format: Format,
    /// Whether the rules are behind an endpoint of their own.
    pub(super) endpoint: bool,
}

/// Why nothing can be printed.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    #[error("there is no sink sentinel_logs in it, so there is nothing to deploy")]
    NoSink,
    #[error("--sink: there is no sink sentinel_logs called '{0}'")]
    UnknownSink(String),
    #[error("--sample {file}: {cause}")]
    Unread {
        file: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("--sample {file}: {cause}")]
    NoSample {
        file: String,
        #[source]
        cause: SampleError,
    },
    #[error("no stream of any sink is known: {0}")]
    Nothing(String),
    #[error(transparent)]
    File(#[from] FileProblems),
}

/// What is wrong with the pipeline file.
#[derive(Debug, Error)]
#[error("the file has problems")]
pub(super) struct FileProblems(pub(super) Vec<Problem>);

/// What is printed.
pub(super) struct Printed {
    pub(super) template: String,
    /// What it lacks, in sentences that are in its head too.
    pub(super) open: Vec<String>,
}

/// One rule, and the sinks that write to it.
#[derive(Default)]
struct Group {
    /// The option `dcr_immutable_id` of its sinks.
    rule: String,
    sinks: Vec<String>,
    /// The identity that writes.
    identities: BTreeSet<String>,
    streams: Vec<StreamNeed>,
    columns: Vec<(String, String)>,
    open: Vec<String>,
}

pub(super) fn run(
    paths: &[PathBuf],
    environment: &BTreeMap<String, String>,
    wanted: &Wanted<'_>,
) -> ExitCode {
    match print(paths, environment, wanted) {
        Ok(printed) => {
            for open in printed.open {
                eprintln!("warning: {open}");
            }
            say(printed.template);
            ExitCode::SUCCESS
        }
        Err(Refusal::File(FileProblems(problems))) => exit::problems(paths, &problems),
        Err(refusal @ (Refusal::UnknownSink(_) | Refusal::Unread { .. } | Refusal::NoSample { .. })) => {
            eprintln!("{refusal}");
            exit::usage()
        }
        Err(refusal) => exit::failed(&format!("{}: {refusal}", exit::names(paths))),
    }
}

/// The template of what the sinks of these files need.
pub(super) fn print(
    paths: &[PathBuf],
    environment: &BTreeMap<String, String>,
    wanted: &Wanted<'_>,
) -> Result<Printed, Refusal> {
    let file = pipeline_file::read(paths, environment).map_err(FileProblems)?;
    let graph = pipeline_file::component_graph(&file, &registry::catalogue());
    let problems = standing(&graph, environment);
    if !problems.is_empty() {
        return Err(FileProblems(problems).into());
    }
    let mut groups = groups(&graph, &samples(&graph, wanted.samples)?)?;
    if let Some(wanted) = wanted.sink {
        groups.retain(|group| group.sinks.iter().any(|sink| sink == wanted));
        if groups.is_empty() {
            return Err(Refusal::UnknownSink(wanted.to_owned()));
        }
    }
    let open = groups.iter().flat_map(|group| &group.open);
    let open: Vec<String> = open.map(|open| templates::one_line(open)).collect();
    groups.retain(|group| !group.streams.is_empty());
    if groups.is_empty() {
        return Err(Refusal::Nothing(open.join("; ")));
    }
    let mut rules: Vec<RuleTemplate> = Vec::new();
    for group in &groups {
        let mut rule = group.to_rule();
        // Two rules of one name would be one rule.
        let (name, mut number) = (rule.name.clone(), 1);
        while rules.iter().any(|known| known.name == rule.name) {
            number += 1;
            rule.name = format!("{name}-{number}");
        }
        rules.push(rule);
    }
    let mut notes = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        notes.extend(group.notes(number, wanted.format));
    }
    let identities: BTreeSet<_> = groups.iter().flat_map(|group| &group.identities).collect();
    if identities.len() > 1 {
        notes.push(format!(
            "The sinks write as {} identities, and principalId is one: deploy this again for each of the others, which adds its \
             role and changes nothing else.",
            identities.len()
        ));
    }
    if rules.len() > 1 {
        notes.push(
            "These are several rules for one workspace. Those of another workspace or region are deployed there: print each with \
             --sink ID."
                .to_owned(),
        );
    }
    notes.extend(open.iter().map(|open| format!("Left to do: {open}")));
    Ok(Printed { template: templates::rules(&rules, notes, wanted.format, wanted.endpoint), open })
}

/// The sinks that need something, by id, with their options.
fn sinks(graph: &ComponentGraph) -> impl Iterator<Item = (&str, &serde_json::Value)> {
    let ours = graph.sinks.iter().filter(|sink| sink.component_type.name == SentinelLogs::TYPE);
    ours.map(|sink| (sink.id.as_str(), &sink.options))
}

/// What is wrong with those sinks, but for options that get their values later.
fn standing(graph: &ComponentGraph, environment: &BTreeMap<String, String>) -> Vec<Problem> {
    let problems = plan::check(graph, environment).err().unwrap_or_default();
    let stands = |problem: &Problem| {
        sinks(graph).any(|(id, _)| {
            let Some(rest) = problem.path.strip_prefix(&format!("sinks.{id}")) else { return false };
            // `fw-2` is another sink than `fw`.
            if !rest.is_empty() && !rest.starts_with(['.', '[']) {
                return false;
            }
            let option = match rest.strip_prefix('.') {
                Some(option) => option.split('.').next(),
                None => problem.message.split('\'').nth(1).filter(|_| rest.is_empty()),
            };
            option.is_none_or(|option| !LATER.contains(&option))
        })
    };
    problems.into_iter().filter(stands).collect()
}

/// The samples by the id of their sink; that for all sinks has none.
fn samples(graph: &ComponentGraph, written: &[String]) -> Result<BTreeMap<Option<String>, Sample>, Refusal> {
    let mut samples = BTreeMap::new();
    for one in written {
        let of_sink = one.split_once('=').filter(|(id, _)| sinks(graph).any(|(known, _)| known == *id));
        let (id, file) = of_sink.map_or((None, one.as_str()), |(id, file)| (Some(id.to_owned()), file));
        let unread = |cause| Refusal::Unread { file: file.to_owned(), cause };
        let text = std::fs::read_to_string(file).map_err(unread)?;
        let sample =
            Sample::read(&text).map_err(|cause| Refusal::NoSample { file: file.to_owned(), cause })?;
        samples.insert(id, sample);
    }
    Ok(samples)
}

/// The rules, each with what its sinks need.
fn groups(graph: &ComponentGraph, samples: &BTreeMap<Option<String>, Sample>) -> Result<Vec<Group>, Refusal> {
    let mut groups: Vec<Group> = Vec::new();
    for (id, options) in sinks(graph) {
        let sample = samples.get(&Some(id.to_owned())).or_else(|| samples.get(&None));
        let path = format!("sinks.{id}");
        let needed = Deployment::of(options, sample).map_err(|_| {
            let message = "an option that says what to deploy has a value that does not fit its type, or a variable that is not set";
            FileProblems(vec![Problem::new(&path, message)])
        })?;
        let is_same = |group: &Group| group.rule.eq_ignore_ascii_case(needed.rule.trim());
        let at = groups.iter().position(is_same).unwrap_or_else(|| {
            groups.push(Group { rule: needed.rule.trim().to_owned(), ..Group::default() });
            groups.len() - 1
        });
        let group = &mut groups[at];
        group.sinks.push(id.to_owned());
        if let Some(auth) = options.get("auth").filter(|auth| auth.is_object()) {
            let told = IDENTITY.iter().map(|option| auth[option].to_string()).collect::<Vec<_>>();
            group.identities.insert(told.join(" "));
        }
        group.columns.extend(needed.columns.map(|columns| (path.clone(), columns)));
        group.open.extend(needed.open.into_iter().map(|open| format!("{path}: {open}")));
        for stream in needed.streams {
            match group.streams.iter_mut().find(|known| known.name.eq_ignore_ascii_case(&stream.name)) {
                Some(known) => {
                    let differ = known.merge(&stream).unwrap_or_else(|error| vec![error.to_string()]);
                    group.open.extend(differ.into_iter().map(|differ| format!("{path}: {differ}")));
                }
                None => group.streams.push(stream),
            }
        }
    }
    if groups.is_empty() { Err(Refusal::NoSink) } else { Ok(groups) }
}

// === impl Group ===

impl Group {
    fn to_rule(&self) -> RuleTemplate {
        let streams = self.streams.iter().map(|need| RuleStream {
            name: need.name.clone(),
            table: need.table,
            plan: need.plan,
            time_from: need.time_from.clone(),
        });
        let id = self.sinks.first().map_or("", String::as_str).to_lowercase();
        let legal = id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
        let name = legal.take(LONGEST_NAME).collect();
        RuleTemplate { name, streams: streams.collect() }
    }

    /// What belongs where after the deployment; the rule is that of this number.
    fn notes(&self, number: usize, format: Format) -> Vec<String> {
        let output = |bicep: &str, terraform: &str| {
            let number = (number > 0).then(|| number + 1);
            match (format, number) {
                (Format::Terraform, Some(number)) => format!("{terraform}_{number}"),
                (Format::Terraform, None) => terraform.to_owned(),
                (_, number) => {
                    format!("{bicep}{}", number.map(|number| number.to_string()).unwrap_or_default())
                }
            }
        };
        let (endpoint, rule) =
            (output("ingestionEndpoint", "ingestion_endpoint"), output("dcrImmutableId", "dcr_immutable_id"));
        let name = output("ruleName", "rule_name");
        let mut notes = Vec::new();
        for sink in &self.sinks {
            notes.push(format!(
                "sinks.{sink}: endpoint is the output {endpoint}, dcr_immutable_id is the output {rule}."
            ));
            if self.rule.contains("{{") {
                notes.push(format!(
                    "sinks.{sink}: dcr_immutable_id depends on the event: deploy this once for each rule, and have each event name its \
                     own {rule}."
                ));
            }
        }
        notes.push(format!("If the rule is there already and is to be changed, {name} is its name."));
        for (path, columns) in &self.columns {
            notes.push(format!("{path}: so that nothing vanishes, set columns: {columns}"));
        }
        notes.extend(
            too_many_streams(self.streams.len()).map(|why| format!("This rule cannot be deployed: {why}.")),
        );
        notes
    }
}
