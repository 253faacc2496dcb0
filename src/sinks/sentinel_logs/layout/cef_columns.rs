//! The columns of `CommonSecurityLog` that a sender fills, and the CEF key that each is for.
//!
//! Where Microsoft has announced that a column will be replaced, the new one is here: `ExtID` for `ExternalID`,
//! `FieldDeviceCustomNumber1` for `DeviceCustomNumber1`. What Microsoft adds by itself, such as `MaliciousIP`, is not.
//!
//! Sources: <https://learn.microsoft.com/azure/sentinel/cef-name-mapping>,
//! <https://learn.microsoft.com/azure/azure-monitor/reference/tables/commonsecuritylog>

use super::table::{ColumnType, TableColumn, column};

/// Declares each column once, and derives from that what the table has and which key goes where.
macro_rules! cef {
    ($($name:literal: $column_type:ident from $key:literal;)*) => {
        /// The columns of rows.
        pub(super) const COLUMNS: &[TableColumn] = &[
            column("TimeGenerated", ColumnType::DateTime, "timestamp."),
            column("Computer", ColumnType::String, "hostname, or host."),
            column("AdditionalExtensions", ColumnType::String, "Everything else, as key=value;key=value."),
            $(column($name, ColumnType::$column_type, concat!("CEF: ", $key, ".")),)*
        ];

        /// CEF keys, as Vector's `parse_cef` has them, and their columns.
        pub(super) const KEYS: &[(&str, &str)] = &[$(($key, $name),)*];
    };
}

cef! {
    "DeviceVendor": String from "deviceVendor";
    "DeviceProduct": String from "deviceProduct";
    "DeviceVersion": String from "deviceVersion";
    "DeviceEventClassID": String from "deviceEventClassId";
    "Activity": String from "name";
    "LogSeverity": String from "severity";
    "DeviceAction": String from "act";
    "ApplicationProtocol": String from "app";
    "DeviceEventCategory": String from "cat";
    "EventCount": Int from "cnt";
    "DestinationDnsDomain": String from "destinationDnsDomain";
    "DestinationServiceName": String from "destinationServiceName";
    "DestinationTranslatedAddress": String from "destinationTranslatedAddress";
    "DestinationTranslatedPort": Int from "destinationTranslatedPort";
    "CommunicationDirection": String from "deviceDirection";
    "DeviceDnsDomain": String from "deviceDnsDomain";
    "DeviceExternalID": String from "deviceExternalId";
    "DeviceFacility": String from "deviceFacility";
    "DeviceInboundInterface": String from "deviceInboundInterface";
    "DeviceNtDomain": String from "deviceNtDomain";
    "DeviceOutboundInterface": String from "deviceOutboundInterface";
    "DevicePayloadId": String from "devicePayloadId";
    "ProcessName": String from "deviceProcessName";
    "DeviceTranslatedAddress": String from "deviceTranslatedAddress";
    "DestinationHostName": String from "dhost";
    "DestinationMACAddress": String from "dmac";
    "DestinationNTDomain": String from "dntdom";
    "DestinationProcessId": Int from "dpid";
    "DestinationUserPrivileges": String from "dpriv";
    "DestinationProcessName": String from "dproc";
    "DestinationPort": Int from "dpt";
    "DestinationIP": String from "dst";
    "DeviceTimeZone": String from "dtz";
    "DestinationUserID": String from "duid";
    "DestinationUserName": String from "duser";
    "DeviceAddress": String from "dvc";
    "DeviceName": String from "dvchost";
    "DeviceMacAddress": String from "dvcmac";
    "ProcessID": Int from "dvcpid";
    "EndTime": DateTime from "end";
    "ExtID": String from "externalId";
    "FileCreateTime": String from "fileCreateTime";
    "FileHash": String from "fileHash";
    "FileID": String from "fileId";
    "FileModificationTime": String from "fileModificationTime";
    "FilePath": String from "filePath";
    "FilePermission": String from "filePermission";
    "FileType": String from "fileType";
    "FileName": String from "fname";
    "FileSize": Int from "fsize";
    "ReceivedBytes": Long from "in";
    "Message": String from "msg";
    "OldFileCreateTime": String from "oldFileCreateTime";
    "OldFileHash": String from "oldFileHash";
    "OldFileID": String from "oldFileId";
    "OldFileModificationTime": String from "oldFileModificationTime";
    "OldFileName": String from "oldFileName";
    "OldFilePath": String from "oldFilePath";
    "OldFilePermission": String from "oldFilePermission";
    "OldFileSize": Int from "oldFileSize";
    "OldFileType": String from "oldFileType";
    "SentBytes": Long from "out";
    "EventOutcome": String from "outcome";
    "Protocol": String from "proto";
    "Reason": String from "reason";
    "RequestURL": String from "request";
    "RequestClientApplication": String from "requestClientApplication";
    "RequestContext": String from "requestContext";
    "RequestCookies": String from "requestCookies";
    "RequestMethod": String from "requestMethod";
    "ReceiptTime": String from "rt";
    "SourceHostName": String from "shost";
    "SourceMACAddress": String from "smac";
    "SourceNTDomain": String from "sntdom";
    "SourceDnsDomain": String from "sourceDnsDomain";
    "SourceServiceName": String from "sourceServiceName";
    "SourceTranslatedAddress": String from "sourceTranslatedAddress";
    "SourceTranslatedPort": Int from "sourceTranslatedPort";
    "SourceProcessId": Int from "spid";
    "SourceUserPrivileges": String from "spriv";
    "SourceProcessName": String from "sproc";
    "SourcePort": Int from "spt";
    "SourceIP": String from "src";
    "StartTime": DateTime from "start";
    "SourceUserID": String from "suid";
    "SourceUserName": String from "suser";
    "EventType": Int from "type";
    "DeviceCustomIPv6Address1": String from "c6a1";
    "DeviceCustomIPv6Address1Label": String from "c6a1Label";
    "DeviceCustomIPv6Address2": String from "c6a2";
    "DeviceCustomIPv6Address2Label": String from "c6a2Label";
    "DeviceCustomIPv6Address3": String from "c6a3";
    "DeviceCustomIPv6Address3Label": String from "c6a3Label";
    "DeviceCustomIPv6Address4": String from "c6a4";
    "DeviceCustomIPv6Address4Label": String from "c6a4Label";
    "DeviceCustomFloatingPoint1": Real from "cfp1";
    "DeviceCustomFloatingPoint1Label": String from "cfp1Label";
    "DeviceCustomFloatingPoint2": Real from "cfp2";
    "DeviceCustomFloatingPoint2Label": String from "cfp2Label";
    "DeviceCustomFloatingPoint3": Real from "cfp3";
    "DeviceCustomFloatingPoint3Label": String from "cfp3Label";
    "DeviceCustomFloatingPoint4": Real from "cfp4";
    "DeviceCustomFloatingPoint4Label": String from "cfp4Label";
    "FieldDeviceCustomNumber1": Long from "cn1";
    "DeviceCustomNumber1Label": String from "cn1Label";
    "FieldDeviceCustomNumber2": Long from "cn2";
    "DeviceCustomNumber2Label": String from "cn2Label";
    "FieldDeviceCustomNumber3": Long from "cn3";
    "DeviceCustomNumber3Label": String from "cn3Label";
    "DeviceCustomString1": String from "cs1";
    "DeviceCustomString1Label": String from "cs1Label";
    "DeviceCustomString2": String from "cs2";
    "DeviceCustomString2Label": String from "cs2Label";
    "DeviceCustomString3": String from "cs3";
    "DeviceCustomString3Label": String from "cs3Label";
    "DeviceCustomString4": String from "cs4";
    "DeviceCustomString4Label": String from "cs4Label";
    "DeviceCustomString5": String from "cs5";
    "DeviceCustomString5Label": String from "cs5Label";
    "DeviceCustomString6": String from "cs6";
    "DeviceCustomString6Label": String from "cs6Label";
    "DeviceCustomDate1": String from "deviceCustomDate1";
    "DeviceCustomDate1Label": String from "deviceCustomDate1Label";
    "DeviceCustomDate2": String from "deviceCustomDate2";
    "DeviceCustomDate2Label": String from "deviceCustomDate2Label";
    "FlexDate1": String from "flexDate1";
    "FlexDate1Label": String from "flexDate1Label";
    "FlexNumber1": Int from "flexNumber1";
    "FlexNumber1Label": String from "flexNumber1Label";
    "FlexNumber2": Int from "flexNumber2";
    "FlexNumber2Label": String from "flexNumber2Label";
    "FlexString1": String from "flexString1";
    "FlexString1Label": String from "flexString1Label";
    "FlexString2": String from "flexString2";
    "FlexString2Label": String from "flexString2Label";
}
