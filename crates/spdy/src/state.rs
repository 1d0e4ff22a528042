//! State that a connection and its streams share.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use parking_lot::Mutex;

use crate::headers::Headers;
use crate::machine::{Event, Machine};

/// State that a connection and its streams share.
pub(crate) struct State {
    pub(crate) machine: Machine,
    pub(crate) inboxes: HashMap<u32, Inbox>,
    /// Number of bytes in all inboxes.
    pub(crate) unread: usize,
    /// Streams that were opened and that nothing has asked for yet.
    pub(crate) opened: VecDeque<(u32, Headers)>,
    /// Whether no further stream is given out.
    pub(crate) is_accepting_over: bool,
    /// Whether the owner of the streams wants no more of them.
    pub(crate) is_closing: bool,
    /// Whether the transport has ended.
    pub(crate) is_over: bool,
    pub(crate) acceptor: Option<Waker>,
    pub(crate) driver: Option<Waker>,
}

/// Bytes of a stream that wait for its reader.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) bytes: VecDeque<u8>,
    pub(crate) is_ended: bool,
    pub(crate) is_reset: bool,
    pub(crate) reader: Option<Waker>,
    pub(crate) writer: Option<Waker>,
}

impl Inbox {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }
}

pub(crate) type Shared = Arc<Mutex<State>>;

impl State {
    pub(crate) fn new() -> Self {
        Self {
            machine: Machine::new(),
            inboxes: HashMap::new(),
            unread: 0,
            opened: VecDeque::new(),
            is_accepting_over: false,
            is_closing: false,
            is_over: false,
            acceptor: None,
            driver: None,
        }
    }

    /// Wakes the connection after a stream has changed something.
    pub(crate) fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    pub(crate) fn wake_writers(&mut self) {
        for inbox in self.inboxes.values_mut() {
            if let Some(writer) = inbox.writer.take() {
                writer.wake();
            }
        }
    }

    fn end_accepting(&mut self) {
        self.is_accepting_over = true;
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.wake();
        }
    }

    /// Ends all streams.
    pub(crate) fn end(&mut self) {
        self.is_over = true;
        self.end_accepting();
        for inbox in self.inboxes.values_mut() {
            inbox.is_ended = true;
            inbox.wake();
        }
    }

    pub(crate) fn apply(&mut self, event: Event) {
        match event {
            Event::Opened { id, headers } => {
                self.inboxes.insert(id, Inbox::default());
                self.opened.push_back((id, headers));
                if let Some(acceptor) = self.acceptor.take() {
                    acceptor.wake();
                }
            }
            Event::Data { id, bytes } => match self.inboxes.get_mut(&id) {
                Some(inbox) => {
                    self.unread += bytes.len();
                    inbox.bytes.extend(bytes);
                    inbox.wake();
                }
                // The stream is no longer read.
                None => self.machine.consume(id, bytes.len()),
            },
            Event::Ended(id) => {
                if let Some(inbox) = self.inboxes.get_mut(&id) {
                    inbox.is_ended = true;
                    inbox.wake();
                }
            }
            Event::Reset(id) => {
                if let Some(inbox) = self.inboxes.get_mut(&id) {
                    inbox.is_reset = true;
                    inbox.wake();
                }
            }
            Event::GoAway => self.end_accepting(),
        }
    }
}
