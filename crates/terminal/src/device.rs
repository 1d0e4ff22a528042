//! The two ends of a terminal, and their wakers.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Size;
use crate::attributes::Attributes;
use crate::discipline::{Discipline, Signal};

/// Most bytes of output that wait for their reader. Writers wait, and nothing is echoed, while
/// there are more.
const MAX_SHOWN_BYTES: usize = 64 << 10;
/// Most bytes of one write.
const WRITE_BYTES: usize = 4096;

/// State of a terminal.
#[derive(Default)]
struct Device {
    discipline: Discipline,
    size: Size,
    /// Output that the manager has not read.
    shown: Vec<u8>,
    /// Signals that nothing has taken, each at most once.
    signals: Vec<Signal>,
    /// Number of outputs that are open.
    outputs: usize,
    had_output: bool,
    /// Whether the manager sends no more.
    is_input_over: bool,
    is_manager_gone: bool,
    /// Tasks that wait for a change of any kind. There are few, and changes are rare.
    waiting: Vec<Waker>,
}

impl Device {
    fn wait<T>(&mut self, context: &Context<'_>) -> Poll<T> {
        let waker = context.waker();
        if !self.waiting.iter().any(|known| known.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
        Poll::Pending
    }

    fn wake(&mut self) {
        for waker in self.waiting.drain(..) {
            waker.wake();
        }
    }

    fn send(&mut self, signal: Signal) {
        if !self.signals.contains(&signal) {
            self.signals.push(signal);
        }
        self.wake();
    }
}

type Shared = Arc<Mutex<Device>>;

/// Makes a terminal with a window of this size.
pub fn open(size: Size) -> (Manager, Terminal) {
    let device = Arc::new(Mutex::new(Device {
        size,
        ..Device::default()
    }));
    (Manager(Arc::clone(&device)), Terminal(device))
}

/// The end of the processes. Clones are the same terminal.
#[derive(Clone)]
pub struct Terminal(Shared);

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Terminal")
    }
}

impl Terminal {
    /// Returns a reader of the typed bytes.
    pub fn input(&self) -> Input {
        Input(Arc::clone(&self.0))
    }

    /// Returns a writer. The manager reads the end once all of them are dropped.
    pub fn output(&self) -> Output {
        let mut device = self.0.lock();
        device.outputs += 1;
        device.had_output = true;
        Output(Arc::clone(&self.0))
    }

    /// Returns the modes and special characters.
    pub fn attributes(&self) -> Attributes {
        self.0.lock().discipline.attributes
    }

    /// Changes the modes and special characters.
    pub fn set_attributes(&self, attributes: Attributes) {
        let mut device = self.0.lock();
        device.discipline.set(attributes);
        device.wake();
    }

    /// Drops what was typed and not read, tcflush(3).
    pub fn flush_input(&self) {
        self.0.lock().discipline.flush_input();
    }

    /// Returns the size of the window.
    pub fn size(&self) -> Size {
        self.0.lock().size
    }

    /// Changes the size of the window, and sends [`Signal::Resize`] if it differs
    /// (`tty_do_resize` in the kernel's `drivers/tty/tty_io.c`).
    pub fn resize(&self, size: Size) {
        let mut device = self.0.lock();
        if device.size != size {
            device.size = size;
            device.send(Signal::Resize);
        }
    }

    /// Waits for the next signal. A signal that has not been taken is not sent twice.
    pub async fn signal(&self) -> Signal {
        std::future::poll_fn(|context| {
            let mut device = self.0.lock();
            if device.signals.is_empty() {
                device.wait(context)
            } else {
                Poll::Ready(device.signals.remove(0))
            }
        })
        .await
    }
}

/// Reader of the typed bytes. It ends for a while at ^D, and for good when the manager is gone or
/// shut down.
pub struct Input(Shared);

impl AsyncRead for Input {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut device = self.0.lock();
        if let Some(bytes) = device.discipline.read(buffer.remaining()) {
            buffer.put_slice(&bytes);
            device.wake();
            return Poll::Ready(Ok(()));
        }
        if device.is_input_over || device.is_manager_gone {
            return Poll::Ready(Ok(()));
        }
        device.wait(context)
    }
}

/// Writer to a terminal.
pub struct Output(Shared);

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut device = self.0.lock();
        if device.is_manager_gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if device.shown.len() >= MAX_SHOWN_BYTES || device.discipline.is_stopped {
            return device.wait(context);
        }
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES)];
        let Device {
            discipline, shown, ..
        } = &mut *device;
        discipline.post(bytes, shown);
        device.wake();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let mut device = self.0.lock();
        device.outputs = device.outputs.saturating_sub(1);
        device.wake();
    }
}

/// The end of the user: reads what the terminal shows, and writes what the user types. Its reader
/// ends once there was an output and none is left. Shutting the writer down ends the input;
/// dropping the manager hangs up.
pub struct Manager(Shared);

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Manager")
    }
}

impl AsyncRead for Manager {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut device = self.0.lock();
        if device.shown.is_empty() {
            if device.had_output && device.outputs == 0 {
                return Poll::Ready(Ok(()));
            }
            return device.wait(context);
        }
        let count = device.shown.len().min(buffer.remaining());
        buffer.put_slice(&device.shown[..count]);
        device.shown.drain(..count);
        device.wake();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Manager {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut device = self.0.lock();
        let mut written = 0;
        let mut echo = Vec::new();
        for byte in bytes.iter().take(WRITE_BYTES) {
            if !device.discipline.has_room() {
                break;
            }
            let signal = device.discipline.type_byte(*byte, &mut echo);
            written += 1;
            if let Some(signal) = signal {
                if !device.discipline.attributes.noflsh {
                    device.shown.clear();
                }
                device.send(signal);
            }
        }
        if device.shown.len() < MAX_SHOWN_BYTES {
            device.shown.append(&mut echo);
        }
        if written == 0 && !bytes.is_empty() {
            return device.wait(context);
        }
        device.wake();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut device = self.0.lock();
        device.is_input_over = true;
        device.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let mut device = self.0.lock();
        device.is_manager_gone = true;
        device.send(Signal::HangUp);
    }
}

#[cfg(test)]
mod tests;
