//! Checksum of a line: every line is a JSON object with a CRC-32 as its last member.

use std::io::Write;

/// Length of `,"crc":"`, eight digits and `"}`.
const SEAL_LEN: usize = 8 + 8 + 2;

/// Reason why a line cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    #[error("the line does not end")]
    Unterminated,
    #[error("the checksum is missing or wrong")]
    Checksum,
    #[error("{0}")]
    Malformed(String),
}

/// Completes a line that holds a JSON object without its closing brace: adds the CRC-32 (IEEE)
/// of the bytes so far in lower-case hexadecimal, the brace and a newline.
pub(super) fn seal(line: &mut Vec<u8>) {
    let seal = seal_of(line);
    line.extend_from_slice(&seal);
    line.push(b'\n');
}

/// Checks a line, given with its newline, and returns its JSON object.
pub(super) fn unseal(line: &[u8]) -> Result<&[u8], LineError> {
    let object = line.strip_suffix(b"\n").ok_or(LineError::Unterminated)?;
    let content = object.len().checked_sub(SEAL_LEN);
    let (content, seal) = object.split_at(content.ok_or(LineError::Checksum)?);
    if seal != seal_of(content) {
        return Err(LineError::Checksum);
    }
    Ok(object)
}

fn seal_of(content: &[u8]) -> [u8; SEAL_LEN] {
    let mut seal = [0; SEAL_LEN];
    // Eight hexadecimal digits hold every CRC-32, so the text fills the array exactly.
    let _ = write!(
        &mut seal[..],
        ",\"crc\":\"{:08x}\"}}",
        crc32fast::hash(content)
    );
    seal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc_32_in_lower_case() {
        let mut line = b"123456789".to_vec();
        seal(&mut line);
        assert_eq!(line, b"123456789,\"crc\":\"cbf43926\"}\n");
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut line = b"{\"a\":\"some text\"".to_vec();
        seal(&mut line);
        assert_eq!(unseal(&line), Ok(&line[..line.len() - 1]));
        for bit in 0..line.len() * 8 {
            let mut flipped = line.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_is_noticed() {
        let mut line = b"{\"a\":1".to_vec();
        seal(&mut line);
        for len in 0..line.len() {
            assert_eq!(unseal(&line[..len]), Err(LineError::Unterminated));
        }
        assert_eq!(unseal(b"\n"), Err(LineError::Checksum));
    }
}
