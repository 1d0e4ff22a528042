//! The bytes of HTTP/2 connections: what clients send first, and what they receive last.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use containerd_client::services::v1::sandbox::ControllerWaitRequest;
use loona_hpack::{Decoder, Encoder};
use prost::Message;
use tests::raw::Raw;
use tests::{Daemon, ready_sandbox};

/// Type, flags, stream and payload of a frame.
type Frame = (u8, u8, u32, Vec<u8>);

fn read_frame(from: &mut impl Read) -> std::io::Result<Frame> {
    let mut header = [0; 9];
    from.read_exact(&mut header)?;
    let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = header;
    let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
    from.read_exact(&mut payload)?;
    Ok((kind, flags, u32::from_be_bytes([s0, s1, s2, s3]), payload))
}

/// Sends the beginning of a connection, and returns the gRPC status of each request in it.
fn replay(daemon: &Daemon, opening: &[u8]) -> Vec<String> {
    const PREFACE: usize = 24;
    const HEADERS: u8 = 1;
    const END_STREAM: u8 = 1;
    let mut requests = &opening[PREFACE..];
    let mut open = BTreeSet::new();
    while let Ok((kind, _, stream, _)) = read_frame(&mut requests) {
        if kind == HEADERS {
            open.insert(stream);
        }
    }
    let mut raw = Raw::connect(daemon);
    raw.say(opening);
    let mut decoder = Decoder::new();
    let mut statuses = Vec::new();
    while !open.is_empty() {
        let (kind, flags, stream, payload) = read_frame(&mut raw.0).expect("a frame");
        assert!(kind != 3 && kind != 7, "reset or closed: {payload:?}");
        if kind == HEADERS {
            let fields = decoder.decode(&payload).expect("a header block");
            if flags & END_STREAM != 0 {
                assert!(open.remove(&stream), "stream {stream}");
                let status = fields.into_iter().find(|(name, _)| name == b"grpc-status");
                let (_, status) = status.expect("a status");
                statuses.push(String::from_utf8(status).expect("text"));
            }
        }
    }
    statuses
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The client has no timer of its own here, so the server's ends the call.
#[tokio::test]
async fn a_call_past_its_deadline_is_answered_so() {
    const DEADLINE_EXCEEDED: &str = "4";
    let daemon = Daemon::start(&[]);
    ready_sandbox(&daemon.ttrpc().await, "p1").await;
    let wait = ControllerWaitRequest {
        sandbox_id: "p1".to_owned(),
        ..Default::default()
    };
    let wait = wait.encode_to_vec();
    let mut message = vec![0];
    message.extend(u32::try_from(wait.len()).unwrap().to_be_bytes());
    message.extend(wait);
    let mut encoder = Encoder::new();
    let mut opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    opening.extend(frame(4, 0, 0, b""));
    for (stream, timeout) in [(1, "50m"), (3, "100000u"), (5, "0S")] {
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/containerd.services.sandbox.v1.Controller/Wait"),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("containerd-namespace", "k8s.io"),
            ("grpc-timeout", timeout),
        ];
        let fields = fields.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        opening.extend(frame(1, 4, stream, &encoder.encode(fields)));
        opening.extend(frame(0, 1, stream, &message));
    }
    assert_eq!(replay(&daemon, &opening), [DEADLINE_EXCEEDED; 3]);
}

/// The seeds of the fuzz target are what clients have sent: grpcio, grpc-js, grpclib, tonic and
/// containerd were recorded; those of Java and Swift, which are not at hand, were made with the
/// authorities that their sources state.
#[test]
fn recorded_openings_of_other_clients_are_served() {
    let daemon = Daemon::start(&[]);
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/grpc_connection");
    let mut count = 0;
    for seed in fs::read_dir(seeds).unwrap() {
        let path = seed.unwrap().path();
        let statuses = replay(&daemon, &fs::read(&path).unwrap());
        assert!(!statuses.is_empty(), "{}", path.display());
        let succeeded = statuses.iter().all(|status| status == "0");
        assert!(succeeded, "{}: {statuses:?}", path.display());
        count += 1;
    }
    assert!(count >= 8, "{count}");
}

#[test]
fn a_stop_says_goodbye_to_each_connection() {
    const GOAWAY: u8 = 7;
    let daemon = Daemon::start(&[]);
    let mut raw = Raw::connect(&daemon);
    raw.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let (settings, ..) = read_frame(&mut raw.0).unwrap();
    assert_eq!(settings, 4);
    let (_home, status) = daemon.terminate();
    assert!(status.success());
    let frames = std::iter::from_fn(|| read_frame(&mut raw.0).ok());
    let goodbye = frames.filter(|(kind, ..)| *kind == GOAWAY).last();
    let (_, _, stream, payload) = goodbye.expect("a goodbye");
    // The last stream that is served, and no error.
    assert_eq!((stream, &payload[4..8]), (0, &[0; 4][..]));
}
