//! A connection without its transport: bytes in, events and bytes out.

use std::collections::BTreeMap;

use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::ProtocolError;
use crate::frame::{Frame, ID_MASK, Status};
use crate::headers::Headers;
use crate::limits::MAX_STREAMS;

/// Window of each stream, and of the connection, before any frame changes it (draft 3.1, section
/// 2.6.8).
const INITIAL_WINDOW: i64 = 64 << 10;
/// Number of bytes after which a reader's progress is told to the client.
const UPDATE_BYTES: u32 = 32 << 10;
/// Longest content of a data frame that is sent, in bytes.
const MAX_DATA_BYTES: usize = 16 << 10;
/// Id of the connection in WINDOW_UPDATE.
const CONNECTION: u32 = 0;

/// Event that a client caused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Opened {
        id: u32,
        headers: Headers,
    },
    Data {
        id: u32,
        bytes: Vec<u8>,
    },
    /// The client sends no more on the stream.
    Ended(u32),
    /// The client gave the stream up.
    Reset(u32),
    /// The client opens no more streams.
    GoAway,
}

/// An open stream.
#[derive(Debug)]
struct Open {
    /// Number of bytes that the client still takes, if it keeps windows.
    window: i64,
    /// Number of bytes that were read since the last WINDOW_UPDATE.
    consumed: u32,
    client_ended: bool,
    server_ended: bool,
}

/// State of a connection.
#[derive(Debug)]
pub(crate) struct Machine {
    decoder: Decoder,
    encoder: Encoder,
    open: BTreeMap<u32, Open>,
    /// Id of the last stream that the client opened.
    last: u32,
    /// Window of the connection, and the one that streams begin with.
    window: i64,
    initial_window: i64,
    /// Whether the client has shown that it keeps windows.
    keeps_windows: bool,
    /// Number of bytes that were read on all streams since the last WINDOW_UPDATE.
    consumed: u32,
    is_going_away: bool,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            decoder: Decoder::new(),
            encoder: Encoder::default(),
            open: BTreeMap::new(),
            last: 0,
            window: INITIAL_WINDOW,
            initial_window: INITIAL_WINDOW,
            keeps_windows: false,
            consumed: 0,
            is_going_away: false,
        }
    }

    /// Takes bytes of the client over, and returns what they caused.
    ///
    /// # Errors
    /// [`ProtocolError`], after which the connection is closed.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<Vec<Event>, ProtocolError> {
        self.decoder.push(bytes);
        let mut events = Vec::new();
        while let Some(frame) = self.decoder.next()? {
            self.handle(frame, &mut events)?;
        }
        Ok(events)
    }

    /// Returns the bytes to send; the caller removes those that it sent.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.encoder.output
    }

    fn handle(&mut self, frame: Frame, events: &mut Vec<Event>) -> Result<(), ProtocolError> {
        match frame {
            Frame::SynStream {
                id,
                headers,
                is_last,
                is_unidirectional,
            } => {
                if self.opened(id, is_unidirectional) {
                    events.push(Event::Opened { id, headers });
                    if is_last {
                        self.ended(id, events);
                    }
                }
            }
            Frame::Data { id, bytes, is_last } => self.data(id, bytes, is_last, events),
            Frame::Headers { id, is_last } => {
                if is_last {
                    self.ended(id, events);
                }
            }
            Frame::RstStream(id) => {
                if self.open.remove(&id).is_some() {
                    events.push(Event::Reset(id));
                }
            }
            Frame::Settings(stated) => {
                if let Some(stated) = stated {
                    self.keeps_windows = true;
                    let change = i64::from(stated) - self.initial_window;
                    self.initial_window += change;
                    for open in self.open.values_mut() {
                        open.window += change;
                    }
                }
            }
            // The ids of a server's pings are even (section 2.6.5); it sends none.
            Frame::Ping(id) => {
                if id % 2 == 1 {
                    self.encoder.ping(id);
                }
            }
            Frame::GoAway => events.push(Event::GoAway),
            Frame::WindowUpdate { id, delta } => self.widen(id, delta, events)?,
        }
        Ok(())
    }

    /// Opens a stream and replies, or refuses it. Returns whether it is open.
    fn opened(&mut self, id: u32, is_unidirectional: bool) -> bool {
        // The ids of a client are odd and rise (section 2.3.2).
        if id.is_multiple_of(2) || id <= self.last {
            self.encoder.reset(id, Status::ProtocolError);
            return false;
        }
        self.last = id;
        if self.is_going_away || self.open.len() >= MAX_STREAMS {
            self.encoder.reset(id, Status::RefusedStream);
            return false;
        }
        let open = Open {
            window: self.initial_window,
            consumed: 0,
            client_ended: false,
            server_ended: is_unidirectional,
        };
        self.open.insert(id, open);
        if !is_unidirectional {
            self.encoder.reply(id);
        }
        true
    }

    fn data(&mut self, id: u32, bytes: Vec<u8>, is_last: bool, events: &mut Vec<Event>) {
        match self.open.get(&id) {
            Some(open) if !open.client_ended => {
                if !bytes.is_empty() {
                    events.push(Event::Data { id, bytes });
                }
                if is_last {
                    self.ended(id, events);
                }
            }
            // Bytes may be on their way while a stream ends, so they are dropped without a reset.
            _ => self.consume_of_all(bytes.len()),
        }
    }

    fn ended(&mut self, id: u32, events: &mut Vec<Event>) {
        let Some(open) = self.open.get_mut(&id) else {
            return;
        };
        if !open.client_ended {
            open.client_ended = true;
            events.push(Event::Ended(id));
            self.forget_if_over(id);
        }
    }

    fn forget_if_over(&mut self, id: u32) {
        let is_over = |open: &Open| open.client_ended && open.server_ended;
        if self.open.get(&id).is_some_and(is_over) {
            self.open.remove(&id);
        }
    }

    /// Makes the window of a stream or of the connection larger.
    fn widen(&mut self, id: u32, delta: u32, events: &mut Vec<Event>) -> Result<(), ProtocolError> {
        self.keeps_windows = true;
        let largest = i64::from(ID_MASK);
        if id == CONNECTION {
            self.window += i64::from(delta);
            return if self.window > largest {
                Err(ProtocolError::Window)
            } else {
                Ok(())
            };
        }
        if let Some(open) = self.open.get_mut(&id) {
            open.window += i64::from(delta);
            if open.window > largest {
                self.reset_as(id, Status::FlowControlError);
                events.push(Event::Reset(id));
            }
        }
        Ok(())
    }

    /// Sends the first of `bytes` on a stream, and returns how many: none if the client's window
    /// is closed, `None` if the stream is over.
    pub(crate) fn send(&mut self, id: u32, bytes: &[u8]) -> Option<usize> {
        let open = self.open.get_mut(&id).filter(|open| !open.server_ended)?;
        let mut count = bytes.len().min(MAX_DATA_BYTES);
        if self.keeps_windows {
            let window = open.window.min(self.window).max(0);
            count = count.min(usize::try_from(window).unwrap_or(usize::MAX));
        }
        if count > 0 {
            let sent = i64::try_from(count).unwrap_or(i64::MAX);
            open.window -= sent;
            self.window -= sent;
            self.encoder.data(id, &bytes[..count], false);
        }
        Some(count)
    }

    /// Ends the server's side of a stream.
    pub(crate) fn finish(&mut self, id: u32) {
        let Some(open) = self.open.get_mut(&id) else {
            return;
        };
        if !open.server_ended {
            open.server_ended = true;
            self.encoder.data(id, &[], true);
            self.forget_if_over(id);
        }
    }

    /// Gives a stream up.
    pub(crate) fn reset(&mut self, id: u32) {
        self.reset_as(id, Status::Cancel);
    }

    fn reset_as(&mut self, id: u32, status: Status) {
        if self.open.remove(&id).is_some() {
            self.encoder.reset(id, status);
        }
    }

    /// Notes that so many bytes of a stream were read, and now and then makes the client's
    /// windows larger.
    pub(crate) fn consume(&mut self, id: u32, bytes: usize) {
        self.consume_of_all(bytes);
        if let Some(open) = self.open.get_mut(&id)
            && !open.client_ended
        {
            open.consumed = open.consumed.saturating_add(count(bytes));
            if open.consumed >= UPDATE_BYTES {
                self.encoder.window_update(id, open.consumed);
                open.consumed = 0;
            }
        }
    }

    fn consume_of_all(&mut self, bytes: usize) {
        self.consumed = self.consumed.saturating_add(count(bytes));
        if self.consumed >= UPDATE_BYTES {
            self.encoder.window_update(CONNECTION, self.consumed);
            self.consumed = 0;
        }
    }

    /// Refuses further streams.
    pub(crate) fn go_away(&mut self) {
        if !self.is_going_away {
            self.is_going_away = true;
            self.encoder.go_away(self.last);
        }
    }
}

/// Returns a number of bytes as a window counts them.
fn count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(ID_MASK).min(ID_MASK)
}

#[cfg(test)]
pub(crate) mod tests;
