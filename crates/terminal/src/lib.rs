//! A pseudo-terminal in memory, with the line discipline of Linux.
//!
//! [`open`] makes a pair: the [`Manager`] is the end of the user, from which the output is read
//! and to which the typed bytes are written; the [`Terminal`] is the end of the processes.
//!
//! ```
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # use terminal::{Size, open};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! let (mut user, terminal) = open(Size { columns: 80, rows: 24 });
//! // DEL erases the x, and the line is complete with a carriage return.
//! user.write_all(b"lx\x7fs\r").await?;
//! let mut line = [0; 3];
//! terminal.input().read_exact(&mut line).await?;
//! assert_eq!(&line, b"ls\n");
//! let mut echo = [0; 8];
//! user.read_exact(&mut echo).await?;
//! assert_eq!(&echo, b"lx\x08 \x08s\r\n");
//! # Ok(()) }
//! ```
//!
//! Both directions are bounded: a line has at most 4,095 bytes, as in the kernel, and output
//! waits for its reader from 64 KiB on.
//!
//! # Modules
//!
//! - `attributes` are the modes and special characters, as `stty` shows them.
//! - `discipline` decides what a typed byte and a written byte do; it waits for nothing.
//! - `device` joins the two ends.

mod attributes;
mod device;
mod discipline;

pub use attributes::{Attributes, Characters};
pub use device::{Input, Manager, Output, Terminal, open};
pub use discipline::Signal;

/// Size of a terminal's window, in characters. Zero means not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Number of columns.
    pub columns: u16,
    /// Number of rows.
    pub rows: u16,
}
