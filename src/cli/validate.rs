//! `validate`: checks a pipeline file, and on request whether it would work.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::TimeDelta;

use super::{environment, exit, load};
use crate::client::Failure;
use crate::clock::Clock;
use crate::model::problem::Problem;
use crate::model::watermark::Slice;
use crate::pipeline;
use crate::pipeline::plan::{self, Plan, SinkPlan, SourcePlan};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The pipeline file: YAML, TOML or JSON.
    #[arg(short, long, env = "VECTOR_SENTINEL_CONFIG")]
    config: PathBuf,
    /// Also get the secrets, fetch tokens, read one incident and post an empty array: everything that a run needs.
    #[arg(long)]
    probe: bool,
}

pub(super) async fn run(arguments: Arguments, clock: Clock) -> ExitCode {
    let checked = if arguments.probe {
        load(&arguments.config, &clock).await.map(|plan| (plan.warnings.clone(), Some(plan)))
    } else {
        check(&arguments.config).map(|warnings| (warnings, None))
    };
    let (warnings, plan) = match checked {
        Ok(checked) => checked,
        Err(problems) => return exit::problems(&arguments.config, &problems),
    };
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    println!("{}: the options are right", arguments.config.display());
    match plan {
        Some(plan) => probe(&plan, &clock).await,
        None => ExitCode::SUCCESS,
    }
}

/// Checks the file alone: nothing is asked, not even for secrets. Answers warnings.
fn check(path: &Path) -> Result<Vec<Problem>, Vec<Problem>> {
    let environment = environment();
    let file = pipeline::read(path, &environment)?;
    plan::check(&pipeline::outline(&file, &plan::catalogue()), &environment)
}

/// Does once what a run would do all the time.
async fn probe(plan: &Plan, clock: &Clock) -> ExitCode {
    let mut failed = 0;
    let mut tell = |path: String, result: Result<String, String>| match result {
        Ok(done) => println!("{path}: {done}"),
        Err(why) => {
            failed += 1;
            eprintln!("{path}: {why}");
        }
    };
    for source in &plan.sources {
        let SourcePlan::DefenderIncidents(options) = &source.plan;
        let result = async {
            let slice = Slice::open(clock.now() - TimeDelta::days(30));
            let found = options.client(clock)?.probe(slice).await.map_err(|failure| words(&failure))?;
            Ok(match found {
                0 => "reading works; there was no incident in 30 days".to_owned(),
                _ => "reading works".to_owned(),
            })
        };
        tell(format!("sources.{}", source.id), result.await);
    }
    for sink in &plan.sinks {
        let SinkPlan::SentinelLogs(options) = &sink.plan;
        let result = async {
            options.client(clock)?.probe().await.map_err(|failure| words(&failure))?;
            Ok("ingesting works".to_owned())
        };
        tell(format!("sinks.{}", sink.id), result.await);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn words(failure: &Failure) -> String {
    failure.to_string()
}
