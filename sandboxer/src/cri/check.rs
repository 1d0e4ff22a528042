//! Checks of the configurations in requests.

use containerd_sandbox::{Error, Result, quoted};
use cri_api::v1::security_profile::ProfileType;
use cri_api::v1::{
    ContainerConfig, ContainerMetadata, ImageSpec, Int64Value, Mount, MountPropagation,
    NamespaceMode, NamespaceOption, PodSandboxConfig, PodSandboxMetadata, Protocol,
    SecurityProfile, Signal, SupplementalGroupsPolicy, UserNamespace, WindowsNamespaceOption,
};
use prost::Message;

use crate::live::{LogRoot, logs};

/// Name of the runtime handler; pods may also leave the handler empty.
pub(super) const HANDLER: &str = "resource-slot";

const GROUPS_POLICY: &str = "config.linux.security_context.supplemental_groups_policy";

/// Largest configuration, in bytes. A configuration is kept in memory and in the journal;
/// that of the largest pod that Kubernetes stores (1.5 MiB) fits.
const MAX_CONFIG_BYTES: usize = 2 << 20;

fn missing(field: &str) -> Error {
    Error::invalid_argument(format!("{field}: missing"))
}

fn given<'a>(field: &str, text: &'a str) -> Result<&'a str> {
    if text.is_empty() {
        return Err(Error::invalid_argument(format!(
            "{field} \"\": a name is needed"
        )));
    }
    Ok(text)
}

fn size(config: &impl Message) -> Result<()> {
    let size = config.encoded_len();
    if size > MAX_CONFIG_BYTES {
        return Err(Error::invalid_argument(format!(
            "config: {size} bytes, over the limit of {MAX_CONFIG_BYTES}"
        )));
    }
    Ok(())
}

/// Checks the runtime handler of a request.
///
/// # Errors
/// `InvalidArgument` for an unknown handler.
pub(super) fn handler(handler: &str) -> Result<()> {
    handler_of("runtime_handler", handler)
}

fn handler_of(field: &str, handler: &str) -> Result<()> {
    match handler {
        "" | HANDLER => Ok(()),
        other => Err(Error::invalid_argument(format!(
            "{field} {}: no such runtime handler; {HANDLER:?} or \"\" is needed",
            quoted(other)
        ))),
    }
}

/// Checks a pod's configuration, and returns it with its metadata.
///
/// # Errors
/// `InvalidArgument`, naming the field.
pub(super) fn pod(
    config: Option<PodSandboxConfig>,
    logs: &LogRoot,
) -> Result<(PodSandboxConfig, PodSandboxMetadata)> {
    let config = config.ok_or_else(|| missing("config"))?;
    size(&config)?;
    let metadata = config
        .metadata
        .clone()
        .ok_or_else(|| missing("config.metadata"))?;
    given("config.metadata.name", &metadata.name)?;
    logs.check(&config.log_directory)?;
    for mapping in &config.port_mappings {
        known::<Protocol>("config.port_mappings.protocol", mapping.protocol)?;
    }
    let linux = config.linux.as_ref();
    if let Some(context) = linux.and_then(|linux| linux.security_context.as_ref()) {
        group(context.run_as_group.as_ref(), context.run_as_user.is_some())?;
        namespaces(context.namespace_options.as_ref())?;
        profiles(context.seccomp.as_ref(), context.apparmor.as_ref())?;
        let policy = context.supplemental_groups_policy;
        known::<SupplementalGroupsPolicy>(GROUPS_POLICY, policy)?;
    }
    if let Some(context) = windows_context(&config) {
        known::<NamespaceMode>(
            "config.windows.security_context.namespace_options.network",
            context.network,
        )?;
    }
    Ok((config, metadata))
}

fn windows_context(config: &PodSandboxConfig) -> Option<&WindowsNamespaceOption> {
    let windows = config.windows.as_ref()?;
    windows
        .security_context
        .as_ref()?
        .namespace_options
        .as_ref()
}

/// Checks that an enumeration has the number that a field states: the meaning of another number
/// is not known here.
fn known<E: TryFrom<i32>>(field: &str, number: i32) -> Result<()> {
    match E::try_from(number) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::invalid_argument(format!(
            "{field} {number}: no such value in CRI v1 of Kubernetes 1.37"
        ))),
    }
}

fn namespaces(options: Option<&NamespaceOption>) -> Result<()> {
    const FIELD: &str = "config.linux.security_context.namespace_options";
    let Some(options) = options else {
        return Ok(());
    };
    known::<NamespaceMode>(&format!("{FIELD}.network"), options.network)?;
    known::<NamespaceMode>(&format!("{FIELD}.pid"), options.pid)?;
    known::<NamespaceMode>(&format!("{FIELD}.ipc"), options.ipc)?;
    match &options.userns_options {
        Some(users) => {
            known::<NamespaceMode>(&format!("{FIELD}.userns_options.mode"), users.mode)?;
            user_namespace(users)
        }
        None => Ok(()),
    }
}

fn profiles(seccomp: Option<&SecurityProfile>, apparmor: Option<&SecurityProfile>) -> Result<()> {
    for (name, profile) in [("seccomp", seccomp), ("apparmor", apparmor)] {
        if let Some(profile) = profile {
            let field = format!("config.linux.security_context.{name}.profile_type");
            known::<ProfileType>(&field, profile.profile_type)?;
        }
    }
    Ok(())
}

/// Checks CRI's rules for a pod's user namespace.
fn user_namespace(users: &UserNamespace) -> Result<()> {
    const FIELD: &str = "config.linux.security_context.namespace_options.userns_options";
    let wrong = |what: &str| Err(Error::invalid_argument(format!("{FIELD}.{what}")));
    match users.mode() {
        NamespaceMode::Node => return Ok(()),
        NamespaceMode::Pod => {}
        NamespaceMode::Container | NamespaceMode::Target => {
            let mode = users.mode().as_str_name();
            return wrong(&format!("mode {mode}: POD or NODE is needed"));
        }
    }
    for (name, mappings) in [("uids", &users.uids), ("gids", &users.gids)] {
        let [mapping] = &mappings[..] else {
            let count = mappings.len();
            return wrong(&format!("{name}: {count} mappings, one is needed"));
        };
        if mapping.container_id != 0 || mapping.length == 0 {
            let (from, length) = (mapping.container_id, mapping.length);
            return wrong(&format!(
                "{name}: {length} ids from container_id {from}, some from 0 are needed"
            ));
        }
    }
    if users.uids != users.gids {
        return wrong("uids: they differ from gids, the same are needed");
    }
    Ok(())
}

/// Checks a container's configuration, and returns it with its metadata and image.
///
/// # Errors
/// `InvalidArgument`, naming the field.
pub(super) fn container(
    config: Option<ContainerConfig>,
) -> Result<(ContainerConfig, ContainerMetadata, ImageSpec)> {
    let config = config.ok_or_else(|| missing("config"))?;
    size(&config)?;
    let metadata = config
        .metadata
        .clone()
        .ok_or_else(|| missing("config.metadata"))?;
    given("config.metadata.name", &metadata.name)?;
    let image = config
        .image
        .clone()
        .ok_or_else(|| missing("config.image"))?;
    given("config.image.image", &image.image)?;
    handler_of("config.image.runtime_handler", &image.runtime_handler)?;
    known::<Signal>("config.stop_signal", config.stop_signal)?;
    logs::check_path(&config.log_path)?;
    for mount in &config.mounts {
        known::<MountPropagation>("config.mounts.propagation", mount.propagation)?;
        recursive_read_only(mount)?;
        if let Some(image) = &mount.image {
            handler_of(
                "config.mounts.image.runtime_handler",
                &image.runtime_handler,
            )?;
        }
    }
    let linux = config.linux.as_ref();
    if let Some(context) = linux.and_then(|linux| linux.security_context.as_ref()) {
        let by_name = !context.run_as_username.is_empty();
        if by_name && context.run_as_user.is_some() {
            return Err(Error::invalid_argument(format!(
                "run_as_username {}: run_as_user is given, too; one of them is needed",
                quoted(&context.run_as_username)
            )));
        }
        namespaces(context.namespace_options.as_ref())?;
        profiles(context.seccomp.as_ref(), context.apparmor.as_ref())?;
        let policy = context.supplemental_groups_policy;
        known::<SupplementalGroupsPolicy>(GROUPS_POLICY, policy)?;
        let has_user = by_name || context.run_as_user.is_some();
        group(context.run_as_group.as_ref(), has_user)?;
    }
    Ok((config, metadata, image))
}

/// Checks CRI's rules for mounts that are read-only together with the mounts below them.
fn recursive_read_only(mount: &Mount) -> Result<()> {
    if !mount.recursive_read_only {
        return Ok(());
    }
    let wrong = |what: &str| {
        Err(Error::invalid_argument(format!(
            "config.mounts {}: recursive_read_only is true; {what} is needed",
            quoted(&mount.container_path)
        )))
    };
    if !mount.readonly {
        return wrong("readonly true");
    }
    if mount.propagation() != MountPropagation::PropagationPrivate {
        return wrong("a propagation that is private");
    }
    Ok(())
}

fn group(group: Option<&Int64Value>, has_user: bool) -> Result<()> {
    match group {
        Some(group) if !has_user => Err(Error::invalid_argument(format!(
            "run_as_group {}: a user is needed, too",
            group.value
        ))),
        _ => Ok(()),
    }
}

/// Returns the name of the image in a request.
///
/// # Errors
/// `InvalidArgument` if the request names no image.
pub(super) fn image(image: Option<&ImageSpec>) -> Result<&str> {
    let image = image.ok_or_else(|| missing("image"))?;
    // An image for an unknown handler is rejected (`api.proto` of CRI).
    handler_of("image.runtime_handler", &image.runtime_handler)?;
    given("image.image", &image.image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;
    use cri_api::v1::{IdMapping, LinuxContainerConfig, LinuxContainerSecurityContext};

    fn sound() -> ContainerConfig {
        ContainerConfig {
            metadata: Some(ContainerMetadata {
                name: "app".to_owned(),
                attempt: 0,
            }),
            image: Some(ImageSpec {
                image: "busybox".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn with(context: LinuxContainerSecurityContext) -> ContainerConfig {
        ContainerConfig {
            linux: Some(LinuxContainerConfig {
                resources: None,
                security_context: Some(context),
            }),
            ..sound()
        }
    }

    #[test]
    fn a_sound_configuration_passes() {
        container(Some(sound())).unwrap();
        for name in ["", HANDLER] {
            handler(name).unwrap();
        }
    }

    #[test]
    fn a_user_namespace_maps_one_range_from_zero() {
        let mapping = |container_id, length| IdMapping {
            host_id: 65536,
            container_id,
            length,
        };
        let with = |mode: NamespaceMode, uids: &[IdMapping]| UserNamespace {
            mode: mode.into(),
            uids: uids.to_vec(),
            gids: uids.to_vec(),
        };
        let sound = mapping(0, 65536);
        user_namespace(&with(NamespaceMode::Node, &[])).unwrap();
        user_namespace(&with(NamespaceMode::Pod, &[sound])).unwrap();
        let differing = UserNamespace {
            gids: vec![mapping(0, 1)],
            ..with(NamespaceMode::Pod, &[sound])
        };
        for (users, word) in [
            (with(NamespaceMode::Container, &[sound]), "mode CONTAINER"),
            (with(NamespaceMode::Target, &[sound]), "mode TARGET"),
            (with(NamespaceMode::Pod, &[sound, sound]), "2 mappings"),
            (with(NamespaceMode::Pod, &[]), "0 mappings"),
            (with(NamespaceMode::Pod, &[mapping(1, 9)]), "container_id 1"),
            (differing, "differ"),
        ] {
            let error = user_namespace(&users).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_missing_or_invalid_field_is_named() {
        let nameless = ContainerConfig {
            metadata: Some(ContainerMetadata::default()),
            ..sound()
        };
        let imageless = ContainerConfig {
            image: None,
            ..sound()
        };
        let outside = ContainerConfig {
            log_path: "../x".to_owned(),
            ..sound()
        };
        let mounted = |mount: Mount| ContainerConfig {
            mounts: vec![Mount {
                container_path: "/data".to_owned(),
                recursive_read_only: true,
                ..mount
            }],
            ..sound()
        };
        let writable = mounted(Mount::default());
        let shared = mounted(Mount {
            readonly: true,
            propagation: MountPropagation::PropagationBidirectional.into(),
            ..Default::default()
        });
        let huge = ContainerConfig {
            working_dir: "x".repeat(MAX_CONFIG_BYTES),
            ..sound()
        };
        let id = || Some(Int64Value { value: 7 });
        let group_only = with(LinuxContainerSecurityContext {
            run_as_group: id(),
            ..Default::default()
        });
        let twice = with(LinuxContainerSecurityContext {
            run_as_user: id(),
            run_as_username: "app".to_owned(),
            ..Default::default()
        });
        for (config, word) in [
            (None, "config: missing"),
            (Some(ContainerConfig::default()), "config.metadata"),
            (Some(nameless), "config.metadata.name"),
            (Some(imageless), "config.image"),
            (Some(outside), "log_path"),
            (Some(huge), "over the limit"),
            (Some(writable), "readonly true"),
            (Some(shared), "propagation"),
            (Some(group_only), "run_as_group 7"),
            (Some(twice), "run_as_username"),
        ] {
            let error = container(config).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.to_string().contains(word), "{error}");
        }
        let relative = PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: "web".to_owned(),
                ..Default::default()
            }),
            log_directory: "logs".to_owned(),
            ..Default::default()
        };
        let error = pod(Some(relative), &LogRoot::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains("log_directory"), "{error}");
        let error = handler("runc").unwrap_err().to_string();
        assert!(error.contains("runc") && error.contains(HANDLER), "{error}");
    }
}
