//! The one place that runs work which blocks: on the disk, or for long on the processor.

/// Where work that blocks is run. Components get it with their [`Clock`](crate::clock::Clock), from
/// [`Clock::off_thread`](crate::clock::Clock::off_thread).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OffThread {
    /// On a thread that may wait, so that nothing else waits with it.
    #[default]
    Blocking,
    /// On the thread that asks, for a simulation: there the order of everything follows from the seed, and a run that ends
    /// while it is asked has either not begun the work or done all of it.
    Direct,
}

/// The thread ended without an answer: the work may be done or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the process is ending")]
pub struct ThreadEnded;

// === impl OffThread ===

impl OffThread {
    /// Does the work and answers what it answers.
    pub async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ThreadEnded> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one place that does")]
            Self::Blocking => tokio::task::spawn_blocking(work).await.map_err(|_| ThreadEnded),
            Self::Direct => {
                // Others go on before and after, and the process may end there, as it may beside a thread.
                tokio::task::yield_now().await;
                let answer = work();
                tokio::task::yield_now().await;
                Ok(answer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_ways_answer_what_the_work_answers() {
        let here = std::thread::current().id();
        let there = || std::thread::current().id();
        assert_eq!(OffThread::Direct.run(there).await, Ok(here));
        assert_ne!(OffThread::Blocking.run(there).await, Ok(here));
    }

    #[tokio::test]
    async fn direct_work_of_many_is_done_in_the_same_order_every_time() {
        let mut orders = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let done = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
            let note = |n| {
                let done = std::sync::Arc::clone(&done);
                tokio::spawn(OffThread::Direct.run(move || done.lock().unwrap().push(n)))
            };
            let tasks: Vec<_> = (0..20).map(note).collect();
            for task in tasks {
                task.await.unwrap().unwrap();
            }
            orders.insert(done.lock().unwrap().clone());
        }
        assert_eq!(orders.len(), 1);
    }
}
