//! Stands for Vector where there is none: one pipeline of a `vector` source and a file, both into a `vector` sink, with
//! acknowledgements from end to end. It speaks the protocol that the recordings in `tests/fixtures/wire` are of.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use runtime::clock::Clock;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use vector_link::certificates::TlsIdentity;
use vector_link::client::channel;
use vector_link::protocol::event::{EventWrapper, Log, Value, event_wrapper, value::Kind};
use vector_link::protocol::vector::vector_client::VectorClient;
use vector_link::protocol::vector::vector_server::{Vector, VectorServer};
use vector_link::protocol::vector::{
    HealthCheckRequest, HealthCheckResponse, PushEventsRequest, PushEventsResponse,
};

/// As the real one's defaults.
const BATCH_EVENTS: usize = 1_000;
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// What one is started on, and what outlives it when it is killed.
#[derive(Clone)]
pub(crate) struct FakeVector {
    /// Where certificates are.
    pub(crate) certificates: PathBuf,
    /// Where its source listens.
    pub(crate) source: String,
    /// Where its sink pushes to.
    pub(crate) sink: String,
    /// The file that it reads.
    pub(crate) lines: PathBuf,
    /// How many lines of it were acknowledged.
    pub(crate) checkpoint: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Sink(VectorClient<Channel>);

// === impl FakeVector ===

impl FakeVector {
    /// Runs until the set is dropped, which is what killing it comes to.
    pub(crate) async fn start(&self) -> JoinSet<()> {
        let file = |name: &str| self.certificates.join(name);
        let side =
            TlsIdentity::from_files(&file("ca.pem"), &file("vector.pem"), &file("vector.key")).unwrap();
        let channel = channel(&self.sink, "localhost", side.client_tls().unwrap()).unwrap();
        let client = VectorClient::new(channel).send_compressed(CompressionEncoding::Zstd);
        let sink = Sink(client.max_encoding_message_size(100_000_000));
        let socket = TcpListener::bind(&self.source).await.unwrap();
        let service = VectorServer::new(sink.clone()).max_decoding_message_size(100_000_000);
        let server = Server::builder().tls_config(side.server_tls()).unwrap().add_service(service);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { server.serve_with_incoming(TcpIncoming::from(socket)).await.unwrap() });
        tasks.spawn(read_lines(self.lines.clone(), Arc::clone(&self.checkpoint), sink));
        tasks
    }
}

async fn read_lines(path: PathBuf, checkpoint: Arc<AtomicUsize>, sink: Sink) {
    let text = std::fs::read(&path).unwrap();
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    while checkpoint.load(Ordering::Relaxed) < lines.len() {
        let done = checkpoint.load(Ordering::Relaxed);
        let batch: Vec<Bytes> = lines[done..].iter().take(BATCH_EVENTS).map(|line| log(line)).collect();
        let taken = batch.len();
        sink.push(batch).await;
        checkpoint.fetch_add(taken, Ordering::Relaxed);
    }
    // Ends with the rest.
    std::future::pending::<()>().await;
}

/// A line as the `file` source makes an event of it.
fn log(line: &[u8]) -> Bytes {
    let field = |bytes: &[u8]| Value { kind: Some(Kind::RawBytes(Bytes::copy_from_slice(bytes))) };
    let fields = [("message".to_owned(), field(line)), ("source_type".to_owned(), field(b"file"))];
    let log = Log { fields: fields.into(), value: None };
    EventWrapper { event: Some(event_wrapper::Event::Log(log)) }.encode_to_vec().into()
}

/// What the transform does.
fn enrich(wire: Bytes) -> Bytes {
    let mut wrapper = EventWrapper::decode(wire).unwrap();
    if let Some(event_wrapper::Event::Log(log)) = &mut wrapper.event {
        log.fields.insert("enriched".to_owned(), Value { kind: Some(Kind::Boolean(true)) });
    }
    wrapper.encode_to_vec().into()
}

// === impl Sink ===

impl Sink {
    /// Pushes a batch until it is taken, and gives a push up that is not answered in a minute: as Vector does.
    async fn push(&self, events: Vec<Bytes>) {
        loop {
            let request = PushEventsRequest { events: events.clone() };
            let mut client = self.0.clone();
            let answer = tokio::time::timeout(REQUEST_TIMEOUT, client.push_events(request)).await;
            match answer {
                Ok(Ok(_)) => return,
                Ok(Err(status)) => assert!(
                    !matches!(
                        status.code(),
                        Code::NotFound
                            | Code::InvalidArgument
                            | Code::AlreadyExists
                            | Code::PermissionDenied
                            | Code::OutOfRange
                            | Code::Unimplemented
                            | Code::Unauthenticated
                            | Code::DataLoss
                    ),
                    "Vector would drop the batch: {status}"
                ),
                Err(_) => {}
            }
            Clock::system().sleep(Duration::from_millis(500)).await;
        }
    }
}

#[async_trait::async_trait]
impl Vector for Sink {
    async fn push_events(
        &self,
        request: Request<PushEventsRequest>,
    ) -> Result<Response<PushEventsResponse>, Status> {
        self.push(request.into_inner().events.into_iter().map(enrich).collect()).await;
        Ok(Response::new(PushEventsResponse {}))
    }

    async fn health_check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse::default()))
    }
}

/// A loopback address that is free now.
pub(crate) fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Waits until the plugin has made its certificates.
pub(crate) async fn certificates_in(dir: &Path) {
    while !dir.join("ca.pem").exists() {
        Clock::system().sleep(Duration::from_millis(20)).await;
    }
}
