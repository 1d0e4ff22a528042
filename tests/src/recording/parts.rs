//! Splits a protobuf message into the fields of its outermost level, so that items that many
//! lists repeat are stored once.

/// Shortest field in bytes that is a part of its own; shorter ones stay with their neighbours.
const SHORTEST: usize = 64;

/// Returns the message in pieces that give the message when they are joined: each long field is
/// a piece, and so is each run of short fields. Bytes that are not protobuf are one piece.
pub fn split(message: &[u8]) -> Vec<&[u8]> {
    let Some(lengths) = fields(message) else {
        return vec![message];
    };
    let (mut pieces, mut begin, mut at) = (Vec::new(), 0, 0);
    for length in lengths {
        if length >= SHORTEST {
            pieces.push(&message[begin..at]);
            pieces.push(&message[at..at + length]);
            begin = at + length;
        }
        at += length;
    }
    pieces.push(&message[begin..]);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Returns the lengths of the fields including their tags (protobuf.dev, "Encoding": "Message
/// structure"), or `None` if the bytes are no message.
fn fields(message: &[u8]) -> Option<Vec<usize>> {
    let (mut lengths, mut rest) = (Vec::new(), message);
    while !rest.is_empty() {
        let before = rest.len();
        let wire_type = varint(&mut rest)? & 7;
        let payload = match wire_type {
            0 => {
                varint(&mut rest)?;
                0
            }
            1 => 8,
            2 => varint(&mut rest)?,
            5 => 4,
            _ => return None,
        };
        rest = rest.get(usize::try_from(payload).ok()?..)?;
        lengths.push(before - rest.len());
    }
    Some(lengths)
}

/// Takes a varint of at most ten bytes from the front.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for (position, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * position).min(63);
        if byte & 0x80 == 0 {
            *bytes = &bytes[position + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a field of this number and payload, which is shorter than 128 bytes.
    fn field(number: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).expect("short");
        [&[number << 3 | 2, length], payload].concat()
    }

    #[test]
    fn long_fields_are_pieces_of_their_own_and_short_ones_stay_together() {
        let (long, short) = (field(1, &[7; 100]), field(2, b"ab"));
        let number = vec![3 << 3, 0x80, 1];
        let message = [&long[..], &short, &number, &long].concat();
        let rest = [&short[..], &number].concat();
        assert_eq!(split(&message), [&long[..], &rest, &long]);
    }

    #[test]
    fn pieces_joined_are_the_message_even_if_it_is_none() {
        let message = [field(1, &[7; 100]), field(2, b"ab")].concat();
        for end in 0..message.len() {
            assert_eq!(split(&message[..end]).concat(), message[..end]);
        }
        assert_eq!(split(&[0xff; 12]), [&[0xff; 12][..]]);
        assert!(split(b"").is_empty());
    }
}
