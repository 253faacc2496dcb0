//! Columns of each type of evidence.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{fixture, laid_out, rows};
use crate::sinks::sentinel_logs::layout::Layout;
use crate::sinks::sentinel_logs::layout::asim_vocabulary::{INDICATORS, Indicator};
use model::event::Event;

/// The kinds of things that ASIM has a word for.
/// Source: <https://learn.microsoft.com/azure/sentinel/normalization-schema-alert#inspection-fields>
const ASIM_INDICATORS: [&str; 12] = [
    "Ip",
    "User",
    "Process",
    "Registry",
    "Url",
    "Host",
    "Cloud Resource",
    "Application",
    "File",
    "Email",
    "Mailbox",
    "Logon Session",
];

/// One piece of each type that Microsoft documents, made up.
fn pieces() -> Vec<Value> {
    fixture("evidence-types").as_array().unwrap().clone()
}

fn name(piece: &Value) -> String {
    piece["@odata.type"].as_str().unwrap().strip_prefix("#microsoft.graph.security.").unwrap().to_owned()
}

fn incident(pieces: &[Value]) -> Value {
    json!({"id": "29", "lastUpdateDateTime": "2026-11-23T10:00:00Z", "alerts": [{"id": "da1", "evidence": pieces}]})
}

/// The row of a piece.
fn row(layout: Layout, piece: &Value) -> Value {
    rows(layout, &incident(std::slice::from_ref(piece))).pop().unwrap().1
}

/// What the row of a piece has beside what the row of a piece has that says nothing.
fn own_columns(layout: Layout, piece: &Value) -> Value {
    let common: Value = ["@odata.type", "createdDateTime", "verdict", "remediationStatus", "roles"]
        .iter()
        .map(|name| ((*name).to_owned(), piece[name].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let (mut own, common) = (row(layout, piece), row(layout, &common));
    own.as_object_mut().unwrap().retain(|name, value| {
        let noted = ["AdditionalData", "AdditionalFields", "EvidenceId"].contains(&name.as_str());
        !noted && common.get(name) != Some(value)
    });
    own
}

#[test]
fn every_type_of_evidence_fills_the_columns_that_are_written_down() {
    for layout in [Layout::Defender, Layout::AsimAlert] {
        let columns: BTreeMap<_, _> =
            pieces().iter().map(|piece| (name(piece), own_columns(layout, piece))).collect();
        for (evidence_type, own) in &columns {
            assert!(!own.as_object().unwrap().is_empty(), "{evidence_type} fills no column of {layout:?}");
        }
        let columns = serde_json::to_string_pretty(&columns).unwrap() + "\n";
        let path = format!("tests/fixtures/layouts/rows/evidence-types.{layout:?}.json").to_lowercase();
        let file = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&file, &columns).unwrap();
        }
        assert_eq!(
            columns,
            std::fs::read_to_string(&file).unwrap_or_default(),
            "{path}; UPDATE_EXPECT=1 writes it"
        );
    }
}

#[test]
fn each_of_the_48_types_has_an_indicator_or_a_reason_why_not() {
    let mut known: Vec<_> = INDICATORS.iter().map(|(evidence_type, _)| (*evidence_type).to_owned()).collect();
    let mut documented: Vec<_> = pieces().iter().map(name).collect();
    known.sort();
    documented.sort();
    assert_eq!(known, documented);
    for (evidence_type, indicator) in INDICATORS {
        match indicator {
            Indicator::Type(indicator) => assert!(ASIM_INDICATORS.contains(&indicator), "{evidence_type}"),
            Indicator::None(why) => assert!(why.len() > 20, "{evidence_type}"),
        }
    }
}

#[test]
fn the_documentation_names_every_type_and_what_its_indicator_is() {
    let page = format!("{}/docs/rows-and-layouts.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(page).unwrap();
    for (evidence_type, indicator) in INDICATORS {
        let line =
            page.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{evidence_type}`")));
        let line = line.unwrap_or_else(|| panic!("{evidence_type} is in no table"));
        let expected = match indicator {
            Indicator::Type(indicator) => format!("| {indicator} |"),
            Indicator::None(_) => "| none: ".to_owned(),
        };
        assert!(line.contains(&expected), "{evidence_type}: {line}");
    }
    // And every column that it names is there.
    let section = page.split("### Columns of evidence").nth(1).unwrap().split("\n#").next().unwrap();
    let names: Vec<_> = [Layout::Defender, Layout::AsimAlert]
        .iter()
        .flat_map(|layout| {
            layout.tables().iter().flat_map(|table| table.columns.iter().map(|column| column.name))
        })
        .collect();
    for word in section.split('`').skip(1).step_by(2) {
        let is_column = word.starts_with(|first: char| first.is_ascii_uppercase()) && !word.ends_with("_CL");
        let known = match word.strip_suffix('…') {
            Some(begin) => names.iter().any(|name| name.starts_with(begin)),
            None => names.contains(&word),
        };
        assert!(!is_column || known, "{word} is no column");
    }
}

#[test]
fn the_address_of_a_device_is_the_first_of_its_interfaces_that_tells_something() {
    let device = |interfaces: Value| json!({"@odata.type": "#microsoft.graph.security.deviceEvidence", "ipInterfaces": interfaces});
    for (interfaces, address, all) in [
        (json!(["192.168.5.65", "fe80::1", "127.0.0.1", "::1"]), json!("192.168.5.65"), 4),
        (json!([null, "127.0.0.1", "169.254.3.4", "10.0.0.4"]), json!("10.0.0.4"), 3),
        (json!([{"Address": "::1"}, {"Address": "2001:db8::4"}]), json!("2001:db8::4"), 2),
        (json!(["127.0.0.1"]), json!("127.0.0.1"), 0),
        (json!([]), json!(null), 0),
    ] {
        let piece = device(interfaces);
        let row_of = row(Layout::Defender, &piece);
        assert_eq!(row_of["IpAddress"], address);
        assert_eq!(row_of["IpAddresses"].as_array().map_or(0, Vec::len), all, "{row_of}");
        let asim = row(Layout::AsimAlert, &piece);
        assert_eq!([&asim["DvcIpAddr"], &asim["IpAddr"], &asim["Dvc"]], [&address, &address, &address]);
    }
    // A device with more addresses than one has does not take the sink's time.
    let many: Vec<_> = (0..100_000).map(|n| format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)).collect();
    let row_of_many = row(Layout::Defender, &device(json!(many)));
    assert_eq!(
        (&row_of_many["IpAddress"], row_of_many["IpAddresses"].as_array().unwrap().len()),
        (&json!("10.0.0.0"), 256)
    );
    let mut piece = device(json!(["10.0.0.4"]));
    piece["lastIpAddress"] = "10.0.0.5".into();
    assert_eq!(row(Layout::Defender, &piece)["IpAddress"], "10.0.0.5");
}

#[test]
fn a_hash_is_in_the_column_of_its_algorithm() {
    let columns = [("md5", "MD5"), ("sha1", "SHA1"), ("SHA256", "SHA256"), ("sha256ac", "SHA256AC")];
    for (algorithm, column) in columns {
        let hash = json!({"algorithm": algorithm, "value": "abc"});
        let mut alone = hash.clone();
        alone["@odata.type"] = "#microsoft.graph.security.fileHashEvidence".into();
        let blob =
            json!({"@odata.type": "#microsoft.graph.security.blobEvidence", "fileHashes": [null, hash]});
        for piece in [alone, blob] {
            let row = row(Layout::Defender, &piece);
            for (_, other) in columns {
                assert_eq!(row.get(other), (other == column).then_some(&json!("abc")), "{row}");
            }
        }
    }
}

#[test]
fn a_piece_has_one_id_through_all_of_its_states_and_no_two_pieces_the_same() {
    let id = |piece: &Value| row(Layout::Defender, piece)["EvidenceId"].as_str().unwrap().to_owned();
    let mut ids = BTreeMap::new();
    for mut piece in pieces() {
        let first = id(&piece);
        assert_eq!(first.len(), 16);
        assert_eq!(ids.insert(first.clone(), name(&piece)), None);
        // Another state of it, in which an object came with its fields in another order.
        for (name, value) in
            [("verdict", json!("malicious")), ("remediationStatus", json!("prevented")), ("tags", json!([]))]
        {
            piece[name] = value;
        }
        let mut fields: Vec<_> = piece.as_object().unwrap().clone().into_iter().collect();
        fields.reverse();
        let turned = Value::Object(fields.into_iter().collect());
        assert_eq!(id(&turned), first, "{turned}");
        // And alone.
        let alone =
            json!({"kind": "evidence", "incident": {"id": "29"}, "alert": {"id": "da1"}, "evidence": turned});
        assert_eq!(rows(Layout::Defender, &alone)[0].1["EvidenceId"], first.as_str());
    }
    // What is learnt of a device, an address or a file later on does not make it another.
    let device = json!({"@odata.type": "#microsoft.graph.security.deviceEvidence", "mdeDeviceId": "m", "riskScore": "low"});
    let mut later = device.clone();
    later["riskScore"] = "high".into();
    later["lastIpAddress"] = "10.0.0.4".into();
    assert_eq!(id(&device), id(&later));
    // A process is not known by its device alone.
    let process = |image: &str| json!({"@odata.type": "#microsoft.graph.security.processEvidence", "mdeDeviceId": "m", "imageFile": {"sha1": image}});
    assert_ne!(id(&process("a")), id(&process("b")));
    // Escapes say the same as what they stand for.
    let url = |written: &str| {
        let json = format!(
            r##"{{"kind":"evidence","evidence":{{"@odata.type":"#microsoft.graph.security.urlEvidence","url":{written}}}}}"##
        );
        rows(Layout::Defender, &serde_json::from_str(&json).unwrap())[0].1["EvidenceId"].clone()
    };
    assert_eq!(url(r#""https://a/\u00e9""#), url(r#""https:\/\/a\/é""#));
}

#[test]
fn malware_that_is_evidence_is_the_threat_if_the_alert_names_none() {
    let malware = json!({"@odata.type": "#microsoft.graph.security.malwareEvidence", "name": "Emotet"});
    assert_eq!(row(Layout::AsimAlert, &malware)["ThreatName"], "Emotet");
    let mut named = incident(std::slice::from_ref(&malware));
    named["alerts"][0]["threatFamilyName"] = "Trickbot".into();
    assert_eq!(rows(Layout::AsimAlert, &named)[0].1["ThreatName"], "Trickbot");
}

#[test]
fn addresses_within_addresses_end_somewhere() {
    let deep = format!("{}\"192.0.2.1\"{}", r#"{"ipAddress":"#.repeat(50_000), "}".repeat(50_000));
    let evidence =
        format!(r#"{{"kind":"evidence","incident":{{"id":"1"}},"evidence":{{"ipAddress":{deep}}}}}"#);
    for layout in [Layout::Defender, Layout::AsimAlert] {
        let event = Event::new(evidence.clone().into(), None);
        // What is that deep is no address; the event is a row, or refused with a reason, and nothing ends.
        let (rows, refused) = laid_out(layout, &event, 1_000_000);
        assert_eq!(rows.count() + refused.len(), 1);
    }
}
