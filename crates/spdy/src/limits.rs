//! Limits of what a client can make a connection keep.

/// Longest payload of a control frame in bytes. The content of data frames is handed on as it
/// arrives, so their length needs no limit.
pub(crate) const MAX_CONTROL_BYTES: usize = 16 << 10;

/// Most bytes of a header block after its decompression. Kubernetes' clients send a few hundred.
pub(crate) const MAX_HEADER_BYTES: usize = 16 << 10;

/// Most streams that are open at once. A port-forward has two for each connection.
pub(crate) const MAX_STREAMS: usize = 512;

/// Number of bytes of all streams that wait for their readers; the connection is not read while
/// there are more.
pub(crate) const MAX_UNREAD_BYTES: usize = 256 << 10;

/// Number of bytes that wait to be sent; writers wait, and the connection is not read, while
/// there are more.
pub(crate) const MAX_OUTPUT_BYTES: usize = 128 << 10;
