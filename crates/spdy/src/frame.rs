//! The frames (draft 3.1, section 2.6).

use crate::headers::Headers;

/// Number of bytes before the payload of each frame.
pub(crate) const HEAD_BYTES: usize = 8;
/// Version in each control frame: SPDY/3.1 kept the number of SPDY/3.
pub(crate) const VERSION: u16 = 3;
/// Bit that tells a control frame from a data frame.
pub(crate) const CONTROL: u32 = 1 << 31;
/// Mask of stream ids and windows.
pub(crate) const ID_MASK: u32 = !CONTROL;
/// Flag of a frame after which its sender sends no more on the stream.
pub(crate) const FIN: u8 = 1;
/// Flag of a SYN_STREAM to which the other side sends nothing.
pub(crate) const UNIDIRECTIONAL: u8 = 2;

pub(crate) const SYN_STREAM: u16 = 1;
pub(crate) const SYN_REPLY: u16 = 2;
pub(crate) const RST_STREAM: u16 = 3;
pub(crate) const SETTINGS: u16 = 4;
pub(crate) const PING: u16 = 6;
pub(crate) const GOAWAY: u16 = 7;
pub(crate) const HEADERS: u16 = 8;
pub(crate) const WINDOW_UPDATE: u16 = 9;

/// Setting of the window that streams begin with (section 2.6.4).
pub(crate) const INITIAL_WINDOW_SIZE: u32 = 7;

/// A frame of a client, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    SynStream {
        id: u32,
        headers: Headers,
        is_last: bool,
        is_unidirectional: bool,
    },
    RstStream(u32),
    /// The initial window that a SETTINGS frame states, if it states one.
    Settings(Option<u32>),
    Ping(u32),
    GoAway,
    /// A HEADERS frame, whose headers nothing needs.
    Headers {
        id: u32,
        is_last: bool,
    },
    WindowUpdate {
        id: u32,
        delta: u32,
    },
    /// Content of a data frame, in as many parts as it arrives. The last part has the frame's
    /// flag.
    Data {
        id: u32,
        bytes: Vec<u8>,
        is_last: bool,
    },
}

/// Status of a RST_STREAM (section 2.6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    ProtocolError = 1,
    RefusedStream = 3,
    Cancel = 5,
    FlowControlError = 7,
}
