use proptest::prelude::*;

use super::*;

fn pairs(text: &str) -> Vec<(String, String)> {
    let cef = Cef::find(text).unwrap();
    cef.fields.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect()
}

/// The extension's pairs of a message with it.
fn extension(text: &str) -> Vec<(String, String)> {
    pairs(&format!("CEF:0|V|P|1|100|n|5|{text}")).split_off(HEADER.len())
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_header_and_the_extension_are_read_with_the_escapes_of_the_standard() {
    let read = pairs(
        r"CEF:0|secu\|rity|threat\\manager|1.0|100|a = b|10|src=10.0.0.1 act=blocked a | b msg=c \= d\\\ne dst=1.1.1.1",
    );
    let expected = [
        ("cefVersion", "0"),
        ("deviceVendor", "secu|rity"),
        ("deviceProduct", r"threat\manager"),
        ("deviceVersion", "1.0"),
        ("deviceEventClassId", "100"),
        ("name", "a = b"),
        ("severity", "10"),
        ("src", "10.0.0.1"),
        ("act", "blocked a | b"),
        ("msg", "c = d\\\ne"),
        ("dst", "1.1.1.1"),
    ];
    assert_eq!(read, owned(&expected));
}

#[test]
fn what_devices_do_not_escape_stays_in_its_value() {
    for (text, expected) in [
        // vectordotdev/vrl#784
        (
            r#"cat="Endpoint" cs2=0" cs67Label=callbackURL cs67="https://a.b/#/incidents?incidentID=0" cs68Label=tenantID cs68=INTERNAL "#,
            &[
                ("cat", r#""Endpoint""#),
                ("cs2", "0\""),
                ("cs67Label", "callbackURL"),
                ("cs67", r#""https://a.b/#/incidents?incidentID=0""#),
                ("cs68Label", "tenantID"),
                ("cs68", "INTERNAL"),
            ][..],
        ),
        // vectordotdev/vrl#1352
        (
            r#"cs3= fname= flexString2=general msg="connection failed. subject=/C=US/O=Example Home; issuer=/C=US; not before=Oct 7 00:00:00 2024 GMT; certificate status=Valid;" dpt=443"#,
            &[
                ("cs3", ""),
                ("fname", ""),
                ("flexString2", "general"),
                (
                    "msg",
                    r#""connection failed. subject=/C=US/O=Example Home; issuer=/C=US; not before=Oct 7 00:00:00 2024 GMT; certificate status=Valid;""#,
                ),
                ("dpt", "443"),
            ],
        ),
        // vectordotdev/vrl#1538
        (
            "cs4=None request=https://foo.com?id=foo&a=bar abc=lol",
            &[("cs4", "None"), ("request", "https://foo.com?id=foo&a=bar"), ("abc", "lol")],
        ),
        // elastic/integrations#5396
        (
            r#"cat=Access Log httpTrans={"a": {"b": "de,de-DE;q=0.9,en;q=0.8"}} cs1= cs1Label=Foo Bar"#,
            &[
                ("cat", "Access Log"),
                ("httpTrans", r#"{"a": {"b": "de,de-DE;q=0.9,en;q=0.8"}}"#),
                ("cs1", ""),
                ("cs1Label", "Foo Bar"),
            ],
        ),
        // VictoriaMetrics/VictoriaLogs#1772
        ("pub=Zm9vYmFy= psk=YmF6cXV4== spt=6", &[("pub", "Zm9vYmFy="), ("psk", "YmF6cXV4=="), ("spt", "6")]),
        // Azure/Azure-Sentinel#2262
        ("request=a|b|c dst=1.1.1.1", &[("request", "a|b|c"), ("dst", "1.1.1.1")]),
        (r"filePath=C:\temp\x.exe \= duser=E\\mia", &[("filePath", r"C:\temp\x.exe ="), ("duser", r"E\mia")]),
        ("ad.field=1\tx_y[0]=2  \n", &[("ad.field", "1"), ("x_y[0]", "2")]),
        // The first quote is never closed.
        (r#"msg="a b dst=1.1.1.1 x="c"d"#, &[("msg", "\"a b"), ("dst", "1.1.1.1"), ("x", "\"c\"d")]),
    ] {
        assert_eq!(extension(text), owned(expected), "{text}");
    }
}

#[test]
fn a_path_of_windows_has_no_ends_of_lines() {
    for (text, expected) in [
        (r"filePath=C:\new\report.txt", r"C:\new\report.txt"),
        (r#"filePath="C:\new\report.txt""#, r#""C:\new\report.txt""#),
        (r"filePath=\\host\new\report.txt", r"\\host\new\report.txt"),
        (r"filePath=C:\new\a\=b.txt", r"C:\new\a=b.txt"),
        // As the standard has it.
        (r"filePath=C:\\new\\report.txt", r"C:\new\report.txt"),
        (r"filePath=\\\\host\\new", r"\\host\new"),
        (r"filePath=C:\\a\nb", "C:\\a\nb"),
        (r"filePath=\\temp", r"\temp"),
        (r"msg=one\ntwo\rthree", "one\ntwo\rthree"),
    ] {
        assert_eq!(extension(text)[0].1, expected, "{text}");
    }
    let header = pairs(r"CEF:0|V|P|1|domain\nora|C:\new\report|domain\\rita|");
    let read: Vec<_> = header.iter().skip(4).map(|(_, value)| value.as_str()).collect();
    assert_eq!(read, [r"domain\nora", r"C:\new\report", r"domain\rita"]);
}

#[test]
fn it_begins_at_the_first_key_whatever_stands_there() {
    assert_eq!(extension("5|src=1.1.1.1 a=b"), owned(&[("message", "5|"), ("src", "1.1.1.1"), ("a", "b")]));
    assert_eq!(extension("no key at all"), owned(&[("message", "no key at all")]));
    assert_eq!(extension("=x a=b"), owned(&[("message", "=x"), ("a", "b")]));
    assert_eq!(extension("   "), []);
}

#[test]
fn a_header_of_syslog_may_stand_in_front() {
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    for (before, time, host) in [
        ("<134>Nov 23 08:45:58 fw1 ", "2026-11-23T08:45:58Z", Some("fw1")),
        ("<134>Nov  3 08:45:58 fw1 ", "2026-11-03T08:45:58Z", Some("fw1")),
        ("<134>Nov 23 2026 08:45:58 fw1 : ", "2026-11-23T08:45:58Z", Some("fw1")),
        ("<114>2024-01-01T00:00:00.000Z MYHOST01 ", "2024-01-01T00:00:00Z", Some("MYHOST01")),
        ("<134>1 2024-01-01T00:00:00Z fw1 app - - - ", "2024-01-01T00:00:00Z", Some("fw1")),
        ("1 2024-01-01T00:00:00Z - app - - - \u{feff}", "2024-01-01T00:00:00Z", None),
    ] {
        let message = format!("{before}CEF:0|V|P|1|100|n|5|src=1.1.1.1");
        let cef = Cef::find(&message).unwrap();
        assert_eq!(cef.sent(now), (Some(time.parse().unwrap()), host), "{before}");
        assert!(!cef.before.ends_with('\u{feff}'));
        assert_eq!(cef.fields.last().unwrap().1, "1.1.1.1");
    }
    for before in ["", "<134>", "fw1 ", "<134>soon fw1 "] {
        let message = format!("{before}CEF: 1|V|P|1|");
        assert_eq!(Cef::find(&message).unwrap().sent(now), (None, None), "{before}");
    }
}

#[test]
fn other_text_is_none() {
    for text in ["", "CEF:", "CEF:0", "CEF:0|V|P", "CEF:x|V|P|1|2|3|4|", "cef:0|V|P|1|", "CEF:|V|P|1|2|3|4|"]
    {
        assert_eq!(Cef::find(text), None, "{text}");
    }
    assert!(Cef::without_mark("0|V|P|1|100|n|5|").is_some());
    assert!(Cef::without_mark("link down").is_none());
}

/// Input that makes a careless reader look at everything again for each sign takes no longer than other input.
#[test]
fn hostile_input_is_read_in_one_pass() {
    for part in [
        "CEF:",
        "CEF:0|",
        "CEF:0|V|P|1|2|3|4|",
        " a=\"x",
        " \" a",
        "\"",
        "\\",
        " ",
        "a",
        "=",
        " a=",
        "CEF:0\\|",
    ] {
        for begin in ["CEF:0|V|P|1|2|3|4|", "CEF:0|V|P|1|2|3|4|a=\"", ""] {
            let text = format!("{begin}{}", part.repeat(200_000 / part.len()));
            if let Some(cef) = Cef::find(&text) {
                assert!(cef.to_json().len() < 4 * text.len() + 1_000);
            }
        }
    }
}

fn escaped(text: &str, signs: &[char]) -> String {
    let mut written = String::new();
    for c in text.chars() {
        if signs.contains(&c) {
            written.push('\\');
        }
        match c {
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            c => written.push(c),
        }
    }
    written
}

proptest! {
    #[test]
    fn what_is_escaped_as_the_standard_says_comes_back(
        header in proptest::collection::vec("[a-z|\\\\= \u{e9}]{0,8}x", 6),
        extension in proptest::collection::vec(("[a-zA-Z][a-zA-Z0-9]{0,8}", "([!-~\u{e9}]([ -~\u{e9}\n\r]{0,12}[!-~])?)?"), 0..6),
    ) {
        // A value in quotes, or a path as it is, is what devices do, and not in the standard.
        let plain = |value: String| value.replace(['"', ':'], "'");
        let extension: Vec<_> = extension.into_iter().map(|(key, value)| (key, plain(value))).collect();
        prop_assume!(extension.iter().all(|(_, value)| !value.starts_with('\\')));
        let mut text = "<13>x CEF:0".to_owned();
        for part in &header {
            text = format!("{text}|{}", escaped(part, &['|', '\\']));
        }
        text.push('|');
        for (key, value) in &extension {
            text = format!("{text} {key}={}", escaped(value, &['=', '\\']));
        }
        let read = pairs(&text);
        let trimmed: Vec<_> = header.iter().map(|part| part.trim().to_owned()).collect();
        prop_assert_eq!(read[1..HEADER.len()].iter().map(|(_, value)| value.clone()).collect::<Vec<_>>(), trimmed);
        prop_assert_eq!(&read[HEADER.len()..], &extension[..]);
    }

    #[test]
    fn whatever_the_text_is_nothing_of_it_is_lost(text in "(CEF: ?0\\|)?([a-z]{1,3}\\|){0,8}[a-c= |\"\\\\\u{e9}\t]{0,60}|\\PC{0,60}") {
        let Some(cef) = Cef::find(&text) else { return Ok(()) };
        let mut kept = cef.before.to_owned();
        for (name, value) in &cef.fields {
            kept.push_str(name);
            kept.push_str(value);
        }
        for c in text.chars().filter(|c| c.is_alphanumeric() && !"CEF0nr".contains(*c)) {
            prop_assert_eq!(
                kept.matches(c).count() >= text.matches(c).count(), true, "{} of {} in {}", c, &text, &kept
            );
        }
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&cef.to_json()).is_ok());
    }
}
