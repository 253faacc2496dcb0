//! Layouts: which rows of which tables an event becomes. Pure mapping, from the same descriptions of tables that the
//! templates of data collection rules are printed from.
//!
//! Nothing is dropped: what a table has no column for goes into the one column that takes anything. A value that its
//! column cannot take, because Microsoft or a transform has changed its type, goes there too.

mod asim_alert;
mod asim_vocabulary;
mod cef;
mod cef_columns;
mod common_security_log;
mod cutting;
mod defender;
mod defender_tables;
mod evidence;
mod fields;
mod incident;
mod raw;
mod sentinel_vocabulary;
mod syslog;
mod table;
mod table_rows;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Deserialize;

use model::event::Event;
use runtime::quarantine::Reason;

pub(super) use cutting::Cuts;
pub(super) use incident::read_object;
pub use raw::RAW_INCIDENTS;
pub use syslog::{SyslogConfig, SyslogExtra};
pub(super) use table::needs_sentinel;
pub use table::{ColumnType, Table, TableColumn, TableError, TableKind};
pub(super) use table_rows::TableRows;

/// Writes the rows that an event becomes, at least one; or answers why it becomes none.
pub(super) type WriteRows = fn(&Event, &mut TableRows) -> Result<(), Reason>;

/// The rows that an event becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Layout {
    /// One row an event, whose columns are the event's fields as they are.
    #[default]
    Raw,
    /// Defender incidents as rows of three tables: incidents, alerts, evidence; and events of the kind `change` as rows of a fourth.
    /// Columns are named as in Sentinel's `SecurityIncident` and `SecurityAlert`.
    Defender,
    /// Defender incidents as rows of one table in the `AlertEvent` schema of ASIM, one row for each piece of evidence.
    AsimAlert,
    /// Events in the Common Event Format, into the table `CommonSecurityLog`.
    CommonSecurityLog,
    /// Syslog events, into the table `Syslog`.
    Syslog,
    /// The same, with a column for what has none: `syslog.extra: column`.
    #[serde(skip)]
    #[value(skip)]
    SyslogWithExtra,
    /// The same, without what has no column: `syslog.extra: drop`.
    #[serde(skip)]
    #[value(skip)]
    SyslogWithoutExtra,
}

// === impl Layout ===

impl Layout {
    /// Tables that rows go to; none if the layout leaves events as they are: then the options say which.
    pub const fn tables(self) -> &'static [Table] {
        match self {
            Self::Raw => &[],
            Self::Defender => &defender_tables::TABLES,
            Self::AsimAlert => std::slice::from_ref(&asim_alert::TABLE),
            Self::CommonSecurityLog => std::slice::from_ref(&common_security_log::TABLE),
            Self::Syslog | Self::SyslogWithoutExtra => std::slice::from_ref(&syslog::TABLE),
            Self::SyslogWithExtra => std::slice::from_ref(&syslog::TABLE_WITH_EXTRA),
        }
    }

    /// Those of its tables that rows go to whatever a source emits: a rule must have a stream for each. The others are needed by
    /// whoever asks a source for more.
    pub const fn usual_tables(self) -> &'static [Table] {
        match self {
            Self::Defender => defender_tables::USUAL,
            _ => self.tables(),
        }
    }

    /// What writes the rows of its tables. Nothing if it leaves events as they are.
    pub(super) fn write_rows(self) -> Option<WriteRows> {
        match self {
            Self::Raw => None,
            Self::Defender => Some(defender::write_rows),
            Self::AsimAlert => Some(asim_alert::write_rows),
            Self::CommonSecurityLog => Some(common_security_log::write_rows),
            Self::Syslog => Some(syslog::write_rows),
            Self::SyslogWithExtra => Some(syslog::write_rows_with_extra),
            Self::SyslogWithoutExtra => Some(syslog::write_rows_without_extra),
        }
    }
}
