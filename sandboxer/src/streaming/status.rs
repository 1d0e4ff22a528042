//! The end of a session, as Kubernetes' `metav1.Status` in JSON, or as text.

use serde_json::json;

/// Returns the status of a process with an exit code.
pub(super) fn of_exit(code: u8) -> String {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"}).to_string();
    }
    json!({
        "metadata": {},
        "status": "Failure",
        "message": text(code),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
    .to_string()
}

/// Returns the message of a failure.
pub(super) fn text(code: u8) -> String {
    format!("command terminated with non-zero exit code: {code}")
}
