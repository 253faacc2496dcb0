//! What Azure Resource Manager allows: it counts reads and writes apart, of each subscription and identity.

use std::time::Duration;

use super::connection::Api;
use runtime::clock::Clock;
use runtime::retry::quota::{Allowance, Amount, Quota};

/// Most reads in a minute that the service allows for ever: its bucket is refilled with 25 a second.
/// Source: <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>
pub const MAX_READS_A_MINUTE: usize = 25 * 60;
/// Most writes in a minute that the service allows for ever: its bucket is refilled with 10 a second.
/// Source: <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>
pub const MAX_WRITES_A_MINUTE: usize = 10 * 60;
/// Reads at once: the bucket holds 250, and has as many again after ten seconds.
/// Source: <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>
const READS_AT_ONCE: AtOnce = AtOnce { most: 250, within_secs: 10 };
/// Writes at once: the bucket holds 200, and has as many again after twenty seconds.
/// Source: <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>
const WRITES_AT_ONCE: AtOnce = AtOnce { most: 200, within_secs: 20 };

/// The API for whoever reads. Requests: a fifth of what is allowed, as others may read with the same identity.
pub const READING: Api = Api {
    base: |cloud| Some(cloud.arm()),
    missing: "Azure Resource Manager is in every cloud",
    max_requests: MAX_READS_A_MINUTE,
    default_requests: MAX_READS_A_MINUTE / 5,
};
/// The API for whoever writes. Requests: a fifth of what is allowed, as others may write with the same identity.
pub const WRITING: Api =
    Api { max_requests: MAX_WRITES_A_MINUTE, default_requests: MAX_WRITES_A_MINUTE / 5, ..READING };

/// What a bucket holds, and how long it takes to fill.
struct AtOnce {
    most: usize,
    within_secs: u8,
}

/// What may be asked of Azure Resource Manager.
#[derive(Debug)]
pub struct ArmQuota {
    pub(super) reads: Quota,
    pub(super) writes: Quota,
}

// === impl ArmQuota ===

impl ArmQuota {
    /// So many reads and writes a minute, and never more at once than the service's buckets hold: unless even more are
    /// allowed, which is for a simulator.
    pub fn a_minute(reads: usize, writes: usize, clock: &Clock) -> Self {
        let quota = |a_minute: usize, AtOnce { most, within_secs }: AtOnce| {
            let at_once = most.max(a_minute.div_ceil(60 / usize::from(within_secs)));
            let allowances = [(a_minute, 60), (at_once, within_secs)].map(|(most, within_secs)| Allowance {
                amount: Amount::Requests(most),
                within: Duration::from_secs(within_secs.into()),
            });
            Quota::new(allowances.to_vec(), clock.clone())
        };
        Self { reads: quota(reads, READS_AT_ONCE), writes: quota(writes, WRITES_AT_ONCE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn reads_and_writes_stay_within_the_services_buckets() {
        let clock = Clock::system();
        let quota = ArmQuota::a_minute(MAX_READS_A_MINUTE, MAX_WRITES_A_MINUTE, &clock);
        for (quota, bucket, refilled_a_second) in [(&quota.reads, 250.0, 25.0), (&quota.writes, 200.0, 10.0)]
        {
            let (start, mut left, mut last) = (clock.monotonic(), bucket, 0.0);
            for _ in 0..3_000 {
                quota.spend(0).await;
                let now = (clock.monotonic() - start).as_secs_f64();
                left = f64::min(bucket, left + (now - last) * refilled_a_second) - 1.0;
                last = now;
                assert!(left >= 0.0, "{left} after {now} s");
            }
        }
    }
}
