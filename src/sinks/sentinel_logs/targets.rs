//! Where rows may go: the options that say so, and what of them does not depend on events.

use std::collections::BTreeMap;

use url::Url;

use super::destination::check_dcr_immutable_id;
use super::layout::{Layout, Table};
use super::template::Template;
use microsoft::http::https_url;
use model::problem::Problem;

/// What the names of streams begin with that no rule declares.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/essentials/data-collection-rule-structure#data-flows>
const OF_MICROSOFT: &str = "Microsoft-";

/// The URL that each rule is behind.
#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    /// Of rules that are not named.
    main: Url,
    /// By immutable id, in lower case.
    by_rule: BTreeMap<String, Url>,
}

/// Everything that decides where rows go.
#[derive(Clone, Debug)]
pub(super) struct Targets {
    pub(super) endpoints: Endpoints,
    pub(super) dcr_immutable_id: Template,
    pub(super) stream_name: Template,
    pub(super) layout: Layout,
}

/// A stream that rows go to whatever is in events.
#[derive(Clone, Debug)]
pub(super) struct StreamKey {
    /// The rule's immutable id.
    pub(super) rule: String,
    pub(super) stream: String,
    /// The table of the layout, if it decides the stream.
    pub(super) table: Option<&'static str>,
}

// === impl Endpoints ===

impl Endpoints {
    /// Checks the options `endpoint` and `endpoints` of the component at `path`.
    pub(super) fn validate(
        endpoint: &str,
        endpoints: &BTreeMap<String, String>,
        path: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let main = ingestion_url(endpoint, &format!("{path}.endpoint"), problems);
        let mut by_rule = BTreeMap::new();
        for (rule, url) in endpoints {
            let path = format!("{path}.endpoints.{rule}");
            if let Err(message) = check_dcr_immutable_id(rule) {
                problems.push(Problem::new(&path, format!("the name of the entry {message}")));
            }
            let url = ingestion_url(url, &path, problems);
            if url.is_some_and(|url| by_rule.insert(rule.to_ascii_lowercase(), url).is_some()) {
                problems.push(Problem::new(path, "this rule is named twice, in another case"));
            }
        }
        Some(Self { main: main?, by_rule })
    }

    /// The one that a rule is behind.
    pub(super) fn of(&self, rule: &str) -> &Url {
        self.by_rule.get(&rule.to_ascii_lowercase()).unwrap_or(&self.main)
    }

    /// The rules that are named.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        self.by_rule.keys().map(String::as_str)
    }
}

/// The URL of an endpoint. What is wrong with it is reported at `path`.
fn ingestion_url(written: &str, path: &str, problems: &mut Vec<Problem>) -> Option<Url> {
    if written.contains("{{") {
        let message = "cannot be a template: whatever events name would get our token. Name the endpoint of each rule in \
                       endpoints, by its immutable id, and let dcr_immutable_id be a template";
        problems.push(Problem::new(path, message));
        return None;
    }
    let url = https_url(written).filter(|url| url.path() == "/" && url.query().is_none());
    if url.is_none() {
        let message = "must be an https URL without a path, such as \
                       https://my-dce-5kyl.eastus-1.ingest.monitor.azure.com";
        problems.push(Problem::new(path, message));
    }
    url
}

// === impl Targets ===

impl Targets {
    /// The streams that rows go to whatever is in events. If events choose the rule, these are the streams of each rule
    /// that `endpoints` names.
    pub(super) fn fixed(&self) -> Vec<StreamKey> {
        let rules: Vec<_> = match self.dcr_immutable_id.fixed() {
            Some(rule) => vec![rule],
            None => self.endpoints.named().collect(),
        };
        let mut streams: Vec<StreamKey> = Vec::new();
        for rule in rules {
            if let Some(stream) = self.stream_name.fixed() {
                streams.push(StreamKey { rule: rule.to_owned(), stream: stream.to_owned(), table: None });
                continue;
            }
            let by_table = self.layout.usual_tables().iter().filter_map(|table| {
                let stream = self.stream_name.for_table(table.name)?;
                Some(StreamKey { rule: rule.to_owned(), stream, table: Some(table.name) })
            });
            streams.extend(by_table);
        }
        streams
    }

    /// Whether all rows go to one stream, so that no other can wait for it.
    pub(super) fn has_one_stream(&self) -> bool {
        self.dcr_immutable_id.fixed().is_some() && self.stream_name.fixed().is_some()
    }

    /// Which streams depend on events, in words; nothing if none does.
    pub(super) fn open(&self) -> Option<String> {
        let rules = (self.dcr_immutable_id.fixed().is_none()).then(|| {
            let others = if self.endpoints.by_rule.is_empty() { "" } else { " but those of endpoints" };
            format!(
                "all rules{others}, because dcr_immutable_id '{}' depends on the event",
                self.dcr_immutable_id
            )
        });
        let mut by_table = self.layout.tables().iter().map(|table| self.stream_name.for_table(table.name));
        let settled = self.stream_name.fixed().is_some()
            || (!self.layout.tables().is_empty() && by_table.all(|stream| stream.is_some()));
        let streams = (!settled)
            .then(|| format!("all streams, because stream_name '{}' depends on the event", self.stream_name));
        let open: Vec<_> = rules.into_iter().chain(streams).collect();
        (!open.is_empty()).then(|| open.join("; "))
    }

    /// The tables of the layout whose rows go to a stream that was made for `table`.
    pub(super) fn tables(&self, table: Option<&str>) -> Vec<&'static Table> {
        let all = self.layout.tables().iter();
        all.filter(|one| !self.stream_name.names_table() || table.is_none_or(|table| one.name == table))
            .collect()
    }

    /// What works, but perhaps not as its author thinks.
    pub(super) fn warnings(&self, path: &str) -> Vec<Problem> {
        let mut warnings = Vec::new();
        if let Some(table) = self.stream_name.fixed().and_then(|stream| stream.strip_prefix(OF_MICROSOFT)) {
            let message = format!(
                "is Microsoft's own stream of the table {table}, which has no columns ExtraColumns and TruncatedColumns: what would be \
                 there vanishes without an error, and so does a field that the table has no column for. Send to a stream of the \
                 rule's own, Custom-{table}, whose transformKql puts them elsewhere: `vector-sentinel generate dcr` prints it"
            );
            warnings.push(Problem::new(format!("{path}.stream_name"), message));
        }
        let Some(rule) = self.dcr_immutable_id.fixed() else { return warnings };
        let unused = self.endpoints.named().filter(|named| !named.eq_ignore_ascii_case(rule));
        warnings.extend(unused.map(|named| {
            let message =
                format!("is not used: all rows go to the rule {rule}, which dcr_immutable_id names");
            Problem::new(format!("{path}.endpoints.{named}"), message)
        }));
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "dcr-00000000000000000000000000000001";
    const TWO: &str = "dcr-0000000000000000000000000000000A";

    fn endpoints(endpoint: &str, others: &[(&str, &str)]) -> Result<Endpoints, Vec<String>> {
        let others = others.iter().map(|(rule, url)| ((*rule).to_owned(), (*url).to_owned())).collect();
        let mut problems = Vec::new();
        let made = Endpoints::validate(endpoint, &others, "s", &mut problems);
        if problems.is_empty() {
            Ok(made.unwrap())
        } else {
            Err(problems.iter().map(ToString::to_string).collect())
        }
    }

    fn targets(rule: &str, stream: &str, layout: Layout, named: &[(&str, &str)]) -> Targets {
        Targets {
            endpoints: endpoints("https://main.example", named).unwrap(),
            dcr_immutable_id: Template::parse(rule).unwrap(),
            stream_name: Template::parse(stream).unwrap(),
            layout,
        }
    }

    fn fixed(targets: &Targets) -> Vec<String> {
        let fixed = targets.fixed().into_iter();
        fixed
            .map(|key| {
                format!("{}/{}", key.rule.replace("dcr-000000000000000000000000000000", ""), key.stream)
            })
            .collect()
    }

    #[test]
    fn a_table_for_what_a_source_emits_only_if_asked_to_is_no_stream_that_a_rule_must_have() {
        let streams = fixed(&targets(ONE, "Custom-{{ table }}", Layout::Defender, &[]));
        assert!(
            streams.len() == 3 && streams.iter().all(|stream| !stream.contains("Changes")),
            "{streams:?}"
        );
    }

    #[test]
    fn a_rule_is_behind_the_endpoint_that_is_named_for_it_in_any_case() {
        let endpoints = endpoints("https://main.example", &[(TWO, "https://two.example")]).unwrap();
        assert_eq!(endpoints.of(ONE).as_str(), "https://main.example/");
        for two in [TWO.to_owned(), TWO.to_ascii_lowercase()] {
            assert_eq!(endpoints.of(&two).as_str(), "https://two.example/");
        }
    }

    #[test]
    fn every_wrong_endpoint_is_reported() {
        let lower = TWO.to_ascii_lowercase();
        let found = endpoints(
            "https://{{ host }}.example",
            &[
                ("my-rule", "https://two.example"),
                (ONE, "https://two.example/path"),
                (TWO, "https://two.example"),
                (&lower, "https://two.example"),
            ],
        );
        let found = found.unwrap_err();
        assert_eq!(found.len(), 4, "{found:#?}");
        for words in [
            "s.endpoint: cannot be a template",
            "my-rule: the name of the entry must be",
            "without a path",
            "twice",
        ] {
            assert!(found.iter().any(|problem| problem.contains(words)), "{words}: {found:#?}");
        }
    }

    #[test]
    fn what_does_not_depend_on_events_is_known_beforehand() {
        let plain = targets(ONE, "Custom-A", Layout::Raw, &[]);
        assert_eq!((fixed(&plain), plain.open()), (vec!["01/Custom-A".to_owned()], None));
        let layout = targets(ONE, "Custom-{{ table }}", Layout::Defender, &[]);
        assert_eq!((fixed(&layout).len(), layout.open()), (3, None));
        let by_event = targets(ONE, "Custom-{{ table }}", Layout::Raw, &[]);
        assert_eq!(fixed(&by_event), [""; 0]);
        assert!(by_event.open().unwrap().contains("stream_name 'Custom-{{ table }}'"));
        let rules =
            targets("{{ dcr }}", "Custom-A", Layout::Raw, &[(ONE, "https://a.b"), (TWO, "https://c.d")]);
        assert_eq!(fixed(&rules), ["01/Custom-A", "0a/Custom-A"]);
        assert!(rules.open().unwrap().starts_with("all rules but those of endpoints"));
    }

    #[test]
    fn a_stream_of_microsofts_own_has_no_place_for_our_columns() {
        let warnings = |stream| targets(ONE, stream, Layout::CommonSecurityLog, &[]).warnings("s");
        assert_eq!(warnings("Custom-CommonSecurityLog"), []);
        let found = warnings("Microsoft-CommonSecurityLog");
        assert_eq!((found.len(), found[0].path.as_str()), (1, "s.stream_name"));
        assert!(found[0].message.contains("Custom-CommonSecurityLog"), "{found:?}");
    }

    #[test]
    fn an_endpoint_that_no_row_can_go_to_is_reported() {
        let warnings = targets(ONE, "Custom-A", Layout::Raw, &[(ONE, "https://a.b"), (TWO, "https://c.d")])
            .warnings("s");
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].path.ends_with("0a"), "{warnings:?}");
    }
}
