//! Header blocks: names and values, compressed over the whole connection (draft 3.1, section
//! 2.6.10).

use zlib_rs::{Inflate, InflateError, InflateFlush};

use crate::dictionary::{DICTIONARY, DICTIONARY_ID};
use crate::error::HeaderError;
use crate::limits::MAX_HEADER_BYTES;

/// Size of the compressor's window, as a power of two: the largest of zlib.
const WINDOW_BITS: u8 = 15;

/// Headers of a stream: names in lower case, and values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Returns the first value of a header. Case does not count: clients on spdystream send
    /// lower case, whatever they were given.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self
            .0
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name));
        // NUL separates several values of one name.
        found.and_then(|(_, value)| value.split('\0').next())
    }
}

/// Decompressor of a connection's header blocks.
pub(crate) struct HeaderReader(Inflate);

impl std::fmt::Debug for HeaderReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeaderReader")
    }
}

impl HeaderReader {
    pub(crate) fn new() -> Self {
        Self(Inflate::new(true, WINDOW_BITS))
    }

    /// Reads a block. The reader cannot be used after an error.
    ///
    /// # Errors
    /// [`HeaderError`].
    pub(crate) fn read(&mut self, compressed: &[u8]) -> Result<Headers, HeaderError> {
        parse(&self.decompress(compressed)?)
    }

    fn decompress(&mut self, compressed: &[u8]) -> Result<Vec<u8>, HeaderError> {
        let mut input = compressed;
        let mut output = vec![0; MAX_HEADER_BYTES];
        let mut filled = 0;
        while !input.is_empty() {
            let before = (self.0.total_in(), self.0.total_out());
            let room = &mut output[filled..];
            let done = self.0.decompress(input, room, InflateFlush::SyncFlush);
            // Neither number exceeds the length of its slice.
            let read = usize::try_from(self.0.total_in() - before.0).unwrap_or(input.len());
            let written = usize::try_from(self.0.total_out() - before.1).unwrap_or(0);
            input = input.get(read..).unwrap_or_default();
            filled += written;
            match done {
                Ok(_) if filled == output.len() => return Err(HeaderError::TooLarge),
                Ok(_) if read == 0 && written == 0 => return Err(HeaderError::Compression),
                Ok(_) => {}
                Err(InflateError::NeedDict { dict_id }) if dict_id == DICTIONARY_ID => {
                    let set = self.0.set_dictionary(DICTIONARY);
                    set.map_err(|_| HeaderError::Compression)?;
                }
                Err(_) => return Err(HeaderError::Compression),
            }
        }
        output.truncate(filled);
        Ok(output)
    }
}

/// Parses the number of pairs, and each name and value behind its length. All numbers have 32
/// bits.
fn parse(block: &[u8]) -> Result<Headers, HeaderError> {
    let mut rest = block;
    let pairs = number(&mut rest)?;
    // Each pair has two lengths.
    if pairs > rest.len() / 8 {
        return Err(HeaderError::Lengths);
    }
    let mut headers = Vec::with_capacity(pairs);
    for _ in 0..pairs {
        let name = text(&mut rest)?;
        headers.push((name.to_ascii_lowercase(), text(&mut rest)?.to_owned()));
    }
    if rest.is_empty() {
        Ok(Headers(headers))
    } else {
        Err(HeaderError::Lengths)
    }
}

fn number(rest: &mut &[u8]) -> Result<usize, HeaderError> {
    let (bytes, after) = rest.split_first_chunk().ok_or(HeaderError::Lengths)?;
    *rest = after;
    usize::try_from(u32::from_be_bytes(*bytes)).map_err(|_| HeaderError::Lengths)
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, HeaderError> {
    let length = number(rest)?;
    let (bytes, after) = rest.split_at_checked(length).ok_or(HeaderError::Lengths)?;
    *rest = after;
    std::str::from_utf8(bytes).map_err(|_| HeaderError::NotText)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use zlib_rs::{Deflate, DeflateFlush};

    /// Compressor of a client.
    pub(crate) struct HeaderWriter(Deflate);

    impl HeaderWriter {
        pub(crate) fn new() -> Self {
            let mut deflate = Deflate::new(9, true, WINDOW_BITS);
            assert_eq!(deflate.set_dictionary(DICTIONARY), Ok(DICTIONARY_ID));
            Self(deflate)
        }

        pub(crate) fn raw(&mut self, block: &[u8]) -> Vec<u8> {
            let mut output = vec![0; block.len() * 2 + 128];
            let before = self.0.total_out();
            let done = self.0.compress(block, &mut output, DeflateFlush::SyncFlush);
            assert!(done.is_ok());
            output.truncate(usize::try_from(self.0.total_out() - before).unwrap());
            output
        }

        pub(crate) fn write(&mut self, pairs: &[(&str, &str)]) -> Vec<u8> {
            let mut block = u32::try_from(pairs.len()).unwrap().to_be_bytes().to_vec();
            for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
                block.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                block.extend(text.as_bytes());
            }
            self.raw(&block)
        }
    }

    #[test]
    fn the_dictionary_is_that_of_the_protocol() {
        let (mut a, mut b) = (1_u32, 0_u32);
        for byte in DICTIONARY {
            a = (a + u32::from(*byte)) % 65_521;
            b = (b + a) % 65_521;
        }
        assert_eq!(DICTIONARY.len(), 1423);
        assert_eq!((b << 16) | a, DICTIONARY_ID);
    }

    #[test]
    fn blocks_share_one_compressor() {
        let (mut writer, mut reader) = (HeaderWriter::new(), HeaderReader::new());
        let first = writer.write(&[("streamtype", "stdin"), ("Port", "80\u{0}81")]);
        let second = writer.write(&[("streamtype", "stdin"), ("Port", "80\u{0}81")]);
        assert!(second.len() < first.len());
        for block in [first, second] {
            let headers = reader.read(&block).unwrap();
            assert_eq!(headers.get("streamType"), Some("stdin"));
            assert_eq!(headers.get("port"), Some("80"));
            assert_eq!(headers.get("x"), None);
        }
    }

    #[test]
    fn a_block_that_grows_without_end_is_refused() {
        let (mut writer, mut reader) = (HeaderWriter::new(), HeaderReader::new());
        let bomb = writer.raw(&vec![0; 4 << 20]);
        assert!(bomb.len() < MAX_HEADER_BYTES);
        assert_eq!(reader.read(&bomb), Err(HeaderError::TooLarge));
    }

    #[test]
    fn a_wrong_block_is_refused_by_its_fault() {
        let one = |block: &[u8]| HeaderReader::new().read(&HeaderWriter::new().raw(block));
        assert_eq!(one(&[0, 0, 0]), Err(HeaderError::Lengths));
        assert_eq!(one(&[0xff; 4]), Err(HeaderError::Lengths));
        assert_eq!(one(&[0, 0, 0, 0, 1]), Err(HeaderError::Lengths));
        let long = [0, 0, 0, 1, 0, 0, 0, 9, b'a', 0, 0, 0, 0];
        assert_eq!(one(&long), Err(HeaderError::Lengths));
        let binary = [0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0, 0, 0, 0];
        assert_eq!(one(&binary), Err(HeaderError::NotText));
        assert_eq!(one(&[0; 4]), Ok(Headers::default()));
        let mut other = Deflate::new(9, true, WINDOW_BITS);
        other.set_dictionary(b"another").unwrap();
        let block = HeaderWriter(other).raw(&[0; 4]);
        let refused = HeaderReader::new().read(&block);
        assert_eq!(refused, Err(HeaderError::Compression));
    }

    proptest! {
        #[test]
        fn what_a_client_writes_is_read(
            blocks in prop::collection::vec(
                prop::collection::vec(("[a-z:-]{1,20}", "[^\u{0}]{0,40}"), 0..8), 1..6)
        ) {
            let (mut writer, mut reader) = (HeaderWriter::new(), HeaderReader::new());
            for pairs in blocks {
                let given: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (&n[..], &v[..])).collect();
                let read = reader.read(&writer.write(&given));
                prop_assert_eq!(read, Ok(Headers(pairs)));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = HeaderReader::new().read(&bytes);
        }
    }
}
