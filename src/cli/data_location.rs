//! Which pipeline's data a command is about.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{environment, exit};
use crate::registry;
use crate::topology::plan;
use model::problem::Problem;

/// Whose data. The file may come from the environment, so that both may be given.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct DataLocation {
    /// The pipeline's data_dir, whatever a file says. It may be running.
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// The pipeline file, which says where its data_dir is. Several are taken as one.
    #[arg(short, long, env = "VECTOR_SENTINEL_CONFIG", value_name = "FILE", value_delimiter = ',')]
    config: Vec<PathBuf>,
}

/// What is wrong with the pipeline files that were to say where the data is.
#[derive(Debug)]
pub(super) struct WrongFiles(pub(super) Vec<PathBuf>, pub(super) Vec<Problem>);

// === impl DataLocation ===

impl DataLocation {
    pub(super) fn data_dir(&self) -> Result<PathBuf, WrongFiles> {
        if let Some(data_dir) = &self.data_dir {
            return Ok(data_dir.clone());
        }
        let read = || {
            let environment = environment();
            let file = pipeline_file::read(&self.config, &environment)?;
            let graph = pipeline_file::component_graph(&file, &registry::catalogue());
            plan::check(&graph, &environment)?;
            Ok(graph.data_dir())
        };
        read().map_err(|problems| WrongFiles(self.config.clone(), problems))
    }
}

// === impl WrongFiles ===

impl WrongFiles {
    /// Prints what is wrong with them.
    pub(super) fn exit(&self) -> ExitCode {
        exit::problems(&self.0, &self.1)
    }
}
