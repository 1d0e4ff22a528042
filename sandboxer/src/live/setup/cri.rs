//! Setup of a container by CRI's configurations of the container and its pod.

use std::time::SystemTime;

use cri_api::v1::security_profile::ProfileType;
use cri_api::v1::{
    ContainerConfig, IdMapping, LinuxContainerSecurityContext, NamespaceMode, PodSandboxConfig,
};

use super::super::volumes::{Bind, ImageMount, Owner};
use super::{
    Described, PATH, capabilities, machine, mount, node_name, read_only_path, resolv_conf, root,
};
use slot::{CriContainer, ImageConfig};
use toy_userland::{Capabilities, CapabilitySet, IdMap, Mount, Seccomp, Setup, User};

/// Annotation in which a kubelet states the path of a container's termination message,
/// Kubernetes' `pkg/kubelet/kuberuntime/labels.go`.
const MESSAGE_PATH: &str = "io.kubernetes.container.terminationMessagePath";

/// Returns the command of a container's first process as `ps` shows it: without a command of the
/// container or its image, the name of the image, as probes such as `pgrep -f kafka` expect.
fn shown_command(own: &CriContainer) -> Vec<String> {
    let (command, program) = (own.command_line(), own.program());
    if command.is_empty() && !program.is_empty() {
        return vec![program.to_owned()];
    }
    command
}

/// Returns the container that CRI's configurations describe.
pub(super) fn of_cri(pod: &PodSandboxConfig, address: &str, own: &CriContainer) -> Described {
    let config = &own.config;
    let none = ImageConfig::default();
    let image = own.image.as_deref().unwrap_or(&none);
    let linux = config.linux.as_ref();
    let context = linux.and_then(|linux| linux.security_context.clone());
    let context = context.unwrap_or_default();
    let pod_linux = pod.linux.as_ref();
    let pod_context = pod_linux.and_then(|linux| linux.security_context.as_ref());
    let user = own.user(pod);
    let is_on_host = pod_context
        .and_then(|context| context.namespace_options.as_ref())
        .is_some_and(|options| options.network() == NamespaceMode::Node);
    let hostname = match pod.hostname.as_str() {
        "" if is_on_host => node_name(),
        _ => hostname(pod),
    };
    let mut environment = vec![
        ("PATH".to_owned(), PATH.to_owned()),
        ("HOSTNAME".to_owned(), hostname.clone()),
    ];
    let of_image = image.env.iter().filter_map(|text| text.split_once('='));
    environment.extend(of_image.map(|(name, value)| (name.to_owned(), value.to_owned())));
    environment.extend(config.envs.iter().map(|variable| {
        let value = String::from_utf8_lossy(&variable.value).into_owned();
        (variable.key.clone(), value)
    }));
    let files = files(
        image,
        pod,
        (!is_on_host).then_some((address, hostname.as_str())),
    );
    let users = context
        .namespace_options
        .as_ref()
        .and_then(|options| options.userns_options.as_ref())
        .filter(|options| options.mode() == NamespaceMode::Pod);
    let sysctls = pod_linux.iter().flat_map(|linux| &linux.sysctls);
    let setup = Setup {
        hostname,
        environment,
        working_directory: match config.working_dir.as_str() {
            "" if image.working_dir.is_empty() => "/".to_owned(),
            "" => image.working_dir.clone(),
            directory => directory.to_owned(),
        },
        capabilities: of_context(&context, user.uid),
        user: User {
            uid: user.uid,
            gid: user.gid,
            groups: user.groups,
            name: user.name,
        },
        no_new_privileges: context.no_new_privs,
        seccomp: match &context.seccomp {
            Some(profile)
                if !context.privileged && profile.profile_type() != ProfileType::Unconfined =>
            {
                Seccomp::Filter
            }
            _ => Seccomp::Disabled,
        },
        sysctls: sysctls
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        mounts: mounts(own, image, &context),
        files,
        passwd: image.passwd.clone(),
        group: image.group.clone(),
        masked_paths: context.masked_paths.clone(),
        uid_map: id_maps(users.map(|users| &users.uids)),
        gid_map: id_maps(users.map(|users| &users.gids)),
        command: shown_command(own),
        now: SystemTime::now(),
        ..machine()
    };
    let metadata = |name: Option<&String>| name.cloned().unwrap_or_default();
    Described {
        setup,
        binds: binds(config),
        seccomp_profile: seccomp_profile(&context),
        images: images(own),
        shares_pids: context
            .namespace_options
            .is_some_and(|options| options.pid() == NamespaceMode::Pod),
        owner: Owner {
            pod_uid: metadata(pod.metadata.as_ref().map(|metadata| &metadata.uid)),
            container: metadata(config.metadata.as_ref().map(|metadata| &metadata.name)),
        },
    }
}

/// Returns the mounts: the root, the declared ones, the read-only paths and the image's volumes.
fn mounts(
    own: &CriContainer,
    image: &ImageConfig,
    context: &LinuxContainerSecurityContext,
) -> Vec<Mount> {
    let mounts = own.config.mounts.iter().map(|declared| {
        let access = match (declared.readonly, declared.recursive_read_only) {
            (true, true) => "rro",
            (true, false) => "ro",
            (false, _) => "rw",
        };
        let (source, target) = (&declared.host_path, &declared.container_path);
        mount(source, target, "ext4", &["rbind", access])
    });
    let read_only = context.readonly_paths.iter();
    let mounts = mounts.chain(read_only.map(|path| read_only_path(path)));
    let mounts: Vec<Mount> = std::iter::once(root(context.readonly_rootfs))
        .chain(mounts)
        .collect();
    let of_image = image.volumes.iter();
    let of_image = of_image.filter(|path| !mounts.iter().any(|mount| mount.target == **path));
    let of_image: Vec<Mount> = of_image
        .map(|path| mount(path, path, "ext4", &["rw"]))
        .collect();
    mounts.into_iter().chain(of_image).collect()
}

/// Returns the files of the image, and those that the pod states. `own_address` is the address
/// and the host name of a pod that is not on the host's network.
fn files(
    image: &ImageConfig,
    pod: &PodSandboxConfig,
    own_address: Option<(&str, &str)>,
) -> Vec<(String, Vec<u8>)> {
    let of_image = image.files.iter();
    let of_image = of_image.map(|(path, text)| (path.clone(), text.clone().into_bytes()));
    let mut files: Vec<(String, Vec<u8>)> = of_image.collect();
    if let Some(dns) = &pod.dns_config {
        files.push(("/etc/resolv.conf".to_owned(), resolv_conf(dns).into_bytes()));
    }
    if let Some((address, hostname)) = own_address
        && !address.is_empty()
    {
        let hosts = format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n{address}\t{hostname}\n");
        files.push(("/etc/hosts".to_owned(), hosts.into_bytes()));
    }
    files
}

/// Returns the path of the container's own seccomp profile; empty for another one.
fn seccomp_profile(context: &LinuxContainerSecurityContext) -> String {
    let stated = context.seccomp.as_ref().filter(|profile| {
        let is_own = profile.profile_type() == ProfileType::Localhost;
        is_own && !context.privileged && profile.localhost_ref.starts_with('/')
    });
    stated.map_or_else(String::new, |profile| profile.localhost_ref.clone())
}

/// Returns the mounts of images. The root comes before them in the setup.
fn images(own: &CriContainer) -> Vec<ImageMount> {
    let mounted = own.mounted_images.iter();
    let mounted = mounted.map(|mounted| {
        let mount = own.config.mounts.get(mounted.mount);
        let files = mounted.files.iter();
        ImageMount {
            mount: mounted.mount + 1,
            part: mount.map_or_else(String::new, |mount| mount.image_sub_path.clone()),
            files: files
                .map(|(path, text)| (path.clone(), text.clone().into_bytes()))
                .collect(),
        }
    });
    mounted.collect()
}

/// Returns the mounts of the node's files. The root comes before them in the setup.
fn binds(config: &ContainerConfig) -> Vec<Bind> {
    let message = config.annotations.get(MESSAGE_PATH);
    let declared = config.mounts.iter().enumerate();
    let of_host = declared.filter(|(_, mount)| mount.host_path.starts_with('/'));
    of_host
        .map(|(index, mount)| Bind {
            mount: index + 1,
            host_path: mount.host_path.clone(),
            may_be_message: message.is_none_or(|path| *path == mount.container_path),
        })
        .collect()
}

fn id_maps(stated: Option<&Vec<IdMapping>>) -> Vec<IdMap> {
    let map = |stated: &IdMapping| IdMap {
        inside: stated.container_id,
        outside: stated.host_id,
        length: stated.length,
    };
    stated.into_iter().flatten().map(map).collect()
}

/// Returns the host name of a pod, which is the pod's name if none is stated.
fn hostname(pod: &PodSandboxConfig) -> String {
    let name = pod.metadata.as_ref().map(|metadata| &metadata.name);
    match (pod.hostname.as_str(), name) {
        ("", Some(name)) => name.clone(),
        (hostname, _) => hostname.to_owned(),
    }
}

fn of_context(context: &LinuxContainerSecurityContext, uid: u32) -> Capabilities {
    if context.privileged {
        return capabilities(CapabilitySet::ALL, CapabilitySet::default(), uid);
    }
    let default = CapabilitySet::DEFAULT;
    let Some(stated) = &context.capabilities else {
        return capabilities(default, CapabilitySet::default(), uid);
    };
    let all = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case("ALL"));
    let named = |names: &[String]| CapabilitySet::from_names(names).0;
    // The order is: drop all, add, drop by name.
    let mut set = default.0;
    if all(&stated.drop_capabilities) {
        set = 0;
    }
    if all(&stated.add_capabilities) {
        set = CapabilitySet::ALL.0;
    }
    set = (set | named(&stated.add_capabilities)) & !named(&stated.drop_capabilities);
    let ambient = CapabilitySet(named(&stated.add_ambient_capabilities));
    capabilities(CapabilitySet(set | ambient.0), ambient, uid)
}
