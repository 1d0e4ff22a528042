//! One error type for every door, and its one table of status codes.

use std::fmt;

/// The outcome classes a caller can act on.
///
/// The names are gRPC's; the same numbers are used on the ttrpc wire
/// (`google.rpc.Code`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The caller went away or asked to stop.
    Cancelled,
    /// A failure this table has no better word for, or a code it does not know.
    Unknown,
    /// The request itself is wrong and will never be right.
    InvalidArgument,
    /// The time the caller allowed is over.
    DeadlineExceeded,
    /// No such sandbox, container or process.
    NotFound,
    /// The id is taken.
    AlreadyExists,
    /// The peer may not do this.
    PermissionDenied,
    /// Disk, memory or a configured limit is used up.
    ResourceExhausted,
    /// The request is right but the object is not in a state that allows it.
    FailedPrecondition,
    /// A concurrent change got in between.
    Aborted,
    /// Known, and not offered here.
    Unimplemented,
    /// A broken invariant.
    Internal,
    /// Not now: the store or the peer is out of reach; trying again may help.
    Unavailable,
    /// Stored data is damaged.
    DataLoss,
}

/// Every code with its gRPC and its ttrpc equivalent: the one table.
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

/// What went wrong, for whichever door it has to leave by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    code: Code,
    message: String,
}

/// The result of a sandbox API operation.
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
    /// An error of any class.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The class of the error.
    pub fn code(&self) -> Code {
        self.code
    }

    constructors! {
        /// No such object.
        not_found => NotFound;
        /// The id is taken.
        already_exists => AlreadyExists;
        /// The request itself is wrong.
        invalid_argument => InvalidArgument;
        /// Not in this state.
        failed_precondition => FailedPrecondition;
        /// Not offered here.
        unimplemented => Unimplemented;
        /// A limit or the disk is used up.
        resource_exhausted => ResourceExhausted;
        /// Not now.
        unavailable => Unavailable;
        /// A broken invariant.
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
            // The library has no variant for a call it timed out itself.
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
    fn both_wires_use_the_same_number_for_a_code() {
        for (code, grpc, wire) in CODES {
            assert_eq!(grpc as i32, wire as i32, "{code}");
        }
    }

    #[test]
    fn no_code_stands_twice() {
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
