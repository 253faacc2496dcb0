//! `render`: prints the file that stock Vector runs.

use std::process::ExitCode;

use super::{PipelinePaths, environment, exit, say};
use crate::registry;
use crate::topology::plan;
use model::problem::Problem;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: PipelinePaths,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match render(arguments) {
        Ok((text, warnings)) => {
            exit::warnings(&warnings);
            say(text);
            ExitCode::SUCCESS
        }
        Err(problems) => exit::problems(arguments.file.paths(), &problems),
    }
}

/// The file, and warnings.
fn render(arguments: &Arguments) -> Result<(String, Vec<Problem>), Vec<Problem>> {
    let paths = arguments.file.paths();
    let environment = environment();
    let catalogue = registry::catalogue();
    let file = pipeline_file::read(paths, &environment)?;
    let graph = pipeline_file::component_graph(&file, &catalogue);
    let warnings = plan::check(&graph, &environment)?;
    let text = pipeline_file::render(&file, &catalogue, &pipeline_file::stubs(&graph))?;
    let options: Vec<String> = paths.iter().map(|path| format!("-c {}", path.display())).collect();
    // Vector looks for variables and secrets in comments as well.
    let options = options.join(" ").replace(['$', '[', '\n'], "?");
    let head = format!(
        "# What stock Vector runs, made by `vector-sentinel render {options}`.\n\
         # Sources of vector-sentinel are `http_server` sources here, and its sinks `http` sinks; beside Vector, run\n\
         # vector-sentinel run --no-vector {options}\n"
    );
    Ok((head + text.trim_end(), warnings))
}
