//! Evidence: what an alert saw. Twelve of the documented types.

// https://learn.microsoft.com/graph/api/resources/security-alertevidence

use fastrand::Rng;
use serde_json::{Value, json};

use crate::core::random::{guid, hex};
use crate::core::text::{HOSTS, PEOPLE, PROGRAMS};
use crate::core::ticks::Ticks;

/// What all evidence of one alert has in common.
pub(crate) struct Scene<'a> {
    pub(crate) tenant_id: &'a str,
    /// When the alert was raised.
    pub(crate) at: Ticks,
    pub(crate) resolved: bool,
}

type Details = fn(&mut Rng, &Scene<'_>) -> Value;

/// Name of the type, and what answers the properties that only it has.
const TYPES: [(&str, Details); 12] = [
    ("deviceEvidence", device),
    ("userEvidence", user),
    ("processEvidence", process),
    ("ipEvidence", ip),
    ("fileEvidence", file),
    ("urlEvidence", url),
    ("mailboxEvidence", mailbox),
    ("analyzedMessageEvidence", message),
    ("cloudApplicationEvidence", cloud_application),
    ("registryKeyEvidence", registry_key),
    ("registryValueEvidence", registry_value),
    ("networkConnectionEvidence", network_connection),
];

/// The piece of evidence at `position` of its alert.
pub(crate) fn piece(rng: &mut Rng, scene: &Scene<'_>, position: usize) -> Value {
    // The first is mostly a device, a user or a process; the others go round from there.
    let start = rng.usize(..3);
    of_type(rng, scene, TYPES[(start + position * 5) % TYPES.len()], position == 0)
}

fn of_type(rng: &mut Rng, scene: &Scene<'_>, (name, details): (&str, Details), primary: bool) -> Value {
    let verdict = ["suspicious", "malicious", "unknown", "noThreatsFound"][rng.usize(..4)];
    let remediation = match (scene.resolved, rng.u8(..4)) {
        (true, _) => "remediated",
        (false, 0) => "none",
        (false, 1) => "prevented",
        (false, _) => "active",
    };
    let detailed_roles = (primary && name == "deviceEvidence").then_some("PrimaryDevice");
    let mut evidence = json!({
        "@odata.type": format!("#microsoft.graph.security.{name}"), "createdDateTime": scene.at.text(),
        "verdict": verdict, "remediationStatus": remediation, "remediationStatusDetails": null,
        "roles": primary.then_some("attacked").into_iter().collect::<Vec<_>>(),
        "detailedRoles": detailed_roles.into_iter().collect::<Vec<_>>(), "tags": [],
    });
    extend(&mut evidence, details(rng, scene));
    evidence
}

/// Appends the properties of another object.
pub(crate) fn extend(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

fn device(rng: &mut Rng, scene: &Scene<'_>) -> Value {
    const RISKS: [&str; 4] = ["none", "low", "medium", "high"];
    let (host, platform, build, version) = HOSTS[rng.usize(..HOSTS.len())];
    let mut device = json!({
        "firstSeenDateTime": Ticks(scene.at.0 - rng.i64(1..9_000_000_000_000)).text(), "mdeDeviceId": hex(rng, 40),
        "azureAdDeviceId": guid(rng), "deviceDnsName": format!("{host}.corp.contoso.com"), "hostName": host,
        "ntDomain": "CONTOSO", "dnsDomain": "corp.contoso.com", "osPlatform": platform, "osBuild": build,
        "version": version, "healthStatus": "active", "riskScore": RISKS[rng.usize(..4)],
        "rbacGroupId": rng.u8(1..40), "rbacGroupName": "Workstations", "onboardingStatus": "onboarded",
        "defenderAvStatus": "updated",
    });
    let address = format!("10.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u8(1..255));
    let more = json!({
        "lastIpAddress": address, "lastExternalIpAddress": public_ip(rng), "ipInterfaces": [address, "127.0.0.1", "::1"],
        "vmMetadata": null,
        "loggedOnUsers": [{"accountName": PEOPLE[rng.usize(..PEOPLE.len())].0, "domainName": "CONTOSO"}],
        "resourceAccessEvents": [],
    });
    extend(&mut device, more);
    device
}

fn user(rng: &mut Rng, scene: &Scene<'_>) -> Value {
    json!({"stream": null, "userAccount": account(rng, scene)})
}

fn account(rng: &mut Rng, scene: &Scene<'_>) -> Value {
    let (name, display_name) = PEOPLE[rng.usize(..PEOPLE.len())];
    json!({
        "accountName": name, "domainName": "CONTOSO",
        "userSid": format!("S-1-5-21-1004336348-1177238915-682003330-{}", rng.u16(1000..)), "azureAdUserId": guid(rng),
        "userPrincipalName": format!("{name}@contoso.com"), "displayName": display_name, "tenantId": scene.tenant_id,
        "activeDirectoryObjectGuid": null, "resourceAccessEvents": [],
    })
}

fn process(rng: &mut Rng, scene: &Scene<'_>) -> Value {
    let program = rng.usize(..PROGRAMS.len());
    let started = Ticks(scene.at.0 - rng.i64(1..9_000_000_000));
    json!({
        "processId": rng.u16(100..), "parentProcessId": rng.u16(100..), "processCommandLine": PROGRAMS[program].3,
        "processCreationDateTime": started.text(),
        "parentProcessCreationDateTime": Ticks(started.0 - rng.i64(1..9_000_000_000)).text(),
        "detectionStatus": "detected", "mdeDeviceId": hex(rng, 40), "parentProcessImageFile": null,
        "imageFile": image(rng, program), "userAccount": account(rng, scene),
    })
}

fn image(rng: &mut Rng, program: usize) -> Value {
    let (name, folder, publisher, _) = PROGRAMS[program];
    json!({
        "sha1": hex(rng, 40), "sha256": hex(rng, 64), "md5": hex(rng, 32), "sha256Ac": null, "fileName": name,
        "filePath": folder, "fileSize": rng.u32(10_000..5_000_000),
        "filePublisher": Some(publisher).filter(|name| !name.is_empty()), "signer": null, "issuer": null,
    })
}

fn ip(rng: &mut Rng, _: &Scene<'_>) -> Value {
    json!({
        "ipAddress": public_ip(rng), "countryLetterCode": "NL", "stream": null,
        "location": {"city": "Amsterdam", "countryName": "Netherlands", "latitude": 52.37, "longitude": 4.89, "state": null},
    })
}

fn file(rng: &mut Rng, _: &Scene<'_>) -> Value {
    let detection_status = ["detected", "blocked", "prevented"][rng.usize(..3)];
    let device_id = hex(rng, 40);
    let program = rng.usize(..PROGRAMS.len());
    json!({"detectionStatus": detection_status, "mdeDeviceId": device_id, "fileDetails": image(rng, program)})
}

fn url(rng: &mut Rng, _: &Scene<'_>) -> Value {
    json!({"url": format!("https://login-{}.example.net/session?next=%2Fmail", hex(rng, 6))})
}

fn mailbox(rng: &mut Rng, scene: &Scene<'_>) -> Value {
    let (name, display_name) = PEOPLE[rng.usize(..PEOPLE.len())];
    let address = format!("{name}@contoso.com");
    json!({
        "primaryAddress": address, "displayName": display_name, "upn": address, "userAccount": account(rng, scene),
    })
}

fn message(rng: &mut Rng, scene: &Scene<'_>) -> Value {
    let sender = json!({
        "emailAddress": "billing@mail.example.net", "displayName": "Billing", "domainName": "mail.example.net",
    });
    json!({
        "networkMessageId": guid(rng), "internetMessageId": format!("<{}@mail.example.net>", hex(rng, 24)),
        "subject": "Your invoice \"4471\" is overdue", "language": "en", "senderIp": public_ip(rng),
        "recipientEmailAddress": format!("{}@contoso.com", PEOPLE[rng.usize(..PEOPLE.len())].0),
        "antiSpamDirection": "inbound", "deliveryAction": "deliveredAsSpam", "deliveryLocation": "junkFolder",
        "urn": format!("urn:MailEntity:{}", hex(rng, 32)), "threats": ["ZapPhish"],
        "threatDetectionMethods": ["UrlReputation"], "urls": ["https://pay.example.net/4471"], "urlCount": 1,
        "attachmentsCount": rng.u8(..3), "receivedDateTime": Ticks(scene.at.0 - rng.i64(1..9_000_000_000)).text(),
        "p1Sender": sender, "p2Sender": sender,
    })
}

fn cloud_application(rng: &mut Rng, _: &Scene<'_>) -> Value {
    json!({
        "appId": 11_161, "displayName": "Microsoft Exchange Online", "instanceId": rng.u8(..4),
        "instanceName": "Contoso", "saasAppId": 11_161, "stream": null,
    })
}

fn registry_key(_: &mut Rng, _: &Scene<'_>) -> Value {
    json!({
        "registryHive": "HKEY_LOCAL_MACHINE", "registryKey": r"SOFTWARE\Microsoft\Windows\CurrentVersion\Run",
    })
}

fn registry_value(rng: &mut Rng, scene: &Scene<'_>) -> Value {
    let mut value = registry_key(rng, scene);
    let more = json!({
        "mdeDeviceId": hex(rng, 40), "registryValue": r"rundll32.exe C:\Users\Public\cache.dat,Entry",
        "registryValueName": "Updater", "registryValueType": "String",
    });
    extend(&mut value, more);
    value
}

fn network_connection(rng: &mut Rng, scene: &Scene<'_>) -> Value {
    const END: (&str, Details) = ("ipEvidence", ip);
    json!({
        "protocol": "tcp", "sourcePort": rng.u16(49_152..), "destinationPort": 443,
        "sourceAddress": of_type(rng, scene, END, false), "destinationAddress": of_type(rng, scene, END, false),
    })
}

/// An address of the block kept for documentation.
fn public_ip(rng: &mut Rng) -> String {
    format!("203.0.113.{}", rng.u8(1..255))
}
