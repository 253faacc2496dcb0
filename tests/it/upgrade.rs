//! What earlier versions have left behind: their examples are valid, and their `data_dir` is gone on with.
//!
//! `tests/fixtures/upgrade` has a directory for each version, and says what is in it. Clocks read the time at which it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use runtime::clock::Clock;
use serde_json::{Value, json};
use simulator::{Revision, SimulatorConfig, WriteKind};
use vector_sentinel::topology::Ended;

use crate::cli::ran;
use crate::harness::{PATIENCE, Running, program};
use crate::rig::{Peer, Rig};
use crate::sync::bench::{SyncBench, labels, text};

/// What is printed on purpose about an example of an earlier version: words of the warning, and the line of `CHANGELOG.md` that
/// announces it.
const ANNOUNCED: [(&str, &str); 1] =
    [("without 'columns'", "`validate` reports warnings of components whose secrets are not there, too")];

/// Versions whose rendered file for Vector is another one now, and the line of `CHANGELOG.md` that says so.
const RENDERED_ANEW: [(&str, &str); 1] = [("e21d798", "print Vector's file again with `render`")];

/// What a version has left behind.
struct Version {
    commit: String,
    dir: PathBuf,
}

/// A `data_dir` of a version, between simulated services that hold what they held then.
struct Upgrade {
    sync: SyncBench,
    facts: Value,
    defender: Vec<Value>,
    sentinel: Vec<Value>,
    /// What happened in Defender while nothing ran, before the first run of a new state file would begin to read.
    meanwhile: Revision,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn versions() -> Vec<Version> {
    let entries = std::fs::read_dir(root().join("tests/fixtures/upgrade")).unwrap();
    let dirs = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let name = |dir: &Path| dir.file_name().unwrap().to_str().unwrap().to_owned();
    let versions: Vec<_> = dirs.map(|dir| Version { commit: name(&dir), dir }).collect();
    assert!(!versions.is_empty());
    versions
}

/// Copies a directory. What is compressed in it is not in the copy.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else if path.extension().is_some_and(|extension| extension == "gz") {
            let (file, mut bytes) = (std::fs::File::open(path).unwrap(), Vec::new());
            #[expect(clippy::disallowed_types, reason = "capped by take")]
            let mut decoder = flate2::read::GzDecoder::new(file).take(100_000_000);
            decoder.read_to_end(&mut bytes).unwrap();
            std::fs::write(to.with_extension(""), bytes).unwrap();
        } else {
            std::fs::copy(path, to).unwrap();
        }
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

fn has_tag(incident: &Value, tag: &str) -> bool {
    incident["customTags"].as_array().unwrap().iter().any(|one| one == tag)
}

/// How many comments the incidents have.
fn comments(incidents: &[Value]) -> usize {
    incidents.iter().map(|incident| incident["comments"].as_array().unwrap().len()).sum()
}

fn revision(incident: &Value) -> Revision {
    let text = |pointer| text(incident, pointer).to_owned();
    Revision { id: text("/id"), last_update: text("/lastUpdateDateTime") }
}

// === impl Version ===

impl Version {
    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.dir.join(name)).unwrap()).unwrap()
    }

    /// Starts simulated services, a minute after the version was stopped.
    async fn upgrade(&self) -> Upgrade {
        let list = |name| self.json(name).as_array().unwrap().clone();
        let (facts, defender, sentinel) =
            (self.json("facts.json"), list("defender.json"), list("sentinel.json"));
        let mut config = SimulatorConfig {
            tenant_id: text(&defender[0], "/tenantId").to_owned(),
            ..SimulatorConfig::default()
        };
        config.incidents.initial = 0;
        let sync = SyncBench::start(config).await;
        let after = |secs| Clock::starting_at(time(&facts["made_at"]) + Duration::from_secs(secs));
        sync.simulator().follow(after(20));
        for incident in &defender {
            sync.tenant().insert_raw(incident.clone());
        }
        for incident in &sentinel {
            sync.workspace().insert_raw(incident).unwrap();
        }
        assert_eq!(sync.workspace().state(), sentinel);
        copy(&self.dir.join("data"), &sync.bench.path("data"));
        let touched = text(defender.last().unwrap(), "/id");
        assert!(sync.tenant().touch(touched));
        let meanwhile = revision(&sync.tenant().incident(touched).unwrap());
        sync.simulator().follow(after(60));
        Upgrade { sync, facts, defender, sentinel, meanwhile }
    }
}

// === impl Upgrade ===

impl Upgrade {
    /// The pipeline that the version ran, with the same ids. One more incident may change than it took to halt that one.
    fn pipeline(&self) -> Value {
        let safety = json!({"safety": {"max_incidents": 3}});
        let mut pipeline = self.sync.pipeline(&json!({}), &safety, &safety);
        let sink = |input: &str, more: Value| {
            let mut sink = self.sync.bench.sink();
            sink["inputs"] = json!([input]);
            sink.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            sink
        };
        pipeline["sources"]["raw"] = self.sync.bench.source();
        for source in ["raw", "defender", "sentinel"] {
            pipeline["sources"][source]["look_back_secs"] = json!(1);
        }
        pipeline["sources"]["events"] = json!({"type": "vector_sentinel_events", "poll_interval_secs": 1});
        pipeline["sinks"]["table"] = sink("raw", json!({}));
        pipeline["sinks"]["by_class"] = sink("raw", json!({"stream_name": "Custom-{{ no.such.field }}_CL"}));
        pipeline["sinks"]["told"] =
            sink("events", json!({"columns": ["TimeGenerated", "ExtraColumns", "TruncatedColumns"]}));
        pipeline
    }

    fn run(&self) -> Running {
        let now = time(&self.facts["made_at"]) + Duration::from_mins(1);
        self.sync.bench.run_at(&self.pipeline(), Clock::starting_at(now))
    }

    /// Ids in Defender, and names in Sentinel, of the incidents that the version kept in sync.
    fn pairs(&self) -> BTreeMap<String, String> {
        serde_json::from_value(self.facts["pairs"].clone()).unwrap()
    }

    /// How often each state of an incident became a row.
    fn rows(&self) -> BTreeMap<Revision, usize> {
        let mut rows = BTreeMap::new();
        for row in self.sync.simulator().rows().iter().filter(|row| row.columns.contains_key("id_")) {
            let text = |name: &str| row.columns[name].as_str().unwrap().to_owned();
            let revision = Revision { id: text("id_"), last_update: text("lastUpdateDateTime") };
            *rows.entry(revision).or_default() += 1;
        }
        rows
    }

    /// The events that were told.
    fn told(&self) -> Vec<Value> {
        let rows = self.sync.simulator().rows();
        let told = rows.iter().filter(|row| !row.columns.contains_key("id_"));
        told.map(|row| row.columns["ExtraColumns"].clone()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_does_nothing_twice_and_what_was_left_to_do() {
    for version in versions() {
        let upgrade = version.upgrade().await;
        let (sync, pairs) = (&upgrade.sync, upgrade.pairs());
        let running = upgrade.run();

        // What the version could not write, what it stopped writing, and what it was asked to try again.
        sync.until("what was left to do", |defender, sentinel| {
            let written = |incident: &&Value| {
                text(incident, "/properties/status") == "Active" && labels(incident) == ["waits"]
            };
            sentinel.len() == upgrade.sentinel.len() + 1
                && sentinel.iter().filter(written).count() == 2
                && defender.iter().filter(|incident| has_tag(incident, "changed")).count() == 4
        })
        .await;
        // Something new.
        let id = pairs.keys().next().unwrap();
        assert!(sync.tenant().comment(id, "After the upgrade.", "ann"));
        // Only the ledger knows that this tag was on both sides: what it does not know is put back.
        let agreed = upgrade.defender.iter().find(|incident| has_tag(incident, "changed")).unwrap();
        let agreed = text(agreed, "/id");
        sync.workspace().edit(&pairs[agreed], &json!({"labels": []})).unwrap();
        sync.until("the comment, and a tag less", |_, sentinel| {
            comments(sentinel) == comments(&upgrade.sentinel) + 1
                && !has_tag(&sync.tenant().incident(agreed).unwrap(), "changed")
        })
        .await;
        sync.until_status(|all, code| code == 0 && all.iter().all(|one| one["waiting"] == 0)).await;
        sync.quiet().await;
        assert_eq!(running.stop().await, Ended::Drained);

        let created: Vec<_> = sync
            .simulator()
            .writes()
            .into_iter()
            .filter(|write| write.kind == WriteKind::SentinelCreated)
            .map(|write| write.incident)
            .collect();
        assert_eq!(created.len(), 1, "{}: {created:?}", version.commit);
        assert!(!pairs.values().any(|name| *name == created[0]), "one that was there is created again");
        let refused = upgrade.facts["refused"].as_str().unwrap().rsplit('/').next().unwrap();
        let created = sync.workspace().incident(&created[0]).unwrap();
        assert!(text(&created, "/properties/description").contains(&format!("incident {refused}:")));
        assert_eq!(sync.count(WriteKind::DefenderUpdated), 3, "two were written before");
        assert_eq!(sync.count(WriteKind::DefenderCommented), 0, "all comments of before are there");
        assert_eq!(sync.count(WriteKind::SentinelCommented), 1, "all comments of before are there");

        let rows = upgrade.rows();
        let twice: Vec<_> =
            upgrade.defender.iter().map(revision).filter(|one| rows.contains_key(one)).collect();
        assert_eq!(twice, [], "{}: had arrived before, or is in the quarantine", version.commit);
        assert!(rows.values().all(|times| *times == 1), "{rows:#?}");
        assert!(rows.contains_key(&upgrade.meanwhile), "the cursor does not go on: {rows:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_tells_what_was_to_be_told_and_nothing_twice() {
    for version in versions() {
        let upgrade = version.upgrade().await;
        let told_before = time(&upgrade.facts["told_before"]);
        let made_at = time(&upgrade.facts["made_at"]);
        let kept = lines(&version.dir.join("data/quarantine/by_class/000001.ndjson"));
        let running = upgrade.run();
        let of_kind = |kind: &str| -> Vec<Value> {
            let told = upgrade.told().into_iter();
            told.filter(|event| event["kind"] == kind && time(&event["time"]) < made_at).collect()
        };
        let come = async {
            loop {
                let changed = upgrade.sync.simulator().changed();
                if of_kind("quarantine").len() >= kept.len() && !of_kind("alarm").is_empty() {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, come).await.expect("something is not told");
        upgrade.sync.quiet().await;
        assert_eq!(running.stop().await, Ended::Drained);

        let ids = |of: &[Value], name: &str| -> Vec<String> {
            let mut ids: Vec<_> = of.iter().map(|one| one[name].as_str().unwrap().to_owned()).collect();
            ids.sort();
            ids
        };
        assert_eq!(ids(&of_kind("quarantine"), "entry_id"), ids(&kept, "id"));
        let audits = of_kind("audit");
        let changed: BTreeSet<_> = audits
            .iter()
            .map(|event| (text(event, "/target"), text(event, "/defender/incident_id")))
            .collect();
        assert!(changed.len() == 2 && changed.iter().all(|(target, _)| *target == "defender"), "{audits:#?}");
        assert_eq!((audits.len(), of_kind("alarm").len()), (2, 1), "{audits:#?}");
        for event in upgrade.told() {
            assert!(time(&event["time"]) > told_before, "{}: told before: {event:#}", version.commit);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halted_direction_stays_halted_over_an_upgrade() {
    for version in versions() {
        let upgrade = version.upgrade().await;
        let sync = &upgrade.sync;
        for asked in ["default-to-defender.resume", "default-to-sentinel.retry"] {
            std::fs::remove_file(sync.bench.path("data/sync").join(asked)).unwrap();
        }
        let (status, code) = sync.status().await;
        assert_eq!((status.len(), code), (2, 1), "before the new version runs: {status:#?}");
        let running = upgrade.run();
        sync.until_status(|all, code| {
            let of = |target: &str| all.iter().find(|one| one["target"] == target).unwrap();
            let (defender, sentinel) = (of("defender"), of("sentinel"));
            code == 1
                && defender["halted"].is_string()
                && defender["waiting"] == 2
                && sentinel["halted"].is_null()
                && sentinel["waiting"] == 0
        })
        .await;
        sync.quiet().await;
        assert_eq!(running.stop().await, Ended::Drained);
        assert_eq!(sync.count(WriteKind::DefenderUpdated), 0);
        assert_eq!(sync.count(WriteKind::SentinelCreated), 0, "nobody asked for the refused one");
    }
}

#[tokio::test]
async fn the_quarantine_of_an_earlier_version_is_listed_and_shown() {
    for version in versions() {
        let dir = tempfile::tempdir().unwrap();
        copy(&version.dir.join("data"), dir.path());
        let place = ["--data-dir", dir.path().to_str().unwrap()];
        let (code, listed, stderr) = ran(&[&["quarantine", "list"][..], &place].concat()).await;
        assert_eq!((code, stderr.as_str()), (0, ""));
        for component in ["by_class", "table", "to_sentinel"] {
            let file = format!("data/quarantine/{component}/000001.ndjson");
            let kept = lines(&version.dir.join(file));
            let plural = if kept.len() == 1 { "" } else { "s" };
            assert!(listed.contains(&format!("{component}: {} event{plural}, ", kept.len())), "{listed}");
            let show = [&["quarantine", "show", component, "--json"][..], &place].concat();
            let (code, shown, stderr) = ran(&show).await;
            assert_eq!((code, stderr.as_str()), (0, ""));
            let shown: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(shown.len(), kept.len());
            for (shown, kept) in shown.iter().zip(&kept) {
                for name in ["id", "time", "code", "message", "event"] {
                    assert_eq!(shown[name], kept[name], "{}: {component}: {name}", version.commit);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantine_retry_that_an_earlier_version_was_asked_for_is_done() {
    for version in versions() {
        let mut rig = Rig::new(&Peer::Fake, 0, &[], json!({})).await;
        copy(&version.dir.join("beside-vector"), &rig.bench.path("data"));
        let kept = lines(&version.dir.join("beside-vector/quarantine/defender/000001.ndjson"));
        rig.start().await;
        rig.says("That is done").await;
        rig.bench.until(|stats| stats.rows_ingested >= kept.len() as u64).await;
        assert_eq!(rig.stop().await, Some(0));
        let expected = kept.iter().map(|line| (revision(&line["event"]), 1)).collect();
        assert_eq!(rig.bench.rows(), expected, "{}", version.commit);
        let data = rig.bench.path("data");
        let (_, listed, _) = ran(&["quarantine", "list", "--data-dir", data.to_str().unwrap()]).await;
        assert!(listed.starts_with("nothing is in the quarantine"), "{listed}");
    }
}

#[tokio::test]
async fn the_examples_of_earlier_versions_are_valid() {
    let changelog = std::fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    for (_, line) in ANNOUNCED.iter().chain(&RENDERED_ANEW) {
        assert!(changelog.contains(line), "CHANGELOG.md does not say: {line}");
    }
    let in_environment = [
        ("AZURE_TENANT_ID", "00000000-0000-0000-0000-000000000000"),
        ("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000001"),
        ("AZURE_SUBSCRIPTION_ID", "00000000-0000-0000-0000-000000000002"),
    ];
    for version in versions() {
        let run = async |command: &[&str]| {
            let mut program = program();
            program.args(command).envs(in_environment).current_dir(&version.dir);
            let output = program.output().await.unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status.code(), text(output.stdout), text(output.stderr))
        };
        let mut checked = 0;
        for entry in std::fs::read_dir(version.dir.join("config-examples")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let (code, _, stderr) = run(&["validate", "-c", path.to_str().unwrap()]).await;
            assert_eq!(code, Some(0), "{}: {stderr}", path.display());
            let warnings = stderr.lines().filter(|line| line.starts_with("warning: "));
            let unsaid: Vec<_> =
                warnings.filter(|line| !ANNOUNCED.iter().any(|(words, _)| line.contains(words))).collect();
            assert_eq!(unsaid, [] as [&str; 0], "{}: announce it", path.display());
            checked += 1;
        }
        assert!(checked > 0);
        if !RENDERED_ANEW.iter().any(|(commit, _)| *commit == version.commit) {
            let (_, rendered, stderr) = run(&["render", "-c", "config-examples/sidecar.yaml"]).await;
            let kept =
                std::fs::read_to_string(version.dir.join("config-examples/sidecar/vector.yaml")).unwrap();
            assert_eq!(rendered, kept, "{}: whoever runs Vector must render anew: {stderr}", version.commit);
        }
    }
}
