//! The end of a session, as Kubernetes' `metav1.Status` in JSON.

use serde_json::json;

/// Returns the status of a process with an exit code.
pub(super) fn of_exit(code: u8) -> String {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"}).to_string();
    }
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: {code}"),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
    .to_string()
}
