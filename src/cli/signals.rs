//! The signals that ask us for something.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How many of each have come so far. Cheap to clone.
#[derive(Clone)]
pub(super) struct Signals {
    stop: watch::Receiver<u32>,
    reload: watch::Receiver<u32>,
}

// === impl Signals ===

impl Signals {
    /// Counts signals from now on.
    pub(super) fn count() -> std::io::Result<Self> {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut hangup = signal(SignalKind::hangup())?;
        let (stops, stop) = watch::channel(0);
        let (reloads, reload) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                let counter = tokio::select! {
                    _ = terminate.recv() => &stops,
                    _ = interrupt.recv() => &stops,
                    _ = hangup.recv() => &reloads,
                };
                counter.send_modify(|count| *count += 1);
            }
        });
        Ok(Self { stop, reload })
    }

    /// Waits until so many signals have asked us to stop.
    pub(super) async fn stopped(&self, count: u32) {
        reached(self.stop.clone(), count).await;
    }

    /// Whether a signal has asked us to stop.
    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow() > 0
    }

    /// How many signals have asked us to read the files again.
    pub(super) fn reloads(&self) -> u32 {
        *self.reload.borrow()
    }

    /// Waits for a signal to read the files again, after so many.
    pub(super) async fn reloaded(&self, seen: u32) {
        reached(self.reload.clone(), seen + 1).await;
    }
}

async fn reached(mut signals: watch::Receiver<u32>, count: u32) {
    if signals.wait_for(|counted| *counted >= count).await.is_err() {
        // Nobody counts any more, so none will come.
        std::future::pending::<()>().await;
    }
}
