use std::time::Duration;

use reqwest::Method;
use serde_json::json as value;

use super::sentinel::{Arm, VERSION};
use super::*;
use crate::{ConnectorConfig, WorkspaceConfig};

async fn connected(connector: ConnectorConfig) -> Arm {
    Arm::new(WorkspaceConfig { connector: Some(connector), ..WorkspaceConfig::default() }).await
}

/// The one incident of the workspace, through the API.
async fn only(arm: &Arm) -> Value {
    let list = arm.get(VERSION).await;
    assert_eq!(list["value"].as_array().unwrap().len(), 1);
    list["value"][0].clone()
}

#[tokio::test]
async fn a_mirrored_incident_says_where_it_comes_from() {
    let arm = connected(ConnectorConfig::everything()).await;
    let tenant = arm.bench.simulator.tenant();
    let id = tenant.create(1).remove(0);
    tenant
        .edit(&id, &value!({"customTags": ["VIP"], "severity": "medium"}), "amelia.north@contoso.com")
        .unwrap();
    tenant.comment(&id, "Called the user.", "amelia.north@contoso.com");
    let theirs = tenant.incident(&id).unwrap();
    let ours = only(&arm).await;
    let properties = &ours["properties"];
    for (name, expected) in [
        ("providerName", value!("Microsoft XDR")),
        ("providerIncidentId", value!(id)),
        ("title", theirs["displayName"].clone()),
        ("severity", value!("Medium")),
        ("status", value!("New")),
        ("labels", value!([{"labelName": "VIP", "labelType": "User"}])),
    ] {
        assert_eq!(properties[name], expected, "{name}");
    }
    let data = &properties["additionalData"];
    assert_eq!((&data["alertsCount"], &data["commentsCount"]), (&value!(1), &value!(1)));
    let tenant_id = SimulatorConfig::default().tenant_id;
    assert_eq!(
        data["providerIncidentUrl"],
        format!("https://security.microsoft.com/incidents/{id}?tid={tenant_id}")
    );
    assert_eq!(only(&arm).await, ours, "what did not change stays");
    assert_eq!(arm.bench.simulator.writes(), []);
}

#[tokio::test]
async fn defenders_changes_come_and_a_merged_incident_is_closed() {
    let arm = connected(ConnectorConfig::everything()).await;
    let tenant = arm.bench.simulator.tenant();
    let ids = tenant.create(2);
    let of = |id: &str| {
        let state = arm.bench.simulator.workspace().state();
        state.into_iter().find(|one| one["properties"]["providerIncidentId"] == id).unwrap()["properties"]
            .clone()
    };
    let by = "amelia.north@contoso.com";
    tenant.edit(&ids[0], &value!({"status": "inProgress", "assignedTo": by}), by).unwrap();
    assert_eq!((&of(&ids[0])["status"], &of(&ids[0])["owner"]["email"]), (&value!("Active"), &value!(by)));
    tenant.resolve(&ids[0], "informationalExpectedActivity", "securityTesting", by).unwrap();
    assert_eq!(of(&ids[0])["classification"], "BenignPositive");
    assert_eq!(of(&ids[0])["classificationReason"], "SuspiciousButExpected");
    tenant.reopen(&ids[0], by).unwrap();
    assert_eq!(of(&ids[0])["status"], "New");
    assert!(tenant.merge(&ids[1], &ids[0]));
    let merged = of(&ids[1]);
    assert_eq!((&merged["status"], &merged["classification"]), (&value!("Closed"), &value!("Undetermined")));
    assert_eq!(merged["labels"], value!([{"labelName": "redirected", "labelType": "User"}]));
    assert_eq!(of(&ids[0])["additionalData"]["alertsCount"], 2);
}

#[tokio::test]
async fn an_update_of_a_mirrored_incident_goes_back_and_settles() {
    let arm = connected(ConnectorConfig::everything()).await;
    let tenant = arm.bench.simulator.tenant();
    let id = tenant.create(1).remove(0);
    let mut ours = only(&arm).await;
    let owner = "bruno.keller@contoso.com";
    ours["properties"]["status"] = value!("Closed");
    ours["properties"]["classification"] = value!("FalsePositive");
    ours["properties"]["classificationReason"] = value!("InaccurateData");
    ours["properties"]["owner"] = value!({"userPrincipalName": owner});
    let path = format!("/{}{VERSION}", ours["name"].as_str().unwrap());
    let answer = arm.request(Method::PUT, &path).body(ours.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let theirs = tenant.incident(&id).unwrap();
    assert_eq!(
        (&theirs["status"], &theirs["classification"]),
        (&value!("resolved"), &value!("falsePositive"))
    );
    assert_eq!(
        (&theirs["assignedTo"], &theirs["lastModifiedBy"]),
        (&value!(owner), &value!("Microsoft Sentinel"))
    );
    let settled = only(&arm).await;
    assert_eq!(settled["properties"]["status"], "Closed");
    assert_eq!(only(&arm).await, settled);
    assert_eq!(tenant.incident(&id).unwrap(), theirs, "it does not go round");
}

#[tokio::test]
async fn what_sentinel_cannot_show_survives_an_update_there() {
    let arm = connected(ConnectorConfig::everything()).await;
    let tenant = arm.bench.simulator.tenant();
    let id = tenant.create(1).remove(0);
    let verdict = value!({"assignedTo": "stranger@contoso.com", "classification": "truePositive",
                          "determination": "malware"});
    tenant.edit(&id, &verdict, "amelia.north@contoso.com").unwrap();
    let workspace = arm.bench.simulator.workspace();
    let name = workspace.state()[0]["name"].as_str().unwrap().to_owned();
    workspace.edit(&name, &value!({"status": "Active"})).unwrap();
    let theirs = tenant.incident(&id).unwrap();
    assert_eq!(theirs["status"], "inProgress");
    for (property, expected) in verdict.as_object().unwrap() {
        assert_eq!(theirs[property], *expected, "{property}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_connector_takes_some_incidents_and_takes_its_time() {
    let clock = Clock::starting_at(DateTime::from_timestamp(1_790_000_000, 0).unwrap());
    let connector = ConnectorConfig { percent: 50, delay: Duration::from_mins(5) };
    let workspace = WorkspaceConfig { connector: Some(connector), ..WorkspaceConfig::default() };
    let config = SimulatorConfig { workspace, ..SimulatorConfig::default() };
    let simulator = Simulator::start(config, clock.clone()).await.unwrap();
    simulator.tenant().create(100);
    assert_eq!(simulator.workspace().state().len(), 0);
    clock.sleep(Duration::from_mins(6)).await;
    let mirrored = simulator.workspace().state().len();
    assert!((25..75).contains(&mirrored), "{mirrored}");
}
