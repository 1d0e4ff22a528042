//! Checks of the configurations in requests.

use containerd_sandbox::{Error, Result, quoted};
use cri_api::v1::{
    ContainerConfig, ContainerMetadata, ImageSpec, Int64Value, Mount, MountPropagation,
    NamespaceMode, PodSandboxConfig, PodSandboxMetadata, UserNamespace,
};
use prost::Message;

use crate::live::{LogRoot, logs};

/// Name of the runtime handler; pods may also leave the handler empty.
pub(super) const HANDLER: &str = "resource-slot";

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
    match handler {
        "" | HANDLER => Ok(()),
        other => Err(Error::invalid_argument(format!(
            "runtime_handler {}: no such runtime handler; {HANDLER:?} or \"\" is needed",
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
    let linux = config.linux.as_ref();
    if let Some(context) = linux.and_then(|linux| linux.security_context.as_ref()) {
        group(context.run_as_group.as_ref(), context.run_as_user.is_some())?;
        let namespaces = context.namespace_options.as_ref();
        if let Some(users) = namespaces.and_then(|options| options.userns_options.as_ref()) {
            user_namespace(users)?;
        }
    }
    Ok((config, metadata))
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
    logs::check_path(&config.log_path)?;
    for mount in &config.mounts {
        recursive_read_only(mount)?;
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
