//! `deploy/ci/comment` against a stand-in for GitHub's API, which knows just the calls that the
//! script makes: list, create and change the comments of an issue.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use serde_json::{Value, json};

/// A request as it came: method, path with its query, body.
type Request = (String, String, Value);

/// Reads a request, and the connection to answer on.
fn accept(listener: &TcpListener) -> (Request, TcpStream) {
    let (connection, _) = listener.accept().expect("a connection");
    let mut lines = BufReader::new(connection.try_clone().expect("a handle"));
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).expect("a line");
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let of = |name: &str| {
        let mut fields = head.iter().filter_map(|line| line.split_once(": "));
        let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned())
    };
    assert_eq!(of("authorization").as_deref(), Some("Bearer secret"));
    let length = of("content-length").map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; length];
    lines.read_exact(&mut body).expect("a body");
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut words = head[0].split(' ').map(str::to_owned);
    let (method, path) = (
        words.next().expect("a method"),
        words.next().expect("a path"),
    );
    ((method, path, body), connection)
}

/// Runs the script; each request gets the next reply, a status and a body. Returns its output and
/// the requests.
fn comment(replies: Vec<(u16, Value)>) -> (Output, Vec<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = thread::spawn(move || {
        let mut requests = Vec::new();
        for (status, body) in replies {
            let (request, mut connection) = accept(&listener);
            requests.push(request);
            let body = body.to_string();
            let reply = format!(
                "HTTP/1.1 {status} -\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            connection.write_all(reply.as_bytes()).expect("a reader");
        }
        requests
    });
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("verdict.md");
    std::fs::write(&file, "### gate: PASS\n").expect("a file");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/ci/comment");
    let output = Command::new(script)
        .arg(&file)
        .env("GITHUB_API_URL", format!("http://{address}"))
        .env("GITHUB_REPOSITORY", "owner/name")
        .env("GITHUB_TOKEN", "secret")
        .env("PULL_REQUEST", "7")
        .output()
        .expect("the script runs");
    (output, server.join().expect("no panic"))
}

/// Comments of others, with ids from 1.
fn others(count: u64) -> Vec<Value> {
    let comment = |id| json!({"id": id, "body": "I saw <!-- loadgen gate --> here"});
    (1..=count).map(comment).collect()
}

#[test]
fn without_an_earlier_comment_a_new_one_is_made() {
    let (output, requests) = comment(vec![(200, json!(others(2))), (201, json!({"id": 3}))]);
    assert!(output.status.success(), "{output:?}");
    let body = json!({"body": "<!-- loadgen gate -->\n### gate: PASS\n"});
    let list = "/repos/owner/name/issues/7/comments?per_page=100&page=1";
    assert_eq!(requests[0], ("GET".into(), list.into(), Value::Null));
    let create = "/repos/owner/name/issues/7/comments";
    assert_eq!(requests[1], ("POST".into(), create.into(), body));
}

#[test]
fn the_earlier_comment_is_changed_also_on_a_later_page() {
    let mark = "<!-- loadgen gate -->\n### gate: FAIL\n";
    let own = vec![json!({"id": 500, "body": mark})];
    let replies = vec![
        (200, json!(others(100))),
        (200, json!(own)),
        (200, json!({"id": 500})),
    ];
    let (output, requests) = comment(replies);
    assert!(output.status.success(), "{output:?}");
    assert!(requests[1].1.ends_with("page=2"), "{requests:?}");
    let changed = (requests[2].0.as_str(), requests[2].1.as_str());
    assert_eq!(changed, ("PATCH", "/repos/owner/name/issues/comments/500"));
}

#[test]
fn a_refusal_is_an_error_with_the_words_of_the_api() {
    let (output, _) = comment(vec![(403, json!({"message": "Resource not accessible"}))]);
    assert!(!output.status.success());
    let shown = [output.stdout, output.stderr].concat();
    let shown = String::from_utf8_lossy(&shown);
    assert!(
        shown.contains("Resource not accessible") && shown.contains("403"),
        "{shown}"
    );
}
