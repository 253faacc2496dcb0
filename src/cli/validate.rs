//! `validate`: checks a pipeline file, and on request whether it would work.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::vector_options::{VectorOptions, rendered};
use super::{Loaded, PipelinePaths, environment, exit, load, migrate, say};
use crate::component::Probed;
use crate::registry;
use crate::topology::plan;
use microsoft::connection::Connector;
use model::problem::Problem;
use runtime::clock::Clock;
use runtime::store::create_private_dir;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: PipelinePaths,
    #[command(flatten)]
    vector: VectorOptions,
    /// Also get the secrets, fetch tokens, read one incident, post an empty array to every stream and compare the
    /// data collection rules with what is written: everything that a run needs.
    #[arg(long)]
    probe: bool,
}

pub(super) async fn run(arguments: Arguments, clock: Clock) -> ExitCode {
    let paths = arguments.file.paths();
    let checked = match check(paths, &arguments.vector) {
        Ok(checked) => checked,
        Err(problems) => return exit::problems(paths, &problems),
    };
    exit::warnings(&checked.warnings);
    let verdict = match &checked.rendered {
        None => "the options are right".to_owned(),
        Some(rendered) => match arguments.vector.find(&clock).await {
            Ok(binary) => match arguments.vector.check(&binary, rendered).await {
                Ok(()) => {
                    format!("the options are right, and {} accepts the stock components", binary.name())
                }
                Err(words) => return exit::refused_by_vector(paths, &words),
            },
            Err(error) if arguments.vector.vector_bin.is_some() => return exit::failed(&error),
            Err(error) => format!("our options are right; the stock components were NOT checked: {error}"),
        },
    };
    let verdict = format!("{}: {verdict}", exit::names(paths));
    if !arguments.probe {
        say(verdict);
        return ExitCode::SUCCESS;
    }
    match load(paths, &clock).await {
        Ok(loaded) => {
            say(verdict);
            probe(&loaded, &Connector::new(clock)).await
        }
        Err(problems) => exit::problems(paths, &problems),
    }
}

/// What is right about a file.
struct Checked {
    warnings: Vec<Problem>,
    /// What Vector gets, if the file has anything for it.
    rendered: Option<String>,
}

/// Checks the files alone: nothing is asked, not even for secrets.
fn check(paths: &[PathBuf], vector: &VectorOptions) -> Result<Checked, Vec<Problem>> {
    let environment = environment();
    let file = pipeline_file::read(paths, &environment)?;
    let graph = pipeline_file::component_graph(&file, &registry::catalogue());
    let old_sinks = migrate::warnings(&file);
    let mut warnings = match plan::check(&graph, &environment) {
        Ok(warnings) => warnings,
        Err(problems) => {
            // Perhaps there is nothing of ours in it just because nobody has migrated it yet.
            exit::warnings(&file.locate(old_sinks));
            return Err(problems);
        }
    };
    warnings.extend(old_sinks);
    warnings.extend(vector.literal_variables(&file));
    let rendered = graph.beside_vector.then(|| rendered(&file, &graph)).transpose()?;
    Ok(Checked { warnings: file.locate(warnings), rendered })
}

/// Does once what a run would do all the time.
async fn probe(loaded: &Loaded, connector: &Connector) -> ExitCode {
    let (plan, mut failed, mut all) = (&loaded.plan, 0, 0);
    let say_place = |path: &str| {
        for place in loaded.graph.locate(vec![Problem::new(path, "")]).into_iter().filter_map(|at| at.place) {
            eprintln!("  at {place}");
        }
    };
    let mut report = |path: &str, probed: Probed| match probed {
        Probed::Works(done) => {
            all += 1;
            say(format!("{path}: {done}"));
        }
        Probed::Failed(why) => {
            all += 1;
            failed += 1;
            eprintln!("FAILED {path}: {why}");
            say_place(path);
        }
        Probed::Doubtful(why) => {
            eprintln!("warning: {path}: {why}");
            say_place(path);
        }
        Probed::Untried(what) => say(format!("{path}: {what}")),
    };
    report("data_dir", probe_data_dir(&plan.data_dir).map_or_else(Probed::Failed, Probed::Works));
    let sources = plan.sources.iter().map(|source| ("sources", source));
    for (section, one) in sources.chain(plan.sinks.iter().map(|sink| ("sinks", sink))) {
        let all_probed = match one.component.probe(connector) {
            Ok(probe) => probe.await,
            Err(error) => vec![Probed::Failed(error.to_string())],
        };
        for probed in all_probed {
            report(&format!("{section}.{}", one.id), probed);
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { exit::failed(&format!("{failed} of {all} failed")) }
}

/// Whether files can be written there; leaves nothing behind.
fn probe_data_dir(data_dir: &Path) -> Result<String, String> {
    let was_there = data_dir.exists();
    let file = data_dir.join(format!(".probe-{}", std::process::id()));
    let written = create_private_dir(data_dir).and_then(|()| std::fs::write(&file, "")).and_then(|()| {
        std::fs::remove_file(&file)?;
        if was_there { Ok(()) } else { std::fs::remove_dir(data_dir) }
    });
    written.map_err(|error| format!("cannot write to {}: {error}", data_dir.display()))?;
    Ok("writing works".to_owned())
}
