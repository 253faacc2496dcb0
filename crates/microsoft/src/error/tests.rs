use super::*;

#[test]
fn no_two_ways_of_not_getting_a_token_look_alike() {
    let words = || "w".to_owned();
    let all = [
        TokenError::NoAnswer(EdgeError::Refused(words())),
        TokenError::NoAnswer(EdgeError::Proxy(words())),
        TokenError::NoAnswer(EdgeError::TimedOut(words())),
        TokenError::NoAnswer(EdgeError::Tls(words())),
        TokenError::Refused("AADSTS7000215: Invalid client secret provided.".to_owned()),
    ]
    .map(ServiceError::NoToken);
    let labels: std::collections::BTreeSet<_> = all.iter().map(ServiceError::error_type).collect();
    let messages: std::collections::BTreeSet<_> = all.iter().map(ServiceError::message).collect();
    assert_eq!((labels.len(), messages.len()), (all.len(), all.len()), "{messages:#?}");
    assert!(
        all.iter()
            .all(|error| error.verdict() == Verdict::Retry && error.message().starts_with("no token: "))
    );
}

#[test]
fn a_throttle_that_says_how_long_is_waited_for_and_is_no_error() {
    let throttled = |retry_after| {
        let answer = Answer { status: Some(429), retry_after, ..Answer::default() };
        let rejected = Rejected { operation: Operation::GraphRead, rejection: Rejection::Throttled, answer };
        ServiceError::Rejected(Box::new(rejected))
    };
    let handled = throttled(Some(Duration::from_millis(2_128)));
    assert_eq!(handled.verdict(), Verdict::RetryAfter(Duration::from_millis(2_128)));
    assert_eq!(handled.level(), Level::WARN);
    assert!(handled.message().contains("trying again in 2.1 s, as asked"), "{handled}");
    assert_eq!((throttled(None).verdict(), throttled(None).level()), (Verdict::Retry, Level::ERROR));
}

#[test]
fn each_way_in_which_a_proxy_refuses_has_its_own_words() {
    for (words, expected) in [
        ("tunnel error: proxy authorization required", "the proxy asks for a user and a password (407)"),
        ("tunnel error: unsuccessful", "the proxy refuses to connect to the host, or cannot"),
        ("tunnel error: failed to create underlying connection: refused", "cannot get through the proxy"),
    ] {
        let error = ServiceError::NoToken(TokenError::NoAnswer(EdgeError::Proxy(words.to_owned())));
        let message = error.message();
        assert!(
            message.starts_with(&format!("no token: {expected}")) && message.ends_with(words),
            "{message}"
        );
        assert_eq!(error.error_type(), "proxy_failed");
    }
}
