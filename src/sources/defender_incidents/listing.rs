use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use crate::sources::incidents::{Listing, Weight};
use microsoft::ServiceError;
use microsoft::graph::{Alerts, GraphIncidents, MAX_PAGE_SIZE};
use microsoft::listing::IncidentPage;
use model::incident::Revision;
use model::watermark::Slice;

/// Graph's listing, which has everything of an incident in it.
pub(super) struct GraphListing(pub(super) GraphIncidents);

#[async_trait]
impl Listing for GraphListing {
    fn service(&self) -> &'static str {
        "Microsoft Graph"
    }

    fn incidents(&self) -> &'static str {
        "Defender XDR incidents"
    }

    fn max_page_size(&self) -> u32 {
        MAX_PAGE_SIZE
    }

    fn heavy_part(&self) -> Option<&'static str> {
        Some("alerts")
    }

    async fn first_page(&self, slice: Slice, top: u32, weight: Weight) -> Result<IncidentPage, ServiceError> {
        let alerts = match weight {
            Weight::Whole => Alerts::Expanded,
            Weight::Light => Alerts::Left,
        };
        self.0.first_page(slice, top, alerts).await
    }

    async fn next_page(&self, url: &Url) -> Result<IncidentPage, ServiceError> {
        self.0.next_page(url).await
    }

    fn revision(&self, json: &str) -> Revision {
        Revision::of(json)
    }

    async fn complete(&self, _: &Revision, json: &Bytes) -> Result<Bytes, ServiceError> {
        Ok(json.clone())
    }
}
