//! Tests with recorded bytes of clients of SPDY, over the loopback.

use std::collections::BTreeMap;

use super::*;

/// Bytes that the server sent on each stream, and the streams that it ended.
#[derive(Debug, Default)]
struct Received {
    content: BTreeMap<u32, Vec<u8>>,
    ended: Vec<u32>,
    reset: Vec<u32>,
}

impl Received {
    fn text(&self, id: u32) -> &str {
        std::str::from_utf8(self.content.get(&id).map_or(&[][..], |bytes| bytes)).unwrap()
    }
}

/// Sends the head of a request for a switch to SPDY, and returns the head of the response.
async fn upgrade(
    server: &StreamingServer,
    url: &str,
    method: &str,
    versions: &str,
) -> (TcpStream, String) {
    let path = url.split_once(&server.address().to_string()).unwrap().1;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
         {versions}Content-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(head).unwrap())
}

/// Reads frames until the server closes, or all of `streams` have ended.
async fn receive(stream: &mut TcpStream, streams: &[u32]) -> Received {
    let mut received = Received::default();
    let read = async {
        while !streams.iter().all(|id| received.ended.contains(id)) {
            let Ok(word) = stream.read_u32().await else {
                return;
            };
            let length = stream.read_u32().await.unwrap();
            let mut payload = vec![0; usize::try_from(length & 0xff_ffff).unwrap()];
            stream.read_exact(&mut payload).await.unwrap();
            match word {
                0x8003_0003 => {
                    let id = payload[..4].try_into().unwrap();
                    received.reset.push(u32::from_be_bytes(id));
                }
                0x8000_0000.. => {}
                id => {
                    received.content.entry(id).or_default().extend(payload);
                    if length >> 24 == 1 {
                        received.ended.push(id);
                    }
                }
            }
        }
    };
    let read = tokio::time::timeout(DEADLINE, read).await;
    read.expect("the server ends the streams");
    received
}

const EXEC: &[u8] = include_bytes!("../recorded/crictl-exec");
/// Number of bytes before crictl gives the streams up, when the session is over.
const UNTIL_RESETS: usize = 163;
const PORT_FORWARD: &[u8] = include_bytes!("../recorded/crictl-port-forward");
/// Streams of the recorded exec.
const ERROR: u32 = 1;
const STDIN: u32 = 3;
const STDOUT: u32 = 5;
const STDERR: u32 = 7;

#[tokio::test]
async fn an_exec_of_crictl_has_its_streams_and_a_status() {
    let server = server().await;
    for (version, status) in [
        ("v4", status::of_exit(3)),
        ("v3", status::text(3)),
        ("v2", status::text(3)),
    ] {
        for method in ["POST", "GET"] {
            let url = server.exec(ALL, shout()).unwrap();
            let versions = format!(
                "X-Stream-Protocol-Version: v9.channel.k8s.io\r\n\
                 X-Stream-Protocol-Version: {version}.channel.k8s.io\r\n"
            );
            let (mut stream, head) = upgrade(&server, &url, method, &versions).await;
            assert!(head.starts_with("HTTP/1.1 101"), "{head}");
            let chosen = format!("x-stream-protocol-version: {version}.channel.k8s.io\r\n");
            assert!(head.contains(&chosen), "{head}");
            stream.write_all(&EXEC[..UNTIL_RESETS]).await.unwrap();
            let received = receive(&mut stream, &[ERROR, STDIN, STDOUT, STDERR]).await;
            assert_eq!(received.text(STDOUT), "ABC\n");
            assert_eq!(received.text(STDERR), "4");
            assert_eq!(received.text(ERROR), status);
            assert_eq!(received.text(STDIN), "");
        }
    }
}

#[tokio::test]
async fn a_request_for_spdy_without_a_known_version_is_refused_and_the_url_stays_good() {
    let server = server().await;
    let url = server.exec(ALL, exit(0)).unwrap();
    for (versions, code) in [
        ("", "400"),
        ("X-Stream-Protocol-Version: portforward.k8s.io\r\n", "403"),
    ] {
        let (_, head) = upgrade(&server, &url, "POST", versions).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {code}")), "{head}");
        if code == "403" {
            let accepted = "x-accepted-stream-protocol-versions: v4.channel.k8s.io\r\n";
            assert!(head.contains(accepted), "{head}");
        }
    }
    let version = "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n";
    let (_, head) = upgrade(&server, &url, "POST", version).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let (_, head) = upgrade(&server, &url, "POST", version).await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
}

#[tokio::test]
async fn a_port_forward_of_crictl_echoes() {
    let server = server().await;
    let url = server.port_forward(echo()).unwrap();
    let version = "X-Stream-Protocol-Version: portforward.k8s.io\r\n";
    let (mut stream, head) = upgrade(&server, &url, "POST", version).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    stream.write_all(PORT_FORWARD).await.unwrap();
    let received = receive(&mut stream, &[1, 3]).await;
    assert_eq!((received.text(1), received.text(3)), ("", "hello"));
}

#[tokio::test]
async fn a_port_that_fails_tells_the_client_why() {
    let server = server().await;
    let refused = |_, _| -> futures::future::BoxFuture<'static, std::io::Result<()>> {
        Box::pin(async { Err(std::io::ErrorKind::ConnectionRefused.into()) })
    };
    let url = server.port_forward(Arc::new(refused)).unwrap();
    let version = "X-Stream-Protocol-Version: portforward.k8s.io\r\n";
    let (mut stream, _) = upgrade(&server, &url, "POST", version).await;
    stream.write_all(PORT_FORWARD).await.unwrap();
    let received = receive(&mut stream, &[1, 3]).await;
    let expected = "error forwarding port 80: connection refused";
    assert_eq!(received.text(1), expected);
}

#[tokio::test]
async fn a_port_forward_is_tunnelled_in_websocket() {
    let server = server().await;
    let url = server.port_forward(echo()).unwrap();
    let tunnel = "SPDY/3.1+portforward.k8s.io";
    let mut client = connect(&server, &url, tunnel).await.unwrap();
    for piece in PORT_FORWARD.chunks(50) {
        send(&mut client, piece).await;
    }
    let mut bytes: Vec<u8> = Vec::new();
    let has = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|found| found == part);
    while !has(&bytes, &[0, 0, 0, 3, 1, 0, 0, 0]) {
        let next = tokio::time::timeout(DEADLINE, client.next()).await;
        let message = next.expect("an answer").unwrap().unwrap();
        bytes.extend_from_slice(&message.into_data());
    }
    assert!(has(&bytes, b"\0\0\0\x03\0\0\0\x05hello"));
}

#[tokio::test]
async fn a_session_is_dropped_when_its_client_of_spdy_goes() {
    struct Dropped(Option<tokio::sync::oneshot::Sender<()>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().send(());
        }
    }
    let server = server().await;
    let (dropped, gone) = tokio::sync::oneshot::channel();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let guard = Dropped(Some(dropped));
    let forever: Handler = Box::new(|session| {
        begun.send(()).unwrap();
        Box::pin(async move {
            let _held = (guard, session);
            std::future::pending().await
        })
    });
    let url = server.exec(ALL, forever).unwrap();
    let version = "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n";
    let (mut stream, _) = upgrade(&server, &url, "POST", version).await;
    stream.write_all(&EXEC[..UNTIL_RESETS]).await.unwrap();
    begins.await.unwrap();
    drop(stream);
    let gone = tokio::time::timeout(DEADLINE, gone).await;
    gone.expect("the session is dropped").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_open_its_streams_is_given_up() {
    let (client, io) = tokio::io::duplex(1024);
    let version = protocol::RemoteCommand::V4;
    let begun = tokio::time::Instant::now();
    let never: Handler = Box::new(|_| panic!("the session begins"));
    let run = remote_command::run(io, version, ALL, never);
    let mut client = client;
    let ((), read) = tokio::join!(run, async {
        client.write_all(&EXEC[..40]).await.unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        drop(client);
        all
    });
    assert_eq!(begun.elapsed(), remote_command::CREATION_TIMEOUT);
    // The connection goes away in order.
    assert_eq!(read[read.len() - 16..][..4], [0x80, 3, 0, 7]);
}
