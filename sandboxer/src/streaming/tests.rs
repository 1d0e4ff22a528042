//! Tests with a WebSocket client, over the loopback.

mod spdy;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::*;

type Client = WebSocketStream<TcpStream>;

const ALL: Streams = Streams {
    stdin: true,
    stdout: true,
    stderr: true,
    tty: false,
};

async fn start(address: SocketAddr) -> Result<StreamingServer, StreamingError> {
    StreamingServer::start(address, DEFAULT_IDLE_TIMEOUT).await
}

async fn server() -> StreamingServer {
    start(DEFAULT_LISTEN).await.unwrap()
}

async fn connect(server: &StreamingServer, url: &str, protocol: &str) -> Result<Client, Error> {
    let mut request = url
        .replace("http://", "ws://")
        .into_client_request()
        .unwrap();
    let headers = request.headers_mut();
    headers.insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
    let stream = TcpStream::connect(server.address()).await.unwrap();
    client_async(request, stream)
        .await
        .map(|(client, _)| client)
}

/// Returns the status code of a response that refuses the switch to WebSocket.
async fn refusal(server: &StreamingServer, url: &str, protocol: &str) -> u16 {
    match connect(server, url, protocol).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    }
}

async fn send(client: &mut Client, bytes: &[u8]) {
    client.send(Message::binary(bytes.to_vec())).await.unwrap();
}

/// Longer than any reply takes.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(20);

/// Collects the contents of all messages by channel, until the server closes.
async fn received(client: &mut Client) -> [String; 4] {
    let mut channels = [const { Vec::new() }; 4];
    let next = async |client: &mut Client| {
        let next = tokio::time::timeout(DEADLINE, client.next()).await;
        next.expect("the server says something")
    };
    while let Some(Ok(message)) = next(client).await {
        if let Message::Binary(bytes) = message {
            channels[usize::from(bytes[0])].extend_from_slice(&bytes[1..]);
        }
    }
    channels.map(|bytes| String::from_utf8(bytes).unwrap())
}

/// Echoes standard input in capitals, and writes its length to standard error.
fn shout() -> Handler {
    Box::new(|mut session| {
        Box::pin(async move {
            let mut text = String::new();
            session.stdin.read_to_string(&mut text).await.unwrap();
            let upper = text.to_uppercase();
            session.stdout.write_all(upper.as_bytes()).await.unwrap();
            let length = text.len().to_string();
            session.stderr.write_all(length.as_bytes()).await.unwrap();
            3
        })
    })
}

fn exit(code: u8) -> Handler {
    Box::new(move |_| Box::pin(async move { code }))
}

#[tokio::test]
async fn an_exec_has_its_streams_and_its_exit_code() {
    let server = server().await;
    let url = server.exec(ALL, shout()).unwrap();
    let mut client = connect(&server, &url, "v4.channel.k8s.io, v5.channel.k8s.io")
        .await
        .unwrap();
    send(&mut client, b"\0hello ").await;
    send(&mut client, b"\0world").await;
    send(&mut client, &[255, 0]).await;
    let [_, stdout, stderr, error] = received(&mut client).await;
    assert_eq!((stdout.as_str(), stderr.as_str()), ("HELLO WORLD", "11"));
    let status: serde_json::Value = serde_json::from_str(&error).unwrap();
    assert_eq!(status["reason"], "NonZeroExitCode");
    assert_eq!(status["details"]["causes"][0]["message"], "3");
}

#[tokio::test]
async fn a_success_is_reported_in_the_fourth_version_too() {
    let server = server().await;
    let url = server.attach(ALL, exit(0)).unwrap();
    let mut client = connect(&server, &url, "v4.channel.k8s.io").await.unwrap();
    let [_, stdout, _, error] = received(&mut client).await;
    assert_eq!(stdout, "");
    assert_eq!(error, r#"{"metadata":{},"status":"Success"}"#);
}

#[tokio::test]
async fn a_long_output_arrives_whole() {
    let server = server().await;
    let write: Handler = Box::new(|mut session| {
        Box::pin(async move {
            session
                .stdout
                .write_all(&vec![b'x'; 1 << 20])
                .await
                .unwrap();
            0
        })
    });
    let url = server.exec(ALL, write).unwrap();
    let mut client = connect(&server, &url, "v5.channel.k8s.io").await.unwrap();
    let [_, stdout, _, _] = received(&mut client).await;
    assert_eq!(stdout.len(), 1 << 20);
}

#[tokio::test]
async fn a_terminal_is_resized_and_has_no_standard_error() {
    let server = server().await;
    let resized: Handler = Box::new(|mut session| {
        Box::pin(async move {
            let size = session.resizes.recv().await.unwrap();
            let text = format!("{}x{}", size.width, size.height);
            session.stderr.write_all(b"lost").await.unwrap();
            session.stdout.write_all(text.as_bytes()).await.unwrap();
            0
        })
    });
    let streams = Streams { tty: true, ..ALL };
    let url = server.exec(streams, resized).unwrap();
    let mut client = connect(&server, &url, "v5.channel.k8s.io").await.unwrap();
    send(&mut client, b"\x04no size").await;
    send(&mut client, b"\x04{\"Width\":80,\"Height\":24}").await;
    let [_, stdout, stderr, _] = received(&mut client).await;
    assert_eq!((stdout.as_str(), stderr.as_str()), ("80x24", ""));
}

#[tokio::test]
async fn a_session_is_dropped_when_its_client_or_the_server_goes() {
    struct Dropped(Option<tokio::sync::oneshot::Sender<()>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().send(());
        }
    }
    for client_goes in [true, false] {
        let server = server().await;
        let (dropped, gone) = tokio::sync::oneshot::channel();
        let guard = Dropped(Some(dropped));
        let forever: Handler = Box::new(|session| {
            Box::pin(async move {
                let _held = (guard, session);
                std::future::pending().await
            })
        });
        let url = server.exec(ALL, forever).unwrap();
        let client = connect(&server, &url, "v5.channel.k8s.io").await.unwrap();
        // The end that does not go is kept until the session is dropped.
        let _kept = if client_goes {
            drop(client);
            (Some(server), None)
        } else {
            drop(server);
            (None, Some(client))
        };
        let gone = tokio::time::timeout(DEADLINE, gone).await;
        gone.expect("the session is dropped").unwrap();
    }
}

#[tokio::test]
async fn a_url_is_good_for_one_connection_on_its_own_path() {
    let server = server().await;
    let url = server.exec(ALL, exit(0)).unwrap();
    let elsewhere = url.replace("/exec/", "/attach/");
    assert_eq!(refusal(&server, &elsewhere, "v5.channel.k8s.io").await, 404);
    assert_eq!(refusal(&server, &url, "channel.k8s.io").await, 400);
    let _client = connect(&server, &url, "v5.channel.k8s.io").await.unwrap();
    assert_eq!(refusal(&server, &url, "v5.channel.k8s.io").await, 404);
    let guessed = format!("http://{}/exec/guessed", server.address());
    assert_eq!(refusal(&server, &guessed, "v5.channel.k8s.io").await, 404);
}

#[tokio::test]
async fn a_page_of_another_site_is_refused_and_the_url_stays_good() {
    let server = server().await;
    let url = server.exec(ALL, exit(0)).unwrap();
    for (origin, host, expected) in [
        ("http://evil.example", None, 403),
        ("http://evil.example", Some("evil.example"), 403),
        ("null", None, 403),
        ("http://localhost", Some("a b"), 400),
    ] {
        let mut request = url
            .replace("http://", "ws://")
            .into_client_request()
            .unwrap();
        let headers = request.headers_mut();
        headers.insert(
            "Sec-WebSocket-Protocol",
            "v5.channel.k8s.io".parse().unwrap(),
        );
        headers.insert("Origin", origin.parse().unwrap());
        if let Some(host) = host {
            headers.insert("Host", host.parse().unwrap());
        }
        let stream = TcpStream::connect(server.address()).await.unwrap();
        match client_async(request, stream).await {
            Err(Error::Http(response)) => {
                assert_eq!(response.status().as_u16(), expected, "{origin} {host:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(connect(&server, &url, "v5.channel.k8s.io").await.is_ok());
}

#[tokio::test]
async fn a_forwarded_port_echoes() {
    let server = server().await;
    let url = server.port_forward(echo()).unwrap();
    assert_eq!(refusal(&server, &url, "v4.channel.k8s.io").await, 400);
    let url = format!("{url}?port=80&port=8080");
    let mut client = connect(&server, &url, "v4.channel.k8s.io").await.unwrap();
    let mut next = async || client.next().await.unwrap().unwrap().into_data().to_vec();
    assert_eq!(next().await, [0, 80, 0]);
    assert_eq!(next().await, [1, 80, 0]);
    assert_eq!(next().await, [2, 0x90, 0x1f]);
    assert_eq!(next().await, [3, 0x90, 0x1f]);
    // Neither an error channel nor a channel of another port is answered.
    send(&mut client, b"\x01x").await;
    send(&mut client, b"\x04x").await;
    send(&mut client, b"\x02hello").await;
    assert_eq!(
        client.next().await.unwrap().unwrap().into_data().to_vec(),
        b"\x02hello"
    );
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let server = server().await;
    let refused = start(server.address()).await;
    let message = refused.err().unwrap().to_string();
    assert!(message.contains(&server.address().to_string()), "{message}");
}

#[tokio::test]
async fn a_session_without_traffic_is_closed() {
    let short = std::time::Duration::from_millis(200);
    let server = StreamingServer::start(DEFAULT_LISTEN, short).await.unwrap();
    let forever: Handler = Box::new(|session| {
        Box::pin(async move {
            let _held = session;
            std::future::pending().await
        })
    });
    let url = server.exec(ALL, forever).unwrap();
    let mut client = connect(&server, &url, "v5.channel.k8s.io").await.unwrap();
    assert_eq!(received(&mut client).await, [""; 4].map(str::to_owned));
}

#[tokio::test]
async fn peers_that_send_no_request_keep_nobody_out() {
    let server = server().await;
    let mut silent = Vec::new();
    for _ in 0..600 {
        let mut peer = TcpStream::connect(server.address()).await.unwrap();
        peer.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        silent.push(peer);
    }
    let url = server.exec(ALL, exit(0)).unwrap();
    let mut client = connect(&server, &url, "v5.channel.k8s.io").await.unwrap();
    let [_, _, _, error] = received(&mut client).await;
    assert_eq!(error, r#"{"metadata":{},"status":"Success"}"#);
    // The first of them have lost their places.
    let read = tokio::time::timeout(DEADLINE, silent[0].read(&mut [0])).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
}

#[tokio::test]
async fn a_url_names_an_address_that_can_be_connected_to() {
    for (listen, host) in [
        ("127.0.0.1:0", "127.0.0.1"),
        ("0.0.0.0:0", "127.0.0.1"),
        ("[::1]:0", "[::1]"),
        ("[::]:0", "[::1]"),
    ] {
        let server =
            match StreamingServer::start(listen.parse().unwrap(), DEFAULT_IDLE_TIMEOUT).await {
                Ok(server) => server,
                Err(e) => {
                    eprintln!("SKIPPED: streams on {listen} are NOT tested: {e}");
                    continue;
                }
            };
        let url = server.exec(ALL, shout()).unwrap();
        let begin = format!("http://{host}:{}/exec/", server.address().port());
        assert!(url.starts_with(&begin), "{url}");
        let client = TcpStream::connect(server.reachable()).await;
        assert!(client.is_ok(), "{client:?}");
    }
}
