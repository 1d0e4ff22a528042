//! Errors of a client that does not speak the protocol.

/// Violation of the protocol, after which a connection cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A control frame has another version of the protocol.
    #[error("a control frame of version {0}; version 3 is needed")]
    Version(u16),
    /// A control frame is longer than any that is needed.
    #[error("a control frame of {0} bytes; at most {max} are read", max = crate::limits::MAX_CONTROL_BYTES)]
    TooLong(usize),
    /// The length of a control frame is not that of its kind.
    #[error("a control frame of kind {kind} with {length} bytes")]
    Length {
        /// Number of the frame's kind.
        kind: u16,
        /// Length of the payload in bytes.
        length: usize,
    },
    /// A frame that belongs to a stream names none.
    #[error("a frame without a stream")]
    NoStream,
    /// A header block cannot be read, and neither can any after it: they share one compressor.
    #[error("a header block that cannot be read: {0}")]
    Headers(#[from] HeaderError),
    /// The window of the whole connection exceeds 2^31 - 1 bytes.
    #[error("a window of the connection above 2^31 - 1 bytes")]
    Window,
}

/// Fault of a header block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The compressed data is damaged, or begins with another dictionary.
    #[error("its compression is damaged or has another dictionary")]
    Compression,
    /// The headers are larger than allowed.
    #[error("more than {max} bytes of headers", max = crate::limits::MAX_HEADER_BYTES)]
    TooLarge,
    /// The lengths of names and values do not fit.
    #[error("its lengths do not fit")]
    Lengths,
    /// A name or value is not UTF-8.
    #[error("a name or value that is no text")]
    NotText,
}
