//! Packs rows into requests: as many as fit, in order, measured exactly.

use std::io::Write;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use flate2::Compression as Level;
use flate2::write::GzEncoder;

use super::encoder::Encoder;
use crate::model::event::Event;
use crate::quarantine::Reason;

/// One request's rows.
#[derive(Debug)]
pub struct Request {
    /// A JSON array of rows.
    pub json: Vec<u8>,
    /// Which events of the batch the rows are.
    pub events: Vec<usize>,
}

/// What was packed next.
#[derive(Debug, Default)]
pub struct Packed {
    /// A request, unless everything that was left was refused.
    pub request: Option<Request>,
    /// Events that cannot be rows, and why.
    pub refused: Vec<(usize, Reason)>,
    /// How many fields were cut.
    pub truncated_fields: u64,
}

/// Packs the given events of a batch, one request at a time.
pub struct Packer<'a> {
    encoder: &'a Encoder,
    batch: &'a [Event],
    events: std::vec::IntoIter<usize>,
    max_bytes: usize,
    now: DateTime<Utc>,
    /// A row that did not fit into the last request.
    carried: Option<(usize, Vec<u8>)>,
}

// === impl Request ===

impl Request {
    /// The body to send, and whether it is gzip. A body that compression would not make smaller is sent as it is: so
    /// neither form is ever over the limit.
    #[must_use]
    pub fn body(&self, compress: bool) -> (Bytes, bool) {
        if compress {
            let mut gzip = GzEncoder::new(Vec::with_capacity(self.json.len() / 8), Level::default());
            if let Ok(body) = gzip.write_all(&self.json).and_then(|()| gzip.finish())
                && body.len() < self.json.len()
            {
                return (body.into(), true);
            }
        }
        (Bytes::copy_from_slice(&self.json), false)
    }
}

// === impl Packer ===

impl<'a> Packer<'a> {
    /// Packs `events` of `batch` into requests of at most `max_bytes`.
    #[must_use]
    pub fn new(
        encoder: &'a Encoder,
        batch: &'a [Event],
        events: Vec<usize>,
        max_bytes: usize,
        now: DateTime<Utc>,
    ) -> Self {
        Self { encoder, batch, events: events.into_iter(), max_bytes, now, carried: None }
    }
}

impl Iterator for Packer<'_> {
    type Item = Packed;

    fn next(&mut self) -> Option<Packed> {
        let mut packed = Packed::default();
        let mut json = vec![b'['];
        let mut events = Vec::new();
        if let Some((event, row)) = self.carried.take() {
            json.extend_from_slice(&row);
            events.push(event);
        }
        for event in self.events.by_ref() {
            let before = json.len();
            if !events.is_empty() {
                json.push(b',');
            }
            let row_start = json.len();
            match self.encoder.write_row(&self.batch[event], self.now, &mut json) {
                Err(reason) => {
                    json.truncate(before);
                    packed.refused.push((event, reason));
                }
                // One byte more for the bracket that ends the array.
                Ok(cut) if json.len() < self.max_bytes || events.is_empty() => {
                    packed.truncated_fields += cut;
                    events.push(event);
                }
                Ok(cut) => {
                    packed.truncated_fields += cut;
                    self.carried = Some((event, json.split_off(row_start)));
                    json.truncate(before);
                    break;
                }
            }
        }
        if !events.is_empty() {
            json.push(b']');
            packed.request = Some(Request { json, events });
        }
        (packed.request.is_some() || !packed.refused.is_empty()).then_some(packed)
    }
}

#[cfg(test)]
mod tests {
    use flate2::write::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    const TIME: &str = "2026-11-23T12:00:00Z";

    fn event(size: usize) -> Event {
        // Random text does not compress: the worst case for the size on the wire.
        let mut rng = fastrand::Rng::with_seed(size as u64);
        let text: String = (0..size).map(|_| rng.alphanumeric()).collect();
        Event::new(serde_json::json!({"TimeGenerated": TIME, "text": text}).to_string().into(), None)
    }

    fn pack(batch: &[Event], max_bytes: usize) -> Vec<Packed> {
        // Brackets around a single row.
        let encoder = Encoder::new("TimeGenerated".to_owned(), max_bytes - 2, None);
        let events = (0..batch.len()).collect();
        Packer::new(&encoder, batch, events, max_bytes, TIME.parse().unwrap()).collect()
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_request_or_refused_and_no_request_is_over_the_limit(
            sizes in proptest::collection::vec(0_usize..400, 0..40), max_bytes in 100_usize..700,
        ) {
            let batch: Vec<_> = sizes.iter().map(|size| event(*size)).collect();
            let mut places = Vec::new();
            let mut lengths = Vec::new();
            for packed in pack(&batch, max_bytes) {
                places.extend(packed.refused.iter().map(|(event, _)| *event));
                let Some(request) = packed.request else { continue };
                let rows: Vec<serde_json::Value> = serde_json::from_slice(&request.json).unwrap();
                prop_assert_eq!(rows.len(), request.events.len());
                prop_assert!(request.json.len() <= max_bytes);
                let (body, gzip) = request.body(true);
                prop_assert!(body.len() <= max_bytes);
                if gzip {
                    let mut plain = GzDecoder::new(Vec::new());
                    plain.write_all(&body).unwrap();
                    prop_assert_eq!(plain.finish().unwrap(), request.json.clone());
                }
                lengths.push(request.json.len());
                places.extend(request.events);
            }
            // As many as fit: two neighbours together would have been too large.
            prop_assert!(lengths.windows(2).all(|two| two[0] + two[1] - 1 > max_bytes));
            places.sort_unstable();
            prop_assert_eq!(places, (0..batch.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_row_that_fits_to_the_byte_is_sent_and_one_byte_more_is_refused() {
        let size = event(100).to_json().len() + 2;
        let fits = pack(&[event(100)], size);
        assert_eq!(fits[0].request.as_ref().unwrap().json.len(), size);
        let refused = pack(&[event(101)], size);
        assert_eq!((refused[0].request.is_none(), refused[0].refused[0].1.code), (true, "too_large"));
    }
}
