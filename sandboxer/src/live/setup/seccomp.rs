//! System calls that a seccomp profile denies, as far as commands of the userland make them.

use oci_config::SeccompRule;
use serde::Deserialize;

/// System calls that a profile may deny to a command: those of `hostname`, `chmod` and `chown`.
const CALLS: [&str; 7] = [
    "sethostname",
    "chmod",
    "fchmodat",
    "chown",
    "lchown",
    "fchownat",
    "mount",
];
/// Action that lets a system call pass, runtime-spec `config-linux.md`.
const ALLOW: &str = "SCMP_ACT_ALLOW";
/// Action that lets a system call pass and logs it.
const LOG: &str = "SCMP_ACT_LOG";

/// A profile in the form of containerd and Docker. Conditions of a rule are not evaluated.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Profile {
    default_action: String,
    syscalls: Vec<SeccompRule>,
}

/// Returns the system calls that a profile denies, in JSON; none for a text that is no profile.
pub(in crate::live) fn denied(profile: &[u8]) -> Vec<String> {
    let profile = serde_json::from_slice::<Profile>(profile);
    profile.map_or_else(
        |_| Vec::new(),
        |profile| denied_by(&profile.default_action, &profile.syscalls),
    )
}

/// Returns the system calls that rules deny; `default` is the action for a call without a rule.
pub(super) fn denied_by(default: &str, rules: &[SeccompRule]) -> Vec<String> {
    let passes = |action: &str| matches!(action, ALLOW | LOG);
    let is_denied = |call: &&str| {
        let own = rules
            .iter()
            .find(|rule| rule.names.iter().any(|name| name == *call));
        !passes(own.map_or(default, |rule| &rule.action))
    };
    let denied = CALLS.iter().filter(|call| is_denied(call));
    denied.map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_denies_what_it_names_or_what_it_does_not_allow() {
        let named = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
            {"names":["sethostname"],"action":"SCMP_ACT_ERRNO"}]}"#;
        assert_eq!(denied(named.as_bytes()), ["sethostname"]);
        let allowed = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["chmod","chown","lchown","mount"],"action":"SCMP_ACT_ALLOW"}]}"#;
        let found = denied(allowed.as_bytes());
        assert_eq!(found, ["sethostname", "fchmodat", "fchownat"]);
        assert!(denied(b"[").is_empty() && denied(b"").is_empty());
    }
}
