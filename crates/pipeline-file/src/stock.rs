//! The component types of stock Vector 0.57, so that a stock component is not taken for a typo.
//!
//! <https://vector.dev/docs/reference/configuration/>

use super::component_graph::Kind;

const SOURCES: &str = "amqp apache_metrics aws_ecs_metrics aws_kinesis_firehose aws_s3 aws_sqs datadog_agent demo_logs dnstap \
    docker_logs eventstoredb_metrics exec file file_descriptor fluent gcp_pubsub heroku_logs host_metrics \
    http http_client http_server internal_logs internal_metrics journald kafka kubernetes_logs logstash \
    mongodb_metrics mqtt nats nginx_metrics okta opentelemetry postgresql_metrics prometheus_pushgateway \
    prometheus_remote_write prometheus_scrape pulsar redis socket splunk_hec static_metrics statsd stdin \
    syslog vector websocket windows_event_log";

const SINKS: &str = "amqp appsignal aws_cloudwatch_logs aws_cloudwatch_metrics aws_kinesis_firehose aws_kinesis_streams \
    aws_s3 aws_sns aws_sqs axiom azure_blob azure_logs_ingestion azure_monitor_logs blackhole clickhouse \
    console databend databricks_zerobus datadog_events datadog_logs datadog_metrics datadog_traces doris \
    elasticsearch file gcp_chronicle_unstructured gcp_cloud_storage gcp_pubsub gcp_stackdriver_logs \
    gcp_stackdriver_metrics greptimedb greptimedb_logs greptimedb_metrics honeycomb http humio_logs \
    humio_metrics influxdb_logs influxdb_metrics kafka keep logdna loki mezmo mqtt nats new_relic \
    opentelemetry papertrail postgres prometheus_exporter prometheus_remote_write pulsar redis sematext_logs \
    sematext_metrics socket splunk_hec splunk_hec_logs splunk_hec_metrics statsd vector webhdfs websocket \
    websocket_server";

/// A file may have others, and these are only for telling that a source or sink is none.
const TRANSFORMS: &str = "aggregate aws_ec2_metadata dedupe delay exclusive_route filter incremental_to_absolute log_to_metric lua \
    metric_to_log reduce remap route sample tag_cardinality_limit throttle trace_to_log window";

/// The stock types of a kind.
pub(super) fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    match kind {
        Kind::Source => SOURCES.split(' '),
        Kind::Sink => SINKS.split(' '),
    }
}

/// Whether a stock transform has this type.
pub(super) fn is_transform(name: &str) -> bool {
    TRANSFORMS.split(' ').any(|known| known == name)
}
