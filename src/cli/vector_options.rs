//! Which Vector, and what it says of its part of a pipeline.

use std::path::PathBuf;

use super::environment;
use crate::registry;
use model::problem::Problem;
use pipeline_file::{ComponentGraph, PipelineFile};
use runtime::clock::Clock;
use runtime::store::write_private_file;
use vector_link::binary::Binary;

#[derive(Debug, clap::Args)]
pub(super) struct VectorOptions {
    /// Which Vector to run. Default: the variable `VECTOR_BIN`, then `vector` where commands are found.
    #[arg(long, value_name = "PATH")]
    pub(super) vector_bin: Option<PathBuf>,
    /// Let Vector put environment variables into stock components, as the option of the same name of Vector itself does.
    /// Our own components need no such leave.
    #[arg(long, env = "VECTOR_DANGEROUSLY_ALLOW_ENV_VAR_INTERPOLATION")]
    pub(super) dangerously_allow_env_var_interpolation: bool,
}

/// What Vector gets, by the addresses that it would have if somebody else ran it.
pub(super) fn rendered(file: &PipelineFile, graph: &ComponentGraph) -> Result<String, Vec<Problem>> {
    pipeline_file::render(file, &registry::catalogue(), &pipeline_file::stubs(graph))
}

// === impl VectorOptions ===

impl VectorOptions {
    /// The Vector on this machine.
    pub(super) async fn find(&self, clock: &Clock) -> Result<Binary, String> {
        Binary::find(self.vector_bin.as_deref(), &environment(), clock)
            .await
            .map_err(|error| error.to_string())
    }

    /// Lets Vector check what it would get. The error is what it says is wrong.
    pub(super) async fn check(&self, binary: &Binary, rendered: &str) -> Result<(), String> {
        let cannot = |error: std::io::Error| format!("cannot write a file for Vector to check: {error}");
        let dir = tempfile::tempdir().map_err(cannot)?;
        write_private_file(dir.path(), "vector.yaml", rendered).map_err(cannot)?;
        let path = dir.path().join("vector.yaml");
        let refused = binary.validate(&path, self.dangerously_allow_env_var_interpolation).await;
        // Nobody has written a file of that name.
        refused
            .map_err(|error| error.to_string().replace(&path.display().to_string(), "the stock components"))
    }

    /// Warnings about variables in stock components that Vector leaves as they are.
    pub(super) fn literal_variables(&self, file: &PipelineFile) -> Vec<Problem> {
        if self.dangerously_allow_env_var_interpolation {
            Vec::new()
        } else {
            pipeline_file::variables_left_to_vector(file, &registry::catalogue())
        }
    }
}
