//! Both sides were changed: whose value counts.

use serde_json::{Value, json};

use super::bench::{Program, SyncBench, text};

/// What both sides have of the two incidents: status and owner of the one, classification of the other.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    defender: [String; 3],
    sentinel: [String; 3],
}

struct Conflict {
    sync: SyncBench,
    /// Two incidents: one that is open, and one that is closed.
    ids: [String; 2],
    names: [String; 2],
}

impl Conflict {
    /// Both sides agree on two incidents, and nothing runs.
    async fn prepared() -> Self {
        let sync = SyncBench::with_incidents(2).await;
        let running = sync.run(&sync.plain());
        sync.until("both incidents", |_, sentinel| sentinel.len() == 2).await;
        let incidents = sync.tenant().state();
        let ids = [0, 1].map(|nth: usize| text(&incidents[nth], "/id").to_owned());
        sync.tenant().resolve(&ids[1], "truePositive", "malware", "ann").unwrap();
        let closed = |incident: &&Value| text(incident, "/properties/status") == "Closed";
        sync.until("the closed one", |_, sentinel| sentinel.iter().filter(closed).count() == 1).await;
        sync.quiet().await;
        let of = |is_closed: bool| {
            let all = sync.workspace().state();
            let one = all.iter().find(|incident| closed(incident) == is_closed).unwrap();
            text(one, "/name").to_owned()
        };
        let names = [of(false), of(true)];
        running.stop().await;
        Self { sync, ids, names }
    }

    fn edit_defender(&self) {
        let tenant = self.sync.tenant();
        let open = json!({"status": "inProgress", "assignedTo": self.sync.analyst(0)});
        tenant.edit(&self.ids[0], &open, "ann").unwrap();
        let closed =
            json!({"classification": "informationalExpectedActivity", "determination": "securityTesting"});
        tenant.edit(&self.ids[1], &closed, "ann").unwrap();
    }

    fn edit_sentinel(&self) {
        let workspace = self.sync.workspace();
        workspace.close(&self.names[0], "Undetermined", None).unwrap();
        let owner = json!({"owner": {"userPrincipalName": self.sync.analyst(1)}});
        workspace.edit(&self.names[0], &owner).unwrap();
        workspace.close(&self.names[1], "FalsePositive", Some("InaccurateData")).unwrap();
    }

    fn run(&self, policy: &str) -> Program {
        let conflicts = json!({"status": policy, "owner": policy, "classification": policy});
        self.sync.run(&self.sync.with_sync(&json!({"conflicts": conflicts})))
    }

    fn seen(&self) -> Seen {
        let theirs = |nth: usize| self.sync.tenant().incident(&self.ids[nth]).unwrap();
        let ours = |nth: usize| self.sync.workspace().incident(&self.names[nth]).unwrap();
        let (open, closed) = (theirs(0), theirs(1));
        let defender = [text(&open, "/status"), text(&open, "/assignedTo"), text(&closed, "/classification")];
        let (open, closed) = (ours(0), ours(1));
        let sentinel = [
            text(&open, "/properties/status"),
            text(&open, "/properties/owner/userPrincipalName"),
            text(&closed, "/properties/classification"),
        ];
        Seen { defender: defender.map(str::to_owned), sentinel: sentinel.map(str::to_owned) }
    }

    fn as_in_defender(&self) -> Seen {
        let owner = self.sync.analyst(0);
        Seen {
            defender: ["inProgress", &owner, "informationalExpectedActivity"].map(str::to_owned),
            sentinel: ["Active", &owner, "BenignPositive"].map(str::to_owned),
        }
    }

    fn as_in_sentinel(&self) -> Seen {
        let owner = self.sync.analyst(1);
        Seen {
            defender: ["resolved", &owner, "falsePositive"].map(str::to_owned),
            sentinel: ["Closed", &owner, "FalsePositive"].map(str::to_owned),
        }
    }

    /// Runs until both sides are as expected, and asserts that each conflict was said once.
    async fn ends(&self, policy: &str, expected: &Seen) {
        let running = self.run(policy);
        self.sync.until("what was expected", |_, _| self.seen() == *expected).await;
        self.sync.quiet().await;
        assert_eq!(self.seen(), *expected);
        for field in ["status", "owner", "classification"] {
            let said = running.said(&["was changed on both sides", &format!("field=\"{field}\"")]);
            assert_eq!(said.len(), 1, "{field}: {said:#?}");
        }
        running.stop().await;
        // Nor is it said again after a restart.
        let running = self.run(policy);
        self.sync.quiet().await;
        assert_eq!(running.said(&["was changed on both sides"]), [] as [String; 0]);
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn defenders_counts_if_that_is_wanted() {
    let conflict = Conflict::prepared().await;
    conflict.edit_defender();
    conflict.edit_sentinel();
    conflict.ends("defender", &conflict.as_in_defender()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_counts_if_that_is_wanted() {
    let conflict = Conflict::prepared().await;
    conflict.edit_sentinel();
    conflict.edit_defender();
    conflict.ends("sentinel", &conflict.as_in_sentinel()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_counts_whichever_side_it_is() {
    let conflict = Conflict::prepared().await;
    conflict.edit_defender();
    conflict.edit_sentinel();
    conflict.ends("newest", &conflict.as_in_sentinel()).await;
    let conflict = Conflict::prepared().await;
    conflict.edit_sentinel();
    conflict.edit_defender();
    conflict.ends("newest", &conflict.as_in_defender()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_until_somebody_decides_if_that_is_wanted() {
    let conflict = Conflict::prepared().await;
    conflict.edit_defender();
    conflict.edit_sentinel();
    let before = conflict.seen();
    let running = conflict.run("manual");
    for field in ["status", "owner", "classification"] {
        let field = format!("field=\"{field}\"");
        running
            .says(&[
                "was changed on both sides; nothing is written until somebody makes both the same",
                &field,
            ])
            .await;
    }
    conflict.sync.quiet().await;
    assert_eq!(conflict.seen(), before);
    assert_eq!(running.said(&["was changed on both sides"]).len(), 3, "each is said once");
    // What nobody disagrees about moves meanwhile.
    conflict.sync.tenant().edit(&conflict.ids[0], &json!({"customTags": ["vip"]}), "ann").unwrap();
    conflict
        .sync
        .until("the tag", |_, _| {
            let incident = conflict.sync.workspace().incident(&conflict.names[0]).unwrap();
            text(&incident, "/properties/labels/0/labelName") == "vip"
        })
        .await;

    // Somebody decides: from then on it moves again.
    let active = json!({"status": "Active", "owner": {"userPrincipalName": conflict.sync.analyst(0)}});
    conflict.sync.workspace().edit(&conflict.names[0], &active).unwrap();
    conflict.sync.quiet().await;
    conflict.sync.tenant().resolve(&conflict.ids[0], "truePositive", "phishing", "ann").unwrap();
    conflict.sync.until("the decided one closed", |_, _| conflict.seen().sentinel[0] == "Closed").await;
    running.stop().await;
}
