//! What a listener for other shippers does with what they post.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Request;
use http_body_util::{BodyExt, Full};

use runtime::clock::Clock;

use super::tests::{Bench, PATH, bench_for};
use super::{BearerToken, Codec, Pushers};

const TOKEN: &str = "correct-horse-battery-staple";

fn bench() -> Bench {
    bench_for(Pushers::Shippers { codec: Codec::Json, token: None })
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The answer to a request: its status and its text.
async fn answer(bench: &Bench, request: http::request::Builder, body: impl Into<Bytes>) -> (u16, String) {
    let Ok(response) = bench.service.answer(request.body(Full::new(body.into())).unwrap()).await;
    let status = response.status().as_u16();
    assert_eq!(response.headers().contains_key("www-authenticate"), status == 401);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&text).into_owned())
}

/// What a body comes to: the answer's status, the events that were delivered, and the code and text of what was kept.
async fn pushed(encoding: &str, body: impl Into<Bytes>) -> (u16, Vec<String>, Vec<(String, String)>) {
    let bench = bench();
    bench.sink.go_on.add_permits(10);
    let request = Request::post(PATH).header("content-encoding", encoding);
    let (status, _) = answer(&bench, request, body).await;
    // What is JSON stands in the quarantine as such.
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let kept = bench.kept().iter().map(|line| (text(&line["code"]), text(&line["event"]))).collect();
    let taken = bench.sink.taken.lock().unwrap().clone();
    (status, taken, kept)
}

fn undecodable(text: &str) -> (String, String) {
    ("undecodable".to_owned(), text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn each_line_is_an_event_and_a_bad_one_takes_no_other_along() {
    let body = "{\"a\":1}\n\n{\"log\":{\"b\":2}}\r\n{\"a\":\n[{}]\n7\n{\"metric\":3}";
    let (status, taken, kept) = pushed("", body).await;
    assert_eq!(status, 200);
    assert_eq!(taken, ["{\"a\":1}", "{\"log\":{\"b\":2}}", "{\"metric\":3}"], "no key means anything");
    assert_eq!(kept, ["{\"a\":", "[{}]", "7"].map(undecodable));
}

#[tokio::test(start_paused = true)]
async fn each_element_of_an_array_is_an_event_and_a_bad_one_takes_no_other_along() {
    let (status, taken, kept) = pushed("", " [{\"a\":\"]\"}\n,{\"a\":},[{}],{ \"log\": {} },7]\n").await;
    assert_eq!((status, taken), (200, vec!["{\"a\":\"]\"}".to_owned(), "{ \"log\": {} }".to_owned()]));
    assert_eq!(kept, ["{\"a\":}", "[{}]", "7"].map(undecodable));
}

#[tokio::test(start_paused = true)]
async fn of_a_broken_array_what_can_be_split_is_delivered_and_the_rest_kept() {
    for (body, events, rest) in [
        ("[{\"a\":1},{\"b\":\"2},{\"c\":3}]", "{\"a\":1}", "{\"b\":\"2},{\"c\":3}]"),
        ("[{\"a\":1},{\"b\":2", "{\"a\":1}", "{\"b\":2"),
        ("[{\"a\":1}]{\"b\":2}", "{\"a\":1}", "{\"b\":2}"),
    ] {
        let (status, taken, kept) = pushed("", body).await;
        assert_eq!((status, taken), (200, vec![events.to_owned()]), "{body}");
        assert_eq!(kept, [undecodable(rest)], "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn native_json_is_read_as_vector_writes_it_where_the_listener_says_so() {
    let bench = bench_for(Pushers::Shippers { codec: Codec::NativeJson, token: None });
    bench.sink.go_on.add_permits(1);
    let body = "{\"log\":{\"a\":1}}\n{\"metric\":{}}\n[{\"log\":{}}]\n{\"a\":2}\n";
    assert_eq!(answer(&bench, Request::post(PATH), body).await.0, 200);
    assert_eq!(*bench.sink.taken.lock().unwrap(), ["{\"a\":1}"]);
    assert_eq!(bench.kept().len(), 2, "nothing is guessed");
}

#[tokio::test(start_paused = true)]
async fn gzip_is_understood_in_one_part_or_several() {
    let parts = [gzip(b"{\"a\":1}\n{\"a\""), gzip(b":2}\n{\"a\":3}")].concat();
    for encoding in ["gzip", "X-GZip"] {
        let (status, taken, kept) = pushed(encoding, parts.clone()).await;
        assert_eq!((status, taken.len(), kept.len()), (200, 3, 0), "{encoding}");
    }
    let (status, taken, _) = pushed("gzip", gzip(b"[{\"a\":1},{}]")).await;
    assert_eq!((status, taken.len()), (200, 2));
    assert_eq!(pushed("gzip", "").await.0, 200, "nothing is nothing");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_unpacked_stays_with_the_shipper() {
    let bench = bench();
    bench.sink.go_on.add_permits(10);
    let whole = gzip(b"{\"a\":1}\n");
    for (encoding, body, words) in [
        ("zstd", whole.clone(), "'zstd' is not understood here: gzip is, or none"),
        ("gzip, br", whole.clone(), "'gzip, br' is not"),
        ("gzip", b"{\"a\":1}\n".to_vec(), "it is no gzip, or not all of it"),
        ("gzip", whole[..whole.len() - 3].to_vec(), "it is no gzip, or not all of it"),
    ] {
        let request = Request::post(PATH).header("content-encoding", encoding);
        let (status, text) = answer(&bench, request, body).await;
        assert_eq!((status, text.contains(words)), (503, true), "{encoding}: {text}");
    }
    assert_eq!((bench.sink.times(), bench.kept().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_gzip_makes_of_a_small_body_counts_as_much_as_it_is() {
    let bench = bench();
    let event = |letter: &str| format!("{{\"a\":\"{}\"}}\n", letter.repeat(40_000_000));
    let push = |letter: &str| {
        let body = gzip(event(letter).as_bytes());
        let request =
            Request::post(PATH).header("content-encoding", "gzip").header("content-length", body.len());
        answer(&bench, request, body)
    };
    let first = push("x").await;
    assert_eq!((first.0, bench.sink.times()), (503, 1), "begun, and not decided");
    assert_eq!(push("y").await, (503, "too much is on its way to this sink: send it again\n".to_owned()));
    bench.sink.go_on.add_permits(2);
    Clock::system().sleep(Duration::from_secs(1)).await;
    assert_eq!((push("x").await.0, push("y").await.0, bench.sink.times()), (200, 200, 2));
}

#[tokio::test(start_paused = true)]
async fn without_the_right_token_nobody_may_push_or_ask() {
    let token = BearerToken::new(TOKEN.to_owned().into());
    assert!(!format!("{token:?}").contains("horse"));
    let bench = bench_for(Pushers::Shippers { codec: Codec::Json, token: Some(token) });
    bench.sink.go_on.add_permits(10);
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        "Basic correct-horse-battery-staple",
        "Bearer correct-horse-battery-stapl",
        "Bearer correct-horse-battery-staple2",
    ] {
        for request in [Request::post(PATH), Request::get(PATH), Request::post("/"), Request::put(PATH)] {
            let (status, text) = answer(&bench, request.header("authorization", wrong), "{}").await;
            assert_eq!(status, 401, "{wrong}");
            assert!(!text.contains("horse"), "{text}");
        }
    }
    assert_eq!(answer(&bench, Request::post(PATH), "{}").await.0, 401);
    assert_eq!((bench.sink.times(), bench.kept().len()), (0, 0));
    for right in ["Bearer correct-horse-battery-staple", "bearer  correct-horse-battery-staple"] {
        let with = |request: http::request::Builder| request.header("authorization", right);
        assert_eq!(answer(&bench, with(Request::post(PATH)), "{}").await.0, 200, "{right}");
        assert_eq!(answer(&bench, with(Request::get(PATH)), "").await.0, 200, "{right}");
    }
    assert_eq!(bench.sink.times(), 2);
}

#[tokio::test(start_paused = true)]
async fn another_path_is_told_which_one_is_right() {
    let bench = bench();
    let (status, text) = answer(&bench, Request::post("/"), "{}").await;
    assert_eq!((status, text.contains("/sinks/ and the sink's id")), (503, true), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_mark_of_the_byte_order_is_no_part_of_an_event() {
    for body in ["\u{feff}[{\"a\":1},{\"b\":2}]", "\u{feff}{\"a\":1}\n{\"b\":2}\n"] {
        let (status, taken, kept) = pushed("", body).await;
        assert_eq!(
            (status, taken, kept),
            (200, vec!["{\"a\":1}".to_owned(), "{\"b\":2}".to_owned()], vec![]),
            "{body}"
        );
    }
}

#[tokio::test]
async fn many_short_lines_count_as_what_is_built_of_them() {
    // Unpacked it has 140 KB, and what says why each line is no event has two parts' worth.
    let (status, taken, kept) = pushed("gzip", gzip(&b"1\n".repeat(40_000))).await;
    assert_eq!((status, taken.len(), kept.len()), (200, 0, 40_000));
}
