//! Packs rows into requests: as many as fit, in order, measured exactly.
//!
//! Rows are written into a buffer whose content is compressed and forgotten as soon as there is enough of it. So a request is
//! never in memory both plain and compressed.

use bytes::Bytes;

use super::encoder::RowNotes;
use super::gzip::Gzip;
use super::rows::Rows;
use runtime::quarantine::Reason;

/// Rows are compressed when there are so many bytes of them: row by row would be slower.
const BUFFER: usize = 64 * 1024;

/// Request that is ready to be sent. Neither before compression nor after it is over the limit.
#[derive(Debug)]
pub struct Request {
    /// JSON array of rows.
    pub body: Bytes,
    /// Whether the body is compressed. One that would not get smaller isn't.
    pub gzip: bool,
    /// Bytes of the array before compression.
    pub json_bytes: usize,
    /// Rows that are in it, by their index in the batch.
    pub rows: Vec<usize>,
}

/// Outcome of packing rows until a request was full or no row was left.
#[derive(Debug, Default)]
pub struct Packed {
    /// The request, unless every row that was left was refused.
    pub request: Option<Request>,
    /// Rows that cannot be sent, and why.
    pub refused: Vec<(usize, Reason)>,
    /// What there is to say of the rows, all together.
    pub notes: RowNotes,
}

/// Packer of a batch's rows: an iterator over requests. Between two of them it holds no row.
pub struct Packer<'a> {
    rows: &'a Rows,
    /// Which of them are packed, in this order.
    chosen: Vec<usize>,
    /// How many of those are done.
    done: usize,
    max_bytes: usize,
    gzip_level: Option<u32>,
    buffer: usize,
}

// === impl Packer ===

impl<'a> Packer<'a> {
    /// Packs the `chosen` ones of the `rows` into requests of at most `max_bytes`, compressed at `gzip_level` from 0 to 9, if
    /// any.
    pub const fn new(rows: &'a Rows, chosen: Vec<usize>, max_bytes: usize, gzip_level: Option<u32>) -> Self {
        Self { rows, chosen, done: 0, max_bytes, gzip_level, buffer: BUFFER }
    }

    /// Whether all rows are packed.
    pub const fn is_empty(&self) -> bool {
        self.done >= self.chosen.len()
    }

    /// The rows that are not packed yet.
    pub fn into_left(mut self) -> Vec<usize> {
        self.chosen.split_off(self.done.min(self.chosen.len()))
    }

    /// Ends the array whose last rows are in `plain`, and of which so many bytes are in `gzip` already.
    fn finish(&self, mut plain: Vec<u8>, zipped: usize, gzip: Option<Gzip>, rows: Vec<usize>) -> Request {
        plain.push(b']');
        let json_bytes = zipped + plain.len();
        let gzip = gzip.and_then(|gzip| gzip.finish(&plain)).filter(|body| body.len() < json_bytes);
        let (body, gzip) = match gzip {
            Some(body) => (body, true),
            None if zipped == 0 => (plain, false),
            // Text that compression does not make smaller: hardly ever, so its rows are written again.
            None => (self.array(&rows, json_bytes), false),
        };
        Request { body: body.into(), gzip, json_bytes, rows }
    }

    fn array(&self, rows: &[usize], bytes: usize) -> Vec<u8> {
        let mut json = Vec::with_capacity(bytes);
        json.push(b'[');
        for row in rows {
            if json.len() > 1 {
                json.push(b',');
            }
            // It was a row before, and the same comes out again.
            drop(self.rows.write(*row, &mut json));
        }
        json.push(b']');
        json
    }
}

impl Iterator for Packer<'_> {
    type Item = Packed;

    fn next(&mut self) -> Option<Packed> {
        let mut packed = Packed::default();
        let mut rows = Vec::new();
        let mut gzip = self.gzip_level.map(|level| Gzip::new(self.max_bytes, level));
        let (mut plain, mut zipped) = (vec![b'['], 0);
        while let Some(&row) = self.chosen.get(self.done) {
            let before = plain.len();
            if !rows.is_empty() {
                plain.push(b',');
            }
            match self.rows.write(row, &mut plain) {
                Err(reason) => {
                    plain.truncate(before);
                    packed.refused.push((row, reason));
                }
                // One byte more for the bracket that ends the array.
                Ok(notes) if zipped + plain.len() < self.max_bytes || rows.is_empty() => {
                    packed.notes.truncated_fields += notes.truncated_fields;
                    packed.notes.unread_times += notes.unread_times;
                    rows.push(row);
                }
                // It is the first of the next request, and written again then.
                Ok(_) => {
                    plain.truncate(before);
                    break;
                }
            }
            self.done += 1;
            if let Some(gzip) = &mut gzip
                && plain.len() >= self.buffer
            {
                gzip.write(&plain);
                zipped += plain.len();
                plain.clear();
            }
        }
        if !rows.is_empty() {
            packed.request = Some(self.finish(plain, zipped, gzip, rows));
        }
        (packed.request.is_some() || !packed.refused.is_empty()).then_some(packed)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzDecoder;
    use proptest::prelude::*;

    use super::*;
    use crate::sinks::sentinel_logs::layout::Layout;
    use crate::sinks::sentinel_logs::{Encoder, TablePlan};
    use model::event::Event;

    const TIME: &str = "2026-11-23T12:00:00Z";

    fn event(size: usize) -> Event {
        // Random text does not compress: the worst case for the size on the wire.
        let mut rng = fastrand::Rng::with_seed(size as u64);
        let text: String = (0..size).map(|_| rng.alphanumeric()).collect();
        Event::new(serde_json::json!({"TimeGenerated": TIME, "text": text}).to_string().into(), None)
    }

    /// Requests, of which a few rows at a time are compressed.
    fn pack(batch: &[Event], max_bytes: usize, compress: bool) -> Vec<Packed> {
        // Brackets around a single row.
        let encoder =
            Encoder::new(Layout::Raw, TablePlan::Analytics, "TimeGenerated", None, None, max_bytes - 2);
        let (rows, _) = Rows::new(&encoder, batch.into(), TIME.parse().unwrap());
        let packer = Packer::new(&rows, (0..batch.len()).collect(), max_bytes, compress.then_some(6));
        Packer { buffer: 150, ..packer }.collect()
    }

    fn json(request: &Request) -> Vec<u8> {
        if !request.gzip {
            return request.body.to_vec();
        }
        let mut plain = GzDecoder::new(Vec::new());
        plain.write_all(&request.body).unwrap();
        plain.finish().unwrap()
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_request_or_refused_and_no_request_is_over_the_limit(
            sizes in proptest::collection::vec(0_usize..400, 0..40), max_bytes in 100_usize..700,
        ) {
            let batch: Vec<_> = sizes.iter().map(|size| event(*size)).collect();
            let mut found = Vec::new();
            let mut lengths = Vec::new();
            let plain = pack(&batch, max_bytes, false);
            for (packed, plain) in pack(&batch, max_bytes, true).into_iter().zip(&plain) {
                found.extend(packed.refused.iter().map(|(row, _)| *row));
                let Some(request) = packed.request else { continue };
                let json = json(&request);
                let rows: Vec<serde_json::Value> = serde_json::from_slice(&json).unwrap();
                prop_assert_eq!(rows.len(), request.rows.len());
                prop_assert!(json.len() <= max_bytes && request.body.len() <= max_bytes);
                prop_assert_eq!(json.len(), request.json_bytes);
                let plain = plain.request.as_ref().unwrap();
                prop_assert_eq!((&json, &request.rows), (&plain.body.to_vec(), &plain.rows));
                prop_assert!(!plain.gzip);
                lengths.push(json.len());
                found.extend(request.rows);
            }
            // As many as fit: two neighbours together would have been too large.
            prop_assert!(lengths.windows(2).all(|two| two[0] + two[1] - 1 > max_bytes));
            found.sort_unstable();
            prop_assert_eq!(found, (0..batch.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn text_that_compression_makes_larger_is_sent_as_it_is() {
        let request = |size| pack(&[event(size)], 1_000, true).remove(0).request.unwrap();
        // Of the second, nothing was left that was not compressed.
        for size in [10, 120] {
            assert_eq!(request(size).body, format!("[{}]", str::from_utf8(&event(size).to_json()).unwrap()));
        }
        assert!(request(900).gzip);
    }

    #[test]
    fn a_row_that_fits_to_the_byte_is_sent_and_one_byte_more_is_refused() {
        let size = event(100).to_json().len() + 2;
        let fits = pack(&[event(100)], size, true);
        assert_eq!(fits[0].request.as_ref().unwrap().json_bytes, size);
        let refused = pack(&[event(101)], size, true);
        assert_eq!((refused[0].request.is_none(), refused[0].refused[0].1.code), (true, "too_large"));
    }
}
