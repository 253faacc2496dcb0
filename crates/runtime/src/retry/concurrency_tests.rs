use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use tokio::task::yield_now;

use super::*;

const ADAPTIVE: Adaptive = Adaptive {
    initial_concurrency: 1,
    decrease_ratio: 0.9,
    ewma_alpha: 0.4,
    rtt_deviation_scale: 2.5,
    max_concurrency_limit: 16,
};

fn labels() -> ComponentLabels {
    ComponentLabels { kind: "sink", component_type: "test", id: "test".to_owned() }
}

fn adaptive(adaptive: Adaptive) -> Arc<Concurrency> {
    Arc::new(Concurrency::adaptive(adaptive, Clock::system(), labels()))
}

fn limit(concurrency: &Concurrency) -> usize {
    concurrency.state().limit.number
}

/// Requests by many at once, as many as there are slots for. `answer` is told how many are in flight, and says how long one
/// takes and what comes of it. Answers how many there were at once.
async fn requests(
    concurrency: &Arc<Concurrency>,
    count: usize,
    answer: impl Fn(usize) -> (u64, Outcome),
) -> usize {
    let (in_flight, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let request = || async {
        let slot = concurrency.slot().await;
        let attempt = concurrency.begin().await;
        let now = in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        most.fetch_max(now, Ordering::Relaxed);
        let (milliseconds, answer) = answer(now);
        Clock::system().sleep(Duration::from_millis(milliseconds)).await;
        in_flight.fetch_sub(1, Ordering::Relaxed);
        attempt.end(answer);
        drop(slot);
    };
    join_all((0..count).map(|_| request())).await;
    most.into_inner()
}

#[tokio::test(start_paused = true)]
async fn a_fixed_number_stays_what_it_is() {
    let concurrency = Arc::new(Concurrency::fixed(4, Clock::system(), labels()));
    assert_eq!(requests(&concurrency, 50, |_| (100, Outcome::Done)).await, 4);
    assert_eq!(requests(&concurrency, 50, |n| (100 * n as u64, Outcome::TooMuch)).await, 4);
    assert_eq!((limit(&concurrency), concurrency.slots.available_permits()), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn a_steady_service_gets_one_more_at_a_time_up_to_the_most() {
    let concurrency = adaptive(ADAPTIVE);
    let mut before = 1;
    for _ in 0..20 {
        requests(&concurrency, limit(&concurrency) * 2, |_| (100, Outcome::Done)).await;
        assert!(limit(&concurrency) - before <= 2, "{before} became {}", limit(&concurrency));
        before = limit(&concurrency);
    }
    assert_eq!(requests(&concurrency, 100, |_| (100, Outcome::Done)).await, 16);
    assert_eq!((limit(&concurrency), concurrency.slots.available_permits()), (16, 16));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_use_the_slots_gets_no_more() {
    let concurrency = adaptive(Adaptive { initial_concurrency: 3, ..ADAPTIVE });
    for _ in 0..20 {
        requests(&concurrency, 2, |_| (100, Outcome::Done)).await;
    }
    assert_eq!(limit(&concurrency), 3);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_pushes_back_gets_fewer_down_to_one() {
    let concurrency = adaptive(Adaptive { initial_concurrency: 10, decrease_ratio: 0.5, ..ADAPTIVE });
    requests(&concurrency, 10, |_| (100, Outcome::Done)).await;
    let mut limits = Vec::new();
    for _ in 0..5 {
        // All at once: that is one decision.
        requests(&concurrency, 4, |_| (200, Outcome::TooMuch)).await;
        limits.push(limit(&concurrency));
    }
    assert_eq!(limits[..4], [5, 2, 1, 1]);
    assert_eq!(requests(&concurrency, 10, |_| (1, Outcome::Other)).await, 1);
}

#[tokio::test(start_paused = true)]
async fn pushing_back_counts_before_anything_has_worked() {
    let concurrency = adaptive(Adaptive { initial_concurrency: 10, ..ADAPTIVE });
    requests(&concurrency, 10, |_| (100, Outcome::TooMuch)).await;
    assert_eq!(limit(&concurrency), 9);
}

#[tokio::test(start_paused = true)]
async fn failures_that_say_nothing_change_nothing() {
    let concurrency = adaptive(Adaptive { initial_concurrency: 10, ..ADAPTIVE });
    requests(&concurrency, 100, |_| (100, Outcome::Other)).await;
    requests(&concurrency, 1, |_| (100, Outcome::Done)).await;
    requests(&concurrency, 100, |_| (900, Outcome::Other)).await;
    assert_eq!(limit(&concurrency), 10);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_gets_slower_and_slower_gets_fewer() {
    let concurrency = adaptive(Adaptive { initial_concurrency: 16, ..ADAPTIVE });
    requests(&concurrency, 64, |_| (100, Outcome::Done)).await;
    assert_eq!(limit(&concurrency), 16);
    for milliseconds in [200, 800, 3_200, 12_800] {
        let before = limit(&concurrency);
        requests(&concurrency, before, |_| (milliseconds, Outcome::Done)).await;
        // The first to be answered decides, and the others are of the next decision.
        Clock::system().sleep(Duration::from_mins(1)).await;
        requests(&concurrency, 1, |_| (milliseconds, Outcome::Done)).await;
        assert!(limit(&concurrency) < before, "{before} stayed {} at {milliseconds}", limit(&concurrency));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_pushes_back_at_too_many_gets_about_as_many_as_it_takes() {
    let concurrency = adaptive(ADAPTIVE);
    let answer = |n: usize| (100, if n <= 6 { Outcome::Done } else { Outcome::TooMuch });
    let mut limits = Vec::new();
    for _ in 0..100 {
        requests(&concurrency, 30, answer).await;
        limits.push(limit(&concurrency));
    }
    assert!(limits[20..].iter().all(|limit| (5..=8).contains(limit)), "{limits:?}");
}

#[tokio::test(start_paused = true)]
async fn usual_late_answers_are_not_taken_for_a_slower_service() {
    let concurrency = adaptive(Adaptive { initial_concurrency: 8, max_concurrency_limit: 8, ..ADAPTIVE });
    let calls = AtomicUsize::new(0);
    let varying = |_| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        ([80, 120, 95, 110, 100, 90, 105][call % 7], Outcome::Done)
    };
    requests(&concurrency, 400, varying).await;
    assert!(limit(&concurrency) >= 7, "{}", limit(&concurrency));
    requests(&concurrency, 8, |_| (400, Outcome::Done)).await;
    let before = limit(&concurrency);
    requests(&concurrency, 8, |_| (1_000, Outcome::Done)).await;
    assert!(limit(&concurrency) < before);
}

#[tokio::test(start_paused = true)]
async fn fewer_slots_count_at_once_for_those_who_send_again() {
    let concurrency = adaptive(Adaptive { initial_concurrency: 4, decrease_ratio: 0.5, ..ADAPTIVE });
    let clock = Clock::system();
    let slots = join_all((0..4).map(|_| concurrency.slot())).await;
    let attempt = concurrency.begin().await;
    clock.sleep(Duration::from_millis(10)).await;
    attempt.end(Outcome::TooMuch);
    assert_eq!(limit(&concurrency), 2);
    // All four keep their slots, and two of them send.
    let (one, two) = (concurrency.begin().await, concurrency.begin().await);
    let mut third = begin_and_end(&concurrency);
    yield_now().await;
    assert!(!third.is_finished());
    // One that is given up makes room as well as one that is answered.
    drop(one);
    (&mut third).await.unwrap();
    two.end(Outcome::Other);
    drop(slots);
    assert_eq!(concurrency.slots.available_permits(), 2);
    assert_eq!(requests(&concurrency, 20, |_| (100, Outcome::Other)).await, 2);
}

/// Begins, and ends at once.
fn begin_and_end(concurrency: &Arc<Concurrency>) -> tokio::task::JoinHandle<()> {
    let concurrency = Arc::clone(concurrency);
    tokio::spawn(async move { concurrency.begin().await.end(Outcome::Other) })
}

#[tokio::test(start_paused = true)]
async fn slots_that_were_to_go_stay_when_there_may_be_more_again() {
    let concurrency = adaptive(Adaptive { initial_concurrency: 4, decrease_ratio: 0.5, ..ADAPTIVE });
    let slots = join_all((0..4).map(|_| concurrency.slot())).await;
    concurrency.begin().await.end(Outcome::TooMuch);
    assert_eq!(limit(&concurrency), 2);
    for _ in 0..30 {
        let attempts = join_all((0..limit(&concurrency).min(4)).map(|_| concurrency.begin())).await;
        Clock::system().sleep(Duration::from_millis(100)).await;
        for attempt in attempts {
            attempt.end(Outcome::Done);
        }
    }
    let limit = limit(&concurrency);
    assert!(limit >= 4, "{limit}");
    drop(slots);
    assert_eq!(concurrency.slots.available_permits(), limit);
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_wherever_leaves_no_slot_behind() {
    for seed in 0..60 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let options = Adaptive {
            initial_concurrency: rng.usize(1..8),
            decrease_ratio: 0.5,
            max_concurrency_limit: 8,
            ..ADAPTIVE
        };
        let concurrency = adaptive(options);
        let senders: Vec<_> = (0..40)
            .map(|_| {
                let (concurrency, mut rng) = (Arc::clone(&concurrency), rng.fork());
                tokio::spawn(async move {
                    let clock = Clock::system();
                    clock.sleep(Duration::from_millis(rng.u64(0..500))).await;
                    let slot = concurrency.slot().await;
                    for _ in 0..rng.u8(1..4) {
                        let attempt = concurrency.begin().await;
                        clock.sleep(Duration::from_millis(rng.u64(1..200))).await;
                        match rng.u8(0..5) {
                            0 => drop(attempt),
                            1 => attempt.end(Outcome::TooMuch),
                            2 => attempt.end(Outcome::Other),
                            3 if rng.u8(0..10) == 0 => panic!("as a task may"),
                            _ => attempt.end(Outcome::Done),
                        }
                        clock.sleep(Duration::from_millis(rng.u64(0..50))).await;
                    }
                    drop(slot);
                })
            })
            .collect();
        for sender in &senders {
            if rng.u8(0..4) == 0 {
                Clock::system().sleep(Duration::from_millis(rng.u64(0..300))).await;
                sender.abort();
            }
        }
        let all = tokio::time::timeout(Duration::from_mins(10), join_all(senders)).await;
        assert!(all.is_ok(), "seed {seed}: nobody moves on any more");
        let state = concurrency.state();
        let number = state.limit.number;
        assert_eq!((concurrency.slots.available_permits(), state.surplus), (number, 0), "seed {seed}");
        drop(state);
    }
}
