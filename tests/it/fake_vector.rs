//! Stands for Vector where there is none: one pipeline of an `http_server` source and a file, both into an `http` sink, with
//! acknowledgements from end to end. It writes what the recordings of the real one in `crates/vector-link/tests/fixtures` have.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;
use runtime::clock::Clock;
use runtime::edge::{Edge, collect};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use vector_link::certificates::TlsIdentity;
use vector_link::client::edge;

/// What a batch of the real one has at most, as `render` writes it.
const BATCH_EVENTS: usize = 1_000;
const BATCH_BYTES: usize = 1_000_000;
/// How long the real one waits for an answer.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// What one is started on, and what outlives it when it is killed.
#[derive(Clone)]
pub(crate) struct FakeVector {
    /// Where certificates are.
    pub(crate) certificates: PathBuf,
    /// Where its source listens.
    pub(crate) source: String,
    /// Where its sink pushes to, and the path there.
    pub(crate) sink: String,
    pub(crate) path: String,
    /// The file that it reads.
    pub(crate) lines: PathBuf,
    /// How many lines of it were acknowledged.
    pub(crate) checkpoint: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Sink {
    edge: Edge,
    path: String,
}

/// A socket that only those with a certificate get through.
struct TlsListener {
    socket: TcpListener,
    acceptor: TlsAcceptor,
}

// === impl FakeVector ===

impl FakeVector {
    /// Runs until the set is dropped, which is what killing it comes to.
    pub(crate) async fn start(&self) -> JoinSet<()> {
        let file = |name: &str| self.certificates.join(name);
        let side =
            TlsIdentity::from_files(&file("ca.pem"), &file("vector.pem"), &file("vector.key")).unwrap();
        let edge = edge(&self.sink, "localhost", &side.client_tls().unwrap()).unwrap();
        let sink = Sink { edge, path: self.path.clone() };
        let socket = TcpListener::bind(&self.source).await.unwrap();
        let listener = TlsListener { socket, acceptor: TlsAcceptor::from(side.server_tls().unwrap()) };
        let router = Router::new().route("/", post(take)).layer(DefaultBodyLimit::disable());
        let killed = CancellationToken::new();
        let router = router.with_state((sink.clone(), killed.clone()));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _when_dropped = killed.drop_guard();
            std::future::pending::<()>().await;
        });
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        tasks.spawn(read_lines(self.lines.clone(), Arc::clone(&self.checkpoint), sink));
        tasks
    }
}

async fn read_lines(path: PathBuf, checkpoint: Arc<AtomicUsize>, sink: Sink) {
    let text = std::fs::read(&path).unwrap();
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    while checkpoint.load(Ordering::Relaxed) < lines.len() {
        let done = checkpoint.load(Ordering::Relaxed);
        let mut bytes = 0;
        let fits = |line: &&&[u8]| {
            bytes += line.len();
            bytes <= BATCH_BYTES || bytes == line.len()
        };
        let batch: Vec<_> = lines[done..].iter().take(BATCH_EVENTS).take_while(fits).collect();
        let taken = batch.len();
        let logs = batch
            .into_iter()
            .map(|line| json!({"message": String::from_utf8_lossy(line), "source_type": "file"}));
        sink.push(logs).await;
        checkpoint.fetch_add(taken, Ordering::Relaxed);
    }
    // Ends with the rest.
    std::future::pending::<()>().await;
}

/// The source, the transform and the sink.
async fn take(
    State((sink, killed)): State<(Sink, CancellationToken)>,
    body: Bytes,
) -> Result<StatusCode, (StatusCode, [(&'static str, &'static str); 1])> {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let logs: Result<Vec<Value>, _> = lines.map(serde_json::from_slice).collect();
    let Ok(mut logs) = logs else { return Ok(StatusCode::BAD_REQUEST) };
    for log in &mut logs {
        log["enriched"] = true.into();
    }
    tokio::select! {
        biased;
        // Connections outlive whoever accepted them: they must not go on being served.
        () = killed.cancelled() => Err((StatusCode::INTERNAL_SERVER_ERROR, [("connection", "close")])),
        () = sink.push(logs.into_iter()) => Ok(StatusCode::OK),
    }
}

// === impl Sink ===

impl Sink {
    /// Pushes a batch until it is taken, and gives a request up that is not answered in a minute: as Vector does.
    async fn push(&self, logs: impl Iterator<Item = Value>) {
        let lines: Vec<String> = logs.map(|log| json!({"log": log}).to_string() + "\n").collect();
        let body = Bytes::from(lines.concat());
        loop {
            let request = http::Request::post(&self.path).body(body.clone()).unwrap();
            let answer = tokio::time::timeout(REQUEST_TIMEOUT, self.edge.clone().oneshot(request)).await;
            if let Ok(Ok(answer)) = answer {
                let (parts, body) = answer.into_parts();
                match parts.status {
                    StatusCode::OK => return,
                    StatusCode::SERVICE_UNAVAILABLE => {}
                    status => {
                        panic!("Vector would drop the batch: {status} {:?}", collect(body, 1_000).await)
                    }
                }
            }
            Clock::system().sleep(Duration::from_millis(500)).await;
        }
    }
}

// === impl TlsListener ===

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.socket.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.socket.local_addr()
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
