//! The error type of all APIs, and the table of its gRPC and ttrpc codes.

use std::fmt;

/// Class of an error.
///
/// The names are gRPC's; the same numbers are used on the ttrpc wire
/// (`google.rpc.Code`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The caller went away or asked to stop.
    Cancelled,
    /// Another failure, or a code of a peer that is not in this list.
    Unknown,
    /// The request is invalid in any state.
    InvalidArgument,
    /// The deadline of the caller has passed.
    DeadlineExceeded,
    /// The sandbox, container or process does not exist.
    NotFound,
    /// The id is in use.
    AlreadyExists,
    /// The peer is not permitted to do this.
    PermissionDenied,
    /// Disk, memory or a configured limit is used up.
    ResourceExhausted,
    /// The state of the object does not allow the request.
    FailedPrecondition,
    /// A concurrent change interrupted the request.
    Aborted,
    /// The server does not implement the request.
    Unimplemented,
    /// An invariant is broken.
    Internal,
    /// The store or the peer is out of reach; a retry may succeed.
    Unavailable,
    /// Stored data is damaged.
    DataLoss,
}

/// All codes with their gRPC and ttrpc equivalents. The index of a row is the number of its
/// code.
pub const CODES: [(Code, tonic::Code, ttrpc::Code); 14] = [
    (
        Code::Cancelled,
        tonic::Code::Cancelled,
        ttrpc::Code::CANCELLED,
    ),
    (Code::Unknown, tonic::Code::Unknown, ttrpc::Code::UNKNOWN),
    (
        Code::InvalidArgument,
        tonic::Code::InvalidArgument,
        ttrpc::Code::INVALID_ARGUMENT,
    ),
    (
        Code::DeadlineExceeded,
        tonic::Code::DeadlineExceeded,
        ttrpc::Code::DEADLINE_EXCEEDED,
    ),
    (
        Code::NotFound,
        tonic::Code::NotFound,
        ttrpc::Code::NOT_FOUND,
    ),
    (
        Code::AlreadyExists,
        tonic::Code::AlreadyExists,
        ttrpc::Code::ALREADY_EXISTS,
    ),
    (
        Code::PermissionDenied,
        tonic::Code::PermissionDenied,
        ttrpc::Code::PERMISSION_DENIED,
    ),
    (
        Code::ResourceExhausted,
        tonic::Code::ResourceExhausted,
        ttrpc::Code::RESOURCE_EXHAUSTED,
    ),
    (
        Code::FailedPrecondition,
        tonic::Code::FailedPrecondition,
        ttrpc::Code::FAILED_PRECONDITION,
    ),
    (Code::Aborted, tonic::Code::Aborted, ttrpc::Code::ABORTED),
    (
        Code::Unimplemented,
        tonic::Code::Unimplemented,
        ttrpc::Code::UNIMPLEMENTED,
    ),
    (Code::Internal, tonic::Code::Internal, ttrpc::Code::INTERNAL),
    (
        Code::Unavailable,
        tonic::Code::Unavailable,
        ttrpc::Code::UNAVAILABLE,
    ),
    (
        Code::DataLoss,
        tonic::Code::DataLoss,
        ttrpc::Code::DATA_LOSS,
    ),
];

impl Code {
    fn row(self) -> (tonic::Code, ttrpc::Code) {
        CODES
            .iter()
            .find(|(code, ..)| *code == self)
            .map_or((tonic::Code::Unknown, ttrpc::Code::UNKNOWN), |row| {
                (row.1, row.2)
            })
    }
}

impl From<tonic::Code> for Code {
    fn from(code: tonic::Code) -> Self {
        CODES
            .iter()
            .find(|row| row.1 == code)
            .map_or(Self::Unknown, |row| row.0)
    }
}

impl From<ttrpc::Code> for Code {
    fn from(code: ttrpc::Code) -> Self {
        CODES
            .iter()
            .find(|row| row.2 == code)
            .map_or(Self::Unknown, |row| row.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Error of a sandbox API operation: a code and a message. Converts to and from the status types
/// of gRPC and ttrpc.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    code: Code,
    message: String,
}

/// Result of a sandbox API operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $code:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(message: impl Into<String>) -> Self {
            Self::new(Code::$code, message)
        })*
    };
}

impl Error {
    /// Creates an error.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// Returns the class of the error.
    pub fn code(&self) -> Code {
        self.code
    }

    constructors! {
        /// Creates a [`Code::NotFound`] error: the object does not exist.
        not_found => NotFound;
        /// Creates a [`Code::AlreadyExists`] error: the id is in use.
        already_exists => AlreadyExists;
        /// Creates a [`Code::InvalidArgument`] error: the request is invalid.
        invalid_argument => InvalidArgument;
        /// Creates a [`Code::FailedPrecondition`] error: the state does not allow the request.
        failed_precondition => FailedPrecondition;
        /// Creates a [`Code::Unimplemented`] error: the server does not implement the request.
        unimplemented => Unimplemented;
        /// Creates a [`Code::ResourceExhausted`] error: a limit or the disk is used up.
        resource_exhausted => ResourceExhausted;
        /// Creates a [`Code::Unavailable`] error: a retry may succeed.
        unavailable => Unavailable;
        /// Creates a [`Code::Internal`] error: an invariant is broken.
        internal => Internal;
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        Self::new(error.code.row().0, error.message)
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        Self::new(status.code().into(), status.message())
    }
}

impl From<Error> for ttrpc::Error {
    fn from(error: Error) -> Self {
        Self::RpcStatus(ttrpc::get_status(error.code.row().1, error.message))
    }
}

impl From<ttrpc::Error> for Error {
    fn from(error: ttrpc::Error) -> Self {
        match error {
            ttrpc::Error::RpcStatus(status) => Self::new(status.code().into(), status.message),
            // The ttrpc library has no variant for the timeout of a call.
            ttrpc::Error::Others(message) if message.contains("deadline elapsed") => {
                Self::new(Code::DeadlineExceeded, message)
            }
            other => Self::new(Code::Unavailable, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_survives_a_trip_over_grpc() {
        for (code, grpc, _) in CODES {
            let status = tonic::Status::from(Error::new(code, "why"));
            assert_eq!(status.code(), grpc);
            assert_eq!(Error::from(status), Error::new(code, "why"));
        }
    }

    #[test]
    fn every_row_survives_a_trip_over_ttrpc() {
        for (code, _, wire) in CODES {
            let error = ttrpc::Error::from(Error::new(code, "why"));
            let ttrpc::Error::RpcStatus(status) = &error else {
                panic!("{code} left as {error:?}");
            };
            assert_eq!(status.code(), wire);
            assert_eq!(Error::from(error), Error::new(code, "why"));
        }
    }

    #[test]
    fn grpc_and_ttrpc_use_the_same_number_for_a_code() {
        for (code, grpc, wire) in CODES {
            assert_eq!(grpc as i32, wire as i32, "{code}");
        }
    }

    #[test]
    fn no_code_is_listed_twice() {
        for (i, (code, ..)) in CODES.iter().enumerate() {
            assert!(CODES[i + 1..].iter().all(|row| row.0 != *code), "{code}");
        }
    }

    #[test]
    fn a_code_outside_the_table_is_unknown() {
        assert_eq!(Code::from(tonic::Code::OutOfRange), Code::Unknown);
        assert_eq!(Code::from(ttrpc::Code::OUT_OF_RANGE), Code::Unknown);
    }

    #[test]
    fn a_lost_connection_is_unavailable_and_a_late_reply_is_a_deadline() {
        let lost = Error::from(ttrpc::Error::Socket("closed".into()));
        assert_eq!(lost.code(), Code::Unavailable);
        let late = Error::from(ttrpc::Error::Others("Request deadline elapsed".into()));
        assert_eq!(late.code(), Code::DeadlineExceeded);
    }
}
