//! Decodes one histogram.
//!
//! The crate hdrhistogram trusts some parts of its input. They are checked before: the
//! size of the unpacked data, its checksum, and the bounds, which determine the memory
//! that a histogram takes.

use std::io::{Cursor, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

use crate::record::recorder::{DIGITS, HIGHEST_NS, LOWEST_NS};

/// First bytes of the V2 compressed encoding, and of the data in it.
const COMPRESSED_COOKIE: u32 = 0x1c84_9314;
const COOKIE: u32 = 0x1c84_9313;

/// Length of cookie, payload length, normalizing offset, digits, bounds and ratio, in
/// bytes.
const HEAD: usize = 40;

/// Limit for an unpacked histogram, in bytes; no histogram of this program is as large.
const MAX_BYTES: u64 = 1 << 20;

/// Encoding of the least number. Numbers below 0 count zeros, and no histogram has so
/// many of them.
const LEAST: [u8; 9] = [0xff; 9];

/// Decodes a histogram from base64. The error describes the mistake in the text.
pub fn histogram(encoded: &str, deserializer: &mut Deserializer) -> Result<Histogram<u64>, String> {
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|error| format!("its histogram is no base64: {error}"))?;
    let plain = unpack(&bytes)?;
    check(&plain)?;
    deserializer
        .deserialize(&mut Cursor::new(plain))
        .map_err(|error| format!("its histogram cannot be decoded: {error}"))
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (Some(cookie), Some(length)) = (number(bytes, 0), number(bytes, 4)) else {
        return Err("its histogram is too short".to_owned());
    };
    if cookie != COMPRESSED_COOKIE {
        return Err("its histogram is not in the V2 compressed encoding".to_owned());
    }
    let packed = &bytes[8..];
    if usize::try_from(length) != Ok(packed.len()) {
        return Err(format!(
            "its histogram has {} bytes, where its head says {length}",
            packed.len()
        ));
    }
    let mut plain = Vec::new();
    ZlibDecoder::new(packed)
        .take(MAX_BYTES)
        .read_to_end(&mut plain)
        .map_err(|error| format!("its histogram cannot be unpacked: {error}"))?;
    Ok(plain)
}

fn check(plain: &[u8]) -> Result<(), String> {
    let bounds = number(plain, 16).zip(number(plain, 20));
    let bounds = bounds.zip(number(plain, 24).zip(number(plain, 28)));
    let wide = |(high, low): (u32, u32)| u64::from(high) << 32 | u64::from(low);
    let Some((low, high)) = bounds.map(|(low, high)| (wide(low), wide(high))) else {
        return Err("its histogram is too short".to_owned());
    };
    if number(plain, 0) != Some(COOKIE) {
        return Err("its histogram is not in the V2 encoding".to_owned());
    }
    if (number(plain, 12), low, high) != (Some(u32::from(DIGITS)), LOWEST_NS, HIGHEST_NS) {
        return Err(format!(
            "its histogram must be of {DIGITS} digits from {LOWEST_NS} to {HIGHEST_NS}"
        ));
    }
    let payload = plain.get(HEAD..).unwrap_or_default();
    if number(plain, 4).map(usize::try_from) != Some(Ok(payload.len())) {
        return Err("its histogram has not as many bytes as its head says".to_owned());
    }
    if payload.windows(LEAST.len()).any(|bytes| bytes == LEAST) {
        return Err("its histogram has a count outside of the valid range".to_owned());
    }
    Ok(())
}

/// Returns the big-endian number at an offset.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
