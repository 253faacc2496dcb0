//! Components that are built and do not run yet.

use std::sync::Arc;

use super::link_error::LinkError;
use super::sink_links::{SinkLinks, listen_for_shippers};
use super::vector_links::VectorLinks;
use crate::component::{BuildError, Built, BuiltSink, Runtime, Source};
use crate::topology::plan::Planned;
use model::problem::Problem;
use pipeline_file::Kind;
use runtime::delivery::{Deliver, FanOut};
use runtime::telemetry::ComponentLabels;

/// A sink that does not take anything yet.
pub(super) struct ReadySink {
    pub(super) planned: Planned,
    pub(super) built: BuiltSink,
    /// Where it is pushed to from outside.
    pub(super) links: SinkLinks,
    pub(super) address: Option<String>,
}

/// What runs of a source, and where that hands its events.
pub(super) type Part = (Box<dyn Source>, Arc<dyn Deliver>);

/// A source that does not emit anything yet.
pub(super) struct ReadySource {
    pub(super) planned: Planned,
    /// The source, and what redelivers to Vector.
    pub(super) parts: Vec<Part>,
    /// The sinks that read it, in a pipeline without Vector.
    pub(super) fan_out: Option<Arc<FanOut>>,
    pub(super) address: Option<String>,
}

// === impl ReadySink ===

impl ReadySink {
    /// Builds a sink and has it listen, by the links that were `kept` for it if any. If it cannot be built, its links are
    /// answered with the problem.
    pub(super) async fn build(
        planned: &Planned,
        links: Option<&VectorLinks>,
        kept: SinkLinks,
        runtime: &mut Runtime,
    ) -> Result<Self, (Problem, SinkLinks)> {
        let problem = |error: String| Problem::new(planned.path(Kind::Sink), error);
        let mut opened = SinkLinks::default();
        if let Some(links) = links.filter(|_| planned.has_inputs) {
            match links.listen(planned, kept.vector, runtime).await {
                Ok(link) => opened.vector = Some(link),
                Err(error) => return Err((problem(error.to_string()), SinkLinks { vector: None, ..kept })),
            }
        }
        match (kept.shippers, &planned.listen) {
            (Some((options, link)), Some(listen)) if options == *listen => {
                opened.shippers = Some((options, link));
            }
            (kept, listen) => {
                // What was opened for other options may be where these want to listen.
                SinkLinks { vector: None, shippers: kept }.remove().await;
                if let Some(listen) = listen {
                    match listen_for_shippers(planned, listen, runtime).await {
                        Ok(link) => opened.shippers = Some((listen.clone(), link)),
                        Err(error) => return Err((problem(error.to_string()), opened)),
                    }
                }
            }
        }
        let built = match build(planned, Kind::Sink, runtime) {
            Ok(Built::Sink(built)) => built,
            Ok(Built::Source(_)) => return Err((problem("is no sink".to_owned()), opened)),
            Err(error) => return Err((problem(error.to_string()), opened)),
        };
        let address = links.and_then(|links| links.address(planned));
        Ok(Self { planned: planned.clone(), built, links: opened, address })
    }
}

/// Builds a component, which connects under its own name.
fn build(planned: &Planned, kind: Kind, runtime: &mut Runtime) -> Result<Built, BuildError> {
    let (kind, component_type, id) = (kind.word(), planned.type_name, planned.id.clone());
    let named = runtime.connector.of(ComponentLabels { kind, component_type, id });
    let unnamed = std::mem::replace(&mut runtime.connector, named);
    let built = planned.component.build(&planned.id, runtime);
    runtime.connector = unnamed;
    built
}

// === impl ReadySource ===

impl ReadySource {
    /// Builds a source, and its link if there is a Vector.
    pub(super) fn build(
        planned: &Planned,
        links: Option<&VectorLinks>,
        runtime: &mut Runtime,
    ) -> Result<Self, Problem> {
        let problem = |error: String| Problem::new(planned.path(Kind::Source), error);
        let unlinked = |error: LinkError| problem(error.to_string());
        let source = match build(planned, Kind::Source, runtime) {
            Ok(Built::Source(source)) => source,
            Ok(Built::Sink(_)) => return Err(problem("is no source".to_owned())),
            Err(error) => return Err(problem(error.to_string())),
        };
        let (parts, fan_out): (Vec<Part>, _) = if let Some(links) = links {
            let link = links.forward(planned, runtime).map_err(unlinked)?;
            (vec![(Box::new(link.redelivery), link.again), (source, link.forward)], None)
        } else {
            let clock = runtime.connector.clock.clone();
            let fan_out = Arc::new(FanOut::new(Vec::new(), clock, runtime.rng.fork()));
            (vec![(source, Arc::clone(&fan_out) as Arc<dyn Deliver>)], Some(fan_out))
        };
        let address = links.and_then(|links| links.address(planned));
        Ok(Self { planned: planned.clone(), parts, fan_out, address })
    }
}
