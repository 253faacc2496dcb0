//! `validate --probe`: posts an empty array to every stream that is known beforehand, and compares the rules.

use super::preflight::{Finding, Preflight, Severity};
use super::ready::SentinelLogs;
use super::targets::{EXCUSED, StreamKey};
use crate::component::Probed;
use microsoft::authorized::Authorized;
use microsoft::logs_ingestion::LogsIngestion;

// === impl SentinelLogs ===

impl SentinelLogs {
    /// Tries everything that can be tried without events. Nothing is written.
    pub(super) async fn probed(&self, authorized: Authorized) -> Vec<Probed> {
        let streams = self.targets.fixed();
        let mut probed = Vec::new();
        for key in &streams {
            probed.push(self.post(&authorized, key).await);
        }
        let works = |probed: &Probed| matches!(probed, Probed::Works(_));
        let (working, failing): (Vec<_>, Vec<_>) =
            streams.iter().zip(&mut probed).partition(|(_, probed)| works(probed));
        let working: Vec<_> = working.into_iter().map(|(key, _)| key).collect();
        let mut excused = Vec::new();
        for (key, probed) in failing.into_iter().filter(|(key, _)| key.is_excused(&working)) {
            if let Probed::Failed(why) = probed {
                *probed = Probed::Untried(format!("{why}; {EXCUSED}"));
            }
            excused.push((key.rule.as_str(), key.stream.as_str()));
        }
        let is_excused = |key: &&StreamKey| excused.contains(&(key.rule.as_str(), key.stream.as_str()));
        let compared: Vec<_> = streams.iter().filter(|key| !is_excused(key)).collect();
        if let Some(open) = self.targets.open() {
            probed.push(Probed::Untried(format!("not tried: {open}")));
        }
        let preflight = self.preflight(&authorized);
        for of_rule in compared.chunk_by(|one, other| one.rule == other.rule) {
            compare(&preflight, of_rule, &mut probed).await;
        }
        probed
    }

    async fn post(&self, authorized: &Authorized, key: &StreamKey) -> Probed {
        let StreamKey { rule, stream, .. } = key;
        let endpoint = self.targets.endpoints.of(rule);
        match LogsIngestion::new(authorized.clone(), endpoint, rule, stream).probe().await {
            Ok(()) => Probed::Works(format!("ingesting works: stream {stream} of the rule {rule}")),
            Err(why) => Probed::Failed(format!("stream {stream} of the rule {rule}: {why}")),
        }
    }
}

/// Compares one rule, and its streams.
async fn compare(preflight: &Preflight, streams: &[&StreamKey], probed: &mut Vec<Probed>) {
    let Some(StreamKey { rule: id, .. }) = streams.first() else { return };
    let rule = match preflight.read(id).await {
        Ok(rule) => rule,
        Err(why) => return probed.push(Probed::Untried(why.to_string())),
    };
    let before = probed.len();
    probed.extend(preflight.compare_endpoint(id, &rule).into_iter().map(said));
    for StreamKey { stream, table, .. } in streams {
        let written = preflight.written(*table);
        let compared = preflight.compare_stream(id, &rule, stream, &written).await;
        probed.extend(compared.findings.into_iter().map(said));
        probed.extend(compared.unread.into_iter().map(Probed::Untried));
    }
    if probed.len() == before {
        let rest = if preflight.is_open() {
            ", as far as that is known without events: their own fields are compared while it runs"
        } else {
            ""
        };
        probed.push(Probed::Works(format!("the rule {id} fits what is written{rest}")));
    }
}

fn said(finding: Finding) -> Probed {
    match finding.severity {
        Severity::Blocking | Severity::DataLoss => Probed::Failed(finding.message),
        Severity::Doubtful => Probed::Doubtful(finding.message),
    }
}
