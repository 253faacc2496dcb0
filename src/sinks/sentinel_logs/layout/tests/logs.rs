//! Logs in CEF and of syslog, and where what has no column goes.

use serde_json::json;

use super::{rows, unread_times};
use crate::sinks::sentinel_logs::layout::Layout;

/// The row of a CEF event with these fields more.
fn cef(more: &serde_json::Value) -> serde_json::Value {
    let mut fields =
        json!({"deviceVendor": "V", "deviceProduct": "P", "deviceEventClassId": "1", "name": "n"});
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let rows = rows(Layout::CommonSecurityLog, &fields);
    serde_json::to_value(&rows[0].1).unwrap()
}

#[test]
fn times_in_cef_are_read_in_each_form_that_it_has() {
    let time = "2022-10-19T15:33:03Z";
    for (start, expected) in [
        (json!("1666193583"), time),
        (json!(1_666_193_583), time),
        (json!("1666193583000"), time),
        (json!("1666193583000000"), time),
        (json!("1666193583000000000"), time),
        (json!("1666193583.123"), "2022-10-19T15:33:03.123Z"),
        (json!("Oct 19 2022 15:33:03"), time),
        (json!("Oct 19 2022 15:33:03.123 UTC"), "2022-10-19T15:33:03.123Z"),
        (json!("Oct 19 2022 17:33:03 GMT+02:00"), time),
        (json!("Oct 19 15:33:03"), "2026-10-19T15:33:03Z"),
        (json!("2022-10-19 15:33:03,862"), "2022-10-19T15:33:03.862Z"),
    ] {
        let row = cef(&json!({"start": start}));
        assert_eq!((&row["StartTime"], row.get("AdditionalExtensions")), (&json!(expected), None), "{start}");
    }
    // Nothing happened in 1970.
    for no_time in ["0", "86400", "soon"] {
        let row = cef(&json!({"start": no_time}));
        assert_eq!(row.get("StartTime"), None, "{no_time}");
        assert_eq!(row["AdditionalExtensions"], format!("start={no_time}"));
    }
    let row = cef(&json!({"out": 1_296.0, "dpt": 443.0, "spt": "22"}));
    assert_eq!(json!([row["SentBytes"], row["DestinationPort"], row["SourcePort"]]), json!([1_296, 443, 22]));
}

#[test]
fn a_time_that_azure_replaces_stays_in_another_column() {
    for (time, is_kept) in [
        ("2026-11-15T00:00:00Z", true),
        ("2026-12-15T00:00:00Z", true),
        ("2026-11-22T23:00:00Z", false),
        ("Nov 22 23:00:00", false),
        ("Nov 15 00:00:00", true),
    ] {
        for name in ["timestamp", "TimeGenerated"] {
            let row = cef(&json!({name: time}));
            let kept = row.get("AdditionalExtensions").and_then(serde_json::Value::as_str);
            assert_eq!(kept, is_kept.then_some(format!("{name}={time}")).as_deref(), "{row}");
            assert!(row["TimeGenerated"].as_str().unwrap().starts_with("2026-1"), "{row}");
            let row = &rows(Layout::Syslog, &json!({"message": "m", name: time}))[0].1;
            assert_eq!(row["EventTime"], row["TimeGenerated"], "{row}");
            assert_eq!(row["SyslogMessage"], "m");
        }
    }
    let both =
        json!({"message": "m", "TimeGenerated": "2026-11-15T00:00:00Z", "timestamp": "2026-11-14T00:00:00Z"});
    let row = &rows(Layout::Syslog, &both)[0].1;
    assert_eq!(
        json!([row["TimeGenerated"], row["EventTime"]]),
        json!(["2026-11-15T00:00:00Z", "2026-11-14T00:00:00Z"])
    );
    assert_eq!(row["SyslogMessage"], r#"m {"TimeGenerated":"2026-11-15T00:00:00Z"}"#);
}

#[test]
fn a_raw_message_is_read_with_what_devices_do_to_it() {
    let row = |message: &str| {
        let log = json!({"message": message, "timestamp": "2026-11-23T11:00:00Z"});
        serde_json::to_value(&rows(Layout::CommonSecurityLog, &log)[0].1).unwrap()
    };
    let mut times = Vec::new();
    for start in ["1666193583", "1666193583000", "Oct 19 2022 15:33:03", "Oct 19 2022 17:33:03 GMT+02:00"] {
        let row = row(&format!("CEF:0|V|P|1|1|n|5|start={start} end=0"));
        times.push(row["StartTime"].clone());
        assert_eq!(row["AdditionalExtensions"], "end=0", "nothing happened in 1970");
    }
    assert_eq!(times, vec!["2022-10-19T15:33:03Z"; 4]);
    // The first of two is the device's, whatever a value of it says.
    let row = row(
        "CEF:0|V|P|1|1|n|5|src=192.0.2.9 msg=GET /?a=b src=192.0.2.66 name=evil TimeGenerated=2026-11-23T10:00:00Z",
    );
    assert_eq!(
        json!([row["SourceIP"], row["Activity"], row["Message"], row["TimeGenerated"]]),
        json!(["192.0.2.9", "n", "GET /?a=b", "2026-11-23T11:00:00Z"])
    );
    assert_eq!(row["AdditionalExtensions"], "src=192.0.2.66;name=evil;TimeGenerated=2026-11-23T10:00:00Z");
}

#[test]
fn a_message_that_says_more_than_the_event_stays() {
    let message = "CEF:0|V|P|1|1|n|5|src=192.0.2.9 secret=x";
    let parsed = json!({
        "message": message, "cefVersion": "0", "deviceVendor": "V", "deviceProduct": "P", "deviceVersion": "1",
        "deviceEventClassId": "1", "name": "n", "severity": "5", "src": "192.0.2.9", "secret": "x",
    });
    let row = |log: &serde_json::Value| rows(Layout::CommonSecurityLog, log)[0].1.clone();
    assert_eq!(row(&parsed)["AdditionalExtensions"], "secret=x");
    let mut less = parsed.clone();
    less.as_object_mut().unwrap().remove("secret");
    assert_eq!(row(&less)["Message"], message);
    assert_eq!(row(&less).get("AdditionalExtensions"), None);
}

#[test]
fn the_message_of_syslog_is_left_alone_if_nothing_is_lost_by_it() {
    let quality = json!({"tzKnown": "1", "isSynced": "1", "syncAccuracy": "77000"});
    for (message, more) in [
        (
            "test message from logger",
            json!({"timeQuality": quality, "msgid": "-", "procid": "-", "version": 1}),
        ),
        ("m", json!({"meta": {"sequenceId": "29"}, "origin": {"ip": "192.0.2.1", "software": "x"}})),
        (r#"{"event_type":"alert"}"#, json!({"source_type": "syslog"})),
    ] {
        let mut log = json!({"message": message});
        log.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(rows(Layout::Syslog, &log)[0].1["SyslogMessage"], message);
    }
    // What only has the name of registered data is not that.
    let row = &rows(Layout::Syslog, &json!({"message": "m", "meta": {"team": "x"}, "origin": "y"}))[0].1;
    assert_eq!(row["SyslogMessage"], r#"m {"meta":{"team":"x"},"origin":"y"}"#);
}

#[test]
fn what_has_no_column_in_syslog_goes_where_the_option_says() {
    let extra = r#"{"msgid":"FIREWALL","nsx@6876":{"comp":"nsx"}}"#;
    let with = |message: &str| {
        let mut log: serde_json::Value = serde_json::from_str(extra).unwrap();
        log["message"] = message.into();
        log
    };
    for (message, expected) in [
        ("INET match PASS", format!("INET match PASS {extra}")),
        (r#"{"src_ip":"10.0.0.1"}"#, format!(r#"{{"src_ip":"10.0.0.1","ExtraFields":{extra}}}"#)),
        (" { }\n", format!(r#"{{"ExtraFields":{extra}}}"#)),
        ("[1, 2]", format!("[1, 2] {extra}")),
        ("[]", format!("[] {extra}")),
        (r#"{"ExtraFields":1}"#, format!(r#"{{"ExtraFields":1,"ExtraFields_":{extra}}}"#)),
        (
            r#"{"ExtraFields_":1,"Extra\u0046ields":2}"#,
            format!(r#"{{"ExtraFields_":1,"Extra\u0046ields":2,"ExtraFields__":{extra}}}"#),
        ),
        ("{no json}", format!("{{no json}} {extra}")),
    ] {
        let row = rows(Layout::Syslog, &with(message))[0].1["SyslogMessage"].clone();
        assert_eq!(row, expected);
        if serde_json::from_str::<serde_json::Value>(message).is_ok_and(|message| message.is_object()) {
            serde_json::from_str::<serde_json::Value>(row.as_str().unwrap()).unwrap();
        }
        let row = &rows(Layout::SyslogWithExtra, &with(message))[0].1;
        assert_eq!(
            (&row["SyslogMessage"], row["ExtraFields_CF"].to_string()),
            (&json!(message), extra.to_owned())
        );
        let row = &rows(Layout::SyslogWithoutExtra, &with(message))[0].1;
        assert_eq!((&row["SyslogMessage"], row.get("ExtraFields_CF")), (&json!(message), None));
    }
}

#[test]
fn a_log_whose_time_cannot_be_read_is_counted_and_keeps_it() {
    let syslog = |more: serde_json::Value| {
        let mut log = json!({"message": "m"});
        log.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        log
    };
    for (more, unread) in [
        (json!({"timestamp": "noon"}), 1),
        (json!({"timestamp": 5}), 1),
        (json!({"TimeGenerated": "noon"}), 1),
        (json!({"timestamp": "noon", "TimeGenerated": "2026-11-23T10:00:00Z"}), 0),
        (json!({"timestamp": "Nov 23 10:00:00"}), 0),
        (json!({"timestamp": null}), 0),
        (json!({}), 0),
    ] {
        let log = syslog(more.clone());
        assert_eq!(unread_times(Layout::Syslog, &log), unread, "{more}");
        let mut cef = log;
        cef["message"] = "CEF:0|V|P|1|1|n|5|".into();
        assert_eq!(unread_times(Layout::CommonSecurityLog, &cef), unread, "{more}");
        let kept = rows(Layout::CommonSecurityLog, &cef)[0].1.to_string();
        assert!(unread == 0 || kept.contains("=noon") || kept.contains("=5"), "{kept}");
    }
    // The device's own header of syslog has the time.
    let cef = json!({"message": "<134>Nov 23 08:45:58 fw1 CEF:0|V|P|1|1|n|5|", "timestamp": "noon"});
    assert_eq!(unread_times(Layout::CommonSecurityLog, &cef), 0);
    let row = rows(Layout::CommonSecurityLog, &cef)[0].1.clone();
    assert_eq!((&row["TimeGenerated"], &row["Computer"]), (&json!("2026-11-23T08:45:58Z"), &json!("fw1")));
}
