//! Microsoft's hosts: which cloud each is in, and which of them take rows.

use url::Url;

use crate::cloud::Cloud;

/// How hosts' names end, the longer endings first, and the clouds that they are in.
/// Source: <https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure>
/// Source: <https://learn.microsoft.com/azure/china/resources-developer-guide>
const ENDINGS: [(&str, &[Cloud]); 12] = [
    ("dod-graph.microsoft.us", &[Cloud::UsgovDod]),
    ("graph.microsoft.us", &[Cloud::Usgov]),
    (".microsoft.us", &[Cloud::Usgov, Cloud::UsgovDod]),
    (".azure.us", &[Cloud::Usgov, Cloud::UsgovDod]),
    (".usgovcloudapi.net", &[Cloud::Usgov, Cloud::UsgovDod]),
    (".microsoftonline.us", &[Cloud::Usgov, Cloud::UsgovDod]),
    (".azure.cn", &[Cloud::China]),
    (".chinacloudapi.cn", &[Cloud::China]),
    (".microsoftonline.cn", &[Cloud::China]),
    (".azure.com", &[Cloud::Public]),
    (".microsoft.com", &[Cloud::Public]),
    (".microsoftonline.com", &[Cloud::Public]),
];

/// What hosts' names have in them that take no rows, and what they are.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/data-collection/data-collection-endpoint-overview>
/// Source: <https://learn.microsoft.com/azure/azure-monitor/logs/data-collector-api>
const NOT_FOR_ROWS: [(&str, &str); 5] = [
    (".handler.control.monitor.", "is the URL at which agents get their configuration"),
    (".metrics.ingest.monitor.", "is the URL for metrics"),
    (".opinsights.azure.", "is of the Data Collector API, which has ended"),
    ("management.azure.", "is Azure Resource Manager's URL"),
    ("management.usgovcloudapi.", "is Azure Resource Manager's URL"),
];

/// What is wrong with the URL of a service, if its host is one of Microsoft's in another cloud.
pub fn of_another_cloud(url: &Url, cloud: Cloud) -> Option<String> {
    let host = url.host_str()?;
    let (_, clouds) = ENDINGS.iter().find(|(ending, _)| host.ends_with(ending))?;
    let (first, other) = (clouds.first()?, cloud.name());
    (!clouds.contains(&cloud)).then(|| {
        let first = first.name();
        format!("is in the cloud {first}, and cloud is {other}: write cloud: {first}, or the URL in {other}")
    })
}

/// What is wrong with the URL that rows are sent to, if it is another one of Microsoft's.
pub fn takes_no_rows(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    let (_, what) = NOT_FOR_ROWS.iter().find(|(part, _)| host.contains(part))?;
    Some(format!(
        "{what}: take the logs ingestion URL, such as https://my-dce-5kyl.eastus-1.ingest.monitor.azure.com, which `az monitor \
         data-collection endpoint show` prints as logsIngestion.endpoint"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_of_one_cloud_and_an_unknown_one_of_any() {
        for (url, right) in [
            ("https://a.eastus-1.ingest.monitor.azure.com", &[Cloud::Public][..]),
            ("https://a.usgovvirginia-1.ingest.monitor.azure.us", &[Cloud::Usgov, Cloud::UsgovDod]),
            ("https://a.chinanorth2-1.ingest.monitor.azure.cn", &[Cloud::China]),
            ("https://graph.microsoft.us", &[Cloud::Usgov]),
            ("https://dod-graph.microsoft.us", &[Cloud::UsgovDod]),
            ("https://management.usgovcloudapi.net", &[Cloud::Usgov, Cloud::UsgovDod]),
            ("https://login.chinacloudapi.cn", &[Cloud::China]),
            ("https://gateway.example.com", &[Cloud::Public, Cloud::Usgov, Cloud::UsgovDod, Cloud::China]),
            ("https://127.0.0.1:8080", &[Cloud::Public, Cloud::China]),
        ] {
            let parsed = Url::parse(url).unwrap();
            for cloud in [Cloud::Public, Cloud::Usgov, Cloud::UsgovDod, Cloud::China] {
                let is_right = of_another_cloud(&parsed, cloud).is_none();
                assert!(is_right || !right.contains(&cloud), "{url} {cloud:?}");
                assert!(!is_right || right.contains(&cloud) || right.len() != 1, "{url} {cloud:?}");
            }
        }
        let foreign = Url::parse("https://a.b.ingest.monitor.azure.us").unwrap();
        assert_eq!(
            of_another_cloud(&foreign, Cloud::Public).unwrap(),
            "is in the cloud usgov, and cloud is public: write cloud: usgov, or the URL in public"
        );
    }

    #[test]
    fn each_url_that_takes_no_rows_says_what_it_is() {
        for (url, words) in [
            ("https://my-dce.eastus-1.handler.control.monitor.azure.com", "agents get their configuration"),
            ("https://my-dce.eastus-1.metrics.ingest.monitor.azure.com", "is the URL for metrics"),
            ("https://1111.ods.opinsights.azure.com", "Data Collector API"),
            ("https://management.azure.com", "Resource Manager"),
        ] {
            let message = takes_no_rows(&Url::parse(url).unwrap()).unwrap();
            assert!(message.contains(words) && message.contains(".ingest.monitor.azure.com"), "{message}");
        }
        let right = Url::parse("https://my-dce-5kyl.eastus-1.ingest.monitor.azure.com").unwrap();
        assert_eq!(takes_no_rows(&right), None);
    }
}
