//! Destination of the log: a stream whose failures and pauses disturb no call.
//!
//! The log goes to standard error, which belongs to others: its file system may be full, its
//! reader may be gone or may have stopped reading. A line that cannot be written is lost and
//! counted. The first line that can be written again is preceded by one that tells the count.

use std::io::{self, Stderr, Write};
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use tracing_subscriber::fmt::MakeWriter;

/// Longest wait for a reader that takes nothing. After it, lines are lost without a wait until
/// the reader goes on.
const PATIENCE: Duration = Duration::from_secs(1);

/// Longest piece that is written at once: a pipe that is ready for output takes this many bytes
/// without a wait (PIPE_BUF, pipe(7)).
const PIECE: usize = 4096;

/// Writer of lines to a stream, shared between threads.
pub(super) struct Output<W = Stderr> {
    state: Mutex<State<W>>,
    notice: fn(SystemTime, u64) -> String,
}

struct State<W> {
    stream: W,
    /// Whether a write may wait for a reader. A regular file has none.
    has_reader: bool,
    patience: Duration,
    /// Lines that were lost since the last written one.
    lost: u64,
    /// Whether the reader took nothing during the last wait.
    stuck: bool,
    /// Whether only a part of the last line was written.
    torn: bool,
}

impl Output {
    /// Returns the writer to standard error. `notice` formats the line that tells the number of
    /// lost lines.
    pub(super) fn stderr(notice: fn(SystemTime, u64) -> String) -> Self {
        Self::new(io::stderr(), PATIENCE, notice)
    }
}

impl<W: Write + AsFd> Output<W> {
    fn new(stream: W, patience: Duration, notice: fn(SystemTime, u64) -> String) -> Self {
        let is_file = fstat(&stream)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Self {
            state: Mutex::new(State {
                stream,
                has_reader: !is_file,
                patience,
                lost: 0,
                stuck: false,
                torn: false,
            }),
            notice,
        }
    }

    fn line(&self, line: &[u8]) {
        let mut state = self.state.lock();
        if state.lost > 0 {
            let notice = (self.notice)(SystemTime::now(), state.lost);
            if state.put(notice.as_bytes()).is_err() {
                state.lost += 1;
                return;
            }
            state.lost = 0;
        }
        if state.put(line).is_err() {
            state.lost += 1;
        }
    }
}

impl<W: Write + AsFd> State<W> {
    /// Writes a line, after the end of a line of which only a part was written.
    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.some(b"\n")?;
            self.torn = false;
        }
        let mut rest = line;
        while !rest.is_empty() {
            match self.some(&rest[..rest.len().min(PIECE)]) {
                Ok(count) => rest = &rest[count..],
                Err(e) => {
                    self.torn = rest.len() < line.len();
                    return Err(e);
                }
            }
        }
        Ok(())
    }

    /// Writes the beginning of a piece and returns its length, which is not zero.
    fn some(&mut self, piece: &[u8]) -> io::Result<usize> {
        loop {
            if self.has_reader {
                self.wait()?;
            }
            match self.stream.write(piece) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    /// Waits until the stream takes output, for as long as the patience lasts.
    fn wait(&mut self) -> io::Result<()> {
        let patience = if self.stuck {
            Duration::ZERO
        } else {
            self.patience
        };
        let timeout = Timespec::try_from(patience).unwrap_or_default();
        let mut fds = [PollFd::new(&self.stream, PollFlags::OUT)];
        let ready = match poll(&mut fds, Some(&timeout)) {
            Ok(ready) => ready > 0,
            // A signal has shortened the wait. The write itself decides.
            Err(rustix::io::Errno::INTR) => true,
            Err(e) => return Err(e.into()),
        };
        self.stuck = !ready;
        if ready {
            Ok(())
        } else {
            Err(io::ErrorKind::TimedOut.into())
        }
    }
}

/// Writer of one line.
pub(super) struct LineWriter<'a, W>(&'a Output<W>);

impl<W: Write + AsFd> Write for LineWriter<'_, W> {
    /// Writes or loses a line. Every byte counts as written, because nothing but this counts
    /// losses.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a, W: Write + AsFd + 'static> MakeWriter<'a> for Output<W> {
    type Writer = LineWriter<'a, W>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{PipeReader, PipeWriter, Read};

    fn notice(_: SystemTime, lost: u64) -> String {
        format!("lost {lost}\n")
    }

    fn pipe() -> (PipeReader, Output<PipeWriter>) {
        let (reader, writer) = io::pipe().unwrap();
        (reader, Output::new(writer, Duration::ZERO, notice))
    }

    /// Writes lines of 100 bytes until `lost` of them are lost; returns the number of all.
    fn fill(output: &Output<PipeWriter>, lost: u64) -> usize {
        let line = [&[b'x'; 99][..], b"\n"].concat();
        let mut lines = 0;
        while output.state.lock().lost < lost {
            output.line(&line);
            lines += 1;
        }
        lines
    }

    #[test]
    fn lines_come_out_as_they_went_in() {
        let (mut reader, output) = pipe();
        output.line(b"one\n");
        assert_eq!(output.make_writer().write(b"two\n").unwrap(), 4);
        drop(output);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn a_reader_that_pauses_costs_lines_and_is_told_their_number() {
        let (mut reader, output) = pipe();
        let written = fill(&output, 3) - 3;
        let mut taken = vec![0; written * 100];
        reader.read_exact(&mut taken).unwrap();
        output.line(b"after\n");
        drop(output);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "lost 3\nafter\n");
    }

    #[test]
    fn a_reader_that_is_gone_costs_lines_only() {
        let (reader, output) = pipe();
        drop(reader);
        output.line(b"one\n");
        output.line(b"two\n");
        assert_eq!(output.state.lock().lost, 2);
    }

    #[test]
    fn a_full_file_system_costs_lines_only() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = Output::new(full, Duration::ZERO, notice);
        output.line(b"one\n");
        assert_eq!(output.state.lock().lost, 1);
    }

    #[test]
    fn a_line_after_a_torn_one_begins_a_line() {
        let (mut reader, output) = pipe();
        let long = vec![b'y'; 1 << 22];
        output.line(&long);
        assert!(output.state.lock().torn);
        let mut text = vec![0; 1 << 15];
        reader.read_exact(&mut text).unwrap();
        output.line(b"after\n");
        drop(output);
        reader.read_to_end(&mut text).unwrap();
        assert!(text.ends_with(b"y\nlost 1\nafter\n"), "{}", text.len());
    }
}
