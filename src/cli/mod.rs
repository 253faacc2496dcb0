//! The command line: one file a subcommand.

mod data_location;
mod demo;
mod demo_display;
mod exit;
mod generate;
mod migrate;
mod quarantine;
mod reference;
mod render;
mod run;
mod schema;
mod signals;
mod simulate;
mod state;
mod sync;
mod validate;
mod vector_options;
mod verify;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::registry;
use crate::topology::plan::{self, Plan};
use model::problem::Problem;
use pipeline_file::{ComponentGraph, PipelineFile};
use runtime::clock::Clock;
use runtime::telemetry::{self, LogFormat};

/// Microsoft Defender XDR incidents into Vector, and any log into Microsoft Sentinel.
#[derive(Debug, Parser)]
#[command(name = "vector-sentinel", version, after_help = exit::HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Which log lines to show: a level, or a filter such as `info,vector_sentinel=debug`.
    #[arg(long, global = true, env = "VECTOR_SENTINEL_LOG", default_value = "info")]
    log: String,
    /// How log lines are written.
    #[arg(long, global = true, env = "VECTOR_SENTINEL_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a pipeline file until SIGTERM or Ctrl-C.
    Run(run::Arguments),
    /// Check a pipeline file without touching the network; stock components too, if Vector is here.
    Validate(validate::Arguments),
    /// Prove that rows arrive: send a marked row to each stream of a pipeline file, and ask Log Analytics for it.
    Verify(verify::Arguments),
    /// Print the file that stock Vector runs, with an `http_server` source or `http` sink in the place of each component of
    /// ours.
    Render(render::Arguments),
    /// Show it working: simulated Microsoft services and a pipeline between them. Needs no account.
    Demo(demo::Arguments),
    /// Run simulated Microsoft services to try a pipeline against.
    Simulate(simulate::Arguments),
    /// Look at what could never be accepted, remove it, or deliver it again.
    Quarantine(quarantine::Arguments),
    /// Show or reset what is remembered between runs.
    State(state::Arguments),
    /// See how keeping incidents in sync stands, and let it go on after it was halted.
    Sync(sync::Arguments),
    /// Print what to deploy: tables and data collection rules, and queries over them.
    Generate(generate::Arguments),
    /// Print a file of Vector's with `sentinel_logs` in the place of `azure_logs_ingestion` and `azure_monitor_logs`; what to
    /// deploy, and what means something else, go to standard error.
    Migrate(migrate::Arguments),
    /// Print the options of pipeline files: as a JSON Schema, for editors, or as a Markdown page.
    Schema(schema::Arguments),
}

/// Which pipeline files.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct PipelinePaths {
    /// A pipeline file: YAML, TOML or JSON. Several are taken as one, as Vector takes them.
    #[arg(short, long, env = "VECTOR_SENTINEL_CONFIG", value_name = "FILE", value_delimiter = ',')]
    config: Vec<PathBuf>,
    /// The same, without the option's name.
    #[arg(value_name = "FILE")]
    file: Vec<PathBuf>,
}

impl PipelinePaths {
    fn paths(&self) -> &[PathBuf] {
        if self.file.is_empty() { &self.config } else { &self.file }
    }
}

/// Parses the command line, does what it says, and answers the exit code.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { exit::usage() } else { ExitCode::SUCCESS };
            // Help that cannot be printed has nobody to read it.
            drop(error.print());
            return code;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::failed(&format!("cannot start: {error}")),
    };
    // The demo shows its own lines; log lines between them only if they tell of trouble.
    let filter = match &arguments.command {
        Command::Demo(_) if arguments.log == "info" => "off",
        _ => &arguments.log,
    };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if let Err(error) = telemetry::init_logs(filter, arguments.log_format, colour) {
        eprintln!("{error}");
        return exit::usage();
    }
    let clock = Clock::system();
    runtime.block_on(async {
        match arguments.command {
            Command::Run(command) => {
                let logs = run::Logs { format: arguments.log_format, filter: arguments.log };
                run::run(command, logs, clock).await
            }
            Command::Validate(arguments) => validate::run(arguments, clock).await,
            Command::Verify(arguments) => verify::run(arguments, clock).await,
            Command::Render(arguments) => render::run(&arguments),
            Command::Demo(arguments) => demo::run(arguments, clock).await,
            Command::Simulate(arguments) => simulate::run(arguments, clock).await,
            Command::Quarantine(arguments) => quarantine::run(arguments, clock).await,
            Command::State(arguments) => state::run(arguments, clock).await,
            Command::Sync(arguments) => sync::run(&arguments, &clock).await,
            Command::Generate(arguments) => generate::run(&arguments),
            Command::Migrate(arguments) => migrate::run(&arguments),
            Command::Schema(arguments) => schema::run(&arguments),
        }
    })
}

/// Prints a line to standard output. Whoever has closed it does not want to read it.
fn say(line: impl std::fmt::Display) {
    let mut stdout = std::io::stdout().lock();
    drop(writeln!(stdout, "{line}").and_then(|()| stdout.flush()));
}

/// The environment's variables; those that are not Unicode cannot stand in a pipeline file anyway. As in Vector, `HOSTNAME`
/// is the machine's name if nobody says otherwise.
fn environment() -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    if !variables.contains_key("HOSTNAME") {
        let machine = variables.get("VECTOR_HOSTNAME").cloned();
        let machine =
            machine.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
        variables.insert("HOSTNAME".to_owned(), machine);
    }
    variables
}

/// Random numbers for backoff: different on each start, so that many machines do not come back at once.
fn rng(clock: &Clock) -> fastrand::Rng {
    let start = clock.now().timestamp_nanos_opt().unwrap_or_default();
    fastrand::Rng::with_seed(start.unsigned_abs() ^ u64::from(std::process::id()))
}

/// How long the pipeline that runs may take to hear of what is asked.
const HEARD_WITHIN: Duration = Duration::from_secs(10);

/// That the pipeline that runs cannot read what was asked.
fn set_aside(path: &Path) -> String {
    format!(
        "the pipeline that runs cannot read what was asked, and has set it aside as {}: is it of another version?",
        path.display()
    )
}

/// Pipeline files that were read and checked.
struct Loaded {
    file: PipelineFile,
    graph: ComponentGraph,
    plan: Plan,
}

/// Loads pipeline files with the values of their secrets.
async fn load(paths: &[PathBuf], clock: &Clock) -> Result<Loaded, Vec<Problem>> {
    let environment = environment();
    let catalogue = registry::catalogue();
    let mut file = pipeline_file::read(paths, &environment)?;
    plan::check(&pipeline_file::component_graph(&file, &catalogue), &environment)?;
    pipeline_file::resolve_secrets(&mut file, clock).await?;
    let graph = pipeline_file::component_graph(&file, &catalogue);
    let plan = plan::plan(&graph, &environment)?;
    Ok(Loaded { file, graph, plan })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Arguments::command().debug_assert();
    }
}
