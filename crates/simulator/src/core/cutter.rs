//! Ends a connection from inside a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// Ends one connection. Every request carries the one of its connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionCutter {
    cut: CancellationToken,
    reset: Arc<AtomicBool>,
}

// === impl ConnectionCutter ===

impl ConnectionCutter {
    /// Ends the connection at once with RST: what was not sent yet never is.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.cut.cancel();
    }

    /// Ends the connection at once, without a word of TLS or HTTP.
    pub(crate) fn close(&self) {
        self.cut.cancel();
    }

    /// Waits until somebody ends the connection.
    pub(crate) async fn cut(&self) {
        self.cut.cancelled().await;
    }

    /// Whether it ends, or has ended, with RST.
    pub(crate) fn is_reset(&self) -> bool {
        self.reset.load(Ordering::Acquire)
    }
}
