//! Tests of shells and programs on a terminal. The expected texts are those that BusyBox shows on
//! a terminal whose line is edited by the kernel.

use std::time::Duration;

use terminal::{Manager, Size, Terminal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::*;

/// Longer than any answer takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// A user at a terminal.
struct User {
    manager: Manager,
    terminal: Terminal,
    running: JoinHandle<u8>,
}

impl User {
    /// Starts a command on a terminal.
    fn run(argv: &[&str]) -> Self {
        let (manager, terminal) = terminal::open(Size {
            columns: 80,
            rows: 24,
        });
        let io = Io {
            stdin: Box::new(terminal.input()),
            stdout: Box::new(terminal.output()),
            stderr: Box::new(terminal.output()),
        };
        let shell = Shell::new(world(), Limits::default()).on_terminal(terminal.clone());
        let argv: Vec<String> = argv.iter().map(ToString::to_string).collect();
        let running = tokio::spawn(async move { shell.run(&argv, io).await });
        Self {
            manager,
            terminal,
            running,
        }
    }

    async fn types(&mut self, text: &str) {
        self.manager.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until the screen ends with a text.
    async fn sees(&mut self, end: &str) -> String {
        let mut screen = String::new();
        let read = async {
            while !screen.ends_with(end) {
                screen.push(char::from(self.manager.read_u8().await.unwrap()));
            }
        };
        let read = tokio::time::timeout(DEADLINE, read).await;
        assert!(read.is_ok(), "no {end:?} after {screen:?}");
        screen
    }

    /// Types a line, and returns what is shown before the next prompt.
    async fn answer(&mut self, line: &str) -> String {
        self.types(&format!("{line}\r")).await;
        let seen = self.sees("/ # ").await;
        let seen = seen.strip_prefix(&format!("{line}\r\n")).expect(&seen);
        seen.strip_suffix("/ # ").unwrap().to_owned()
    }

    /// Reads the rest of the screen, and returns it with the exit code.
    async fn end(mut self) -> (String, u8) {
        let mut rest = String::new();
        self.manager.read_to_string(&mut rest).await.unwrap();
        (rest, self.running.await.unwrap())
    }
}

/// Starts a shell and waits for its prompt.
async fn shell() -> User {
    let mut user = User::run(&["sh"]);
    assert_eq!(user.sees("/ # ").await, "/ # ");
    user
}

#[tokio::test]
async fn a_shell_on_a_terminal_prompts_and_answers_until_it_is_left() {
    let mut user = shell().await;
    assert_eq!(user.answer("echo hello").await, "hello\r\n");
    assert_eq!(user.answer("x=1; false").await, "");
    assert_eq!(user.answer("echo $x $?").await, "1 1\r\n");
    assert_eq!(
        user.answer("echo $COLUMNS $LINES $TERM").await,
        "80 24 xterm\r\n"
    );
    user.types("exit 3\r").await;
    assert_eq!(user.end().await, ("exit 3\r\n".to_owned(), 3));
}

#[tokio::test]
async fn the_end_of_the_input_leaves_a_shell() {
    let mut user = shell().await;
    assert_eq!(user.answer("false").await, "");
    user.types("\x04").await;
    assert_eq!(user.end().await, (String::new(), 1));
}

#[tokio::test]
async fn the_prompt_shows_the_directory_and_asks_for_the_rest_of_a_command() {
    let mut user = shell().await;
    user.types("cd /etc\r").await;
    assert_eq!(user.sees("# ").await, "cd /etc\r\n/etc # ");
    user.types("cd; PS1='\\u@\\h:\\w\\$ '\r").await;
    user.sees("root@pod-1:~# ").await;
    user.types("cd /; PS1='/ # '\r").await;
    user.sees("/ # ").await;
    user.types("if true\r").await;
    user.sees("> ").await;
    assert_eq!(user.answer("then echo yes; fi").await, "yes\r\n");
}

#[tokio::test]
async fn an_error_ends_a_line_and_not_the_shell() {
    let mut user = shell().await;
    assert_eq!(user.answer("nonesuch").await, "sh: nonesuch: not found\r\n");
    let seen = user.answer("echo )").await;
    assert!(seen.contains("syntax error"), "{seen}");
    user.answer("echo ${x:?is unset}").await;
    assert_eq!(user.answer("echo $?").await, "2\r\n");
}

#[tokio::test]
async fn an_interrupt_ends_the_command_and_not_the_shell() {
    let mut user = shell().await;
    user.types("typed").await;
    user.sees("typed").await;
    user.types("\x03").await;
    assert_eq!(user.sees("/ # ").await, "^C\r\n/ # ");
    assert_eq!(user.answer("echo $?").await, "130\r\n");
    for command in [
        "sleep 1000",
        "cat",
        "sh -c 'sleep 1000'",
        "while :; do :; done",
    ] {
        user.types(&format!("echo go; {command}\r")).await;
        user.sees("\r\ngo\r\n").await;
        user.types("\x03").await;
        assert_eq!(user.sees("/ # ").await, "^C\r\n/ # ", "{command}");
    }
    user.answer("f() { local x=2; echo go >&2; sleep 1000; }; x=1")
        .await;
    user.types("f >/dev/null\r").await;
    user.sees("\r\ngo\r\n").await;
    user.types("\x03").await;
    user.sees("^C\r\n/ # ").await;
    assert_eq!(user.answer("echo $x").await, "1\r\n");
    user.types("echo go; sleep 1000\r").await;
    user.sees("\r\ngo\r\n").await;
    user.types("\x1c").await;
    user.sees("^\\\r\n/ # ").await;
    assert_eq!(user.answer("echo $?").await, "131\r\n");
}

#[tokio::test]
async fn an_interrupt_reaches_the_innermost_shell() {
    let mut user = shell().await;
    user.types("PS1='outer '\r").await;
    user.sees("outer ").await;
    user.types("sh\r").await;
    user.sees("/ # ").await;
    user.types("\x03").await;
    assert_eq!(user.sees("/ # ").await, "^C\r\n/ # ");
    user.types("\x04").await;
    assert_eq!(user.sees("outer ").await, "outer ");
}

#[tokio::test]
async fn a_key_ends_a_command_without_a_shell() {
    for (key, code) in [("\x03", 130), ("\x1c", 131)] {
        let mut user = User::run(&["sleep", "1000"]);
        user.types(key).await;
        assert_eq!(user.end().await.1, code);
    }
    // A stopped process would stay for ever, so it is not stopped.
    let mut user = User::run(&["sh", "-c", "echo ready; read x; echo $x"]);
    user.sees("ready\r\n").await;
    user.types("\x1aa\r").await;
    assert_eq!(user.end().await, ("^Za\r\na\r\n".to_owned(), 0));
}

#[tokio::test]
async fn a_user_who_goes_ends_the_command() {
    let user = User::run(&["sleep", "1000"]);
    drop(user.manager);
    assert_eq!(user.running.await.unwrap(), 129);
}

#[tokio::test]
async fn a_window_that_changes_is_noticed() {
    let script = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.01; done";
    let mut user = User::run(&["sh", "-c", script]);
    user.sees("ready\r\n").await;
    user.terminal.resize(Size {
        columns: 132,
        rows: 43,
    });
    user.sees("43 132\r\n").await;
}

#[tokio::test]
async fn programs_tell_a_terminal_from_a_pipe() {
    let mut user = shell().await;
    assert_eq!(user.answer("tty").await, "/dev/pts/0\r\n");
    assert_eq!(user.answer("tty </dev/null").await, "not a tty\r\n");
    assert_eq!(
        user.answer("[ -t 0 ] && [ -t 1 ] && echo yes").await,
        "yes\r\n"
    );
    assert_eq!(
        user.answer("[ -t 1 ] | cat; echo a | tty").await,
        "not a tty\r\n"
    );
    let error = "stty: standard input: Inappropriate ioctl for device\r\n";
    assert_eq!(user.answer("stty </dev/null").await, error);
}

#[tokio::test]
async fn stty_shows_and_changes_the_terminal() {
    let mut user = shell().await;
    assert_eq!(user.answer("stty size").await, "24 80\r\n");
    assert_eq!(
        user.answer("stty rows 40 cols 100; stty size").await,
        "40 100\r\n"
    );
    let all = user.answer("stty -a").await;
    for part in [
        "speed 38400 baud; rows 40; columns 100; line = 0;\r\n",
        "intr = ^C; quit = ^\\; erase = ^?; kill = ^U; eof = ^D; eol = <undef>;\r\n",
        "werase = ^W; lnext = ^V; flush = ^O; min = 1; time = 0;\r\n",
        "\r\nisig icanon iexten echo echoe echok -echonl -noflsh -xcase -tostop -echoprt\r\n",
    ] {
        assert!(all.contains(part), "{all}");
    }
    user.types("saved=$(stty -g); stty -echo\r").await;
    user.sees("/ # ").await;
    user.types("echo hidden\r").await;
    assert_eq!(user.sees("/ # ").await, "hidden\r\n/ # ");
    user.types("stty $saved\r").await;
    user.sees("/ # ").await;
    assert_eq!(user.answer("echo shown").await, "shown\r\n");
    // In raw mode a single byte is read, and a newline has no carriage return.
    user.types("stty raw -echo; dd bs=1 count=1 2>/dev/null; stty sane; echo\r")
        .await;
    user.sees("echo\r\n").await;
    while user.terminal.attributes().icanon {
        tokio::task::yield_now().await;
    }
    user.types("x").await;
    assert_eq!(user.sees("/ # ").await, "x\r\n/ # ");
    assert_eq!(
        user.answer("stty bogus").await,
        "stty: invalid argument 'bogus'\r\n"
    );
    assert_eq!(
        user.answer("stty intr ^X; stty -a | head -n 2 | tail -n 1")
            .await,
        "intr = ^X; quit = ^\\; erase = ^?; kill = ^U; eof = ^D; eol = <undef>;\r\n"
    );
}
