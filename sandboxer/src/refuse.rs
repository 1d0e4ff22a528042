//! Errors of the API for errors of the crates below, which know no API.

#![expect(
    clippy::needless_pass_by_value,
    reason = "the functions are arguments of map_err"
)]

use containerd_sandbox::Error;
use pod_resources::InvalidResource;
use slot::Refusal;

/// Returns the answer to a request that asks for a change which the slot refuses.
pub(crate) fn change(refusal: Refusal) -> Error {
    let message = refusal.to_string();
    match refusal {
        Refusal::NotFound(_) => Error::not_found(message),
        Refusal::AlreadyExists(_) => Error::already_exists(message),
        Refusal::Illegal { .. } => Error::failed_precondition(message),
    }
}

/// Returns the answer to a request that carries a resource value which cannot be read:
/// `InvalidArgument`.
pub(crate) fn resource(invalid: InvalidResource) -> Error {
    Error::invalid_argument(invalid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;
    use pod_resources::{OnInvalid, ResourceInfo, SandboxData};

    #[test]
    fn each_refusal_has_its_code() {
        let illegal = Refusal::Illegal {
            verb: "start",
            what: "sandbox".to_owned(),
            state: "ready",
        };
        for (refusal, code) in [
            (Refusal::NotFound("a".to_owned()), Code::NotFound),
            (Refusal::AlreadyExists("a".to_owned()), Code::AlreadyExists),
            (illegal, Code::FailedPrecondition),
        ] {
            let message = refusal.to_string();
            let error = change(refusal);
            assert_eq!(error.code(), code);
            assert!(error.to_string().contains(&message), "{error}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_read_is_an_invalid_argument() {
        let annotations = [("resources.limits.cpu".to_owned(), "two".to_owned())].into();
        let data = SandboxData {
            config: None,
            annotations: &annotations,
            record_labels: &std::collections::HashMap::new(),
            record_metadata: None,
        };
        let invalid = ResourceInfo::from_sandbox_data(&data, OnInvalid::Reject).unwrap_err();
        assert_eq!(resource(invalid).code(), Code::InvalidArgument);
    }
}
