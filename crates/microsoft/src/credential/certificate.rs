//! How long a certificate that we show is valid: told at the start, when it is near its end, and as a metric.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use runtime::clock::Clock;
use runtime::telemetry::{ComponentLabels, LogInterval};
use tracing::{error, warn};
use x509_cert::Certificate;
use x509_cert::der::{Decode, SliceReader};
use x509_cert::time::Time;

/// How long before its end a certificate is worth a warning.
const SOON: TimeDelta = TimeDelta::days(30);
/// How often that is said.
const EVERY: Duration = Duration::from_hours(24);

/// From when until when a certificate is valid, and which key is its.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certified {
    pub(crate) begins: DateTime<Utc>,
    pub(crate) ends: DateTime<Utc>,
    /// DER, as the certificate has it.
    pub(crate) public_key: Vec<u8>,
}

/// What a certificate is watched as: says what is wrong with it, and sets the metric.
#[derive(Debug)]
pub(crate) struct CertificateWatch {
    /// The option that names it.
    pub(crate) option: &'static str,
    /// The component that shows it, in a run.
    pub(crate) labels: Option<ComponentLabels>,
    pub(crate) clock: Clock,
    said: LogInterval,
}

// === impl Certified ===

impl Certified {
    /// What a certificate, DER, says; nothing if it cannot be read.
    pub(crate) fn of(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::decode(&mut SliceReader::new(der).ok()?).ok()?;
        let certified = certificate.tbs_certificate();
        let time = |time: &Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
            DateTime::from_timestamp(seconds, 0)
        };
        let validity = certified.validity();
        let key = &certified.subject_public_key_info().subject_public_key;
        Some(Self {
            begins: time(&validity.not_before)?,
            ends: time(&validity.not_after)?,
            public_key: key.raw_bytes().to_vec(),
        })
    }

    /// What is wrong with it at `now`, and whether that keeps it from being accepted.
    fn doubt(&self, now: DateTime<Utc>) -> Option<(bool, String)> {
        let Self { begins, ends, .. } = self;
        if now < *begins {
            let message = format!("is not valid before {begins}, which is to come by this machine's clock");
            Some((true, message))
        } else if now >= *ends {
            Some((true, format!("has ended at {ends}, and is refused since then: put a new one there")))
        } else if *ends - now < SOON {
            let days = (*ends - now).num_days();
            Some((false, format!("ends in {days} days, at {ends}: put a new one there before")))
        } else {
            None
        }
    }
}

// === impl CertificateWatch ===

impl CertificateWatch {
    pub(crate) fn new(option: &'static str, labels: Option<ComponentLabels>, clock: Clock) -> Self {
        Self { option, labels, clock, said: LogInterval::new(EVERY) }
    }

    /// Looks at a certificate that is used now, and stands in the file at `path` or in the option itself.
    pub(crate) fn look(&self, certified: &Certified, path: Option<&Path>) {
        let now = self.clock.now();
        let left = (certified.ends - now).num_seconds().max(0).unsigned_abs();
        if let Some(labels) = &self.labels {
            labels.certificate_ends_in(self.option, left);
        }
        let Some((is_refused, doubt)) = certified.doubt(now) else { return };
        if self.said.due(&self.clock).is_none() {
            return;
        }
        let who = self.labels.as_ref().map(|labels| format!("{labels}: ")).unwrap_or_default();
        let (option, path) =
            (self.option, path.map(|path| format!(" ({})", path.display())).unwrap_or_default());
        let component_id = self.labels.as_ref().map(|labels| labels.id.as_str());
        if is_refused {
            error!(component_id, "{who}the certificate in {option}{path} {doubt}");
        } else {
            warn!(component_id, "{who}the certificate in {option}{path} {doubt}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_when_it_is_valid_and_whose_key_it_has() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 12, 31);
        let der = params.self_signed(&key).unwrap();
        let certified = Certified::of(der.der()).unwrap();
        assert_eq!(certified.public_key, rcgen::PublicKeyData::der_bytes(&key));
        let at = |text: &str| certified.doubt(text.parse().unwrap());
        assert_eq!(at("2026-06-01T00:00:00Z"), None);
        for (now, is_refused, words) in [
            ("2025-12-31T23:59:59Z", true, "is not valid before 2026-01-01 00:00:00 UTC"),
            ("2026-12-31T00:00:00Z", true, "has ended at 2026-12-31 00:00:00 UTC"),
            ("2026-12-20T00:00:00Z", false, "ends in 11 days, at 2026-12-31 00:00:00 UTC"),
        ] {
            let (refused, doubt) = at(now).unwrap();
            assert!(refused == is_refused && doubt.starts_with(words), "{now}: {doubt}");
        }
        assert_eq!(Certified::of(b"no certificate"), None);
        let labels = ComponentLabels { kind: "sink", component_type: "sentinel_logs", id: "s".to_owned() };
        let watch = CertificateWatch::new("tls.crt_file", Some(labels), Clock::system());
        watch.look(&Certified { ends: certified.begins, ..certified }, None);
        assert_eq!(watch.said.due(&watch.clock), None, "it has been said");
    }
}
