//! Renders evidence: what an alert saw. Twelve of the documented types.

// https://learn.microsoft.com/graph/api/resources/security-alertevidence

use fastrand::Rng;

use crate::core::random::{guid, hex};

use crate::core::json::Json;
use crate::core::text::{HOSTS, PEOPLE, PROGRAMS};
use crate::core::ticks::Ticks;

/// What all evidence of one alert has in common.
pub(crate) struct Scene<'a> {
    pub(crate) tenant_id: &'a str,
    /// When the alert was raised.
    pub(crate) at: Ticks,
    pub(crate) resolved: bool,
}

type Render = fn(&mut Json, &mut Rng, &Scene<'_>);

/// Name of the type, and what writes the properties that only it has.
const TYPES: [(&str, Render); 12] = [
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

/// Appends the piece of evidence at `position` of its alert.
pub(crate) fn render(json: &mut Json, rng: &mut Rng, scene: &Scene<'_>, position: usize) {
    // The first is mostly a device, a user or a process; the others go round from there.
    let start = rng.usize(..3);
    let (name, details) = TYPES[(start + position * 5) % TYPES.len()];
    json.open('{');
    base(json, rng, scene, name, position == 0);
    details(json, rng, scene);
    json.close('}');
}

fn base(json: &mut Json, rng: &mut Rng, scene: &Scene<'_>, name: &str, primary: bool) {
    let verdict = ["suspicious", "malicious", "unknown", "noThreatsFound"][rng.usize(..4)];
    let remediation = match (scene.resolved, rng.u8(..4)) {
        (true, _) => "remediated",
        (false, 0) => "none",
        (false, 1) => "prevented",
        (false, _) => "active",
    };
    json.text("@odata.type", &format!("#microsoft.graph.security.{name}"));
    json.time("createdDateTime", scene.at);
    json.text("verdict", verdict);
    json.member("remediationStatus", remediation);
    json.null("remediationStatusDetails");
    json.texts("roles", primary.then_some("attacked"));
    json.texts("detailedRoles", (primary && name == "deviceEvidence").then_some("PrimaryDevice"));
    json.texts("tags", []);
}

fn device(json: &mut Json, rng: &mut Rng, scene: &Scene<'_>) {
    let (host, platform, build, version) = HOSTS[rng.usize(..HOSTS.len())];
    json.time("firstSeenDateTime", Ticks(scene.at.0 - rng.i64(1..9_000_000_000_000)));
    json.text("mdeDeviceId", &hex(rng, 40));
    json.text("azureAdDeviceId", &guid(rng));
    json.text("deviceDnsName", &format!("{host}.corp.contoso.com"));
    json.text("hostName", host);
    json.text("ntDomain", "CONTOSO");
    json.text("dnsDomain", "corp.contoso.com");
    json.text("osPlatform", platform);
    json.raw("osBuild", build);
    json.text("version", version);
    json.text("healthStatus", "active");
    json.text("riskScore", ["none", "low", "medium", "high"][rng.usize(..4)]);
    json.raw("rbacGroupId", rng.u8(1..40));
    json.text("rbacGroupName", "Workstations");
    json.text("onboardingStatus", "onboarded");
    json.text("defenderAvStatus", "updated");
    let address = private_ip(rng);
    json.text("lastIpAddress", &address);
    json.text("lastExternalIpAddress", &public_ip(rng));
    json.texts("ipInterfaces", [address.as_str(), "127.0.0.1", "::1"]);
    json.null("vmMetadata");
    json.open_at("loggedOnUsers", '[');
    json.open('{');
    json.text("accountName", PEOPLE[rng.usize(..PEOPLE.len())].0);
    json.text("domainName", "CONTOSO");
    json.close('}');
    json.close(']');
    json.texts("resourceAccessEvents", []);
}

fn user(json: &mut Json, rng: &mut Rng, scene: &Scene<'_>) {
    json.null("stream");
    account(json, rng, scene);
}

fn account(json: &mut Json, rng: &mut Rng, scene: &Scene<'_>) {
    let (name, display_name) = PEOPLE[rng.usize(..PEOPLE.len())];
    json.open_at("userAccount", '{');
    json.text("accountName", name);
    json.text("domainName", "CONTOSO");
    json.text("userSid", &format!("S-1-5-21-1004336348-1177238915-682003330-{}", rng.u16(1000..)));
    json.text("azureAdUserId", &guid(rng));
    json.text("userPrincipalName", &format!("{name}@contoso.com"));
    json.text("displayName", display_name);
    json.text("tenantId", scene.tenant_id);
    json.null("activeDirectoryObjectGuid");
    json.texts("resourceAccessEvents", []);
    json.close('}');
}

fn process(json: &mut Json, rng: &mut Rng, scene: &Scene<'_>) {
    let program = rng.usize(..PROGRAMS.len());
    let started = Ticks(scene.at.0 - rng.i64(1..9_000_000_000));
    json.raw("processId", rng.u16(100..));
    json.raw("parentProcessId", rng.u16(100..));
    json.text("processCommandLine", PROGRAMS[program].3);
    json.time("processCreationDateTime", started);
    json.time("parentProcessCreationDateTime", Ticks(started.0 - rng.i64(1..9_000_000_000)));
    json.text("detectionStatus", "detected");
    json.text("mdeDeviceId", &hex(rng, 40));
    json.null("parentProcessImageFile");
    image(json, rng, "imageFile", program);
    account(json, rng, scene);
}

fn image(json: &mut Json, rng: &mut Rng, property: &str, program: usize) {
    let (name, folder, publisher, _) = PROGRAMS[program];
    json.open_at(property, '{');
    json.text("sha1", &hex(rng, 40));
    json.text("sha256", &hex(rng, 64));
    json.text("md5", &hex(rng, 32));
    json.null("sha256Ac");
    json.text("fileName", name);
    json.text("filePath", folder);
    json.raw("fileSize", rng.u32(10_000..5_000_000));
    json.maybe_text("filePublisher", Some(publisher).filter(|name| !name.is_empty()));
    json.nulls(&["signer", "issuer"]);
    json.close('}');
}

fn ip(json: &mut Json, rng: &mut Rng, _: &Scene<'_>) {
    json.text("ipAddress", &public_ip(rng));
    json.text("countryLetterCode", "NL");
    json.null("stream");
    json.open_at("location", '{');
    json.text("city", "Amsterdam");
    json.text("countryName", "Netherlands");
    json.raw("latitude", "52.37");
    json.raw("longitude", "4.89");
    json.null("state");
    json.close('}');
}

fn file(json: &mut Json, rng: &mut Rng, _: &Scene<'_>) {
    json.text("detectionStatus", ["detected", "blocked", "prevented"][rng.usize(..3)]);
    json.text("mdeDeviceId", &hex(rng, 40));
    let program = rng.usize(..PROGRAMS.len());
    image(json, rng, "fileDetails", program);
}

fn url(json: &mut Json, rng: &mut Rng, _: &Scene<'_>) {
    json.text("url", &format!("https://login-{}.example.net/session?next=%2Fmail", hex(rng, 6)));
}

fn mailbox(json: &mut Json, rng: &mut Rng, scene: &Scene<'_>) {
    let (name, display_name) = PEOPLE[rng.usize(..PEOPLE.len())];
    json.text("primaryAddress", &format!("{name}@contoso.com"));
    json.text("displayName", display_name);
    json.text("upn", &format!("{name}@contoso.com"));
    account(json, rng, scene);
}

fn message(json: &mut Json, rng: &mut Rng, scene: &Scene<'_>) {
    json.text("networkMessageId", &guid(rng));
    json.text("internetMessageId", &format!("<{}@mail.example.net>", hex(rng, 24)));
    json.text("subject", "Your invoice \"4471\" is overdue");
    json.text("language", "en");
    json.text("senderIp", &public_ip(rng));
    json.text("recipientEmailAddress", &format!("{}@contoso.com", PEOPLE[rng.usize(..PEOPLE.len())].0));
    json.text("antiSpamDirection", "inbound");
    json.text("deliveryAction", "deliveredAsSpam");
    json.text("deliveryLocation", "junkFolder");
    json.text("urn", &format!("urn:MailEntity:{}", hex(rng, 32)));
    json.texts("threats", ["ZapPhish"]);
    json.texts("threatDetectionMethods", ["UrlReputation"]);
    json.texts("urls", ["https://pay.example.net/4471"]);
    json.raw("urlCount", 1);
    json.raw("attachmentsCount", rng.u8(..3));
    json.time("receivedDateTime", Ticks(scene.at.0 - rng.i64(1..9_000_000_000)));
    for sender in ["p1Sender", "p2Sender"] {
        json.open_at(sender, '{');
        json.text("emailAddress", "billing@mail.example.net");
        json.text("displayName", "Billing");
        json.text("domainName", "mail.example.net");
        json.close('}');
    }
}

fn cloud_application(json: &mut Json, rng: &mut Rng, _: &Scene<'_>) {
    json.raw("appId", 11_161);
    json.text("displayName", "Microsoft Exchange Online");
    json.raw("instanceId", rng.u8(..4));
    json.text("instanceName", "Contoso");
    json.raw("saasAppId", 11_161);
    json.null("stream");
}

fn registry_key(json: &mut Json, _: &mut Rng, _: &Scene<'_>) {
    json.text("registryHive", "HKEY_LOCAL_MACHINE");
    json.text("registryKey", r"SOFTWARE\Microsoft\Windows\CurrentVersion\Run");
}

fn registry_value(json: &mut Json, rng: &mut Rng, scene: &Scene<'_>) {
    registry_key(json, rng, scene);
    json.text("mdeDeviceId", &hex(rng, 40));
    json.text("registryValue", r"rundll32.exe C:\Users\Public\cache.dat,Entry");
    json.text("registryValueName", "Updater");
    json.text("registryValueType", "String");
}

fn network_connection(json: &mut Json, rng: &mut Rng, scene: &Scene<'_>) {
    json.text("protocol", "tcp");
    json.raw("sourcePort", rng.u16(49_152..));
    json.raw("destinationPort", 443);
    for end in ["sourceAddress", "destinationAddress"] {
        json.open_at(end, '{');
        base(json, rng, scene, "ipEvidence", false);
        ip(json, rng, scene);
        json.close('}');
    }
}

fn private_ip(rng: &mut Rng) -> String {
    format!("10.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u8(1..255))
}

/// An address of the block kept for documentation.
fn public_ip(rng: &mut Rng) -> String {
    format!("203.0.113.{}", rng.u8(1..255))
}
