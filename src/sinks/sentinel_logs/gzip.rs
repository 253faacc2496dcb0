//! Compresses a body piece by piece, into no more memory than the body may have.

use flate2::{Compress, Compression, FlushCompress, Status};

/// Memory for what is compressed is taken in such pieces.
const PIECE: usize = 64 * 1024;
/// The largest window of deflate, as everybody has it.
const WINDOW_BITS: u8 = 15;

/// A gzip body that grows.
pub(super) struct Gzip {
    compress: Compress,
    body: Vec<u8>,
    max_bytes: usize,
    /// Whether the body would have to be larger than it may be.
    is_over: bool,
}

// === impl Gzip ===

impl Gzip {
    /// An empty body, which may have `max_bytes`, compressed at `level` from 0 to 9.
    pub(super) fn new(max_bytes: usize, level: u32) -> Self {
        let compress = Compress::new_gzip(Compression::new(level), WINDOW_BITS);
        Self { compress, body: Vec::new(), max_bytes, is_over: false }
    }

    /// Adds to it.
    pub(super) fn write(&mut self, plain: &[u8]) {
        self.run(plain, FlushCompress::None);
    }

    /// Adds the last piece. There is no body if it is too large.
    pub(super) fn finish(mut self, plain: &[u8]) -> Option<Vec<u8>> {
        self.run(plain, FlushCompress::Finish);
        (!self.is_over).then_some(self.body)
    }

    fn run(&mut self, mut plain: &[u8], flush: FlushCompress) {
        while !self.is_over {
            if self.body.len() == self.body.capacity() {
                let room = self.max_bytes.saturating_sub(self.body.len());
                if room == 0 {
                    self.is_over = true;
                    return;
                }
                self.body.reserve_exact(room.min(PIECE));
            }
            let before = self.compress.total_in();
            let Ok(status) = self.compress.compress_vec(plain, &mut self.body, flush) else {
                self.is_over = true;
                return;
            };
            let taken = usize::try_from(self.compress.total_in() - before).unwrap_or(plain.len());
            plain = plain.get(taken..).unwrap_or_default();
            // What is still inside then comes with the next piece.
            if status == Status::StreamEnd || (plain.is_empty() && flush == FlushCompress::None) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzDecoder;

    use super::*;

    #[test]
    fn a_body_is_as_large_as_it_may_be_and_no_larger() {
        let mut rng = fastrand::Rng::with_seed(1);
        let plain: Vec<u8> = (0..300_000).map(|_| rng.u8(..)).collect();
        let zip = |max_bytes| {
            let mut gzip = Gzip::new(max_bytes, 6);
            let mut pieces = plain.chunks(70_001).peekable();
            while let Some(piece) = pieces.next() {
                if pieces.peek().is_none() {
                    return gzip.finish(piece);
                }
                gzip.write(piece);
            }
            None
        };
        let body = zip(400_000).unwrap();
        let mut unzipped = GzDecoder::new(Vec::new());
        unzipped.write_all(&body).unwrap();
        assert_eq!(unzipped.finish().unwrap(), plain);
        assert_eq!(zip(body.len()), Some(body.clone()));
        for max_bytes in [body.len() - 1, body.len() - 20, 1_000, 1, 0] {
            assert_eq!(zip(max_bytes), None, "{max_bytes}");
        }
    }
}
