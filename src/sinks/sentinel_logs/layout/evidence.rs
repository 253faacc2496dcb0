//! A piece of evidence: where in it the things are that people ask for, and what it is through all of its states.
//!
//! Source of the 48 types and their fields: <https://learn.microsoft.com/graph/api/resources/security-alertevidence>

use std::borrow::Cow;
use std::net::IpAddr;

use serde_json::value::RawValue;

use super::fields::{Fields, Lookup, text};
use super::table::{ColumnSource, TableColumn};
use model::json::{each_element, each_field};

/// What evidence types begin with.
/// Source: <https://learn.microsoft.com/graph/api/resources/security-alertevidence>
const TYPE_PREFIX: &str = "#microsoft.graph.security.";

/// Where the address is that a piece is about; of several, the one that comes first in Microsoft's own parsers.
pub(super) const ADDRESS: &str = "ipAddress, lastIpAddress, ipAddress.ipAddress, ipInterfaces[ip], host.lastIpAddress, \
     host.ipInterfaces[ip], senderIp, senderIP, podIp.ipAddress, clusterIP.ipAddress, ipAddresses[0].ipAddress, \
     sourceAddress.ipAddress, destinationAddress.ipAddress";
/// Where addresses are, in objects of their own or not, one or many.
const ADDRESSES: [&str; 21] = [
    "ipAddress",
    "ipAddress.ipAddress",
    "lastIpAddress",
    "ipInterfaces",
    "lastExternalIpAddress",
    "host.lastIpAddress",
    "host.ipInterfaces",
    "host.lastExternalIpAddress",
    "nics[0].ipAddress",
    "ipAddresses",
    "hostIpAddress",
    "dnsServerIp",
    "sourceAddress",
    "destinationAddress",
    "podIp",
    "clusterIP",
    "externalIPs",
    "senderIp",
    "senderIP",
    "pod.podIp",
    "source.ipAddress",
];
pub(super) const HOST_NAME: &str = "hostName, deviceDnsName, host.hostName, host.deviceDnsName, deviceName";
pub(super) const DEVICE_ID: &str = "mdeDeviceId, host.mdeDeviceId";
pub(super) const MAC_ADDRESS: &str = "macAddress, nics[0].macAddress";
pub(super) const FILE_NAME: &str =
    "fileDetails.fileName, imageFile.fileName, files[0].fileDetails.fileName, blobEvidence/name";
pub(super) const FILE_PATH: &str = "fileDetails.filePath, imageFile.filePath, files[0].fileDetails.filePath";
pub(super) const FILE_SIZE: &str = "fileDetails.fileSize, imageFile.fileSize, files[0].fileDetails.fileSize";
pub(super) const MD5: &str = "fileDetails.md5, imageFile.md5, #md5, files[0].fileDetails.md5";
pub(super) const SHA1: &str = "fileDetails.sha1, imageFile.sha1, #sha1, files[0].fileDetails.sha1";
pub(super) const SHA256: &str = "fileDetails.sha256, imageFile.sha256, #sha256, files[0].fileDetails.sha256";
pub(super) const URL: &str = "url, blobContainer.url, webUrl, baseUrl, sourceRef.url";
pub(super) const DOMAIN: &str = "domainName, activeDirectoryDomainName";
pub(super) const SENDER_FROM: &str = "p2Sender.emailAddress, senderFromAddress, sender";
pub(super) const SENDER_MAIL_FROM: &str = "p1Sender.emailAddress";
pub(super) const SENDER_IP: &str = "senderIp, senderIP";
pub(super) const RECIPIENT: &str = "recipientEmailAddress, recipient";
pub(super) const MAILBOX: &str = "primaryAddress, mailboxPrimaryAddress";
pub(super) const APPLICATION_ID: &str = "appId, agentId";
pub(super) const APPLICATION_NAME: &str = "oauthApplicationEvidence/displayName, cloudApplicationEvidence/displayName, servicePrincipalName, agentName";
pub(super) const SESSION_ID: &str = "sessionId, requestId";
pub(super) const RESOURCE_ID: &str = "resourceId, fullResourceName, amazonResourceId, storageResource.resourceId, \
     blobContainer.storageResource.resourceId, cloudResource.resourceId, cloudResource.fullResourceName, \
     cloudResource.amazonResourceId, vmMetadata.resourceId, host.vmMetadata.resourceId, ioTHub.resourceId, repoId, orgId";
pub(super) const RESOURCE_NAME: &str = "resourceName, storageResource.resourceName, cloudResource.resourceName, \
     containerEvidence/name, containerRegistryEvidence/registry, blobContainerEvidence/name, kubernetesClusterEvidence/name, kubernetesControllerEvidence/name, \
     kubernetesNamespaceEvidence/name, kubernetesPodEvidence/name, kubernetesSecretEvidence/name, \
     kubernetesServiceAccountEvidence/name, kubernetesServiceEvidence/name, gitHubRepoEvidence/login, \
     gitHubOrganizationEvidence/login";
pub(super) const RESOURCE_TYPE: &str =
    "resourceType, storageResource.resourceType, cloudResource.resourceType";
pub(super) const KUBERNETES_CLUSTER: &str = "kubernetesClusterEvidence/name, cluster.name, namespace.cluster.name, \
     pod.namespace.cluster.name";
pub(super) const KUBERNETES_NAMESPACE: &str =
    "kubernetesNamespaceEvidence/name, namespace.name, pod.namespace.name";
pub(super) const KUBERNETES_POD: &str = "kubernetesPodEvidence/name, pod.name";
pub(super) const CONTAINER_IMAGE: &str = "imageId, image.imageId, containers[0].image.imageId";
pub(super) const GROUP_NAME: &str = "securityGroupEvidence/displayName, friendlyName";

/// Where in a piece of a common type the fields are that say which one it is: of each slot, the first that is there.
const IDENTITY: [(&str, &[&[&str]]); 6] = [
    ("deviceEvidence", &[&["mdeDeviceId", "azureAdDeviceId", "deviceDnsName", "hostName", "lastIpAddress"]]),
    ("ipEvidence", &[&["ipAddress"]]),
    ("urlEvidence", &[&["url"]]),
    (
        "userEvidence",
        &[&[
            "userAccount.azureAdUserId",
            "userAccount.userSid",
            "userAccount.userPrincipalName",
            "userAccount.accountName",
        ]],
    ),
    (
        "fileEvidence",
        &[
            &["mdeDeviceId"],
            &["fileDetails.filePath"],
            &["fileDetails.fileName"],
            &["fileDetails.sha256", "fileDetails.sha1", "fileDetails.md5"],
        ],
    ),
    (
        "processEvidence",
        &[
            &["mdeDeviceId"],
            &["processId"],
            &["processCreationDateTime"],
            &["processCommandLine", "imageFile.fileName"],
        ],
    ),
];
/// Fields that say how things stand with a piece, and not what it is.
const STATE: [&str; 8] = [
    "createdDateTime",
    "verdict",
    "remediationStatus",
    "remediationStatusDetails",
    "roles",
    "detailedRoles",
    "tags",
    "detectionStatus",
];

/// Most addresses of one piece that have a place in a column of their own.
const MAX_ADDRESSES: usize = 256;
/// How deep objects are looked into for a hash; what is deeper counts as text.
const MAX_DEPTH: usize = 32;

/// The columns of a table that copy from evidence. Most of them have nothing in most pieces, and are passed over in one step.
pub(super) struct EvidenceColumns {
    /// The fields that paths begin with, in order: each is a bit.
    begins: Vec<&'static str>,
    columns: Vec<EvidenceColumn>,
}

struct EvidenceColumn {
    name: &'static str,
    /// The fields that its paths begin with.
    begins: u128,
    paths: Vec<&'static str>,
}

/// A piece of evidence, in which values are looked for.
pub(super) struct Evidence<'f, 'a> {
    fields: &'f Fields<'a>,
    lookup: Lookup<'f, 'a>,
    /// Its type without the prefix; empty if it does not say.
    pub(super) kind: Cow<'a, str>,
}

// === impl EvidenceColumns ===

impl EvidenceColumns {
    /// Those among the columns of a table.
    pub(super) fn of(columns: &[TableColumn]) -> Self {
        let of_evidence: Vec<_> = columns
            .iter()
            .filter_map(|column| match column.from {
                ColumnSource::Evidence(paths) => Some((column.name, paths.split(", ").collect::<Vec<_>>())),
                _ => None,
            })
            .collect();
        let paths = of_evidence.iter().flat_map(|(_, paths)| paths.iter().copied());
        let mut begins: Vec<_> = paths.flat_map(first_fields).collect();
        begins.sort_unstable();
        begins.dedup();
        debug_assert!(begins.len() <= 128, "each has a bit");
        let bit = |name: &str| 1_u128 << begins.partition_point(|known| *known < name).min(127);
        let columns = of_evidence.into_iter().map(|(name, paths)| {
            let begins =
                paths.iter().flat_map(|path| first_fields(path)).fold(0, |bits, name| bits | bit(name));
            EvidenceColumn { name, begins, paths }
        });
        let columns = columns.collect();
        Self { begins, columns }
    }

    /// Calls `copy` with a column and a value that a piece has for it, until it says that it has taken one.
    pub(super) fn each(
        &self,
        evidence: &mut Evidence<'_, '_>,
        mut copy: impl FnMut(&'static str, &RawValue) -> bool,
    ) {
        let mut there = 0_u128;
        for (name, _) in evidence.fields.iter() {
            if let Ok(bit) = self.begins.binary_search(&name) {
                there |= 1 << bit;
            }
        }
        for EvidenceColumn { name, begins, paths } in &self.columns {
            if begins & there != 0 {
                paths.iter().any(|path| evidence.find(path).is_some_and(|value| copy(name, value)));
            }
        }
    }
}

/// The fields of a piece that a path may begin with.
fn first_fields(path: &'static str) -> impl Iterator<Item = &'static str> {
    let path = path.split_once('/').map_or(path, |(_, path)| path);
    let (first, second) = if path.starts_with('#') {
        ("algorithm", Some("fileHashes"))
    } else {
        (path.split(['.', '[']).next().unwrap_or(path), None)
    };
    std::iter::once(first).chain(second)
}

// === impl Evidence ===

impl<'f, 'a> Evidence<'f, 'a> {
    pub(super) fn new(fields: &'f Fields<'a>) -> Self {
        let kind = match fields.text("@odata.type") {
            Some(Cow::Borrowed(text)) => Cow::Borrowed(text.strip_prefix(TYPE_PREFIX).unwrap_or(text)),
            Some(Cow::Owned(text)) => {
                Cow::Owned(text.strip_prefix(TYPE_PREFIX).map(str::to_owned).unwrap_or(text))
            }
            None => Cow::Borrowed(""),
        };
        Self { fields, lookup: Lookup::new(fields), kind }
    }

    /// The value at a path. One of `type/path` is there in evidence of that type only; `#algorithm` is the hash of a file.
    pub(super) fn find(&mut self, path: &'static str) -> Option<&'a RawValue> {
        if let Some(algorithm) = path.strip_prefix('#') {
            return self.hash(algorithm);
        }
        match path.split_once('/') {
            Some((evidence_type, path)) if evidence_type == self.kind => self.lookup.find(path),
            Some(_) => None,
            None => self.lookup.find(path),
        }
    }

    /// The hash of a file by that algorithm, in evidence that is one or has some.
    /// Source: <https://learn.microsoft.com/graph/api/resources/security-filehash>
    fn hash(&self, algorithm: &str) -> Option<&'a RawValue> {
        let hash_in = |fields: &Fields<'a>| {
            let is_it = fields.text("algorithm").is_some_and(|name| name.eq_ignore_ascii_case(algorithm));
            is_it.then(|| fields.get("value")).flatten()
        };
        let one_of_many = || {
            let hashes = self.fields.items("fileHashes")?;
            hashes.into_iter().find_map(|hash| hash_in(&Fields::of(hash)?))
        };
        hash_in(self.fields).or_else(one_of_many)
    }

    /// The addresses in it, each once, and no more than a piece can be believed to have.
    pub(super) fn addresses(&mut self) -> Vec<Cow<'a, str>> {
        let mut addresses = Vec::new();
        for path in ADDRESSES {
            if let Some(value) = self.lookup.find(path) {
                let items: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_else(|_| vec![value]);
                for address in items.into_iter().filter_map(address) {
                    if addresses.len() == MAX_ADDRESSES {
                        return addresses;
                    }
                    if !addresses.contains(&address) {
                        addresses.push(address);
                    }
                }
            }
        }
        addresses
    }

    /// What it is, as a number that is the same in each of its states, whichever way it came. Microsoft gives it no id.
    pub(super) fn id(&mut self) -> u64 {
        let mut id = hash_of(0, self.kind.as_bytes());
        let slots = IDENTITY.iter().find(|(of, _)| *of == self.kind).map(|(_, slots)| *slots);
        let slots = slots.unwrap_or_default();
        let mut known = 0;
        for (at, slot) in (1..).zip(slots) {
            if let Some(value) = slot.iter().find_map(|path| self.lookup.find(path)) {
                known += 1;
                id = id.wrapping_add(hash_of_value(at, value.get(), 0));
            }
        }
        // A device alone does not tell one process on it from another.
        if known == 0 || known < slots.len().min(2) {
            let others =
                self.fields.iter().filter(|(name, _)| *name != "@odata.type" && !STATE.contains(name));
            for (name, value) in others {
                id = id.wrapping_add(hash_of_value(hash_of(0, name.as_bytes()), value.get(), 0));
            }
        }
        id
    }
}

/// The address that a value is, or that an object has, or the object that it has one in: Microsoft nests them no deeper.
fn address(value: &RawValue) -> Option<Cow<'_, str>> {
    let within = |value| {
        let object = Fields::of(value)?;
        ["ipAddress", "address", "Address"].iter().find_map(|name| object.get(name))
    };
    let of = |value| text(value).filter(|text| !text.is_empty());
    of(value).or_else(|| {
        let inner = within(value)?;
        of(inner).or_else(|| of(within(inner)?))
    })
}

/// The member of a list of addresses that tells most: the first that is neither of the device itself nor of one link alone, or else
/// the first.
pub(super) fn telling_address<'a>(items: &[&'a RawValue]) -> Option<&'a RawValue> {
    let texts = items.iter().filter_map(|item| {
        if item.get().starts_with('"') {
            return Some(*item);
        }
        let object = Fields::of(item)?;
        ["ipAddress", "address", "Address"].iter().find_map(|name| object.get(name))
    });
    let texts: Vec<_> = texts.collect();
    let tells = |value: &&&RawValue| {
        let Some(Ok(address)) = text(value).map(|text| text.parse::<IpAddr>()) else { return false };
        let is_link_local = match address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        !address.is_loopback() && !address.is_unspecified() && !is_link_local
    };
    texts.iter().find(tells).or_else(|| texts.first()).copied()
}

/// A hash of a value that is the same in whatever order fields stand, and with whatever escapes; null is as good as nothing.
fn hash_of_value(seed: u64, json: &str, depth: usize) -> u64 {
    let mut hash = 0_u64;
    match json.as_bytes().first() {
        Some(b'{') if depth < MAX_DEPTH => {
            each_field(json.as_bytes(), |name, json| {
                let seed = hash_of(seed, name.as_bytes());
                hash = hash.wrapping_add(hash_of_value(seed, json, depth + 1));
            });
        }
        Some(b'[') if depth < MAX_DEPTH => {
            let mut at = 0_u64;
            each_element(json, |json| {
                at += 1;
                let seed = hash_of(seed, &at.to_le_bytes());
                hash = hash.wrapping_add(hash_of_value(seed, json, depth + 1));
            });
        }
        Some(b'"') if json.contains('\\') => {
            let text = serde_json::from_str::<Cow<'_, str>>(json).unwrap_or(Cow::Borrowed(json));
            hash = hash_of(seed, text.as_bytes());
        }
        _ if json == "null" => {}
        _ => hash = hash_of(seed, json.trim_matches('"').as_bytes()),
    }
    hash
}

/// FNV-1a, and a last step that leaves no two similar texts near each other: sums of such hashes are compared.
/// Source: <http://www.isthe.com/chongo/tech/comp/fnv/>
fn hash_of(seed: u64, bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}
