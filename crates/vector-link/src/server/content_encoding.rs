//! How a body is packed.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::lines::Lines;

/// So much is unpacked at a time: gzip makes at most a thousand times as much of it.
const GZIP_AT_A_TIME: usize = 4 * 1024;

/// What unpacks a body while it comes.
pub(super) enum ContentEncoding {
    /// It is not packed.
    Identity,
    /// By gzip; nothing has come yet if the flag is not set.
    Gzip(Box<MultiGzDecoder<Vec<u8>>>, bool),
}

/// A way of packing that is not known here.
#[derive(Debug, thiserror::Error)]
#[error("its Content-Encoding '{0}' is not understood here: gzip is, or none")]
pub(super) struct UnknownEncoding(String);

// === impl ContentEncoding ===

impl ContentEncoding {
    /// What the headers of a request say. Source: <https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1>
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, UnknownEncoding> {
        let named: Vec<String> = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase())
            .filter(|name| !name.is_empty() && name != "identity")
            .collect();
        match named.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] => Ok(Self::Identity),
            ["gzip" | "x-gzip"] => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())), false)),
            _ => Err(UnknownEncoding(named.join(", ").chars().take(100).collect())),
        }
    }

    /// How many bytes are unpacked at a time.
    pub(super) const fn step(&self) -> usize {
        match self {
            Self::Identity => usize::MAX,
            Self::Gzip(..) => GZIP_AT_A_TIME,
        }
    }

    /// Hands on to `lines` what `data` holds, of which there is at most [`Self::step`].
    pub(super) fn unpack(&mut self, data: &[u8], lines: &mut Lines) -> io::Result<()> {
        match self {
            Self::Identity => lines.push(data),
            Self::Gzip(decoder, has_begun) => {
                *has_begun |= !data.is_empty();
                decoder.write_all(data)?;
                hand_on(decoder, lines);
            }
        }
        Ok(())
    }

    /// Hands on what is left at the end of a body. A packed body that is not whole is an error.
    pub(super) fn finish(&mut self, lines: &mut Lines) -> io::Result<()> {
        if let Self::Gzip(decoder, true) = self {
            decoder.try_finish()?;
            hand_on(decoder, lines);
        }
        Ok(())
    }
}

fn hand_on(decoder: &mut MultiGzDecoder<Vec<u8>>, lines: &mut Lines) {
    let unpacked = decoder.get_mut();
    lines.push(unpacked);
    unpacked.clear();
}
