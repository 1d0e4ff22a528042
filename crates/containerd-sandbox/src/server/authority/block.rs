//! Header blocks (HPACK, RFC 7541).
//!
//! A block is a sequence of fields. A field is a literal, or the index of a literal that the static
//! or the dynamic table has. An authority is replaced where it is a literal, by one of the same
//! length: so the dynamic table, whose entries are evicted by their lengths, stays the same for both
//! sides, and each other byte of the block, too.

use httlib_huffman::DecoderSpeed;
use tonic::codegen::http::uri::Authority;

/// The name of the field, and the same with Huffman coding (RFC 7541, appendix B).
const AUTHORITY: &[u8] = b":authority";
const HUFFMAN_AUTHORITY: &[u8] = &[0xb8, 0x3b, 0x53, 0x39, 0xec, 0x32, 0x7d, 0x7f];

/// The index of the name in the static table, where its value is empty.
const AUTHORITY_INDEX: usize = 1;

/// The authority in place of an empty one.
const LOCALHOST: &[u8] = b"localhost";

/// Reads a block from its start.
#[derive(Debug, Clone, Copy)]
struct Reader<'a> {
    block: &'a [u8],
    at: usize,
}

/// A string as it is encoded.
#[derive(Debug, Clone, Copy)]
struct Text<'a> {
    bytes: &'a [u8],
    is_huffman: bool,
}

impl<'a> Reader<'a> {
    /// Reads an integer whose first byte has `bits` bits of it (section 5.1). Integers of more than
    /// four bytes are in no valid block of a request.
    fn integer(&mut self, bits: u8) -> Option<usize> {
        let mask = (1 << bits) - 1;
        let mut value = usize::from(*self.block.get(self.at)?) & mask;
        self.at += 1;
        if value < mask {
            return Some(value);
        }
        for shift in [0, 7, 14] {
            let byte = usize::from(*self.block.get(self.at)?);
            self.at += 1;
            value += (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Reads a string (section 5.2).
    fn text(&mut self) -> Option<Text<'a>> {
        let is_huffman = self.block.get(self.at)? & 0x80 != 0;
        let length = self.integer(7)?;
        let bytes = self.block.get(self.at..self.at + length)?;
        self.at += length;
        Some(Text { bytes, is_huffman })
    }

    /// Reads the name of a literal field whose first byte has `bits` bits of an index, and returns
    /// whether the name is that of the authority. A name by its index in the dynamic table counts as
    /// another one: no known client refers to the authority so, because the static table has it.
    fn is_authority(&mut self, bits: u8) -> Option<bool> {
        match self.integer(bits)? {
            0 => {
                let name = self.text()?;
                let known = if name.is_huffman {
                    HUFFMAN_AUTHORITY
                } else {
                    AUTHORITY
                };
                Some(name.bytes == known)
            }
            index => Some(index == AUTHORITY_INDEX),
        }
    }
}

impl Text<'_> {
    /// Returns the text that the server's library would refuse as an authority; none if it would
    /// accept it, or the text is invalid.
    fn refused(self) -> Option<Vec<u8>> {
        let text = if self.is_huffman {
            let mut text = Vec::new();
            httlib_huffman::decode(self.bytes, &mut text, DecoderSpeed::FourBits).ok()?;
            text
        } else {
            self.bytes.to_vec()
        };
        Authority::try_from(&text[..]).is_err().then_some(text)
    }
}

/// Replaces each authority that the server's library would refuse. Returns none if there is no such
/// authority, or the block is invalid.
pub(super) fn with_accepted_authority(block: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader { block, at: 0 };
    let mut replaced = Vec::new();
    // The bytes before this index are in `replaced`.
    let mut copied = 0;
    while let Some(first) = block.get(reader.at) {
        let start = reader.at;
        if first & 0x80 != 0 {
            // An indexed field (section 6.1).
            if reader.integer(7)? == AUTHORITY_INDEX {
                replaced.extend(&block[copied..start]);
                // A literal field without indexing (section 6.2.2).
                replaced.push(1);
                put_text(LOCALHOST, &mut replaced);
                copied = reader.at;
            }
            continue;
        }
        if first & 0xe0 == 0x20 {
            // An update of the size of the dynamic table (section 6.3).
            reader.integer(5)?;
            continue;
        }
        // A literal field with indexing has six bits of the index of its name, others four
        // (section 6.2).
        let is_authority = reader.is_authority(if first & 0x40 != 0 { 6 } else { 4 })?;
        let before_value = reader.at;
        let value = reader.text()?;
        if !is_authority {
            continue;
        }
        if let Some(text) = value.refused().filter(|text| !text.is_empty()) {
            replaced.extend(&block[copied..before_value]);
            put_text(&accepted(text), &mut replaced);
            copied = reader.at;
        }
    }
    if copied == 0 {
        return None;
    }
    replaced.extend(&block[copied..]);
    Some(replaced)
}

/// Returns a similar authority of the same length that the library accepts: a name of letters,
/// digits, full stops and hyphens.
fn accepted(mut text: Vec<u8>) -> Vec<u8> {
    for byte in &mut text {
        if !byte.is_ascii_alphanumeric() && *byte != b'.' {
            *byte = b'-';
        }
    }
    text
}

/// Appends a string without Huffman coding (section 5.2).
fn put_text(text: &[u8], block: &mut Vec<u8>) {
    const MASK: u8 = 0x7f;
    match u8::try_from(text.len()) {
        Ok(length) if length < MASK => block.push(length),
        _ => {
            block.push(MASK);
            let mut rest = text.len() - usize::from(MASK);
            // The low seven bits first; all bytes but the last have the highest bit set.
            while rest > usize::from(MASK) {
                block.push(u8::try_from(rest & 0x7f).unwrap_or_default() | 0x80);
                rest >>= 7;
            }
            block.push(u8::try_from(rest).unwrap_or_default());
        }
    }
    block.extend(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use loona_hpack::Decoder;
    use proptest::prelude::*;

    type List = Vec<(Vec<u8>, Vec<u8>)>;

    fn huffman(text: &[u8]) -> Vec<u8> {
        let mut coded = Vec::new();
        httlib_huffman::encode(text, &mut coded).unwrap();
        coded
    }

    fn put_huffman(text: &[u8], block: &mut Vec<u8>) {
        let coded = huffman(text);
        let start = block.len();
        put_text(&coded, block);
        block[start] |= 0x80;
    }

    /// The ways to encode a literal authority.
    fn literals(value: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for first in [0x41, 0x40, 0x01, 0x00, 0x11, 0x10] {
            for is_huffman in [false, true] {
                let put = if is_huffman { put_huffman } else { put_text };
                let mut block = vec![first];
                if matches!(first, 0x40 | 0x00 | 0x10) {
                    put(AUTHORITY, &mut block);
                }
                put(value, &mut block);
                all.push(block);
            }
        }
        all
    }

    fn decode(block: &[u8]) -> List {
        Decoder::new().decode(block).unwrap()
    }

    fn authority(block: &[u8]) -> Vec<u8> {
        let fields = decode(block);
        let found = fields.into_iter().find(|(name, _)| name == AUTHORITY);
        found.expect("an authority").1
    }

    #[test]
    fn the_name_is_coded_as_the_appendix_says() {
        assert_eq!(huffman(AUTHORITY), HUFFMAN_AUTHORITY);
    }

    #[test]
    fn a_refused_authority_is_replaced_however_it_is_encoded() {
        for (value, expected) in [
            (&b"/run/rs.sock"[..], &b"-run-rs.sock"[..]),
            (b"run%2Frs.sock", b"run-2Frs.sock"),
            (b"%2Frun%2Frs.sock", b"-2Frun-2Frs.sock"),
            (b"a b", b"a-b"),
            (b"[::1", b"---1"),
            (b"\xff\x00", b"--"),
            (b"%", b"-"),
        ] {
            for block in literals(value) {
                let replaced = with_accepted_authority(&block).expect("it is refused");
                assert_eq!(authority(&replaced), expected, "{block:x?}");
            }
        }
        let empty = with_accepted_authority(&[0x82, 0x81, 0x86]).unwrap();
        assert_eq!(authority(&empty), LOCALHOST);
        assert_eq!((empty[0], *empty.last().unwrap()), (0x82, 0x86));
    }

    #[test]
    fn an_accepted_authority_stays() {
        for value in [
            &b"localhost"[..],
            b"localhost:80",
            b"127.0.0.1",
            b"[::1]:80",
            b"user@host",
        ] {
            for block in literals(value) {
                assert_eq!(with_accepted_authority(&block), None, "{block:x?}");
            }
        }
        let mut host = vec![0];
        put_text(b"host", &mut host);
        put_text(b"/run/rs.sock", &mut host);
        assert_eq!(with_accepted_authority(&host), None);
    }

    #[test]
    fn invalid_blocks_stay() {
        let refused = literals(b"/run/rs.sock");
        for cut in &refused {
            for length in 1..cut.len() {
                assert_eq!(with_accepted_authority(&cut[..length]), None);
            }
            for rest in [&[0xff, 0xff, 0xff, 0xff, 0xff, 1][..], &[0x00], &[0x3f]] {
                assert_eq!(with_accepted_authority(&[cut, rest].concat()), None);
            }
        }
        // A Huffman code that ends the string, and one that is cut off.
        for code in [&[0xff, 0xff, 0xff, 0xff][..], &[0xff, 0xff]] {
            let mut block = vec![0x41];
            put_text(code, &mut block);
            block[1] |= 0x80;
            assert_eq!(with_accepted_authority(&block), None);
        }
    }

    #[test]
    fn long_authorities_keep_their_length() {
        for length in [1, 126, 127, 128, 254, 255, 256, 16_000] {
            let replaced = with_accepted_authority(&literals(&vec![b'/'; length])[0]).unwrap();
            assert_eq!(authority(&replaced), vec![b'-'; length]);
        }
    }

    fn field() -> impl Strategy<Value = (u8, bool, String, String)> {
        let first = prop_oneof![Just(0x40u8), Just(0x00), Just(0x10)];
        (first, any::<bool>(), "[a-z]{1,9}", "[ -~]{0,400}")
    }

    proptest! {
        #[test]
        fn both_sides_keep_the_same_table(
            blocks in proptest::collection::vec(
                (proptest::collection::vec(field(), 1..12), "/[%/a-z]{0,40}", 0..12usize),
                1..12,
            ),
        ) {
            let (mut before, mut after) = (Decoder::new(), Decoder::new());
            for (n, (fields, value, way)) in blocks.into_iter().enumerate() {
                // References to the last entries of the table, one of which is an authority.
                let mut block = if n > 0 { vec![0xbe, 0xbf] } else { Vec::new() };
                for (first, is_huffman, name, text) in fields {
                    let put = if is_huffman { put_huffman } else { put_text };
                    block.push(first);
                    put(name.as_bytes(), &mut block);
                    put(text.as_bytes(), &mut block);
                }
                block.extend(&literals(value.as_bytes())[way]);
                block.extend(&literals(value.as_bytes())[0]);
                block.extend([0x40, 1, b'z', 1, b'z']);
                let replaced = with_accepted_authority(&block).expect("it is refused");
                let mut expected = before.decode(&block).unwrap();
                for (name, value) in &mut expected {
                    if name == AUTHORITY {
                        *value = accepted(std::mem::take(value));
                    }
                }
                prop_assert_eq!(after.decode(&replaced).unwrap(), expected);
            }
        }

        #[test]
        fn what_is_replaced_is_accepted(value in proptest::collection::vec(any::<u8>(), 1..60)) {
            let text = Text { bytes: &value, is_huffman: false };
            if let Some(text) = text.refused() {
                prop_assert!(Authority::try_from(&accepted(text)[..]).is_ok());
            }
        }

        #[test]
        fn garbage_never_panics(block in proptest::collection::vec(any::<u8>(), 0..200)) {
            with_accepted_authority(&block);
        }
    }
}
