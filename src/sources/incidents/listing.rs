use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use microsoft::ServiceError;
use microsoft::listing::IncidentPage;
use model::incident::Revision;
use model::watermark::Slice;

/// A service that lists incidents by the time of their last change: all that differs between the sources of incidents.
#[async_trait]
pub trait Listing: Send + Sync {
    /// The service's name, as messages have it.
    fn service(&self) -> &'static str;

    /// What it lists, as messages have it.
    fn incidents(&self) -> &'static str;

    /// Most incidents that it lists in a page.
    fn max_page_size(&self) -> u32;

    /// What its light listing lacks; nothing if it has no lighter one.
    fn heavy_part(&self) -> Option<&'static str>;

    /// The first page of what changed in `slice`: at most `top` incidents, in any order.
    async fn first_page(&self, slice: Slice, top: u32, weight: Weight) -> Result<IncidentPage, ServiceError>;

    /// The page at `url`, which an earlier page gave.
    async fn next_page(&self, url: &Url) -> Result<IncidentPage, ServiceError>;

    /// What identifies the state of the incident with this JSON text.
    fn revision(&self, json: &str) -> Revision;

    /// The incident with what its listing lacks, asked for only if the revision is to be delivered.
    async fn complete(&self, revision: &Revision, json: &Bytes) -> Result<Bytes, ServiceError>;
}

/// How much of each incident is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// All of it.
    Whole,
    /// Without what makes an incident heavy, if the service can leave it out.
    Light,
}
