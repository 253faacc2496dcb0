//! The state file's first layout, of versions up to November 2026: there cursors had a table, and so had every delivered revision.
//!
//! | table | key | value |
//! |---|---|---|
//! | `cursors` | component | the component's cursor, JSON |
//! | `seen` | component, time in ns, id | nothing |
//! | `documents` | kind, key | as today |

use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::file::DOCUMENTS;
use super::seen::{self, Batch, CURSORS};

pub(super) const CURSORS_TABLE: TableDefinition<'_, &str, &str> = TableDefinition::new("cursors");
pub(super) const SEEN_TABLE: TableDefinition<'_, (&str, i64, &str), ()> = TableDefinition::new("seen");

/// So many revisions become one record.
const BATCH: usize = 1_000;

/// Makes a file of this layout one of today's: all of it or nothing.
pub(super) fn convert(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    let mut documents = transaction.open_table(DOCUMENTS)?;
    for row in transaction.open_table(CURSORS_TABLE)?.iter()? {
        let (component, cursor) = row?;
        let text = format!("{{\"cursor\":{},\"forgotten_before\":{}}}", cursor.value(), i64::MIN);
        documents.insert((CURSORS, component.value()), text.as_str())?;
    }
    let mut put = |component: &str, batch: &Batch, serial: u64| {
        let text = serde_json::to_string(batch).map_err(std::io::Error::from)?;
        let newest = batch.last().map_or(i64::MIN, |(nanos, _)| *nanos);
        documents
            .insert((seen::kind(component).as_str(), seen::key(newest, serial).as_str()), text.as_str())?;
        Ok::<_, redb::Error>(())
    };
    let (mut of, mut batch, mut serial) = (String::new(), Batch::new(), 0);
    for row in transaction.open_table(SEEN_TABLE)?.iter()? {
        let (key, _) = row?;
        let (component, nanos, id) = key.value();
        if !batch.is_empty() && (component != of || batch.len() == BATCH) {
            put(&of, &batch, serial)?;
            serial += 1;
            batch.clear();
        }
        component.clone_into(&mut of);
        batch.push((nanos, id.to_owned()));
    }
    if !batch.is_empty() {
        put(&of, &batch, serial)?;
    }
    transaction.delete_table(CURSORS_TABLE)?;
    transaction.delete_table(SEEN_TABLE)?;
    Ok(())
}
