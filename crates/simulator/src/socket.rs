//! A connection that a fault can cut from inside a request.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Cuts one connection. Every request carries the one of its connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Scissors {
    cut: CancellationToken,
    reset: Arc<AtomicBool>,
}

/// The TCP stream under TLS: closed with RST instead of FIN if the scissors said so.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    scissors: Scissors,
}

// === impl Scissors ===

impl Scissors {
    /// Ends the connection at once with RST: what was not sent yet never is.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.cut.cancel();
    }

    /// Ends the connection at once, without a word of TLS or HTTP.
    pub(super) fn close(&self) {
        self.cut.cancel();
    }

    /// Waits until somebody cuts.
    pub(super) async fn cut(&self) {
        self.cut.cancelled().await;
    }
}

// === impl Socket ===

impl Socket {
    pub(super) const fn new(stream: TcpStream, scissors: Scissors) -> Self {
        Self { stream, scissors }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.scissors.reset.load(Ordering::Acquire) {
            // With no time to linger the kernel answers with RST. If it cannot, the peer sees a FIN in
            // the middle of an answer, which is a broken connection as well.
            self.stream.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
