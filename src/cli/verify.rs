//! `verify`: sends a marked row to each stream, and asks whether it is in its table.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tracing::{error, info};
use url::Url;

use super::signals::Signals;
use super::{PipelinePaths, exit, load, rng, say};
use crate::component::{Arrival, Verified, VerifyOptions};
use crate::topology::plan::{Plan, Planned};
use microsoft::connection::Connector;
use microsoft::http::https_url;
use pipeline_file::Kind;
use runtime::clock::Clock;
use runtime::telemetry::{self, ComponentLabels, Metric};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: PipelinePaths,
    /// Only this sink. May be given again.
    #[arg(long, value_name = "ID")]
    sink: Vec<String>,
    /// The id of the Log Analytics workspace that is asked, a GUID: `az monitor log-analytics workspace show` prints it as
    /// customerId. Without it, each rule says where its rows go, which the identity must be allowed to read.
    #[arg(long, value_name = "GUID", value_parser = workspace_id)]
    workspace_id: Option<String>,
    /// How long to wait for a row, such as 90s, 15m or 1h. The first rows of a new table may take a quarter of an hour.
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration)]
    timeout: Duration,
    /// Do it again so often, such as 10m or 1h, until SIGTERM or Ctrl-C, and say as metrics what came of it.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    every: Option<Duration>,
    /// The URL of the query API, `https` only: for a simulator or a private link. Without it, that of the sink's cloud.
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    query_endpoint: Option<Url>,
    /// Serve metrics for Prometheus on this loopback address, such as 127.0.0.1:9599.
    #[arg(long, requires = "every")]
    metrics_address: Option<SocketAddr>,
}

/// Why an argument cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
enum ArgumentError {
    #[error("must be from 1s to 168h, such as 90s, 10m or 1h")]
    Duration,
    #[error(
        "must be the workspace's id, a GUID: neither its name nor its resource id; `az monitor log-analytics workspace show` prints \
         it as customerId"
    )]
    Workspace,
    #[error("must be an https URL without a path, such as https://api.loganalytics.azure.com")]
    Endpoint,
}

/// The longest that may be waited for anything: a week.
const LONGEST_SECS: u64 = 7 * 24 * 3_600;

/// How many marked rows were looked for, and how many of them are there; and how many sinks are not, or not wholly, among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    arrived: usize,
    all: usize,
    /// Sinks with a stream that no row was sent to.
    untried: usize,
}

// === impl Tally ===

impl Tally {
    fn sentence(self) -> String {
        let Self { arrived, all, untried } = self;
        let untried = match untried {
            0 => String::new(),
            1 => ", 1 sink not tried".to_owned(),
            count => format!(", {count} sinks not tried"),
        };
        if arrived == all {
            format!("every row has arrived: {arrived} of {all}{untried}")
        } else {
            format!("{arrived} of {all} rows have arrived{untried}")
        }
    }
}

pub(super) async fn run(arguments: Arguments, clock: Clock) -> ExitCode {
    let signals = match Signals::count() {
        Ok(signals) => signals,
        Err(error) => return exit::failed(&format!("cannot wait for signals: {error}")),
    };
    let loaded = match load(arguments.file.paths(), &clock).await {
        Ok(loaded) => loaded,
        Err(problems) => return exit::problems(arguments.file.paths(), &problems),
    };
    if let Some(unknown) = arguments.sink.iter().find(|id| loaded.plan.component(Kind::Sink, id).is_none()) {
        eprintln!("--sink: there is no sink '{unknown}' in the file");
        return exit::usage();
    }
    if let Some(Err(error)) = arguments.metrics_address.map(telemetry::serve_metrics) {
        return exit::failed(&error);
    }
    let connector = Connector::new(clock.clone());
    let Some(every) = arguments.every else {
        let tally = tokio::select! {
            tally = round(&loaded.plan, &arguments, &connector, false) => tally,
            () = signals.stopped(1) => return exit::failed("stopped before every row was looked for"),
        };
        return match tally {
            Tally { all: 0, .. } => exit::failed("there is no stream to send a row to"),
            tally if tally.arrived == tally.all => {
                say(tally.sentence());
                ExitCode::SUCCESS
            }
            tally => exit::failed(&tally.sentence()),
        };
    };
    let rounds = async {
        loop {
            let began = clock.monotonic();
            round(&loaded.plan, &arguments, &connector, true).await;
            clock.sleep(every.saturating_sub(clock.monotonic() - began)).await;
        }
    };
    tokio::select! {
        () = rounds => ExitCode::FAILURE,
        () = signals.stopped(1) => ExitCode::SUCCESS,
    }
}

/// Sends and looks for the rows of all sinks once. What came of it is printed, or logged and set as metrics.
async fn round(plan: &Plan, arguments: &Arguments, connector: &Connector, is_logged: bool) -> Tally {
    let options = VerifyOptions {
        workspace_id: arguments.workspace_id.clone(),
        query_endpoint: arguments.query_endpoint.clone(),
        timeout: arguments.timeout,
    };
    let chosen =
        plan.sinks.iter().filter(|sink| arguments.sink.is_empty() || arguments.sink.contains(&sink.id));
    let sinks = chosen.map(async |sink| {
        let verified = match sink.component.verify(connector, rng(&connector.clock), &options)? {
            Ok(verification) => verification.await,
            Err(error) => {
                let arrival = Arrival::Missing(error.to_string());
                vec![Verified { destination: String::new(), arrival, errors: Vec::new() }]
            }
        };
        Some((sink, verified))
    });
    let mut tally = Tally::default();
    for (sink, verified) in futures::future::join_all(sinks).await.into_iter().flatten() {
        let is_untried = |one: &Verified| matches!(one.arrival, Arrival::Untried(_));
        tally.untried += usize::from(verified.iter().any(is_untried));
        for one in verified {
            tally.all += usize::from(!is_untried(&one));
            tally.arrived += usize::from(matches!(one.arrival, Arrival::Arrived { .. }));
            if is_logged {
                log(sink, &one);
            } else {
                print(sink, &one);
            }
        }
    }
    tally
}

/// What came of one row, in a sentence.
fn sentence(verified: &Verified) -> String {
    let Verified { destination, arrival, .. } = verified;
    let of = if destination.is_empty() { String::new() } else { format!("{destination}: ") };
    match arrival {
        Arrival::Arrived { table, marker, after } => {
            format!("{of}the row is in {table} after {:.1} s ({marker})", after.as_secs_f64())
        }
        Arrival::Missing(why) | Arrival::Untried(why) => format!("{of}{why}"),
    }
}

fn print(sink: &Planned, verified: &Verified) {
    let path = sink.path(Kind::Sink);
    let sentence = sentence(verified);
    match verified.arrival {
        Arrival::Missing(_) => eprintln!("FAILED {path}: {sentence}"),
        Arrival::Arrived { .. } | Arrival::Untried(_) => say(format!("{path}: {sentence}")),
    }
    for error in &verified.errors {
        eprintln!("warning: {path}: {}: {error}", verified.destination);
    }
}

fn log(sink: &Planned, verified: &Verified) {
    let labels =
        ComponentLabels { kind: Kind::Sink.word(), component_type: sink.type_name, id: sink.id.clone() };
    let sentence = sentence(verified);
    let destination: Arc<str> = verified.destination.as_str().into();
    match &verified.arrival {
        Arrival::Arrived { after, .. } => {
            labels.gauge_for(Metric::VerifyArrived, &destination, 1);
            // At least one: nothing was found at once, and a gauge of 0 looks like nothing at all.
            labels.gauge_for(Metric::VerifyArrivalTime, &destination, after.as_secs().max(1));
            info!(component_id = sink.id, "{labels}: verify: {sentence}.");
        }
        Arrival::Missing(_) => {
            labels.gauge_for(Metric::VerifyArrived, &destination, 0);
            error!(component_id = sink.id, "{labels}: verify: {sentence}.");
        }
        Arrival::Untried(_) => info!(component_id = sink.id, "{labels}: verify: {sentence}."),
    }
    for said in &verified.errors {
        error!(component_id = sink.id, "{labels}: verify: {}: {said}.", verified.destination);
    }
}

/// A number with `s`, `m` or `h` behind it; seconds without.
fn duration(text: &str) -> Result<Duration, ArgumentError> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(ArgumentError::Duration),
    };
    let product = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
    let product = product.filter(|seconds| (1..=LONGEST_SECS).contains(seconds));
    product.map(Duration::from_secs).ok_or(ArgumentError::Duration)
}

fn workspace_id(text: &str) -> Result<String, ArgumentError> {
    let is_guid = text.len() == 36
        && text.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        });
    is_guid.then(|| text.to_owned()).ok_or(ArgumentError::Workspace)
}

fn endpoint(text: &str) -> Result<Url, ArgumentError> {
    let url = https_url(text).filter(|url| url.path() == "/" && url.query().is_none());
    url.ok_or(ArgumentError::Endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_tried_is_said_behind_what_has_arrived() {
        for (arrived, all, untried, sentence) in [
            (5, 5, 0, "every row has arrived: 5 of 5"),
            (1, 1, 1, "every row has arrived: 1 of 1, 1 sink not tried"),
            (1, 2, 2, "1 of 2 rows have arrived, 2 sinks not tried"),
        ] {
            assert_eq!(Tally { arrived, all, untried }.sentence(), sentence);
        }
    }

    #[test]
    fn durations_ids_and_urls_are_read_from_the_command_line() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("10m", 600), ("1h", 3_600), ("168h", 604_800)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "0", "m", "1d", "1.5h", "-1s", "169h", "99999999999999999999s"] {
            assert_eq!(duration(wrong), Err(ArgumentError::Duration), "{wrong}");
        }
        let guid = "9ba8bc53-bd36-4156-8667-e983e7ae0e4f";
        assert_eq!(workspace_id(guid).unwrap(), guid);
        for wrong in ["soc", "/subscriptions/s/resourceGroups/r", "9ba8bc53-bd36-4156-8667-e983e7ae0e4", ""] {
            assert_eq!(workspace_id(wrong), Err(ArgumentError::Workspace), "{wrong}");
        }
        assert!(endpoint("https://api.loganalytics.us").is_ok());
        for wrong in ["http://api.loganalytics.us", "https://api.loganalytics.us/v1", "api"] {
            endpoint(wrong).unwrap_err();
        }
    }
}
