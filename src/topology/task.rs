//! A task that ends when it is asked to.

use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

/// A running task, and the token that asks it to end. Dropped, it is aborted.
pub(super) struct StoppableTask<T> {
    stop: CancellationToken,
    /// Nothing after it was seen to have ended.
    handle: Option<JoinHandle<T>>,
}

// === impl StoppableTask ===

impl<T: Send + 'static> StoppableTask<T> {
    /// Starts what `work` answers, which ends when the token is cancelled.
    pub(super) fn start<F>(work: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let handle = tokio::spawn(work(stop.clone()));
        Self { stop, handle: Some(handle) }
    }

    /// Asks it to end.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until it has ended; nothing if that was seen before. A wait that is dropped loses nothing.
    pub(super) async fn ended(&mut self) -> Option<Result<T, JoinError>> {
        let ended = self.handle.as_mut()?.await;
        self.handle = None;
        Some(ended)
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.handle.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it where it is, and returns when it has ended.
    pub(super) async fn abort(&mut self) {
        if let Some(handle) = &self.handle {
            handle.abort();
        }
        self.ended().await;
    }

    /// Asks it to end, and aborts it when `limit` ends first. Answers whether it had to be aborted.
    pub(super) async fn stop_within(&mut self, limit: impl Future<Output = ()>) -> bool {
        self.stop();
        tokio::select! {
            biased;
            _ = self.ended() => return false,
            () = limit => {}
        }
        self.abort().await;
        true
    }
}

impl<T> Drop for StoppableTask<T> {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            handle.abort();
        }
    }
}
