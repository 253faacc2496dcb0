//! What is made of chance: all of it follows from the seed.

use std::fmt::Write as _;

use fastrand::Rng;

/// A seed for the part that `salt` names of what has the seed `seed`.
pub(crate) fn mixed(seed: u64, salt: u64) -> u64 {
    let mut mixed = seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// `len` lower-case hexadecimal digits.
pub(crate) fn hex(rng: &mut Rng, len: usize) -> String {
    let mut text = String::with_capacity(len + 16);
    while text.len() < len {
        write!(text, "{:016x}", rng.u64(..)).ok();
    }
    text.truncate(len);
    text
}

/// A GUID with the marks of version 4.
pub(crate) fn guid(rng: &mut Rng) -> String {
    let bits = rng.u128(..) & !(0xf000_c000 << 48) | (0x4000_8000 << 48);
    let low = bits & 0xffff_ffff_ffff;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{low:012x}",
        bits >> 96,
        (bits >> 80) & 0xffff,
        (bits >> 64) & 0xffff,
        (bits >> 48) & 0xffff
    )
}
