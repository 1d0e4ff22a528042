//! Tests over a transport in memory.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::frame::{self, FIN};
use crate::machine::tests::Client;

/// Longer than any reply takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// Serves one end of a pair of transports, and returns the other.
fn served(
    capacity: usize,
) -> (
    DuplexStream,
    Streams,
    tokio::task::JoinHandle<io::Result<()>>,
) {
    let (near, far) = duplex(capacity);
    let (streams, connection) = serve(near);
    (far, streams, tokio::spawn(connection))
}

/// Reads the next frame and returns its kind or stream, its flags and its payload.
async fn frame(client: &mut DuplexStream) -> (u32, u8, Vec<u8>) {
    let mut head = [0; 8];
    let read = tokio::time::timeout(DEADLINE, client.read_exact(&mut head)).await;
    read.expect("a frame comes").unwrap();
    let [a, b, c, d, flags, length @ ..] = head;
    let length = length
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let mut payload = vec![0; length];
    client.read_exact(&mut payload).await.unwrap();
    (u32::from_be_bytes([a, b, c, d]), flags, payload)
}

const SYN_REPLY: u32 = 0x8003_0000 | frame::SYN_REPLY as u32;
const GOAWAY: u32 = 0x8003_0000 | frame::GOAWAY as u32;
const PING: u32 = 0x8003_0000 | frame::PING as u32;

#[tokio::test]
async fn a_stream_carries_bytes_both_ways() {
    let (mut client, mut streams, connection) = served(1 << 10);
    let mut writer = Client::new();
    let opened = writer.open(1, &[("port", "80")], 0);
    client.write_all(&opened).await.unwrap();
    let mut stream = streams.next().await.unwrap();
    assert_eq!((stream.id(), stream.headers().get("port")), (1, Some("80")));
    assert_eq!(frame(&mut client).await.0, SYN_REPLY);
    let sent = Client::data(1, b"hello", FIN);
    client.write_all(&sent).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello");
    stream.write_all(b"bye").await.unwrap();
    assert_eq!(frame(&mut client).await, (1, 0, b"bye".to_vec()));
    drop(stream);
    assert_eq!(frame(&mut client).await, (1, FIN, vec![]));
    drop(streams);
    assert_eq!(frame(&mut client).await.0, GOAWAY);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    drop(client);
    connection.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_the_client_leaves_open_is_closed_after_a_while() {
    let (mut client, streams, connection) = served(1 << 10);
    drop(streams);
    assert_eq!(frame(&mut client).await.0, GOAWAY);
    let begun = tokio::time::Instant::now();
    connection.await.unwrap().unwrap();
    assert_eq!(begun.elapsed(), LINGER);
}

#[tokio::test]
async fn streams_end_with_the_connection() {
    let (mut client, mut streams, connection) = served(1 << 10);
    client
        .write_all(&Client::new().open(1, &[], 0))
        .await
        .unwrap();
    let mut stream = streams.next().await.unwrap();
    drop(client);
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    connection.await.unwrap().unwrap();
    let error = stream.write_all(b"x").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert!(streams.next().await.is_none());
}

#[tokio::test]
async fn a_client_that_speaks_something_else_is_told_apart() {
    let (mut client, mut streams, connection) = served(1 << 10);
    client.write_all(&[0xff; 64]).await.unwrap();
    let error = connection.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(streams.next().await.is_none());
}

#[tokio::test]
async fn a_client_is_not_read_while_its_bytes_wait() {
    let (mut client, mut streams, _connection) = served(1 << 10);
    client
        .write_all(&Client::new().open(1, &[], 0))
        .await
        .unwrap();
    let mut stream = streams.next().await.unwrap();
    frame(&mut client).await;
    let flood = tokio::spawn(async move {
        let data = Client::data(1, &[7; 10_000], 0);
        for _ in 0..100 {
            client.write_all(&data).await.unwrap();
        }
        client.write_all(&Client::data(1, &[], FIN)).await.unwrap();
        client
    });
    while streams.0.lock().unread < MAX_UNREAD_BYTES {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!flood.is_finished());
    assert!(streams.0.lock().unread < MAX_UNREAD_BYTES + READ_BYTES);
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), 1_000_000);
    flood.await.unwrap();
}

#[tokio::test]
async fn a_writer_waits_for_a_client_that_does_not_read() {
    let (mut client, mut streams, _connection) = served(1 << 10);
    client
        .write_all(&Client::new().open(1, &[], 0))
        .await
        .unwrap();
    let mut stream = streams.next().await.unwrap();
    let writer = tokio::spawn(async move {
        stream.write_all(&vec![7; 1_000_000]).await.unwrap();
    });
    while streams.0.lock().machine.output().len() < MAX_OUTPUT_BYTES {
        tokio::task::yield_now().await;
    }
    assert!(!writer.is_finished());
    assert_eq!(frame(&mut client).await.0, SYN_REPLY);
    let mut total = 0;
    while let (1, flags, content) = frame(&mut client).await {
        total += content.len();
        if flags == FIN {
            break;
        }
    }
    assert_eq!(total, 1_000_000);
    writer.await.unwrap();
}

#[tokio::test]
async fn a_closed_window_stops_a_writer_and_a_wider_one_wakes_it() {
    let (mut client, mut streams, _connection) = served(1 << 20);
    let mut writer = Client::new();
    client
        .write_all(&Client::window_update(0, 1))
        .await
        .unwrap();
    client.write_all(&writer.open(1, &[], 0)).await.unwrap();
    let mut stream = streams.next().await.unwrap();
    frame(&mut client).await;
    let sending = tokio::spawn(async move {
        stream.write_all(&vec![7; 100_000]).await.unwrap();
    });
    let mut total = 0;
    while total < 64 << 10 {
        total += frame(&mut client).await.2.len();
    }
    assert_eq!(total, 64 << 10);
    let ping = Client::control(frame::PING, 0, &[0, 0, 0, 1]);
    client.write_all(&ping).await.unwrap();
    assert_eq!(frame(&mut client).await.0, PING);
    assert!(!sending.is_finished());
    for id in [0, 1] {
        client
            .write_all(&Client::window_update(id, 50_000))
            .await
            .unwrap();
    }
    while total < 100_000 {
        total += frame(&mut client).await.2.len();
    }
    sending.await.unwrap();
}

#[tokio::test]
async fn a_reset_of_the_client_fails_the_stream() {
    let (mut client, mut streams, _connection) = served(1 << 10);
    client
        .write_all(&Client::new().open(1, &[], 0))
        .await
        .unwrap();
    let mut stream = streams.next().await.unwrap();
    let reset = Client::control(frame::RST_STREAM, 0, &[0, 0, 0, 1, 0, 0, 0, 5]);
    client.write_all(&reset).await.unwrap();
    let error = stream.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(stream.write_all(b"x").await.is_err());
}
