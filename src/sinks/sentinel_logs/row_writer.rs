//! Writes one row, whoever says what is in it: a JSON object whose fields are columns.

use super::column::TRUNCATED_COLUMNS;
use super::layout::Cuts;
use model::json::each_field;
use runtime::quarantine::Reason;

/// Longest value of a field, in bytes: the service cuts what is longer, and does not say so.
/// Source: <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api>
pub(super) const MAX_FIELD_BYTES: usize = 65_536;

/// Most bytes of notes on what a row's writer has cut, or a quarter of the row if that is less.
const NOTES_ROOM: usize = 12 * 1024;

/// A row that is being written at the end of a buffer.
pub(super) struct RowWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Where in the buffer the row begins.
    start: usize,
    max_bytes: usize,
    /// Bytes of values that were cut off.
    cut_bytes: usize,
    /// The value of `TruncatedColumns`, without its last bracket.
    truncated: Vec<u8>,
    truncated_fields: u64,
}

/// A row without its last columns, from which several rows are made.
pub(super) struct RowStart {
    columns: Vec<u8>,
    truncated: Vec<u8>,
    truncated_fields: u64,
}

/// What a finished row came to.
pub(super) struct RowSize {
    pub(super) bytes: usize,
    /// How many of its fields were cut.
    pub(super) truncated_fields: u64,
}

/// Whether a value of so many bytes of JSON may have to be cut.
pub(super) const fn is_long(bytes: usize) -> bool {
    bytes > MAX_FIELD_BYTES
}

// === impl RowStart ===

impl RowStart {
    /// Bytes that it takes of a row.
    pub(super) const fn len(&self) -> usize {
        self.columns.len() + self.truncated.len()
    }

    /// The same with nothing but what `kept` answers for its columns.
    pub(super) fn filtered(&self, kept: impl Fn(&str, &str) -> Option<String>) -> Self {
        let whole = [self.columns.as_slice(), b"}"].concat();
        let mut columns = Vec::new();
        let mut row = RowWriter::new(&mut columns, usize::MAX);
        each_field(&whole, |name, json| {
            if let Some(json) = kept(name, json) {
                row.column(name, "", &json);
            }
        });
        Self { columns, truncated: Vec::new(), truncated_fields: 0 }
    }
}

// === impl RowWriter ===

impl<'a> RowWriter<'a> {
    /// Begins a row at the end of `out`. It may have `max_bytes`, before any of its values is cut.
    #[inline]
    pub(super) fn new(out: &'a mut Vec<u8>, max_bytes: usize) -> Self {
        let start = out.len();
        out.push(b'{');
        Self { out, start, max_bytes, cut_bytes: 0, truncated: Vec::new(), truncated_fields: 0 }
    }

    /// Begins a row with what another had until [`RowWriter::stop`].
    pub(super) fn resume(out: &'a mut Vec<u8>, max_bytes: usize, begun: &RowStart) -> Self {
        let start = out.len();
        out.extend_from_slice(&begun.columns);
        let truncated_fields = begun.truncated_fields;
        Self { out, start, max_bytes, cut_bytes: 0, truncated: begun.truncated.clone(), truncated_fields }
    }

    /// Takes what there is of the row out of the buffer.
    pub(super) fn stop(self) -> RowStart {
        let columns = self.out.split_off(self.start);
        RowStart { columns, truncated: self.truncated, truncated_fields: self.truncated_fields }
    }

    /// Writes one column with a value that is JSON. `name` and `suffix` need no escaping: they are legal names.
    #[inline]
    pub(super) fn column(&mut self, name: &str, suffix: &str, json: &str) {
        self.begin(name, suffix);
        // A value's text is at least as long as the value: most need no closer look.
        if is_long(json.len()) {
            self.long_value(name, suffix, json);
        } else {
            self.out.extend_from_slice(json.as_bytes());
        }
    }

    /// Writes columns that are JSON already, as in `"a":1,"b":2`. Their names are legal, and none of their values is over 64 KB.
    #[inline]
    pub(super) fn columns(&mut self, text: &str) {
        if self.out.len() > self.start + 1 {
            self.out.push(b',');
        }
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes a value that may have to be cut.
    fn long_value(&mut self, name: &str, suffix: &str, json: &str) {
        let mut cuts = Cuts::default();
        let kept = cuts.column(&format!("{name}{suffix}"), json, MAX_FIELD_BYTES);
        self.out.extend_from_slice(&kept);
        self.note_cuts(&cuts.notes, cuts.count, json.len().saturating_sub(kept.len()));
    }

    /// Writes one column with the value that `write` appends, which is JSON. Of one that may have to be cut it writes only the name,
    /// and answers the value: [`Self::value`] has to come next.
    pub(super) fn column_unless_long(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Option<String> {
        self.begin(name, "");
        let start = self.out.len();
        write(self.out);
        (self.out.len() - start > MAX_FIELD_BYTES)
            .then(|| String::from_utf8(self.out.split_off(start)).unwrap_or_default())
    }

    /// Writes the value, which is JSON, of the column whose name was written last.
    pub(super) fn value(&mut self, json: &[u8]) {
        self.out.extend_from_slice(json);
    }

    /// Notes what its writer has cut: elements of `TruncatedColumns` as far as there is room for them, the number of values, and their
    /// bytes, as far as the row is to count as so much larger.
    pub(super) fn note_cuts(&mut self, notes: &[String], count: u64, bytes: usize) {
        for note in notes {
            if !self.truncated.is_empty() && self.truncated.len() + note.len() > self.room_for_notes() {
                break;
            }
            self.truncated.push(if self.truncated.is_empty() { b'[' } else { b',' });
            self.truncated.extend_from_slice(note.as_bytes());
        }
        self.truncated_fields += count;
        self.cut_bytes += bytes;
    }

    /// Puts an element in front of all others in `TruncatedColumns`.
    pub(super) fn note_first(&mut self, note: &str) {
        let others = std::mem::take(&mut self.truncated);
        self.truncated = format!("[{note}").into_bytes();
        if let Some(others) = others.get(1..) {
            self.truncated.push(b',');
            self.truncated.extend_from_slice(others);
        }
    }

    /// Takes the columns so far back, as an object, if they are too large for a row with the notes on what was cut, and answers how
    /// many bytes they may have.
    pub(super) fn take_too_large(&mut self) -> Option<(String, usize)> {
        let name = TRUNCATED_COLUMNS.len() + ",\"\":]}".len();
        if self.out.len() - self.start + self.truncated.len() + name <= self.max_bytes {
            return None;
        }
        self.out.push(b'}');
        let columns = String::from_utf8(self.out.split_off(self.start)).unwrap_or_default();
        self.out.push(b'{');
        Some((columns, self.max_bytes.saturating_sub(name + self.room_for_notes())))
    }

    /// Cuts the columns so far as much as they are too large for a row.
    pub(super) fn cut_to_row(&mut self) {
        self.cut_bytes = 0;
        if let Some((columns, max)) = self.take_too_large() {
            let mut cuts = Cuts::default();
            let kept = cuts.row(&columns, max);
            self.value(kept.get(1..kept.len() - 1).unwrap_or_default());
            self.note_cuts(&cuts.notes, cuts.count, 0);
        }
    }

    /// Whether the row, with what was cut of it, is larger than it may be.
    pub(super) const fn is_too_large(&self) -> bool {
        self.out.len() - self.start + self.truncated.len() + self.cut_bytes + TRUNCATED_COLUMNS.len() + 5
            > self.max_bytes
    }

    fn room_for_notes(&self) -> usize {
        NOTES_ROOM.min(self.max_bytes / 4)
    }

    /// Ends the row. Of one that is too large nothing is left in the buffer.
    #[inline]
    pub(super) fn finish(mut self) -> Result<RowSize, Reason> {
        if !self.truncated.is_empty() {
            self.begin(TRUNCATED_COLUMNS, "");
            self.out.append(&mut self.truncated);
            self.out.push(b']');
        }
        self.out.push(b'}');
        // With what was cut: a row that is too large as a whole is kept whole, in the quarantine.
        let bytes = self.out.len() - self.start;
        let whole = bytes + self.cut_bytes;
        if whole > self.max_bytes {
            self.out.truncate(self.start);
            let message = format!(
                "the row has {whole} bytes, and one call may have {} in all (batch.max_bytes)",
                self.max_bytes
            );
            return Err(Reason { code: "too_large", message, request_id: None });
        }
        Ok(RowSize { bytes, truncated_fields: self.truncated_fields })
    }

    #[inline]
    fn begin(&mut self, name: &str, suffix: &str) {
        let quote = if self.out.len() == self.start + 1 { "\"" } else { ",\"" };
        for part in [quote, name] {
            self.out.extend_from_slice(part.as_bytes());
        }
        if !suffix.is_empty() {
            self.out.extend_from_slice(suffix.as_bytes());
        }
        self.out.extend_from_slice(b"\":");
    }
}
