//! The terminal of standard error, shared by the live view and by messages.
//!
//! The view takes the lines at the cursor. It is drawn by output alone: the keyboard is not
//! read, the mode of the terminal is not changed, and nothing is asked of the terminal. A
//! question such as the position of the cursor has no answer where nobody sits at the other
//! end (`docker run -t`, a runner of CI with a pseudo-terminal), and a process in the
//! background is stopped when it changes the mode (SIGTTOU, termios(3)).

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use rustix::process::getpgrp;
use rustix::termios::{tcgetpgrp, tcgetwinsize};

/// Size of a terminal that does not know its own, columns first.
const USUAL: (u16, u16) = (80, 24);

/// Time between two drawings after which the lines at the cursor are no longer those of the
/// view: the process was stopped, and the shell had the terminal.
const FORGOTTEN: Duration = Duration::from_secs(2);

/// Moves the cursor to the first column and erases everything from there on.
const ERASE_BELOW: &str = "\r\x1b[J";

/// View of this process on its terminal.
static VIEW: Mutex<View> = Mutex::new(View {
    lines: 0,
    columns: 0,
    drawn: None,
});

/// Lines above the cursor that contain the view.
#[derive(Debug)]
struct View {
    lines: u16,
    /// Width of the terminal at the last drawing.
    columns: u16,
    /// Time of the last drawing; `None` without a view.
    drawn: Option<Instant>,
}

/// Returns whether a view can be drawn on standard error: it is a terminal, which understands
/// control sequences, and this process is in its foreground.
pub fn can_be_drawn_on() -> bool {
    let stderr = io::stderr();
    stderr.is_terminal()
        && understands_sequences(std::env::var_os("TERM").as_deref())
        // A terminal that does not control this process has no foreground to ask for.
        && tcgetpgrp(&stderr).map_or(true, |foreground| foreground == getpgrp())
}

/// Returns whether terminals with this value of TERM understand control sequences.
fn understands_sequences(term: Option<&OsStr>) -> bool {
    term.is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Returns the columns and lines of the terminal.
pub fn size() -> (u16, u16) {
    let size = tcgetwinsize(io::stderr()).map_or((0, 0), |size| (size.ws_col, size.ws_row));
    let known = |found, usual| if found == 0 { usual } else { found };
    (known(size.0, USUAL.0), known(size.1, USUAL.1))
}

/// Prints a line above the view.
pub fn say(line: &str) {
    let mut view = VIEW.lock();
    let text = view.message(line);
    put(&text);
}

/// Draws the view in place of the last drawing.
pub fn draw(screen: &Buffer) {
    let mut view = VIEW.lock();
    let text = view.drawing(screen, Instant::now());
    put(&text);
}

/// Removes the view. The cursor comes to its first column.
pub fn wipe() {
    let mut view = VIEW.lock();
    let text = view.removal();
    put(&text);
}

/// Writes text at once. The write fails if the terminal has been closed, and then has no
/// reader.
fn put(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

impl View {
    /// Returns the sequence that removes the view.
    fn removal(&mut self) -> String {
        let text = match (self.drawn, self.lines) {
            (None, _) | (_, 0) => String::new(),
            (_, lines) => format!("\x1b[{lines}A{ERASE_BELOW}"),
        };
        (self.lines, self.drawn) = (0, None);
        text
    }

    /// Returns a line of text in place of the view. The next drawing begins below it.
    fn message(&mut self, line: &str) -> String {
        format!("{}{line}\n", self.removal())
    }

    /// Returns the sequences that draw a screen in place of the last one.
    fn drawing(&mut self, screen: &Buffer, now: Instant) -> String {
        let area = screen.area;
        let is_recent = |drawn| now.saturating_duration_since(drawn) < FORGOTTEN;
        if !self.drawn.is_some_and(is_recent) {
            self.lines = 0;
        }
        let mut text = if self.lines == 0 || (self.lines, self.columns) != (area.height, area.width)
        {
            self.removal()
        } else {
            format!("\x1b[{}A", self.lines)
        };
        let mut lines = 0;
        for row in screen.content.chunks(usize::from(area.width.max(1))) {
            // The line is erased first: beyond a last column that is filled, some terminals
            // erase that column.
            text.push_str("\r\x1b[K");
            line(row, &mut text);
            text.push('\n');
            lines += 1;
        }
        *self = Self {
            lines,
            columns: area.width,
            drawn: Some(now),
        };
        text
    }
}

/// Appends a line without the spaces at its end.
fn line(row: &[Cell], text: &mut String) {
    let is_blank = |cell: &Cell| cell.symbol() == " ";
    let end = row.iter().rposition(|cell| !is_blank(cell));
    let mut look = (false, None);
    for cell in &row[..end.map_or(0, |last| last + 1)] {
        let (bold, colour) = (cell.modifier.contains(Modifier::BOLD), code(cell.fg));
        if look != (bold, colour) {
            look = (bold, colour);
            text.push_str("\x1b[0");
            if bold {
                text.push_str(";1");
            }
            if let Some(code) = colour {
                // A String takes every write.
                let _ = write!(text, ";{code}");
            }
            text.push('m');
        }
        text.push_str(cell.symbol());
    }
    if look != (false, None) {
        text.push_str("\x1b[0m");
    }
}

/// Returns the code of a foreground colour of the view (ECMA-48, SGR); `None` for the
/// terminal's own.
fn code(colour: Color) -> Option<u8> {
    match colour {
        Color::Red => Some(31),
        Color::Cyan => Some(36),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn screen(width: u16, lines: &[&str]) -> Buffer {
        let height = u16::try_from(lines.len()).unwrap();
        let mut screen = Buffer::empty(Rect::new(0, 0, width, height));
        for (y, line) in (0..).zip(lines) {
            screen.set_string(0, y, line, Style::new());
        }
        screen
    }

    fn view() -> View {
        View {
            lines: 0,
            columns: 0,
            drawn: None,
        }
    }

    #[test]
    fn only_a_terminal_that_is_not_dumb_understands_sequences() {
        for (term, understands) in [
            (Some("xterm-256color"), true),
            (Some("linux"), true),
            (Some("dumb"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(understands_sequences(term.map(OsStr::new)), understands);
        }
    }

    #[test]
    fn a_drawing_replaces_the_last_one() {
        let (mut view, now) = (view(), Instant::now());
        let first = view.drawing(&screen(9, &["one", "two"]), now);
        assert_eq!(first, "\r\x1b[Kone\n\r\x1b[Ktwo\n");
        let second = view.drawing(&screen(9, &["three", ""]), now);
        assert_eq!(second, "\x1b[2A\r\x1b[Kthree\n\r\x1b[K\n");
        assert_eq!(view.removal(), "\x1b[2A\r\x1b[J");
        assert_eq!(view.removal(), "", "there is nothing left to remove");
    }

    #[test]
    fn a_message_stands_above_the_view() {
        let (mut view, now) = (view(), Instant::now());
        assert_eq!(view.message("before"), "before\n");
        view.drawing(&screen(9, &["one", "two"]), now);
        assert_eq!(view.message("while"), "\x1b[2A\r\x1b[Jwhile\n");
        let next = view.drawing(&screen(9, &["three"]), now);
        assert_eq!(next, "\r\x1b[Kthree\n");
    }

    #[test]
    fn a_resized_terminal_is_drawn_anew() {
        let (mut view, now) = (view(), Instant::now());
        view.drawing(&screen(9, &["one", "two"]), now);
        let narrower = view.drawing(&screen(4, &["one", "two"]), now);
        assert!(
            narrower.starts_with("\x1b[2A\r\x1b[J\r\x1b[Kone"),
            "{narrower:?}"
        );
        let lower = view.drawing(&screen(4, &["one"]), now);
        assert_eq!(lower, "\x1b[2A\r\x1b[J\r\x1b[Kone\n");
    }

    #[test]
    fn lines_of_the_shell_after_a_stop_are_left_alone() {
        let (mut view, now) = (view(), Instant::now());
        view.drawing(&screen(9, &["one", "two"]), now);
        let later = view.drawing(&screen(9, &["one", "two"]), now + FORGOTTEN);
        assert_eq!(later, "\r\x1b[Kone\n\r\x1b[Ktwo\n");
    }

    #[test]
    fn looks_end_with_their_text() {
        let mut screen = screen(9, &[""]);
        screen.set_string(0, 0, "ab", Style::new().bold().fg(Color::Red));
        screen.set_string(2, 0, "c", Style::new());
        screen.set_string(3, 0, "d", Style::new().fg(Color::Cyan));
        let text = view().drawing(&screen, Instant::now());
        assert_eq!(text, "\r\x1b[K\x1b[0;1;31mab\x1b[0mc\x1b[0;36md\x1b[0m\n");
    }

    #[test]
    fn a_terminal_without_room_gets_nothing() {
        for area in [Rect::new(0, 0, 0, 3), Rect::new(0, 0, 3, 0)] {
            let text = view().drawing(&Buffer::empty(area), Instant::now());
            assert_eq!(text, "", "{area:?}");
        }
    }
}
