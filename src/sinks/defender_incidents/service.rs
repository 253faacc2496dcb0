//! What a pass needs of Microsoft Graph.

use async_trait::async_trait;
use bytes::Bytes;

use super::encoder;
use crate::sinks::incident_sync::{Current, Located, Target, Wrote};
use incident_model::comment::CommentPart;
use incident_model::defender;
use incident_model::field::Side;
use incident_model::merge::Merge;
use incident_model::snapshot::Snapshot;
use incident_model::unreadable::UnreadableIncident;
use microsoft::ServiceError;
use microsoft::error::{Operation, Rejection};
use microsoft::graph::GraphIncidents;

/// The incidents of one tenant.
pub(super) struct DefenderTenant {
    pub(super) client: GraphIncidents,
}

fn unreadable(error: UnreadableIncident) -> ServiceError {
    ServiceError::unreadable("Graph", error, None)
}

fn read(raw: Bytes) -> Result<Current, ServiceError> {
    let snapshot = defender::read(&raw).map_err(unreadable)?;
    Ok(Current { snapshot, raw })
}

#[async_trait]
impl Target for DefenderTenant {
    fn side(&self) -> Side {
        Side::Defender
    }

    async fn read(&self, id: &str) -> Result<Option<Current>, ServiceError> {
        self.client.incident(id).await?.map(read).transpose()
    }

    async fn locate(&self, _: &str, _: &Snapshot) -> Result<Located, ServiceError> {
        // Microsoft documents no way to create an incident in Defender.
        Ok(Located::Nowhere)
    }

    async fn create(&self, _: &str, _: &Snapshot) -> Result<Current, ServiceError> {
        Err(ServiceError::refused(
            Operation::GraphWrite,
            Rejection::Unsupported,
            "an incident cannot be created in Defender",
        ))
    }

    async fn write(&self, current: &Current, merge: &Merge) -> Result<Option<Current>, ServiceError> {
        let body = encoder::patch(merge).to_string();
        read(self.client.patch_incident(&current.snapshot.id, body.into()).await?).map(Some)
    }

    async fn comment(&self, id: &str, part: &CommentPart) -> Result<Wrote, ServiceError> {
        let all = self.client.post_comment(id, &part.text).await?;
        defender::read_comments(&all).map(Wrote::Among).map_err(unreadable)
    }
}
