//! Tests of the two ends.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn terminal() -> (Manager, Terminal) {
    open(Size {
        columns: 80,
        rows: 24,
    })
}

#[tokio::test]
async fn what_is_typed_is_shown_and_read() {
    let (mut user, terminal) = terminal();
    let mut input = terminal.input();
    let reading = tokio::spawn(async move {
        let mut line = vec![0; 100];
        let count = input.read(&mut line).await.unwrap();
        line.truncate(count);
        line
    });
    user.write_all(b"ls\r").await.unwrap();
    assert_eq!(reading.await.unwrap(), b"ls\n");
    let mut output = terminal.output();
    output.write_all(b"a\nb\n").await.unwrap();
    drop(output);
    let mut shown = String::new();
    user.read_to_string(&mut shown).await.unwrap();
    assert_eq!(shown, "ls\r\na\r\nb\r\n");
}

#[tokio::test]
async fn signals_wait_for_their_taker() {
    let (mut user, terminal) = terminal();
    user.write_all(b"\x03\x03\x1c").await.unwrap();
    assert_eq!(terminal.signal().await, Signal::Interrupt);
    assert_eq!(terminal.signal().await, Signal::Quit);
    let size = Size {
        columns: 132,
        rows: 43,
    };
    terminal.resize(size);
    terminal.resize(size);
    assert_eq!(terminal.size(), size);
    assert_eq!(terminal.signal().await, Signal::Resize);
    drop(user);
    assert_eq!(terminal.signal().await, Signal::HangUp);
}

#[tokio::test]
async fn a_user_who_goes_ends_input_and_output() {
    let (user, terminal) = terminal();
    drop(user);
    assert_eq!(terminal.input().read(&mut [0]).await.unwrap(), 0);
    let error = terminal.output().write_all(b"x").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn the_end_of_what_is_typed_ends_the_input_after_its_last_line() {
    let (mut user, terminal) = terminal();
    user.write_all(b"a\r").await.unwrap();
    user.shutdown().await.unwrap();
    let mut text = String::new();
    terminal.input().read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "a\n");
}

#[tokio::test]
async fn a_writer_waits_for_a_user_who_does_not_read_and_an_echo_is_dropped() {
    let (mut user, terminal) = terminal();
    let mut output = terminal.output();
    let writer = tokio::spawn(async move {
        output.write_all(&vec![b'x'; 200_000]).await.unwrap();
    });
    while terminal.0.lock().shown.len() < MAX_SHOWN_BYTES {
        tokio::task::yield_now().await;
    }
    assert!(!writer.is_finished());
    user.write_all(b"y").await.unwrap();
    let mut all = Vec::new();
    user.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), 200_000);
    writer.await.unwrap();
}

#[tokio::test]
async fn a_user_waits_while_lines_fill_the_terminal() {
    let (mut user, terminal) = terminal();
    let typing = tokio::spawn(async move {
        user.write_all(&b"0123456789\r".repeat(1000)).await.unwrap();
        user
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!typing.is_finished());
    let mut input = terminal.input();
    let mut total = 0;
    while total < 11_000 {
        total += input.read(&mut [0; 100]).await.unwrap();
    }
    typing.await.unwrap();
}

#[tokio::test]
async fn a_stopped_output_waits_until_it_is_started() {
    let (mut user, terminal) = terminal();
    user.write_all(b"\x13").await.unwrap();
    let mut output = terminal.output();
    let writer = tokio::spawn(async move { output.write_all(b"x").await });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!writer.is_finished());
    user.write_all(b"\x11").await.unwrap();
    writer.await.unwrap().unwrap();
}
