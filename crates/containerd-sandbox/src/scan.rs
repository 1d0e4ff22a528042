//! Bounds what a message is worth in memory, before it is decoded.
//!
//! An empty message in a repeated field takes two bytes on the wire and more than a hundred once
//! it is decoded, and an empty object in JSON is as cheap. [`Scan`] walks the bytes of a message
//! without its schema and counts the fields, and [`check_json`] counts the values of a text.
//! Only long messages are scanned: short ones cannot become large.

use crate::error::{Error, Result};

/// Length in bytes up to which nothing is scanned.
pub(crate) const UNSCANNED: usize = 64 << 10;

/// Greatest number of fields in a message, or of values in a JSON text, that is scanned. The
/// largest known element takes some 200 bytes when it is decoded, so they stay below 30 MB.
pub(crate) const MAX_FIELDS: usize = 1 << 17;

/// Greatest depth of nested messages: the recursion limit of both decoders (`prost`, `protobuf`).
const MAX_DEPTH: usize = 100;

/// Greatest length of a varint in bytes.
const MAX_VARINT: u32 = 10;

/// Returns the error for a message or text with too many parts.
fn too_many() -> Error {
    Error::resource_exhausted(format!(
        "a message of more than {UNSCANNED} bytes may have {MAX_FIELDS} fields or values, this one \
         has more"
    ))
}

/// Counts the fields of one Protocol Buffers message, whose bytes may come in pieces.
///
/// Strings, bytes and messages look alike on the wire. Each is walked as a message until it
/// turns out to be none, and its fields then do not count. A long text of one character may be a
/// valid message of numbers: numbers count only in a message that has bytes of no text. No byte is
/// walked twice.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    levels: Vec<Level>,
    /// Number of bytes before the next one.
    position: usize,
    fields: usize,
    state: State,
}

/// A field that may be a nested message.
#[derive(Debug)]
struct Level {
    /// Position of the first byte after the message.
    end: usize,
    /// Fields that were counted before it.
    fields_before: usize,
    /// Fields that are numbers, which do not count so far.
    numbers: usize,
    /// Whether all bytes of tags and numbers so far are those of a text.
    is_text: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// In a tag, of which these bits were read.
    Tag(Varint),
    /// In a varint that is a value.
    Value(Varint),
    /// In the length of a string, bytes or message.
    Length(Varint),
    /// In bytes without fields, up to this position.
    Skip(usize),
}

#[derive(Debug, Clone, Copy, Default)]
struct Varint {
    value: u64,
    bytes: u32,
}

impl Default for State {
    fn default() -> Self {
        Self::Tag(Varint::default())
    }
}

impl Varint {
    /// Adds a byte. Returns whether it is the last one, or `None` if the number is too long.
    fn push(&mut self, byte: u8) -> Option<bool> {
        if self.bytes == MAX_VARINT {
            return None;
        }
        // The tenth byte of a 64-bit number carries one bit; further bits are lost, as in the
        // decoders.
        self.value |= u64::from(byte & 0x7f)
            .checked_shl(7 * self.bytes)
            .unwrap_or(0);
        self.bytes += 1;
        Some(byte < 0x80)
    }
}

impl Scan {
    /// Walks the next bytes of the message.
    ///
    /// # Errors
    /// `ResourceExhausted` if the message has more than [`MAX_FIELDS`] fields.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let walked = match &mut self.state {
                State::Skip(end) => {
                    let skipped = bytes.len().min(end.saturating_sub(self.position));
                    if *end - self.position == skipped {
                        self.state = State::default();
                    }
                    skipped
                }
                State::Tag(_) | State::Value(_) | State::Length(_) => {
                    self.byte(bytes[0])?;
                    1
                }
            };
            self.position += walked;
            bytes = &bytes[walked..];
            self.leave_levels();
        }
        Ok(())
    }

    /// Leaves the messages that end before the next byte.
    fn leave_levels(&mut self) {
        while let Some(level) = self.levels.last() {
            if level.end > self.position {
                return;
            }
            let between_fields = matches!(self.state, State::Tag(Varint { bytes: 0, .. }));
            if let Some(level) = self.levels.pop()
                && !between_fields
            {
                self.fields = level.fields_before;
                self.state = State::default();
            }
        }
    }

    /// Walks one byte of a tag, a value or a length.
    fn byte(&mut self, byte: u8) -> Result<()> {
        if !matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
            && let Some(level) = self.levels.last_mut()
            && level.is_text
        {
            level.is_text = false;
            self.fields += level.numbers;
        }
        let (State::Tag(varint) | State::Value(varint) | State::Length(varint)) = &mut self.state
        else {
            return Ok(());
        };
        let value = match varint.push(byte) {
            Some(true) => varint.value,
            Some(false) => return Ok(()),
            None => {
                self.give_up_level();
                return Ok(());
            }
        };
        match self.state {
            State::Tag(_) => self.tag(value)?,
            State::Length(_) => self.enter(usize::try_from(value).unwrap_or(usize::MAX)),
            State::Value(_) | State::Skip(_) => self.state = State::default(),
        }
        Ok(())
    }

    /// Counts a field and expects its value.
    fn tag(&mut self, tag: u64) -> Result<()> {
        match self.levels.last_mut() {
            Some(level) if level.is_text && tag & 7 != 2 => level.numbers += 1,
            _ => self.fields += 1,
        }
        if self.fields > MAX_FIELDS {
            return Err(too_many());
        }
        let after = self.position + 1;
        let is_valid = (8..=u64::from(u32::MAX)).contains(&tag);
        match tag & 7 {
            _ if !is_valid => self.give_up_level(),
            0 => self.state = State::Value(Varint::default()),
            1 => self.skip(after, 8),
            2 => self.state = State::Length(Varint::default()),
            // The beginning and the end of a group, which both decoders skip.
            3 | 4 => self.state = State::default(),
            5 => self.skip(after, 4),
            _ => self.give_up_level(),
        }
        Ok(())
    }

    /// Skips the value of a field, unless it is longer than the message.
    fn skip(&mut self, from: usize, length: usize) {
        let end = from.saturating_add(length);
        if self.levels.last().is_some_and(|level| end > level.end) {
            self.give_up_level();
        } else {
            self.state = State::Skip(end);
        }
    }

    /// Enters a string, bytes or a message of this length.
    fn enter(&mut self, length: usize) {
        let after = self.position + 1;
        if length < 2 || self.levels.len() >= MAX_DEPTH {
            self.state = State::default();
            if length > 0 {
                self.skip(after, length);
            }
            return;
        }
        self.skip(after, length);
        if let State::Skip(end) = self.state
            && end == after.saturating_add(length)
        {
            self.levels.push(Level {
                end,
                fields_before: self.fields,
                numbers: 0,
                is_text: true,
            });
            self.state = State::default();
        }
    }

    /// Takes the innermost message for a string, and goes on behind it. Without one, the decoder
    /// will refuse the whole message.
    fn give_up_level(&mut self) {
        let end = match self.levels.pop() {
            Some(level) => {
                self.fields = level.fields_before;
                level.end
            }
            None => usize::MAX,
        };
        self.state = if end > self.position + 1 {
            State::Skip(end)
        } else {
            State::default()
        };
    }
}

/// Counts the values of a JSON text, without a check of its form.
///
/// # Errors
/// `ResourceExhausted` if a text longer than 64 KiB has more than 131,072 values.
pub fn check_json(text: &[u8]) -> Result<()> {
    if text.len() <= UNSCANNED {
        return Ok(());
    }
    let (mut values, mut in_string, mut escaped) = (0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    if values > MAX_FIELDS {
        return Err(too_many());
    }
    Ok(())
}

/// Checks a whole message of any length.
///
/// # Errors
/// As [`Scan::feed`].
pub(crate) fn check(message: &[u8]) -> Result<()> {
    if message.len() <= UNSCANNED {
        return Ok(());
    }
    Scan::default().feed(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use cri_api::v1::{
        ContainerConfig, CreateContainerRequest, KeyValue, Mount, PodSandboxConfig,
        RunPodSandboxRequest,
    };
    use proptest::prelude::*;
    use prost::Message;

    fn create(mounts: usize) -> Vec<u8> {
        let request = CreateContainerRequest {
            config: Some(ContainerConfig {
                mounts: vec![Mount::default(); mounts],
                ..Default::default()
            }),
            ..Default::default()
        };
        request.encode_to_vec()
    }

    #[track_caller]
    fn refused(result: Result<()>) {
        let error = result.unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
        assert!(error.to_string().contains("131072 fields"), "{error}");
    }

    /// Counts the fields of a message by its decoder's rules.
    fn counted(message: &[u8]) -> usize {
        let mut scan = Scan::default();
        scan.feed(message).unwrap();
        scan.fields
    }

    #[test]
    fn a_message_of_many_empty_elements_is_refused_at_any_depth() {
        refused(check(&create(MAX_FIELDS)));
        check(&create(MAX_FIELDS - 1)).unwrap();
        let top: Vec<u8> = [0x12, 0].repeat(MAX_FIELDS + 1);
        refused(check(&top));
        let mut nested = create(MAX_FIELDS);
        for _ in 0..MAX_DEPTH - 3 {
            let mut outer = vec![0x0a];
            prost::encode_length_delimiter(nested.len(), &mut outer).unwrap();
            outer.extend(nested);
            nested = outer;
        }
        refused(check(&nested));
    }

    #[test]
    fn elements_behind_a_group_or_before_an_error_count() {
        let mounts: Vec<u8> = [0x3a, 0].repeat(MAX_FIELDS + 1);
        let nested = |inner: &[u8]| {
            let mut outer = vec![0x12];
            prost::encode_length_delimiter(inner.len(), &mut outer).unwrap();
            outer.extend(inner);
            outer
        };
        refused(check(&nested(&[&[0x0b, 0x0c][..], &mounts].concat())));
        refused(check(&nested(&[&mounts, &[0x07, 0x07][..]].concat())));
    }

    #[test]
    fn long_strings_count_as_one_field_each() {
        let text = "the quick brown fox jumps over the lazy dog, ".repeat(50_000);
        let annotations = [
            ("text".to_owned(), text.clone()),
            ("json".to_owned(), format!("{{{text}}}")),
        ];
        let request = RunPodSandboxRequest {
            config: Some(PodSandboxConfig {
                annotations: annotations.into_iter().collect(),
                ..Default::default()
            }),
            ..Default::default()
        };
        // Request, configuration and, for each annotation, the entry, its key and its value.
        assert_eq!(counted(&request.encode_to_vec()), 1 + 2 * 3);
    }

    #[test]
    fn a_long_text_of_any_one_character_passes() {
        for character in (b' '..=b'~').chain(*b"\t\n\r") {
            let text = String::from_utf8(vec![character; 1 << 20]).unwrap();
            let request = RunPodSandboxRequest {
                config: Some(PodSandboxConfig {
                    hostname: text,
                    ..Default::default()
                }),
                ..Default::default()
            };
            check(&request.encode_to_vec()).unwrap();
        }
    }

    #[test]
    fn numbers_count_in_a_message_that_is_no_text() {
        // Fields with numbers that the decoder of ttrpc keeps, though it does not know them.
        let unknown = |count: u32| -> Vec<u8> {
            let mut inner = Vec::new();
            for number in 0..count {
                prost::encode_length_delimiter(((number + 100) << 3) as usize, &mut inner).unwrap();
                inner.push(b'1');
            }
            let mut outer = vec![0x12];
            prost::encode_length_delimiter(inner.len(), &mut outer).unwrap();
            outer.extend(inner);
            outer
        };
        let most = u32::try_from(MAX_FIELDS).unwrap();
        check(&unknown(most - 1)).unwrap();
        refused(check(&unknown(most)));
    }

    #[test]
    fn a_large_request_of_ordinary_parts_passes() {
        let envs = (0..20_000).map(|n| KeyValue {
            key: format!("VARIABLE_{n}"),
            value: format!("value number {n}").into_bytes(),
        });
        let request = CreateContainerRequest {
            config: Some(ContainerConfig {
                envs: envs.collect(),
                mounts: vec![
                    Mount {
                        container_path: "/var/run/secrets/kubernetes.io".to_owned(),
                        host_path: "/var/lib/kubelet/pods/volumes".to_owned(),
                        readonly: true,
                        ..Default::default()
                    };
                    5_000
                ],
                ..Default::default()
            }),
            ..Default::default()
        };
        check(&request.encode_to_vec()).unwrap();
    }

    #[test]
    fn the_values_of_json_are_counted_outside_of_strings() {
        let objects = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
        check_json(objects(MAX_FIELDS / 2 - 1).as_bytes()).unwrap();
        refused(check_json(objects(MAX_FIELDS).as_bytes()));
        let text = format!("{{\"a\":\"\\\"{}\"}}", ",[{".repeat(MAX_FIELDS));
        check_json(text.as_bytes()).unwrap();
    }

    proptest! {
        #[test]
        fn the_pieces_of_a_message_do_not_matter(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            cut in 1usize..20,
        ) {
            let whole = counted(&bytes);
            let mut scan = Scan::default();
            for piece in bytes.chunks(cut) {
                scan.feed(piece).unwrap();
            }
            prop_assert_eq!(scan.fields, whole);
        }
    }
}
