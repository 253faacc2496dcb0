//! Where rows may go: the options that say so, and what of them does not depend on events.

use std::collections::BTreeMap;

use url::Url;

use super::destination::{check_dcr_immutable_id, check_stream_name};
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
    /// Whether templates were left to events although nothing confines them.
    pub(super) is_unconfined: bool,
}

/// What events may choose: the options `destinations` and `dangerously_allow_unconfined_template_resolution`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Confinement<'a> {
    pub(super) destinations: &'a [String],
    pub(super) is_off: bool,
}

/// A stream that rows go to whatever is in events.
#[derive(Clone, Debug)]
pub(super) struct StreamKey {
    /// The rule's immutable id.
    pub(super) rule: String,
    pub(super) stream: String,
    /// The table of the layout, if it decides the stream.
    pub(super) table: Option<&'static str>,
    /// Whether it is one of several rules with one of several streams that events choose: perhaps nothing ever goes there.
    pub(super) is_candidate: bool,
}

/// The option that switches confinement off: Vector's.
const UNCONFINED: &str = "dangerously_allow_unconfined_template_resolution";
/// The end of a message.
const OPT_OUT: &str = "or set `dangerously_allow_unconfined_template_resolution: true` to opt out.";

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

// === impl StreamKey ===

impl StreamKey {
    /// Whether nothing is wrong if it does not work, while these do: events need not choose it, for both its rule and its stream work
    /// with others.
    pub(super) fn is_excused(&self, working: &[&Self]) -> bool {
        self.is_candidate
            && working.iter().any(|other| other.rule == self.rule)
            && working.iter().any(|other| other.stream == self.stream)
    }
}

/// Why a stream that does not work is no failure.
pub(super) const EXCUSED: &str =
    "events may choose this stream of this rule, and need not: if none does, nothing is wrong";

// === impl Targets ===

impl Targets {
    /// Confines the templates, so that whoever writes events does not choose any rule or stream: as Vector's sinks since 0.57, to a
    /// literal prefix, or to the names that the file has. What is confined by neither is a problem of the component at `path`.
    ///
    /// All rules begin alike, so that a prefix confines none: only names do, those in `endpoints` or in `destinations`. A stream is
    /// one of those that its rule declares, and its prefix is as good as in Vector.
    ///
    /// Source: <https://github.com/vectordotdev/vector/pull/25820>
    pub(super) fn confine(
        mut self,
        confinement: Confinement<'_>,
        path: &str,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let (mut rules, mut streams): (Vec<String>, Vec<String>) =
            (self.endpoints.named().map(str::to_owned).collect(), Vec::new());
        for (index, name) in confinement.destinations.iter().enumerate() {
            if check_dcr_immutable_id(name).is_ok() {
                rules.push(name.to_ascii_lowercase());
            } else if let Err(error) = check_stream_name(name) {
                let message = format!("'{name}' is neither a rule's immutable id nor a stream: it {error}");
                problems.push(Problem::new(format!("{path}.destinations.{index}"), message));
            } else {
                streams.push(name.clone());
            }
        }
        rules.sort_unstable();
        rules.dedup();
        self.is_unconfined = confinement.is_off;
        if confinement.is_off {
            return self;
        }
        let has_tables = !self.layout.tables().is_empty();
        let fields = |template: &Template| {
            let fields = template.event_fields(has_tables);
            (!fields.is_empty()).then(|| format!("{fields:?}"))
        };
        if let Some(fields) = fields(&self.dcr_immutable_id) {
            if rules.is_empty() {
                let message = format!(
                    "template has dynamic content (event fields: {fields}) but nothing to confine it to: whoever writes events \
                     would choose the rule. Name the rules that it may come to, as in `destinations: \
                     [dcr-000a00a000a00000a000000aa000a0aa]` or by their endpoints in `endpoints`, {OPT_OUT}"
                );
                problems.push(Problem::new(format!("{path}.dcr_immutable_id"), message));
            }
            self.dcr_immutable_id = self.dcr_immutable_id.clone().confined_to(rules);
        }
        if let Some(fields) = fields(&self.stream_name) {
            if !streams.is_empty() {
                self.stream_name = self.stream_name.clone().confined_to(streams);
            } else if self.stream_name.literal_prefix().is_empty() {
                let message = format!(
                    "template has dynamic content (event fields: {fields}) but no literal string prefix to derive a confinement \
                     base from. Add a static prefix to your template, as in `Custom-{}`, or name the streams that it may come to, \
                     as in `destinations: [Custom-Firewall_CL]`, {OPT_OUT}",
                    self.stream_name
                );
                problems.push(Problem::new(format!("{path}.stream_name"), message));
            }
        }
        self
    }

    /// The streams that rows go to whatever is in events. If events choose among names of the file, these are all of them.
    pub(super) fn fixed(&self) -> Vec<StreamKey> {
        let rules: Vec<_> = match (self.dcr_immutable_id.fixed(), self.dcr_immutable_id.names()) {
            (Some(rule), _) => vec![rule],
            (None, Some(names)) => names.iter().map(String::as_str).collect(),
            (None, None) => self.endpoints.named().collect(),
        };
        let names = self.stream_name.names().unwrap_or_default();
        let is_candidate = rules.len() > 1 && names.len() > 1;
        let mut streams: Vec<StreamKey> = Vec::new();
        for rule in rules {
            let key = |stream: &str| StreamKey {
                rule: rule.to_owned(),
                stream: stream.to_owned(),
                table: None,
                is_candidate,
            };
            if let Some(stream) = self.stream_name.fixed() {
                streams.push(key(stream));
                continue;
            }
            if let Some(names) = self.stream_name.names() {
                streams.extend(names.iter().map(|stream| key(stream)));
                continue;
            }
            let by_table = self.layout.usual_tables().iter().filter_map(|table| {
                let stream = self.stream_name.for_table(table.name)?;
                Some(StreamKey { rule: rule.to_owned(), stream, table: Some(table.name), is_candidate })
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
        let is_open = |template: &Template| template.fixed().is_none() && template.names().is_none();
        let rules = is_open(&self.dcr_immutable_id).then(|| {
            let others = if self.endpoints.by_rule.is_empty() { "" } else { " but those of endpoints" };
            format!(
                "all rules{others}, because dcr_immutable_id '{}' depends on the event",
                self.dcr_immutable_id
            )
        });
        let mut by_table = self.layout.tables().iter().map(|table| self.stream_name.for_table(table.name));
        let settled = !is_open(&self.stream_name)
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
        if self.is_unconfined {
            let message = "switches a security control off: whoever writes events that dcr_immutable_id or stream_name is made of \
                           chooses which rule and stream gets them";
            warnings.push(Problem::new(format!("{path}.{UNCONFINED}"), message));
            return warnings;
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
            is_unconfined: false,
        }
    }

    /// The same, confined, with the problems.
    fn confined(targets: Targets, destinations: &[&str], is_off: bool) -> (Targets, Vec<String>) {
        let destinations: Vec<_> = destinations.iter().map(|name| (*name).to_owned()).collect();
        let mut problems = Vec::new();
        let targets =
            targets.confine(Confinement { destinations: &destinations, is_off }, "s", &mut problems);
        (targets, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_template_that_events_fill_is_confined_or_refused() {
        let named: &[(&str, &str)] = &[(TWO, "https://two.example")];
        for (rule, stream, layout, named, destinations, expected) in [
            (ONE, "Custom-A", Layout::Raw, &[][..], &[][..], &[][..]),
            (ONE, "Custom-{{ team }}", Layout::Raw, &[], &[], &[]),
            (ONE, "{{ stream }}", Layout::Raw, &[], &[], &["s.stream_name"]),
            (ONE, "{{ stream }}", Layout::Raw, named, &[ONE], &["s.stream_name"]),
            (ONE, "{{ stream }}", Layout::Raw, &[], &["Custom-A"], &[]),
            (ONE, "Custom-{{ table }}", Layout::Defender, &[], &[], &[]),
            (ONE, "{{ table }}", Layout::Defender, &[], &[], &[]),
            (ONE, "{{ table }}", Layout::Raw, &[], &[], &["s.stream_name"]),
            ("{{ dcr }}", "Custom-A", Layout::Raw, &[], &[], &["s.dcr_immutable_id"]),
            ("dcr-{{ dcr }}", "Custom-A", Layout::Raw, &[], &["Custom-A"], &["s.dcr_immutable_id"]),
            ("{{ dcr }}", "Custom-A", Layout::Raw, named, &[], &[]),
            ("{{ dcr }}", "Custom-A", Layout::Raw, &[], &[ONE], &[]),
            ("{{ dcr }}", "{{ x }}", Layout::Raw, &[], &[], &["s.dcr_immutable_id", "s.stream_name"]),
            (ONE, "Custom-A", Layout::Raw, &[], &["my-rule"], &["s.destinations.0"]),
        ] {
            let made = || targets(rule, stream, layout, named);
            let (_, problems) = confined(made(), destinations, false);
            let found: Vec<_> = problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
            assert_eq!(found, expected, "{rule} {stream} {destinations:?}");
            for problem in problems.iter().filter(|problem| !problem.contains("my-rule")) {
                for words in ["destinations: [", "dangerously_allow_unconfined_template_resolution: true"] {
                    assert!(problem.contains(words), "{problem}");
                }
            }
            let (open, problems) = confined(made(), &[], true);
            assert_eq!((problems.len(), open.warnings("s").len(), open.is_unconfined), (0, 1, true));
        }
    }

    #[test]
    fn names_that_templates_are_confined_to_are_known_beforehand() {
        let rules = targets("{{ dcr }}", "{{ stream }}", Layout::Raw, &[(TWO, "https://two.example")]);
        let (rules, _) = confined(rules, &[ONE, TWO, "Custom-A", "Custom-B"], false);
        assert_eq!(fixed(&rules), ["01/Custom-A", "01/Custom-B", "0a/Custom-A", "0a/Custom-B"]);
        assert_eq!(rules.open(), None);
        let event = |json: String| model::event::Event::new(json.into(), None);
        let rendered = rules.dcr_immutable_id.render(&event(format!("{{\"dcr\":\"{TWO}\"}}")), None);
        assert_eq!(rendered.unwrap(), TWO.to_ascii_lowercase(), "in one case, whatever the event has");
        let other = format!("{{\"dcr\":\"{}\"}}", ONE.replace('1', "2"));
        rules.dcr_immutable_id.render(&event(other), None).unwrap_err();
    }

    #[test]
    fn a_rule_need_not_have_every_stream_that_events_choose_among() {
        let rules = targets("{{ dcr }}", "{{ stream }}", Layout::Raw, &[]);
        let (rules, _) = confined(rules, &[ONE, TWO, "Custom-A", "Custom-B"], false);
        let keys = rules.fixed();
        let [a1, b1, a2, b2] = &keys[..] else { panic!("{keys:?}") };
        assert!(a2.is_excused(&[a1, b2]) && b1.is_excused(&[a1, b2]));
        assert!(!b1.is_excused(&[a1, a2]), "no rule has the stream");
        assert!(!a2.is_excused(&[a1, b1]), "the rule has no stream");
        let (one, _) =
            confined(targets(ONE, "{{ stream }}", Layout::Raw, &[]), &["Custom-A", "Custom-B"], false);
        let keys = one.fixed();
        assert!(keys.len() == 2 && !keys[0].is_excused(&[&keys[1]]), "all rows go to the rule");
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
