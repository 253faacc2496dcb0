//! What a pass needs of Microsoft Sentinel.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::encoder;
use super::native::{Native, NativeIncidents};
use crate::sinks::incident_sync::{Current, Located, Target, Wrote};
use incident_model::comment::CommentPart;
use incident_model::field::{Field, Side};
use incident_model::mapping::translate;
use incident_model::merge::Merge;
use incident_model::owners::Owners;
use incident_model::sentinel;
use incident_model::snapshot::{Comment, Origin, Own, Snapshot};
use microsoft::ServiceError;
use microsoft::error::{Operation, Rejection};
use microsoft::security_insights::{SecurityInsights, Written};

/// One Sentinel workspace as a target of the sync.
pub(super) struct SentinelWorkspace {
    pub(super) client: SecurityInsights,
    pub(super) native: NativeIncidents,
    pub(super) owners: Owners,
}

// === impl SentinelWorkspace ===

impl SentinelWorkspace {
    async fn put(&self, id: &str, body: &serde_json::Value) -> Result<Option<Current>, ServiceError> {
        match self.client.put_incident(id, body.to_string().into()).await? {
            Written::Done(raw) => read(raw).map(Some),
            Written::Stale => Ok(None),
        }
    }
}

fn read(raw: Bytes) -> Result<Current, ServiceError> {
    let snapshot = sentinel::read_whole(&raw)
        .map_err(|error| ServiceError::unreadable("Microsoft Sentinel", error, None))?;
    Ok(Current { snapshot, raw })
}

#[async_trait]
impl Target for SentinelWorkspace {
    fn side(&self) -> Side {
        Side::Sentinel
    }

    async fn read(&self, id: &str) -> Result<Option<Current>, ServiceError> {
        self.client.incident(id).await?.map(read).transpose()
    }

    async fn locate(&self, key: &str, offer: &Snapshot) -> Result<Located, ServiceError> {
        let tenant = offer.profile().map(|profile| profile.tenant.as_str()).unwrap_or_default();
        Ok(match self.native.find(tenant, &offer.id).await? {
            Native::Here(name) => Located::Native(name),
            Native::Expected => Located::NativeExpected,
            // The same incident has the same name for ever: creating it twice creates it once.
            Native::No => Located::Ours(Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()).to_string()),
        })
    }

    async fn create(&self, id: &str, offer: &Snapshot) -> Result<Current, ServiceError> {
        let nothing = Snapshot {
            id: id.to_owned(),
            version: offer.version,
            fields: BTreeMap::new(),
            tags: None,
            comments: None,
            own: Own::Sentinel(Origin::default()),
        };
        let word = |field: Field| {
            let word = translate(field, Side::Defender, offer, &nothing, None, &self.owners)?;
            Some((field, word))
        };
        let words = Field::ALL.into_iter().filter_map(word).collect();
        let stale = || {
            ServiceError::refused(
                Operation::SentinelIncident,
                Rejection::Conflict,
                "an incident of this name was created by somebody else just now",
            )
        };
        self.put(id, &encoder::creation(offer, &words, &self.owners)).await?.ok_or_else(stale)
    }

    async fn write(&self, current: &Current, merge: &Merge) -> Result<Option<Current>, ServiceError> {
        let unreadable =
            |error: serde_json::Error| ServiceError::unreadable("Microsoft Sentinel", error, None);
        let body = encoder::update(&current.raw, merge, &self.owners).map_err(unreadable)?;
        self.put(&current.snapshot.id, &body).await
    }

    async fn comments(&self, id: &str) -> Result<Vec<Comment>, ServiceError> {
        let all = self.client.comments(id).await?;
        sentinel::read_comments(&all)
            .map_err(|error| ServiceError::unreadable("Microsoft Sentinel", error, None))
    }

    async fn comment(&self, id: &str, part: &CommentPart) -> Result<Wrote, ServiceError> {
        self.client.put_comment(id, &part.id, &part.text).await?;
        Ok(Wrote::As(part.id.clone()))
    }
}
