//! Headers of an archive's members: ustar of POSIX.1-1988, long names of GNU tar and paths of pax.

/// Size of a block in bytes.
pub(super) const BLOCK_BYTES: usize = 512;
/// Longest name of a member in bytes, that of a path on Linux, with what pax adds to it.
pub(super) const MAX_NAME_BYTES: usize = 8192;

/// Kind of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    /// A link or device.
    Other,
}

/// A file or directory in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Permission bits.
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Size of the content in bytes.
    pub(super) size: usize,
    /// Time of modification, in seconds since 1970.
    pub(super) modified: u64,
}

/// What a header stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Member(Member),
    /// The content, of so many bytes, is the name of the next member.
    LongName(usize),
    /// The content, of so many bytes, has records of pax for the next member.
    Extended(usize),
}

/// Error in a header.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("invalid tar magic")]
    Magic,
    #[error("invalid tar header checksum")]
    Checksum,
    #[error("invalid number in a tar header")]
    Number,
}

/// Places of the fields: the offset, and the length.
const NAME: (usize, usize) = (0, 100);
const MODE: (usize, usize) = (100, 8);
const UID: (usize, usize) = (108, 8);
const GID: (usize, usize) = (116, 8);
const SIZE: (usize, usize) = (124, 12);
const MODIFIED: (usize, usize) = (136, 12);
const CHECKSUM: (usize, usize) = (148, 8);
const KIND: usize = 156;
const MAGIC: (usize, usize) = (257, 5);
const PREFIX: (usize, usize) = (345, 155);

type Block = [u8; BLOCK_BYTES];

fn field(block: &Block, (at, length): (usize, usize)) -> &[u8] {
    &block[at..at + length]
}

/// Returns the text before the first NUL.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    let text = bytes.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// Parses an octal number between spaces and NULs. An empty field is zero.
fn octal(bytes: &[u8]) -> Result<u64, HeaderError> {
    let text = std::str::from_utf8(bytes).map_err(|_| HeaderError::Number)?;
    match text.trim_matches([' ', '\0']) {
        "" => Ok(0),
        digits => u64::from_str_radix(digits, 8).map_err(|_| HeaderError::Number),
    }
}

/// Returns the sum of all bytes, of which those of the checksum count as spaces.
fn checksum(block: &Block) -> u64 {
    let own = CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1;
    let bytes = block.iter().enumerate();
    let counted = bytes.map(|(at, byte)| if own.contains(&at) { b' ' } else { *byte });
    counted.map(u64::from).sum()
}

impl Entry {
    /// Decodes a header. Returns `None` for a block of zeros, which ends an archive.
    ///
    /// # Errors
    /// [`HeaderError`].
    pub(super) fn decode(block: &Block) -> Result<Option<Self>, HeaderError> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if field(block, MAGIC) != b"ustar" {
            return Err(HeaderError::Magic);
        }
        if octal(field(block, CHECKSUM))? != checksum(block) {
            return Err(HeaderError::Checksum);
        }
        let small = |number: u64| u32::try_from(number).map_err(|_| HeaderError::Number);
        let size = usize::try_from(octal(field(block, SIZE))?).map_err(|_| HeaderError::Number)?;
        let kind = match block[KIND] {
            b'L' => return Ok(Some(Self::LongName(size))),
            b'x' | b'g' => return Ok(Some(Self::Extended(size))),
            0 | b'0' | b'7' => Kind::File,
            b'5' => Kind::Directory,
            _ => Kind::Other,
        };
        let name = text(field(block, NAME)).unwrap_or_default();
        let prefix = text(field(block, PREFIX)).unwrap_or_default();
        let mode = octal(field(block, MODE))? & 0o1777;
        Ok(Some(Self::Member(Member {
            name: match prefix.as_str() {
                "" => name,
                prefix => format!("{prefix}/{name}"),
            },
            kind,
            mode: u16::try_from(mode).unwrap_or(0),
            uid: small(octal(field(block, UID))?)?,
            gid: small(octal(field(block, GID))?)?,
            // Only files have a content.
            size: if kind == Kind::File { size } else { 0 },
            modified: octal(field(block, MODIFIED))?,
        })))
    }
}

/// Returns the path among the records `LENGTH KEY=VALUE\n` of pax.
pub(super) fn path_of(records: &[u8]) -> Option<String> {
    let mut rest = records;
    let mut found = None;
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&rest[..space]).ok()?.parse().ok()?;
        let (record, after) = rest.split_at_checked(length)?;
        let pair = record.get(space + 1..)?.strip_suffix(b"\n")?;
        if let Some(path) = pair.strip_prefix(b"path=") {
            found = Some(String::from_utf8_lossy(path).into_owned());
        }
        rest = after;
    }
    found
}

impl Member {
    /// Returns the header, after one with the whole name if that is too long.
    pub(super) fn encode(&self) -> Vec<u8> {
        let name = match self.kind {
            Kind::Directory => format!("{}/", self.name),
            _ => self.name.clone(),
        };
        let mut bytes = Vec::new();
        if name.len() > NAME.1 {
            let length = name.len() + 1;
            bytes.extend(self.header("././@LongLink", b'L', length));
            bytes.extend(name.as_bytes());
            bytes.resize(BLOCK_BYTES + length.next_multiple_of(BLOCK_BYTES), 0);
        }
        let kind = if self.kind == Kind::Directory {
            b'5'
        } else {
            b'0'
        };
        bytes.extend(self.header(&name, kind, self.size));
        bytes
    }

    fn header(&self, name: &str, kind: u8, size: usize) -> Block {
        let mut block = [0; BLOCK_BYTES];
        let mut put = |(at, length): (usize, usize), bytes: &[u8]| {
            let bytes = &bytes[..bytes.len().min(length)];
            block[at..at + bytes.len()].copy_from_slice(bytes);
        };
        put(NAME, name.as_bytes());
        put(MODE, format!("{:07o}", self.mode).as_bytes());
        put(UID, format!("{:07o}", self.uid).as_bytes());
        put(GID, format!("{:07o}", self.gid).as_bytes());
        put(SIZE, format!("{size:011o}").as_bytes());
        put(MODIFIED, format!("{:011o}", self.modified).as_bytes());
        put(MAGIC, b"ustar");
        put((263, 2), b"00");
        block[KIND] = kind;
        let sum = format!("{:06o}\0 ", checksum(&block));
        block[CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1].copy_from_slice(sum.as_bytes());
        block
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member(name: &str) -> Member {
        Member {
            name: name.to_owned(),
            kind: Kind::File,
            mode: 0o644,
            uid: 1000,
            gid: 50,
            size: 7,
            modified: 1_700_000_000,
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let encoded = member("a/b").encode();
        let block = encoded.try_into().unwrap();
        assert_eq!(
            Entry::decode(&block),
            Ok(Some(Entry::Member(member("a/b"))))
        );
        let mut changed = block;
        changed[0] = b'x';
        assert_eq!(Entry::decode(&changed), Err(HeaderError::Checksum));
        changed[257] = b'x';
        assert_eq!(Entry::decode(&changed), Err(HeaderError::Magic));
        assert_eq!(Entry::decode(&[0; BLOCK_BYTES]), Ok(None));
    }

    #[test]
    fn a_long_name_has_a_header_of_its_own() {
        let name = "d/".repeat(100) + "f";
        let encoded = member(&name).encode();
        let (first, rest) = encoded.split_first_chunk().unwrap();
        assert_eq!(Entry::decode(first), Ok(Some(Entry::LongName(202))));
        assert_eq!(text(&rest[..202]), Some(name));
        assert_eq!(rest.len(), 2 * BLOCK_BYTES);
    }

    #[test]
    fn a_path_of_pax_is_found_among_its_records() {
        let records = b"20 mtime=1700000000\n12 path=a b\n";
        assert_eq!(path_of(records).as_deref(), Some("a b"));
        for wrong in [&b"x"[..], b"99 path=a\n", b"3 path=a\n", b"9 path=a\nx"] {
            let _ = path_of(wrong);
        }
        assert_eq!(path_of(b"11 size=77\n"), None);
    }

    proptest! {
        #[test]
        fn any_block_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), BLOCK_BYTES)) {
            let mut block: Block = bytes.try_into().unwrap();
            let _ = Entry::decode(&block);
            block[257..262].copy_from_slice(b"ustar");
            let sum = format!("{:06o}\0 ", checksum(&block));
            block[148..156].copy_from_slice(sum.as_bytes());
            let _ = Entry::decode(&block);
            let _ = path_of(&block);
        }
    }
}
