//! The line discipline: what a typed byte and a written byte do.
//!
//! The rules are those of the kernel's `drivers/tty/n_tty.c`; the functions are named at each
//! rule. Left out are parity, upper case, XTABS and other delays, EOL and EOL2, and the timer of
//! VTIME.

use std::collections::VecDeque;

use crate::attributes::Attributes;

/// Most bytes that wait to be read: one less than the kernel's `N_TTY_BUF_SIZE`.
pub(crate) const MAX_INPUT_BYTES: usize = 4095;
/// Distance of tab stops.
const TAB: usize = 8;

/// Signal to the processes of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// SIGHUP: the other end is gone.
    HangUp,
    /// SIGINT, by ^C.
    Interrupt,
    /// SIGQUIT, by ^\.
    Quit,
    /// SIGTSTP, by ^Z.
    Stop,
    /// SIGWINCH: the size of the window has changed.
    Resize,
}

/// Bytes for readers with ICANON: each entry is a line, or the rest of one that was read in part.
/// An empty entry is an end of the input.
type Lines = VecDeque<Vec<u8>>;

/// State of a line discipline.
#[derive(Debug, Default)]
pub(crate) struct Discipline {
    pub(crate) attributes: Attributes,
    lines: Lines,
    /// The line that is being typed; without ICANON, all bytes.
    typed: Vec<u8>,
    /// Number of bytes in `lines`.
    in_lines: usize,
    /// Whether the next byte has no special meaning.
    is_literal: bool,
    /// Whether ^S has stopped the output.
    pub(crate) is_stopped: bool,
    /// Column of the cursor, and the one at which the typed line begins.
    column: usize,
    typed_from: usize,
}

impl Discipline {
    /// Returns whether more bytes can be typed: not if complete lines fill the memory, because a
    /// reader makes room. An incomplete line takes further bytes and drops them
    /// (`n_tty_receive_buf_common`).
    pub(crate) fn has_room(&self) -> bool {
        // The last place is that of a newline.
        self.in_lines + self.typed.len() + 1 < MAX_INPUT_BYTES
            || (self.attributes.icanon && self.lines.is_empty())
    }

    /// Takes a typed byte. Adds what is shown to `shown`, and returns the signal that it sends.
    pub(crate) fn type_byte(&mut self, byte: u8, shown: &mut Vec<u8>) -> Option<Signal> {
        if std::mem::take(&mut self.is_literal) {
            self.keep(byte, shown);
            return None;
        }
        let attributes = self.attributes;
        let characters = attributes.characters;
        let is = |character: Option<u8>| character == Some(byte);
        if attributes.ixon {
            if is(characters.start) {
                self.is_stopped = false;
                return None;
            }
            if is(characters.stop) {
                self.is_stopped = true;
                return None;
            }
        }
        if attributes.isig {
            let signal = match () {
                () if is(characters.intr) => Some(Signal::Interrupt),
                () if is(characters.quit) => Some(Signal::Quit),
                () if is(characters.susp) => Some(Signal::Stop),
                () => None,
            };
            if let Some(signal) = signal {
                self.signal(byte, shown);
                return Some(signal);
            }
        }
        let byte = match byte {
            b'\r' if attributes.igncr => return None,
            b'\r' if attributes.icrnl => b'\n',
            b'\n' if attributes.inlcr => b'\r',
            byte => byte,
        };
        if attributes.icanon && self.edit(byte, shown) {
            return None;
        }
        self.keep(byte, shown);
        None
    }

    /// Empties the input and shows the character (`n_tty_receive_signal_char`).
    fn signal(&mut self, byte: u8, shown: &mut Vec<u8>) {
        if !self.attributes.noflsh {
            self.lines.clear();
            self.in_lines = 0;
            self.typed.clear();
            // What is not read yet of the output goes, too.
            shown.clear();
        }
        if self.attributes.ixon {
            self.is_stopped = false;
        }
        if self.attributes.echo {
            self.echo(byte, shown);
        }
        self.typed_from = self.column;
    }

    /// Does what a character with a meaning for the line does (`n_tty_receive_char_canon`).
    /// Returns false for any other character.
    fn edit(&mut self, byte: u8, shown: &mut Vec<u8>) -> bool {
        let attributes = self.attributes;
        let characters = attributes.characters;
        let is = |character: Option<u8>| character == Some(byte);
        // ^H and DEL both erase: terminals send either.
        if is(characters.erase) || (byte == 0x08 && characters.erase == Some(0x7f)) {
            self.erase(Erased::Character, shown);
        } else if is(characters.kill) {
            self.erase(Erased::Line, shown);
        } else if attributes.iexten && is(characters.werase) {
            self.erase(Erased::Word, shown);
        } else if attributes.iexten && is(characters.lnext) {
            self.is_literal = true;
            if attributes.echo && attributes.echoctl {
                self.post(b"^\x08", shown);
            }
        } else if attributes.iexten && attributes.echo && is(characters.rprnt) {
            self.echo(byte, shown);
            self.post(b"\n", shown);
            self.typed_from = self.column;
            for byte in self.typed.clone() {
                self.echo(byte, shown);
            }
        } else if byte == b'\n' {
            if attributes.echo || attributes.echonl {
                self.post(b"\n", shown);
            }
            self.push_typed(byte);
            self.complete();
        } else if is(characters.eof) {
            self.complete();
        } else {
            return false;
        }
        true
    }

    fn push_typed(&mut self, byte: u8) {
        // A full line keeps its place for the newline alone (`n_tty_receive_buf_real_raw`).
        let room = MAX_INPUT_BYTES - usize::from(byte != b'\n');
        if self.in_lines + self.typed.len() < room {
            self.typed.push(byte);
        }
    }

    fn complete(&mut self) {
        let line = std::mem::take(&mut self.typed);
        self.in_lines += line.len();
        self.lines.push_back(line);
        self.typed_from = self.column;
    }

    /// Keeps and shows a byte without a special meaning.
    fn keep(&mut self, byte: u8, shown: &mut Vec<u8>) {
        if self.attributes.echo {
            if self.typed.is_empty() {
                self.typed_from = self.column;
            }
            if byte == b'\n' {
                self.post(b"\n", shown);
            } else {
                self.echo(byte, shown);
            }
        }
        self.push_typed(byte);
    }

    /// Shows a typed byte (`echo_char`).
    fn echo(&mut self, byte: u8, shown: &mut Vec<u8>) {
        if self.attributes.echoctl && is_control(byte) {
            self.post(&[b'^', byte ^ 0x40], shown);
        } else {
            self.post(&[byte], shown);
        }
    }

    /// Erases a part of the line (`eraser`).
    fn erase(&mut self, what: Erased, shown: &mut Vec<u8>) {
        let attributes = self.attributes;
        if self.typed.is_empty() {
            return;
        }
        if what == Erased::Line {
            if !attributes.echo {
                self.typed.clear();
                return;
            }
            if !(attributes.echok && attributes.echoke && attributes.echoe) {
                self.typed.clear();
                if let Some(kill) = attributes.characters.kill {
                    self.echo(kill, shown);
                }
                if attributes.echok {
                    self.post(b"\n", shown);
                }
                self.typed_from = self.column;
                return;
            }
        }
        let mut has_word = false;
        while let Some(byte) = self.typed.last().copied() {
            if what == Erased::Word {
                let is_word = byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
                if has_word && !is_word {
                    break;
                }
                has_word |= is_word;
            }
            self.typed.pop();
            // A character of UTF-8 is erased as a whole, as with IUTF8.
            if byte & 0xc0 == 0x80 && self.typed.last().is_some_and(|before| *before >= 0x80) {
                continue;
            }
            if attributes.echo {
                if what == Erased::Character && !attributes.echoe {
                    if let Some(erase) = attributes.characters.erase {
                        self.echo(erase, shown);
                    }
                } else {
                    self.unshow(byte, shown);
                }
            }
            if what == Erased::Character {
                break;
            }
        }
    }

    /// Makes an erased character disappear.
    fn unshow(&mut self, byte: u8, shown: &mut Vec<u8>) {
        if byte == b'\t' {
            let width = self.width().abs_diff(self.column);
            self.post(&vec![0x08; width], shown);
        } else if is_control(byte) {
            if self.attributes.echoctl {
                self.post(b"\x08 \x08\x08 \x08", shown);
            }
        } else {
            self.post(b"\x08 \x08", shown);
        }
    }

    /// Returns the column after the typed line.
    fn width(&self) -> usize {
        let step = |column: usize, byte: &u8| match byte {
            b'\t' => (column / TAB + 1) * TAB,
            byte if is_control(*byte) => column + 2 * usize::from(self.attributes.echoctl),
            byte => column + usize::from(byte & 0xc0 != 0x80),
        };
        self.typed.iter().fold(self.typed_from, step)
    }

    /// Adds written bytes to `shown` as the terminal shows them (`do_output_char`).
    pub(crate) fn post(&mut self, bytes: &[u8], shown: &mut Vec<u8>) {
        for byte in bytes {
            match byte {
                b'\n' if self.attributes.opost && self.attributes.onlcr => {
                    shown.push(b'\r');
                    self.column = 0;
                }
                b'\r' => self.column = 0,
                b'\t' => self.column = (self.column / TAB + 1) * TAB,
                0x08 => self.column = self.column.saturating_sub(1),
                byte if is_control(*byte) || byte & 0xc0 == 0x80 => {}
                _ => self.column = self.column.saturating_add(1),
            }
            shown.push(*byte);
        }
    }

    /// Reads bytes into `room`: with ICANON those of one line, and none for an end of the input.
    /// Returns `None` if there is nothing to read yet.
    pub(crate) fn read(&mut self, room: usize) -> Option<Vec<u8>> {
        if let Some(line) = self.lines.front_mut() {
            let read: Vec<u8> = line.drain(..line.len().min(room)).collect();
            if line.is_empty() {
                self.lines.pop_front();
            }
            self.in_lines -= read.len();
            return Some(read);
        }
        if self.attributes.icanon || (self.typed.is_empty() && self.attributes.characters.min > 0) {
            return None;
        }
        Some(self.typed.drain(..self.typed.len().min(room)).collect())
    }

    /// Changes the attributes. Bytes that were typed stay readable (`n_tty_set_termios`).
    pub(crate) fn set(&mut self, attributes: Attributes) {
        let was_canonical = self.attributes.icanon;
        self.attributes = attributes;
        if was_canonical != attributes.icanon && !self.typed.is_empty() {
            self.complete();
        }
        if !attributes.icanon {
            // An end of the input is one for lines only.
            self.lines.retain(|line| !line.is_empty());
            self.is_literal = false;
        }
        if !attributes.ixon {
            self.is_stopped = false;
        }
    }

    /// Drops what was typed and not read.
    pub(crate) fn flush_input(&mut self) {
        self.lines.clear();
        self.in_lines = 0;
        self.typed.clear();
    }
}

/// Part of a line that a character erases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Erased {
    Character,
    Word,
    Line,
}

/// Returns whether a byte is shown as ^X: a control character besides the tab.
fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

#[cfg(test)]
mod tests;
