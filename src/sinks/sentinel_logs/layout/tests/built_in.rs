//! Rows of Microsoft's own tables.

use serde_json::json;

use super::{NOW, assert_has, event, fixture, rows, written};
use crate::sinks::sentinel_logs::layout::Layout;

#[test]
fn syslog_has_what_the_table_has_a_column_for_and_the_rest_behind_the_message() {
    let rows = rows(Layout::Syslog, &fixture("syslog-rfc5424"));
    let message = "Accepted publickey for mia from 192.0.2.7 port 50022 \
                   {\"exampleSDID@32473\":{\"eventID\":\"1011\",\"iut\":\"3\"},\"msgid\":\"ID931\"}";
    let expected = json!({
        "TimeGenerated": "2026-11-23T20:45:38.119Z", "EventTime": "2026-11-23T20:45:38.119Z",
        "Computer": "fw1.example.com", "HostName": "fw1.example.com", "HostIP": "192.0.2.1",
        "Facility": "auth", "SeverityLevel": "notice", "ProcessName": "sshd", "ProcessID": 2426,
        "SyslogMessage": message,
    });
    assert_eq!(rows, [("Syslog", expected)]);
}

#[test]
fn a_plain_message_stays_plain_but_for_what_is_no_process_id() {
    let row = &rows(Layout::Syslog, &fixture("syslog-plain"))[0].1;
    assert_eq!(row["SyslogMessage"], "link down {\"procid\":\"-\"}");
    let row =
        &rows(Layout::Syslog, &json!({"message": "m", "host": "192.0.2.2", "source_ip": "192.0.2.2"}))[0].1;
    assert_eq!(
        row,
        &json!({
            "Computer": "192.0.2.2", "HostName": "192.0.2.2", "HostIP": "192.0.2.2", "SyslogMessage": "m",
            "TimeGenerated": NOW,
        })
    );
}

#[test]
fn cef_goes_where_its_keys_are_documented_to_go() {
    let row = &rows(Layout::CommonSecurityLog, &fixture("cef-merged"))[0].1;
    assert_has(
        row,
        &json!({
            "TimeGenerated": "2026-11-23T08:45:58Z", "Computer": "fw1",
            "DeviceVendor": "Security", "DeviceProduct": "threatmanager", "DeviceVersion": "1.0",
            "DeviceEventClassID": "100", "Activity": "worm stopped", "LogSeverity": "10",
            "DeviceAction": "blocked", "DeviceEventCategory": "/Monitor/Disk/Read",
            "SourceIP": "192.0.2.9", "SourcePort": 1232, "DestinationIP": "192.0.2.2", "DestinationPort": 443,
            "DestinationUserName": "EXAMPLE\\mia", "Message": "stopped; quarantined",
            "RequestURL": "http://example.com/a?b=c;d", "ReceiptTime": "Nov 23 2026 08:45:57",
            "ReceivedBytes": 1024, "ExtID": "6", "DeviceExternalID": "FW-1",
            "FieldDeviceCustomNumber1": 5_000_000_000_i64, "DeviceCustomNumber1Label": "Session",
            "DeviceCustomFloatingPoint1": 1.5, "DeviceCustomString1": "None",
            "DeviceCustomDate1": "1388577900000", "StartTime": "2026-11-23T09:00:00.123Z",
            "ProcessName": "CEF", "DeviceFacility": "local4",
        }),
    );
}

#[test]
fn what_has_no_column_or_does_not_fit_its_column_goes_into_the_extensions() {
    let row = &rows(Layout::CommonSecurityLog, &fixture("cef-merged"))[0].1;
    assert_eq!(
        row["AdditionalExtensions"],
        "cefVersion=0;end=soon;fsize=99999999999;\
         message=CEF:0|Security|threatmanager|1.0|100|worm stopped|10|act=blocked;source_ip=192.0.2.1;\
         source_type=syslog;vendorKey\\=odd=x\\;y;nested={\"a\":[42017,true]}"
    );
    assert!(row.get("EndTime").is_none() && row.get("FileSize").is_none());
}

#[test]
fn cef_alone_is_enough() {
    let row = &rows(Layout::CommonSecurityLog, &fixture("cef-alone"))[0].1;
    assert_has(row, &json!({"SourceUserName": "mike@example.com", "AdditionalExtensions": "cefVersion=1"}));
    // A transform may have named columns itself.
    let row =
        &rows(Layout::CommonSecurityLog, &json!({"DeviceVendor": "v", "RemoteIP": "1", "Reason": 5}))[0].1;
    let expected = json!({
        "DeviceVendor": "v", "Reason": "5", "AdditionalExtensions": "RemoteIP=1", "TimeGenerated": NOW,
    });
    assert_eq!(row, &expected);
}

#[test]
fn two_fields_for_one_column_are_both_kept() {
    let row = &rows(
        Layout::CommonSecurityLog,
        &json!({"deviceVendor": "a", "DeviceVendor": "b", "message": "m", "Message": "n", "Computer": "c", "host": "h"}),
    )[0]
    .1;
    let expected = json!({
        "Computer": "h", "DeviceVendor": "a", "Message": "n",
        "AdditionalExtensions": "DeviceVendor=b;message=m;Computer=c", "TimeGenerated": NOW,
    });
    assert_eq!(row, &expected);
}

#[test]
fn what_is_of_another_format_is_refused_with_words() {
    for (layout, json, code) in [
        (Layout::Syslog, fixture("cef-alone"), "not_syslog"),
        (Layout::Syslog, json!({"message": {"a": 1}}), "not_syslog"),
        (Layout::Syslog, json!("text"), "not_an_object"),
        (Layout::CommonSecurityLog, fixture("syslog-plain"), "not_cef"),
        (Layout::CommonSecurityLog, json!({"deviceVendor": null}), "not_cef"),
    ] {
        assert_eq!(written(layout, &event(&json)).unwrap_err().code, code, "{json}");
    }
}

#[test]
fn a_text_over_64_kb_is_cut_and_noted_in_a_declared_column() {
    let long = json!({"message": "x".repeat(70_000), "timestamp": "2026-11-23T20:45:38Z"});
    let row = &rows(Layout::Syslog, &long)[0].1;
    assert_eq!(row["SyslogMessage"], "x".repeat(65_536));
    assert_eq!(row["TruncatedColumns"], json!([{"column": "SyslogMessage", "bytes": 70_000}]));
    assert!(Layout::Syslog.tables()[0].declared().any(|column| column.name == "TruncatedColumns"));
}
