//! Tests against a client that writes frames by hand.

use super::*;
use crate::frame::{self, FIN};
use crate::headers::tests::HeaderWriter;

/// Writer of a client's frames.
pub(crate) struct Client {
    headers: HeaderWriter,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self {
            headers: HeaderWriter::new(),
        }
    }

    pub(crate) fn control(kind: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x80, 3];
        frame.extend(kind.to_be_bytes());
        let length = u32::try_from(payload.len()).unwrap() | u32::from(flags) << 24;
        frame.extend(length.to_be_bytes());
        frame.extend(payload);
        frame
    }

    pub(crate) fn open(&mut self, id: u32, pairs: &[(&str, &str)], flags: u8) -> Vec<u8> {
        let mut payload = id.to_be_bytes().to_vec();
        payload.extend([0; 6]);
        payload.extend(self.headers.write(pairs));
        Self::control(frame::SYN_STREAM, flags, &payload)
    }

    pub(crate) fn data(id: u32, bytes: &[u8], flags: u8) -> Vec<u8> {
        let mut frame = id.to_be_bytes().to_vec();
        let length = u32::try_from(bytes.len()).unwrap() | u32::from(flags) << 24;
        frame.extend(length.to_be_bytes());
        frame.extend(bytes);
        frame
    }

    pub(crate) fn window_update(id: u32, delta: u32) -> Vec<u8> {
        let payload = [id.to_be_bytes(), delta.to_be_bytes()].concat();
        Self::control(frame::WINDOW_UPDATE, 0, &payload)
    }
}

fn machine() -> (Client, Machine) {
    (Client::new(), Machine::new())
}

fn sent(machine: &mut Machine) -> Vec<u8> {
    std::mem::take(machine.output())
}

#[test]
fn a_stream_is_opened_replied_to_and_ended_by_both_sides() {
    let (mut client, mut machine) = machine();
    let events = machine.receive(&client.open(1, &[("streamtype", "stdin")], 0));
    let [Event::Opened { id: 1, headers }] = &events.unwrap()[..] else {
        panic!("the stream is not open");
    };
    assert_eq!(headers.get("streamtype"), Some("stdin"));
    assert_eq!(sent(&mut machine)[..4], [0x80, 3, 0, 2]);
    let events = machine.receive(&Client::data(1, b"abc", FIN)).unwrap();
    let bytes = b"abc".to_vec();
    assert_eq!(events, [Event::Data { id: 1, bytes }, Event::Ended(1)]);
    assert_eq!(machine.send(1, b"xy"), Some(2));
    assert_eq!(sent(&mut machine), Client::data(1, b"xy", 0));
    machine.finish(1);
    assert_eq!(sent(&mut machine), Client::data(1, b"", FIN));
    assert_eq!(machine.send(1, b"xy"), None);
    assert!(machine.open.is_empty());
}

#[test]
fn the_ids_of_streams_are_odd_and_rise() {
    let (mut client, mut machine) = machine();
    machine.receive(&client.open(5, &[], 0)).unwrap();
    for wrong in [2, 3, 5] {
        sent(&mut machine);
        let events = machine.receive(&client.open(wrong, &[], 0)).unwrap();
        assert_eq!(events, []);
        let payload = [wrong.to_be_bytes(), 1_u32.to_be_bytes()].concat();
        let reset = Client::control(frame::RST_STREAM, 0, &payload);
        assert_eq!(sent(&mut machine), reset);
    }
}

#[test]
fn a_client_has_a_bounded_number_of_streams() {
    let (mut client, mut machine) = machine();
    for n in 0..=u32::try_from(MAX_STREAMS).unwrap() {
        machine.receive(&client.open(2 * n + 1, &[], 0)).unwrap();
    }
    assert_eq!(machine.open.len(), MAX_STREAMS);
    let output = sent(&mut machine);
    assert_eq!(output[output.len() - 4..], 3_u32.to_be_bytes());
    machine.reset(1);
    let next = 2 * u32::try_from(MAX_STREAMS).unwrap() + 3;
    assert_eq!(
        machine.receive(&client.open(next, &[], 0)).unwrap().len(),
        1
    );
}

#[test]
fn a_client_that_keeps_no_windows_is_sent_any_number_of_bytes() {
    let (mut client, mut machine) = machine();
    machine.receive(&client.open(1, &[], 0)).unwrap();
    for _ in 0..100 {
        assert_eq!(machine.send(1, &vec![0; 50_000]), Some(MAX_DATA_BYTES));
    }
}

#[test]
fn a_window_bounds_the_bytes_that_are_sent() {
    let (mut client, mut machine) = machine();
    let settings = [0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 100];
    machine
        .receive(&Client::control(frame::SETTINGS, 0, &settings))
        .unwrap();
    machine.receive(&client.open(1, &[], 0)).unwrap();
    assert_eq!(machine.send(1, &[0; 1000]), Some(100));
    assert_eq!(machine.send(1, &[0; 1000]), Some(0));
    machine.receive(&Client::window_update(1, 50)).unwrap();
    assert_eq!(machine.send(1, &[0; 1000]), Some(50));
    // The connection has a window of its own, of 64 KiB.
    machine.receive(&Client::window_update(1, 1 << 20)).unwrap();
    let mut total = 150;
    while let Some(count @ 1..) = machine.send(1, &[0; 10_000]) {
        total += count;
    }
    assert_eq!(total, 64 << 10);
    machine.receive(&Client::window_update(0, 7)).unwrap();
    assert_eq!(machine.send(1, &[0; 1000]), Some(7));
}

#[test]
fn a_window_that_overflows_ends_the_stream_or_the_connection() {
    let (mut client, mut machine) = machine();
    machine.receive(&client.open(1, &[], 0)).unwrap();
    let events = machine.receive(&Client::window_update(1, ID_MASK)).unwrap();
    assert_eq!(events, [Event::Reset(1)]);
    let refused = machine.receive(&Client::window_update(0, ID_MASK));
    assert_eq!(refused, Err(ProtocolError::Window));
}

#[test]
fn reading_widens_the_windows_of_the_client() {
    let (mut client, mut machine) = machine();
    machine.receive(&client.open(1, &[], 0)).unwrap();
    machine.receive(&client.open(3, &[], 0)).unwrap();
    sent(&mut machine);
    machine.consume(1, 20_000);
    assert!(sent(&mut machine).is_empty());
    machine.consume(3, 20_000);
    assert_eq!(sent(&mut machine), Client::window_update(0, 40_000));
    machine.consume(1, 20_000);
    assert_eq!(sent(&mut machine), Client::window_update(1, 40_000));
    // Content of a stream that is over widens the window of the connection.
    machine
        .receive(&Client::data(9, &vec![0; 20_000], 0))
        .unwrap();
    assert_eq!(sent(&mut machine), Client::window_update(0, 40_000));
}

#[test]
fn a_ping_of_the_client_is_returned() {
    let (_, mut machine) = machine();
    let ping = Client::control(frame::PING, 0, &[0, 0, 0, 9]);
    machine.receive(&ping).unwrap();
    assert_eq!(sent(&mut machine), ping);
    let of_server = Client::control(frame::PING, 0, &[0, 0, 0, 8]);
    machine.receive(&of_server).unwrap();
    assert!(sent(&mut machine).is_empty());
}

#[test]
fn no_stream_is_opened_after_the_server_went_away() {
    let (mut client, mut machine) = machine();
    machine.receive(&client.open(1, &[], 0)).unwrap();
    machine.go_away();
    machine.go_away();
    assert_eq!(machine.receive(&client.open(3, &[], 0)), Ok(vec![]));
    let data = machine.receive(&Client::data(1, b"x", 0)).unwrap();
    assert_eq!(data.len(), 1);
}
