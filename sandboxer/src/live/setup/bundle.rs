//! Setup of a container by its OCI spec.

use std::time::SystemTime;

use containerd_sandbox::{Error, MAX_CONFIG_BYTES, Result, check_json};
use oci_config::{Details, Field, IdMapping, InvalidField, LinuxDetails};
use tracing::warn;

use super::super::volumes::{Bind, Owner};
use super::{Described, PATH, READ_ONLY_PATH, machine, name_of, read_only_path, root, seccomp};
use slot::PodHints;
use toy_userland::{Capabilities, CapabilitySet, IdMap, Mount, Seccomp, Setup, User};

/// Annotation in which containerd's CRI plugin states the name of a container in its pod.
const CONTAINER_NAME: &str = "io.kubernetes.cri.container-name";

/// Returns the container that a bundle's `config.json` describes, in a pod with these hints and
/// this UID. Fields that cannot be read are logged and count as absent.
///
/// # Errors
/// `Unavailable` if the file cannot be read.
pub(in crate::live) fn of_bundle(
    bundle: &str,
    hints: Option<&PodHints>,
    pod_uid: String,
) -> Result<Described> {
    let path = std::path::Path::new(bundle).join("config.json");
    let failed = |e: &dyn std::fmt::Display| Error::unavailable(format!("{}: {e}", path.display()));
    let size = std::fs::metadata(&path).map_err(|e| failed(&e))?.len();
    if size > MAX_CONFIG_BYTES {
        return Err(failed(&format!("{size} bytes, too many")));
    }
    let text = std::fs::read(&path).map_err(|e| failed(&e))?;
    check_json(&text)?;
    let details = oci_config::from_slice(&text).map_err(|e| failed(&e))?;
    let mut invalid = Vec::new();
    let mut described = of_details(details, hints, &mut invalid);
    described.owner.pod_uid = pod_uid;
    for field in invalid {
        warn!("{}: ignored: {field}", path.display());
    }
    Ok(described)
}

/// Descriptions of valid values.
const TEXT: &str = "a text";
const TEXTS: &str = "a list of texts";
const OBJECT: &str = "an object";
const FLAG: &str = "true or false";
const ID: &str = "a number from 0 to 4294967295";

/// Returns the user of a process.
fn user(stated: Field<oci_config::User>, invalid: &mut Vec<InvalidField>) -> User {
    let user = stated.take("process.user", OBJECT, invalid);
    let user = user.unwrap_or_default();
    let uid = user.uid.take("process.user.uid", ID, invalid).unwrap_or(0);
    let gid = user.gid.take("process.user.gid", ID, invalid).unwrap_or(0);
    let groups = "process.user.additionalGids";
    let groups = user
        .additional_gids
        .take(groups, "a list of numbers", invalid);
    User {
        uid,
        gid,
        groups: groups.unwrap_or_default(),
        name: name_of(uid),
    }
}

/// Returns the mounts of the node's files.
fn binds(mounts: &[Mount]) -> Vec<Bind> {
    let binds = mounts.iter().enumerate();
    let binds = binds.filter(|(_, mount)| is_bind(mount));
    let binds = binds.map(|(index, mount)| Bind {
        mount: index,
        host_path: mount.source.clone(),
        may_be_message: true,
    });
    binds.collect()
}

/// The Linux part of a spec.
struct Linux {
    seccomp: Seccomp,
    /// System calls that the filter denies.
    denied_calls: Vec<String>,
    sysctls: Vec<(String, String)>,
    shares_pids: bool,
    /// Mounts that make paths read-only.
    read_only: Vec<Mount>,
    masked_paths: Vec<String>,
    uid_map: Vec<IdMap>,
    gid_map: Vec<IdMap>,
}

impl Linux {
    fn of(
        stated: Field<LinuxDetails>,
        hints: Option<&PodHints>,
        invalid: &mut Vec<InvalidField>,
    ) -> Self {
        let linux = stated.take("linux", OBJECT, invalid);
        let linux = linux.unwrap_or_default();
        let filter = linux.seccomp.take("linux.seccomp", OBJECT, invalid);
        let (mut is_filtered, mut denied_calls) = (false, Vec::new());
        if let Some(filter) = filter {
            let action = filter
                .default_action
                .take("linux.seccomp.defaultAction", "a text", invalid)
                .unwrap_or_default();
            let rules = filter
                .syscalls
                .take("linux.seccomp.syscalls", "a list of rules", invalid)
                .unwrap_or_default();
            is_filtered = action != "SCMP_ACT_ALLOW" || !rules.is_empty();
            denied_calls = seccomp::denied_by(&action, &rules);
        }
        let mut sysctls: Vec<(String, String)> = hints
            .iter()
            .flat_map(|hints| &hints.sysctls)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let own = "an object of texts";
        let own = linux.sysctl.take("linux.sysctl", own, invalid);
        sysctls.extend(own.into_iter().flatten());

        let namespaces = "a list of namespaces";
        let namespaces = linux
            .namespaces
            .take("linux.namespaces", namespaces, invalid);
        let mut namespaces = namespaces.into_iter().flatten();
        let shares_pids = namespaces.any(|one| one.r#type == "pid" && !one.path.is_empty());
        let paths = "a list of paths";
        let read_only = linux
            .readonly_paths
            .take("linux.readonlyPaths", paths, invalid);
        let read_only = read_only.into_iter().flatten();
        let masked_paths = linux.masked_paths.take("linux.maskedPaths", paths, invalid);
        let mappings = "a list of id mappings";
        let uid_map = linux
            .uid_mappings
            .take("linux.uidMappings", mappings, invalid);
        let gid_map = linux
            .gid_mappings
            .take("linux.gidMappings", mappings, invalid);

        Self {
            seccomp: if is_filtered {
                Seccomp::Filter
            } else {
                Seccomp::Disabled
            },
            denied_calls,
            sysctls,
            shares_pids,
            read_only: read_only.map(|path| read_only_path(&path)).collect(),
            masked_paths: masked_paths.unwrap_or_default(),
            uid_map: id_maps(uid_map),
            gid_map: id_maps(gid_map),
        }
    }
}

fn of_details(
    details: Details,
    hints: Option<&PodHints>,
    invalid: &mut Vec<InvalidField>,
) -> Described {
    let process = details.process.take("process", OBJECT, invalid);
    let process = process.unwrap_or_default();
    let user = user(process.user, invalid);
    let environment = process.env.take("process.env", TEXTS, invalid);
    let environment: Vec<(String, String)> = environment
        .iter()
        .flatten()
        .flatten()
        .filter_map(|variable| variable.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let named = environment.iter().find(|(name, _)| name == "HOSTNAME");
    let hostname = details.hostname.take("hostname", TEXT, invalid);
    let hostname = hostname
        .filter(|name| !name.is_empty())
        .or_else(|| hints.map(|hints| hints.hostname.clone()))
        .filter(|name| !name.is_empty())
        .or_else(|| named.map(|(_, value)| value.clone()));

    let linux = Linux::of(details.linux, hints, invalid);
    let root_fs = details.root.take("root", OBJECT, invalid);
    let root_fs = root_fs.unwrap_or_default();
    let is_read_only = root_fs.readonly.take("root.readonly", FLAG, invalid);
    let declared = details.mounts.take("mounts", "a list of mounts", invalid);
    let declared = declared.into_iter().flatten().map(|declared| Mount {
        source: declared.source.unwrap_or_default(),
        target: declared.destination.unwrap_or_default(),
        kind: declared.r#type.unwrap_or_default(),
        options: declared.options.unwrap_or_default(),
        volume: None,
    });
    let mounts: Vec<Mount> = std::iter::once(root(is_read_only.unwrap_or(false)))
        .chain(declared)
        .chain(linux.read_only)
        .collect();
    let binds = binds(&mounts);
    let annotations = details.annotations;
    let annotations = annotations.take("annotations", "an object of texts", invalid);
    let container = annotations.and_then(|mut all| all.remove(CONTAINER_NAME));
    let cwd = process.cwd.take("process.cwd", TEXT, invalid);
    let no_new_privileges = "process.noNewPrivileges";
    let no_new_privileges = process
        .no_new_privileges
        .take(no_new_privileges, FLAG, invalid);
    let capabilities = process
        .capabilities
        .take("process.capabilities", OBJECT, invalid);
    let command = process.args.take("process.args", TEXTS, invalid);
    let setup = Setup {
        hostname: hostname.unwrap_or_else(|| "localhost".to_owned()),
        environment: if environment.is_empty() {
            vec![("PATH".to_owned(), PATH.to_owned())]
        } else {
            environment
        },
        working_directory: cwd
            .filter(|cwd| !cwd.is_empty())
            .unwrap_or_else(|| "/".to_owned()),
        capabilities: capabilities.map_or_else(Capabilities::default, |stated| {
            of_stated(stated, user.uid, invalid)
        }),
        user,
        no_new_privileges: no_new_privileges.unwrap_or(false),
        seccomp: linux.seccomp,
        denied_calls: linux.denied_calls,
        sysctls: linux.sysctls,
        mounts,
        files: files_of(hints),
        masked_paths: linux.masked_paths,
        uid_map: linux.uid_map,
        gid_map: linux.gid_map,
        command: command
            .into_iter()
            .flatten()
            .map(Option::unwrap_or_default)
            .collect(),
        now: SystemTime::now(),
        ..machine()
    };
    Described {
        setup,
        binds,
        seccomp_profile: String::new(),
        images: Vec::new(),
        shares_pids: linux.shares_pids,
        owner: Owner {
            container: container.unwrap_or_default(),
            ..Owner::default()
        },
    }
}

fn id_maps(stated: Option<Vec<IdMapping>>) -> Vec<IdMap> {
    let map = |stated: IdMapping| IdMap {
        inside: stated.container_id,
        outside: stated.host_id,
        length: stated.size,
    };
    stated.into_iter().flatten().map(map).collect()
}

/// Returns whether a mount shows a file or directory of the node, runtime-spec `config.md`.
fn is_bind(mount: &Mount) -> bool {
    let is_bind = |option: &String| matches!(option.as_str(), "bind" | "rbind");
    mount.source.starts_with('/')
        && mount.kind != READ_ONLY_PATH
        && (mount.kind == "bind" || mount.options.iter().any(is_bind))
}

/// Returns the files that a pod's properties state.
fn files_of(hints: Option<&PodHints>) -> Vec<(String, Vec<u8>)> {
    let stated = hints.filter(|hints| !hints.resolv_conf.is_empty());
    let file = stated.map(|hints| {
        (
            "/etc/resolv.conf".to_owned(),
            hints.resolv_conf.clone().into(),
        )
    });
    file.into_iter().collect()
}

fn of_stated(
    stated: oci_config::Capabilities,
    uid: u32,
    invalid: &mut Vec<InvalidField>,
) -> Capabilities {
    let mut set = |names: Field<Vec<String>>, path| {
        CapabilitySet::from_names(names.take(path, TEXTS, invalid).unwrap_or_default())
    };
    let effective = set(stated.effective, "process.capabilities.effective");
    let permitted = set(stated.permitted, "process.capabilities.permitted");
    let ambient = set(stated.ambient, "process.capabilities.ambient");
    let bounding = set(stated.bounding, "process.capabilities.bounding");
    let inheritable = set(stated.inheritable, "process.capabilities.inheritable");
    let (effective, permitted) = match uid {
        0 => (effective, permitted),
        _ => (ambient, ambient),
    };
    Capabilities {
        effective,
        permitted,
        bounding,
        inheritable,
        ambient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_of_a_spec_denies_calls() {
        let spec = br#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0}]},
            {"names": ["sethostname"], "action": "SCMP_ACT_LOG"}]}}}"#;
        let mut invalid = Vec::new();
        let described = of_details(oci_config::from_slice(spec).unwrap(), None, &mut invalid);
        assert_eq!(described.setup.denied_calls, ["chmod", "fchmodat"]);
        assert_eq!(described.setup.seccomp, Seccomp::Filter);
        assert!(invalid.is_empty(), "{invalid:?}");
    }
}
