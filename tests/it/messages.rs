//! What is said of a mistake in a pipeline file: where, what, and what to write.

use std::collections::BTreeMap;

use pipeline_file::PipelineFile;
use vector_sentinel::registry::catalogue;
use vector_sentinel::topology::plan;

/// A file with nothing wrong, of which each case changes one line.
const FILE: &str = "\
sources:
  defender:
    type: defender_incidents
    auth:
      azure_credential_kind: client_secret_credential
      azure_tenant_id: 11111111-2222-3333-4444-555555555555
      azure_client_id: 66666666-7777-8888-9999-000000000000
      azure_client_secret: hunter2
    cloud: public
    endpoint: https://graph.microsoft.com
    poll_interval_secs: 60
sinks:
  out:
    type: sentinel_logs
    inputs: [defender]
    auth:
      azure_credential_kind: managed_identity
    endpoint: https://my-dce-5kyl.eastus-1.ingest.monitor.azure.com
    dcr_immutable_id: dcr-000a00a000a00000a000000aa000a0aa
    stream_name: Custom-T_CL
    columns: [TimeGenerated, ExtraColumns, TruncatedColumns]
    compression: gzip
    request: {concurrency: adaptive, timeout_secs: 60}
    batch: {max_bytes: 1000000}
";

/// What is said of the file with `text` in the place of a part of it: problems, else warnings.
fn said(text: &str, line: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.yaml");
    std::fs::write(&path, FILE.replace(line, text)).unwrap();
    let environment = BTreeMap::new();
    let read = pipeline_file::read(std::slice::from_ref(&path), &environment);
    let checked = read.and_then(|file: PipelineFile| {
        plan::check(&pipeline_file::component_graph(&file, &catalogue()), &environment)
    });
    let prefix = format!("{}/", dir.path().display());
    let (Ok(found) | Err(found)) = checked;
    found.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect()
}

#[test]
fn a_file_without_mistakes_says_nothing() {
    assert_eq!(said("sources:", "sources:"), [""; 0]);
}

/// A part of the file, what stands in its place, and what is said.
type Case = (&'static str, &'static str, &'static str);

const CASES: &[Case] = &[
    (
        "inputs: [defender]",
        "input: [defender]",
        "p.yaml:15:5: sinks.out: unknown option 'input', did you mean 'inputs'?",
    ),
    (
        "inputs: [defender]",
        "inputs: ['def*x']",
        "p.yaml:15:14: sinks.out.inputs: 'def*x' matches no source; there are 'defender'",
    ),
    (
        "cloud: public",
        "cloud: gcchigh",
        "p.yaml:9:5: sources.defender.cloud: 'gcchigh' is not known here: write 'usgov'",
    ),
    (
        "cloud: public",
        "cloud: GCC-High",
        "p.yaml:9:5: sources.defender.cloud: 'GCC-High' is not known here: write 'usgov'",
    ),
    (
        "https://graph.microsoft.com",
        "https://graph.microsoft.com/v1.0/security/incidents",
        "p.yaml:10:5: sources.defender.endpoint: must be the service's base URL alone, such as https://graph.microsoft.com: \
             what comes behind it is added",
    ),
    (
        "poll_interval_secs: 60",
        "poll_interval_secs: 1m",
        "p.yaml:11:5: sources.defender.poll_interval_secs: expected a whole number of seconds, got '1m': write 60",
    ),
    (
        "max_bytes: 1000000",
        "max_bytes: 1GB",
        "p.yaml:24:13: sinks.out.batch.max_bytes: expected a whole number of bytes, got '1GB': write 1000000000",
    ),
    (
        "timeout_secs: 60",
        "timeout_secs: soon",
        "p.yaml:23:38: sinks.out.request.timeout_secs: expected a whole number of seconds, such as 60, got a string",
    ),
    (
        "concurrency: adaptive",
        "concurrency: 500",
        "p.yaml:23:15: sinks.out.request.concurrency: 500 is more than there may be: 200 is used. Each may take a megabyte of \
             memory",
    ),
    (
        "concurrency: adaptive",
        "concurrency: many",
        "p.yaml:23:15: sinks.out.request.concurrency: 'many' is not known here; it must be one of 'adaptive' and 'none', or a \
             whole number",
    ),
    (
        "concurrency: adaptive",
        "concurrency: [8]",
        "p.yaml:23:15: sinks.out.request.concurrency: expected 'adaptive', 'none' or a whole number, got a list",
    ),
    (
        "concurrency: adaptive",
        "concurrency: -1",
        "p.yaml:23:15: sinks.out.request.concurrency: '-1' is out of range: it must be at least 1",
    ),
    (
        "compression: gzip",
        "compression: {algorithm: zstd}",
        "p.yaml:22:19: sinks.out.compression.algorithm: 'zstd' is not known here; it must be one of 'gzip' and 'none'",
    ),
    (
        "compression: gzip",
        "compression: {algoritm: gzip}",
        "p.yaml:22:19: sinks.out.compression: unknown option 'algoritm', did you mean 'algorithm'?",
    ),
    (
        "compression: gzip",
        "compression: {algorithm: gzip, level: 10}",
        "p.yaml:22:36: sinks.out.compression.level: '10' is out of range: it must be at most 9",
    ),
    (
        "compression: gzip",
        "compression: zstd",
        "p.yaml:22:5: sinks.out.compression: 'zstd' is not known here; it must be one of 'gzip' and 'none', or a map",
    ),
    (
        "Custom-T_CL",
        "T_CL",
        "p.yaml:20:5: sinks.out.stream_name: is a table's name: write the stream, which has Custom- before it, as Custom-T_CL",
    ),
    (
        "my-dce-5kyl.eastus-1.ingest.monitor.azure.com",
        "my-dce-5kyl.usgovvirginia-1.ingest.monitor.azure.us",
        "p.yaml:18:5: sinks.out.endpoint: is in the cloud usgov, and cloud is public: write cloud: usgov, or the URL in public",
    ),
    (
        "my-dce-5kyl.eastus-1.ingest.monitor.azure.com",
        "my-dce-5kyl.eastus-1.handler.control.monitor.azure.com",
        "p.yaml:18:5: sinks.out.endpoint: is the URL at which agents get their configuration: take the logs ingestion URL, \
             such as https://my-dce-5kyl.eastus-1.ingest.monitor.azure.com, which `az monitor data-collection endpoint show` \
             prints as logsIngestion.endpoint",
    ),
    (
        "columns: [TimeGenerated,",
        "columns: [TimeGenerated, title,",
        "p.yaml:21:5: sinks.out.columns: 'title' cannot be a column's name, because Log Analytics reserves it: write \
             'title_', which is where its values go",
    ),
    (
        "columns: [TimeGenerated,",
        "columns: [TimeGenerated, '@odata.type',",
        "p.yaml:21:5: sinks.out.columns: '@odata.type' cannot be a column's name: leave it out, and its values go into \
             ExtraColumns under that name",
    ),
    (
        "columns: [TimeGenerated,",
        "columns: [TimeGenerated, TimeGenerated,",
        "p.yaml:21:5: sinks.out.columns: 'TimeGenerated' is there twice",
    ),
    (
        "columns: [TimeGenerated,",
        "columns: [TimeGenerated, message, Message,",
        "p.yaml:21:5: sinks.out.columns: 'Message' is there in another case too: a field goes into the one that is written as \
             it is, and who searches the table finds half of the values",
    ),
];

#[test]
fn each_mistake_says_where_it_is_and_what_to_write() {
    for (line, text, expected) in CASES {
        assert_eq!(said(text, line), [*expected], "{text}");
    }
}

#[test]
fn more_columns_than_a_table_can_have_are_refused() {
    let many = (0..498).map(|number| format!("c{number}")).collect::<Vec<_>>().join(", ");
    let found = said(&format!("columns: [{many}, TimeGenerated,"), "columns: [TimeGenerated,");
    assert!(found[0].contains("501 are more columns than the 500 that a table can have"), "{found:?}");
}

#[test]
fn a_managed_identity_on_a_machine_of_azure_arc_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.yaml");
    std::fs::write(&path, FILE).unwrap();
    let warned = |variables: &[&str]| {
        let environment = variables.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
        let file = pipeline_file::read(std::slice::from_ref(&path), &environment).unwrap();
        plan::check(&pipeline_file::component_graph(&file, &catalogue()), &environment).unwrap()
    };
    let warnings = warned(&["IDENTITY_ENDPOINT", "IMDS_ENDPOINT"]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].path, "sinks.out.auth.azure_credential_kind");
    assert!(warnings[0].message.contains("use client_certificate_credential"), "{warnings:?}");
    assert_eq!(warned(&["IDENTITY_ENDPOINT", "IMDS_ENDPOINT", "IDENTITY_HEADER"]), []);
}
