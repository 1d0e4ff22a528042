//! The frames of ttrpc.
//!
//! A frame is a header of 10 bytes (payload length, stream id, type, flags) and the payload
//! (containerd/ttrpc `PROTOCOL.md`).

use std::io;

use protobuf::Message;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;
use ttrpc::proto::{
    MESSAGE_HEADER_LENGTH, MESSAGE_LENGTH_MAX, MESSAGE_TYPE_DATA, MESSAGE_TYPE_REQUEST,
    MESSAGE_TYPE_RESPONSE, Response,
};

use super::bounds::{REQUEST_TIME, SMALL};
use crate::error::{Error, Result};

/// The longest payload that is skipped if it is over the limit, in bytes. A header with a
/// greater length is invalid.
const MAX_SKIPPED: usize = 16 << 20;

/// A type of frame that a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A request.
    Request,
    /// A part of a stream.
    Data,
}

/// The fields of a frame's header that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: usize,
    pub(super) stream: u32,
    pub(super) kind: Kind,
}

/// Parses a header. The error says why a client cannot have sent it.
fn check(header: [u8; MESSAGE_HEADER_LENGTH]) -> Result<Header, String> {
    let [l0, l1, l2, l3, s0, s1, s2, s3, kind, _flags] = header;
    let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    if length > MAX_SKIPPED {
        return Err(format!(
            "a frame of {length} bytes is far over the limit of {MESSAGE_LENGTH_MAX}"
        ));
    }
    if s3.is_multiple_of(2) {
        return Err("a client's stream id must be odd".to_owned());
    }
    let kind = match kind {
        MESSAGE_TYPE_REQUEST => Kind::Request,
        MESSAGE_TYPE_DATA => Kind::Data,
        other => return Err(format!("a client cannot send a frame of type {other}")),
    };
    Ok(Header {
        length,
        stream: u32::from_be_bytes([s0, s1, s2, s3]),
        kind,
    })
}

/// Runs a read of the rest of a frame, for a limited time.
async fn rest<T>(read: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout(REQUEST_TIME, read).await {
        Ok(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => {
            Err(io::Error::new(e.kind(), "it ended inside a frame"))
        }
        Ok(read) => read,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("a frame was not complete after {REQUEST_TIME:?}"),
        )),
    }
}

/// Reads the next header; `None` at the end of the connection.
///
/// # Errors
/// `InvalidData` if a client cannot have sent it; `TimedOut` and `UnexpectedEof` if it stays
/// incomplete; the error of the connection.
pub(super) async fn header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Header>> {
    let mut header = [0; MESSAGE_HEADER_LENGTH];
    let read = stream.read(&mut header).await?;
    if read == 0 {
        return Ok(None);
    }
    if read < header.len() {
        rest(stream.read_exact(&mut header[read..])).await?;
    }
    match check(header) {
        Ok(header) => Ok(Some(header)),
        Err(reason) => Err(io::Error::new(io::ErrorKind::InvalidData, reason)),
    }
}

/// Reads a payload of this length. The memory grows with the bytes that have come.
///
/// # Errors
/// As [`header`].
pub(super) async fn payload(
    stream: &mut (impl AsyncRead + Unpin),
    length: usize,
) -> io::Result<Vec<u8>> {
    if length <= SMALL {
        let mut payload = vec![0; length];
        rest(stream.read_exact(&mut payload)).await?;
        return Ok(payload);
    }
    let mut payload = Vec::with_capacity(SMALL);
    // A usize of at most 16 MiB fits.
    rest(async {
        stream.take(length as u64).read_to_end(&mut payload).await?;
        if payload.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    })
    .await?;
    Ok(payload)
}

/// Reads a payload of this length and drops it.
///
/// # Errors
/// As [`header`].
pub(super) async fn skip(stream: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<()> {
    // A usize of at most 16 MiB fits.
    let length = length as u64;
    rest(async {
        let skipped = tokio::io::copy(&mut stream.take(length), &mut tokio::io::sink()).await?;
        if skipped < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    })
    .await
}

/// Encodes the frame of a response. A response that is too long for a frame is replaced by the
/// error that says so.
pub(super) fn response(stream: u32, response: &Response) -> Vec<u8> {
    let length = usize::try_from(response.compute_size()).unwrap_or(usize::MAX);
    if length > MESSAGE_LENGTH_MAX {
        let error = Error::resource_exhausted(format!(
            "a reply of {length} bytes is over the limit of {MESSAGE_LENGTH_MAX}"
        ));
        return self::response(stream, &failure(error));
    }
    let mut frame = Vec::with_capacity(MESSAGE_HEADER_LENGTH + length);
    // At most 4 MiB fit.
    frame.extend(u32::try_from(length).unwrap_or(0).to_be_bytes());
    frame.extend(stream.to_be_bytes());
    frame.extend([MESSAGE_TYPE_RESPONSE, 0]);
    // To encode a message into memory cannot fail.
    let _ = response.write_to_vec(&mut frame);
    frame
}

/// Returns the response that carries an error.
pub(super) fn failure(error: Error) -> Response {
    let mut response = Response::new();
    response.set_status(match ttrpc::Error::from(error) {
        ttrpc::Error::RpcStatus(status) => status,
        other => ttrpc::get_status(ttrpc::Code::UNKNOWN, other),
    });
    response
}

#[cfg(test)]
mod tests {
    use super::super::fuzzed::Cut;
    use super::*;
    use proptest::prelude::*;

    fn frame(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(stream.to_be_bytes());
        bytes.extend([kind, 0]);
        bytes.extend(payload);
        bytes
    }

    /// Reads all frames and returns their streams and payloads, and the kind of the error.
    fn frames(bytes: &[u8], lengths: &[usize]) -> (Vec<(u32, Vec<u8>)>, Option<io::ErrorKind>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let mut read = Vec::new();
        let end = runtime.block_on(async {
            let mut stream = Cut::new(bytes, lengths);
            while let Some(header) = header(&mut stream).await? {
                let payload = payload(&mut stream, header.length).await?;
                read.push((header.stream, payload));
            }
            Ok::<(), io::Error>(())
        });
        (read, end.err().map(|e| e.kind()))
    }

    #[test]
    fn frames_are_read_one_after_the_other() {
        let bytes = [
            frame(1, 1, b"hello"),
            frame(3, 3, b""),
            frame(5, 1, &vec![7; SMALL + 1]),
        ];
        let read = vec![
            (1, b"hello".to_vec()),
            (3, Vec::new()),
            (5, vec![7; SMALL + 1]),
        ];
        assert_eq!(frames(&bytes.concat(), &[]), (read, None));
    }

    #[test]
    fn a_huge_length_an_even_stream_or_an_unknown_type_is_invalid() {
        let mut over_long = frame(1, 1, b"");
        over_long[0] = 0xff;
        for broken in [over_long, frame(2, 1, b""), frame(1, 9, b"")] {
            let invalid = Some(io::ErrorKind::InvalidData);
            assert_eq!(frames(&broken, &[]), (Vec::new(), invalid));
        }
    }

    #[test]
    fn a_frame_that_ends_early_is_an_error_wherever_it_ends() {
        let whole = frame(1, 1, &vec![7; SMALL + 1]);
        for length in [1, 9, 10, 11, SMALL, whole.len() - 1] {
            let (read, error) = frames(&whole[..length], &[]);
            assert_eq!((read.len(), error), (0, Some(io::ErrorKind::UnexpectedEof)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_stays_incomplete_is_given_up_and_a_silent_peer_is_not() {
        let (mut peer, mut own) = tokio::io::duplex(64);
        let day = std::time::Duration::from_secs(86_400);
        timeout(day, header(&mut own)).await.unwrap_err();
        tokio::io::AsyncWriteExt::write_all(&mut peer, &[0])
            .await
            .unwrap();
        let error = header(&mut own).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = payload(&mut own, 3 << 20).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = skip(&mut own, 3 << 20).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_response_that_is_too_long_is_replaced_by_an_error() {
        let mut long = Response::new();
        long.payload = vec![7; MESSAGE_LENGTH_MAX];
        let bytes = response(1, &long);
        let sent = Response::parse_from_bytes(&bytes[MESSAGE_HEADER_LENGTH..]).unwrap();
        assert_eq!(sent.status().code(), ttrpc::Code::RESOURCE_EXHAUSTED);
        assert!(bytes.len() < 200);
    }

    proptest! {
        #[test]
        fn the_sizes_of_reads_do_not_matter(
            lengths in proptest::collection::vec(0..10_000usize, 1..5),
            cuts in proptest::collection::vec(1usize..300, 1..20),
        ) {
            let payloads = lengths.iter().map(|length| vec![7; *length]);
            let bytes: Vec<u8> = payloads.flat_map(|p| frame(1, 1, &p)).collect();
            prop_assert_eq!(frames(&bytes, &cuts), frames(&bytes, &[]));
        }

        #[test]
        fn garbage_never_panics(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            cuts in proptest::collection::vec(1usize..30, 1..20),
        ) {
            frames(&bytes, &cuts);
        }
    }
}
