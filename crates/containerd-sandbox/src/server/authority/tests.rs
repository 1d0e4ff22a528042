//! Tests of whole connections.

use loona_hpack::{Decoder, Encoder};
use proptest::prelude::*;
use tokio::io::AsyncReadExt;

use super::super::fuzzed::Cut;
use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;

type List = Vec<(Vec<u8>, Vec<u8>)>;

/// A decoded header block: its stream, whether it ends the stream, and its fields.
type Request = (u32, u8, List);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn through_cut(bytes: &[u8], lengths: &[usize]) -> (Vec<u8>, Lenient<Cut<'static>>) {
    let (bytes, lengths) = (bytes.to_vec().leak(), lengths.to_vec().leak());
    let mut lenient = Lenient::new(Cut::new(bytes, lengths));
    let mut out = Vec::new();
    futures::executor::block_on(lenient.read_to_end(&mut out)).unwrap();
    (out, lenient)
}

fn through(bytes: &[u8]) -> Vec<u8> {
    through_cut(bytes, &[]).0
}

fn request(authority: &str, path: &str) -> List {
    [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", authority),
        ("te", "trailers"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .to_vec()
}

fn borrowed(list: &List) -> impl Iterator<Item = (&[u8], &[u8])> {
    list.iter().map(|(name, value)| (&name[..], &value[..]))
}

/// A peer that sends requests.
struct Peer {
    encoder: Encoder<'static>,
    sent: Vec<u8>,
}

impl Peer {
    fn new() -> Self {
        let sent = [PREFACE, &frame(SETTINGS, 0, 0, b"")].concat();
        Self {
            encoder: Encoder::new(),
            sent,
        }
    }

    /// Sends a request with a message.
    fn say(&mut self, stream: u32, list: &List) {
        let block = self.encoder.encode(borrowed(list));
        self.sent.extend(frame(HEADERS, 4, stream, &block));
        self.sent.extend(frame(DATA, 1, stream, b"message"));
    }

    /// Sends a request in several frames, the first of them with padding and a priority.
    fn say_in_parts(&mut self, stream: u32, list: &List, part: usize, padding: u8) {
        let block = self.encoder.encode(borrowed(list));
        let mut parts = block.chunks(part).peekable();
        let mut payload = vec![padding, 0, 0, 0, 0, 16];
        payload.extend(parts.next().unwrap());
        payload.extend(vec![0; usize::from(padding)]);
        let end = |is_last: bool| u8::from(is_last) << 2;
        let flags = 0x28 | 1 | end(parts.peek().is_none());
        self.sent.extend(frame(HEADERS, flags, stream, &payload));
        while let Some(part) = parts.next() {
            let flags = end(parts.peek().is_none());
            self.sent.extend(frame(CONTINUATION, flags, stream, part));
        }
    }
}

/// Returns the frames of a connection without their header blocks, and the decoded blocks.
fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<Request>) {
    let mut rest = bytes.strip_prefix(PREFACE).expect("the preface");
    let (mut decoder, mut block) = (Decoder::new(), Vec::new());
    let (mut others, mut lists) = (Vec::new(), Vec::new());
    let mut ends_stream = 0;
    while !rest.is_empty() {
        let length = u32::from_be_bytes([0, rest[0], rest[1], rest[2]]) as usize;
        let (frame, after) = rest.split_at(9 + length);
        let stream = u32::from_be_bytes(frame[5..9].try_into().unwrap());
        match frame[3] {
            HEADERS | CONTINUATION => {
                assert_eq!(frame[4] & !5, 0, "neither padding nor priority");
                if frame[3] == HEADERS {
                    ends_stream = frame[4] & 1;
                }
                block.extend(&frame[9..]);
                if frame[4] & 4 != 0 {
                    lists.push((stream, ends_stream, decoder.decode(&block).unwrap()));
                    block.clear();
                }
            }
            _ => others.push(frame.to_vec()),
        }
        rest = after;
    }
    (others, lists)
}

#[test]
fn a_connection_with_a_good_authority_passes_unchanged_and_is_followed_no_more() {
    let mut peer = Peer::new();
    peer.say(1, &request("localhost", "/a"));
    peer.say(3, &request("localhost", "/b"));
    let (out, lenient) = through_cut(&peer.sent, &[7]);
    assert_eq!(out, peer.sent);
    assert!(lenient.follower.is_none());
}

#[test]
fn the_authority_is_replaced_in_each_block_of_a_connection() {
    for (authority, accepted) in [
        ("", "localhost"),
        ("/run/rs.sock", "-run-rs.sock"),
        ("run%2Frs.sock", "run-2Frs.sock"),
        ("%2Frun%2Frs.sock", "-2Frun-2Frs.sock"),
    ] {
        let mut peer = Peer::new();
        for stream in [1, 3, 5] {
            peer.say(stream, &request(authority, &format!("/{stream}")));
        }
        let (others, lists) = read(&through(&peer.sent));
        let data = |stream| frame(DATA, 1, stream, b"message");
        let settings = frame(SETTINGS, 0, 0, b"");
        assert_eq!(others, [settings, data(1), data(3), data(5)]);
        let list = |stream: u32| (stream, 0, request(accepted, &format!("/{stream}")));
        assert_eq!(lists, [list(1), list(3), list(5)]);
    }
}

#[test]
fn the_settings_pass_before_the_first_request() {
    let peer = Peer::new();
    assert_eq!(through(&peer.sent), peer.sent);
}

#[test]
fn invalid_and_over_long_blocks_are_left_to_the_library() {
    let split = [
        frame(HEADERS, 0, 1, &[0x81]),
        frame(CONTINUATION, 4, 3, &[0x82]),
    ];
    let padded = [
        frame(HEADERS, 8, 1, &[9, 0x81]),
        frame(CONTINUATION, 4, 1, &[0x81]),
    ];
    let long = [
        frame(HEADERS, 0, 1, &[0x81; 10_000]),
        frame(CONTINUATION, 0, 1, &[0x82; 10_000]).repeat(9),
    ];
    let cases = [
        frame(HEADERS, 4, 1, &[0x81, 0x00]),
        frame(HEADERS, 4, 1, &vec![0x81; 20_000]),
        frame(HEADERS, 0, 1, &[0x81; 10_000]).repeat(9),
        split.concat(),
        padded.concat(),
        long.concat(),
    ];
    for block in cases {
        let mut first = Peer::new();
        first.sent.extend(&block);
        first.sent.extend(frame(DATA, 1, 1, b"message"));
        assert_eq!(through_cut(&first.sent, &[1000]).0, first.sent);

        let mut later = Peer::new();
        later.say(1, &request("/", "/a"));
        let before = through(&later.sent);
        later.sent.extend(&block);
        later.say(3, &request("/", "/b"));
        let (out, lenient) = through_cut(&later.sent, &[1000]);
        assert!(out.starts_with(&[&before[..], &block].concat()));
        let follower = lenient.follower.expect("it goes on");
        assert!(follower.held() < 1_000, "{}", follower.held());
    }
}

#[test]
fn no_memory_is_held_between_blocks() {
    let mut peer = Peer::new();
    peer.say(1, &request("/", "/a"));
    for _ in 0..100 {
        peer.sent.extend(frame(DATA, 0, 1, &[7; 16_384]));
    }
    let (out, lenient) = through_cut(&peer.sent, &[]);
    assert_eq!(read(&out).0.len(), 102);
    let follower = lenient.follower.expect("it goes on");
    assert_eq!(follower.held(), 0);
}

fn lists() -> impl Strategy<Value = Vec<(List, usize, u8)>> {
    let field = ("[a-z]{1,12}", "[ -~]{0,600}")
        .prop_map(|(name, value)| (name.into_bytes(), value.into_bytes()));
    let fields = proptest::collection::vec(field, 0..12);
    let one = ("[%/a-z]{0,30}", "/[a-z]{1,20}", fields).prop_map(|(authority, path, fields)| {
        let mut list = request(&format!("%{authority}"), &path);
        list.extend(fields);
        list
    });
    proptest::collection::vec((one, 1..5_000usize, any::<u8>()), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_blocks_in_any_frames_keep_all_fields_but_the_authority(
        lists in lists(),
        cuts in proptest::collection::vec(1usize..900, 1..20),
    ) {
        let mut peer = Peer::new();
        for (list, part, padding) in &lists {
            peer.say_in_parts(7, list, *part, *padding);
        }
        let whole = through(&peer.sent);
        prop_assert_eq!(&through_cut(&peer.sent, &cuts).0, &whole);
        let (_, decoded) = read(&whole);
        prop_assert_eq!(decoded.len(), lists.len());
        for ((stream, ends_stream, got), (list, ..)) in decoded.into_iter().zip(lists) {
            let mut list = list;
            for byte in &mut list[3].1 {
                if matches!(byte, b'%' | b'/') {
                    *byte = b'-';
                }
            }
            prop_assert_eq!((stream, ends_stream, got), (7, 1, list));
        }
    }

    #[test]
    fn garbage_never_panics_and_the_sizes_of_reads_do_not_matter(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        cuts in proptest::collection::vec(1usize..30, 1..20),
    ) {
        let sent = [PREFACE, &frame(SETTINGS, 0, 0, b""), &bytes].concat();
        prop_assert_eq!(through_cut(&sent, &cuts).0, through(&sent));
    }
}
