//! A connection that a fault can cut from inside a request.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::core::cutter::ConnectionCutter;

/// The TCP stream under TLS: closed with RST instead of FIN if the cutter says so.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    cutter: ConnectionCutter,
}

// === impl Socket ===

impl Socket {
    pub(crate) const fn new(stream: TcpStream, cutter: ConnectionCutter) -> Self {
        Self { stream, cutter }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.cutter.is_reset() {
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
