//! Configuration of an image, and the user that a container of it runs as.

use std::collections::BTreeMap;

use cri_api::v1::{
    Int64Value, LinuxContainerSecurityContext, PodSandboxConfig, SupplementalGroupsPolicy,
};
use serde::{Deserialize, Serialize};

use crate::cri::{CriContainer, user_id};

/// Configuration of an image, in the terms of the OCI image specification (`config.md`). A
/// container keeps that of its image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ImageConfig {
    /// User of the first process: `user`, `uid`, and either with a group, `user:group`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Command of a container that states none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// Arguments of a container that states neither a command nor arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// Environment variables, as `NAME=VALUE`. Those of a container replace them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Working directory of a container that states none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Ports that the image's server listens on, as `80/tcp`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exposed_ports: Vec<String>,
    /// Directories that each container has for itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// Signal that stops a container that states none, such as `SIGQUIT`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// Further lines of the image's `/etc/passwd`, passwd(5).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passwd: Vec<String>,
    /// Further lines of the image's `/etc/group`, group(5).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<String>,
    /// Texts of files of the image, by path.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
}

/// An image that a container mounts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountedImage {
    /// Index of the mount in the container's configuration.
    pub mount: usize,
    /// Id of the image, as a pull returns it.
    pub image_ref: String,
    /// Texts of the image's files that are known, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
}

/// An entry of `/etc/passwd`.
struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
}

impl ImageConfig {
    fn accounts(&self) -> impl Iterator<Item = Account<'_>> {
        self.passwd.iter().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _, uid, gid) = (
                fields.next()?,
                fields.next()?,
                fields.next()?,
                fields.next()?,
            );
            Some(Account {
                name,
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
            })
        })
    }

    /// Iterates over names, numbers and members of the groups.
    fn groups(&self) -> impl Iterator<Item = (&str, u32, &str)> {
        self.group.iter().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _, gid, members) = (
                fields.next()?,
                fields.next()?,
                fields.next()?,
                fields.next().unwrap_or(""),
            );
            Some((name, gid.parse().ok()?, members))
        })
    }

    fn group_id(&self, name: &str) -> u32 {
        let known = self.groups().find(|(known, _, _)| *known == name);
        known.map_or_else(|| user_id(name), |(_, gid, _)| gid)
    }

    /// Returns the user part and the group part of the image's user.
    fn stated_user(&self) -> (&str, Option<&str>) {
        match self.user.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (self.user.as_str(), None),
        }
    }

    /// Returns the number of the image's user if it is stated as a number.
    pub fn uid(&self) -> Option<i64> {
        self.stated_user().0.parse().ok()
    }

    /// Returns the name of the image's user; empty if a number or nothing is stated.
    pub fn username(&self) -> &str {
        match self.uid() {
            Some(_) => "",
            None => self.stated_user().0,
        }
    }

    /// Returns a user, by name or number, with its groups as the image has them.
    fn lookup(&self, user: &str) -> UserIds {
        let account = self
            .accounts()
            .find(|account| account.name == user || account.uid.to_string() == user);
        let Some(account) = account else {
            let uid = user_id(user);
            let is_number = user.bytes().all(|byte| byte.is_ascii_digit());
            return UserIds {
                uid,
                name: match (uid, is_number) {
                    (0, _) => "root".to_owned(),
                    (_, true) => String::new(),
                    (_, false) => user.to_owned(),
                },
                ..UserIds::default()
            };
        };
        let is_member = |members: &str| members.split(',').any(|member| member == account.name);
        let groups = self.groups().filter(|(_, _, members)| is_member(members));
        UserIds {
            uid: account.uid,
            gid: account.gid,
            groups: groups.map(|(_, gid, _)| gid).collect(),
            name: account.name.to_owned(),
        }
    }
}

/// User and groups of a container's first process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserIds {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
    /// Login name; empty if none is known.
    pub name: String,
}

impl CriContainer {
    /// Returns the user that the container runs as: the one that the container states, else that
    /// of its pod, else that of its image. With the policy `Merge`, the groups that the image
    /// gives the user are added to the stated ones; with `Strict` they are not.
    pub fn user(&self, pod: &PodSandboxConfig) -> UserIds {
        let none = ImageConfig::default();
        let image = self.image.as_deref().unwrap_or(&none);
        let context = self.config.linux.as_ref();
        let context = context.and_then(|linux| linux.security_context.as_ref());
        let of_pod = pod.linux.as_ref();
        let of_pod = of_pod.and_then(|linux| linux.security_context.as_ref());
        let default = LinuxContainerSecurityContext::default();
        let context = context.unwrap_or(&default);
        let number = |stated: &Option<Int64Value>| {
            let id = stated.as_ref()?.value;
            Some(u32::try_from(id).unwrap_or(u32::MAX))
        };
        let uid = number(&context.run_as_user);
        let (image_user, image_group) = image.stated_user();
        let (mut user, group) = match (uid, context.run_as_username.as_str()) {
            (Some(uid), _) => (image.lookup(&uid.to_string()), None),
            (None, "") => match of_pod.and_then(|pod| number(&pod.run_as_user)) {
                Some(uid) => (image.lookup(&uid.to_string()), None),
                None => (image.lookup(image_user), image_group),
            },
            (None, name) => (image.lookup(name), None),
        };
        let stated = number(&context.run_as_group);
        let stated = stated.or_else(|| of_pod.and_then(|pod| number(&pod.run_as_group)));
        if let Some(gid) = stated.or_else(|| Some(image.group_id(group?))) {
            user.gid = gid;
        }
        if context.supplemental_groups_policy() == SupplementalGroupsPolicy::Strict {
            user.groups.clear();
        }
        let stated = context.supplemental_groups.iter();
        let stated = stated.filter_map(|gid| u32::try_from(*gid).ok());
        user.groups.extend(stated);
        user.groups.retain(|gid| *gid != user.gid);
        user.groups.sort_unstable();
        user.groups.dedup();
        user
    }

    /// Returns the command line: the stated command, else the entry point of the image, followed
    /// by the stated arguments, else, if no command is stated either, those of the image
    /// (Kubernetes, "Define a Command and Arguments for a Container").
    pub fn command_line(&self) -> Vec<String> {
        let none = ImageConfig::default();
        let image = self.image.as_deref().unwrap_or(&none);
        let (command, args) = (&self.config.command, &self.config.args);
        let (command, args) = match (command.is_empty(), args.is_empty()) {
            (false, _) => (command, args),
            (true, false) => (&image.entrypoint, args),
            (true, true) => (&image.entrypoint, &image.cmd),
        };
        command.iter().chain(args).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use cri_api::v1::{ContainerConfig, LinuxContainerConfig};

    fn image() -> ImageConfig {
        ImageConfig {
            user: "default-user".to_owned(),
            entrypoint: vec!["/entry".to_owned()],
            cmd: vec!["serve".to_owned()],
            passwd: vec!["default-user:x:1000:1000::/home:/bin/sh".to_owned()],
            group: vec![
                "predefined:x:50000:default-user".to_owned(),
                "www:x:33:".to_owned(),
                "broken".to_owned(),
            ],
            ..ImageConfig::default()
        }
    }

    fn container(
        image: ImageConfig,
        context: LinuxContainerSecurityContext,
        (command, args): (&[&str], &[&str]),
    ) -> CriContainer {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        CriContainer {
            config: ContainerConfig {
                command: texts(command),
                args: texts(args),
                linux: Some(LinuxContainerConfig {
                    security_context: Some(context),
                    ..Default::default()
                }),
                ..Default::default()
            }
            .into(),
            updated: None,
            image_id: String::new(),
            image_ref: String::new(),
            image: Some(Box::new(image)),
            mounted_images: Vec::new(),
            created_at: Timestamp::default(),
            started_at: None,
        }
    }

    #[test]
    fn a_user_and_its_groups_come_from_the_container_and_the_image() {
        let stated =
            |uid: Option<i64>, policy: SupplementalGroupsPolicy| LinuxContainerSecurityContext {
                run_as_user: uid.map(|value| Int64Value { value }),
                supplemental_groups: vec![1234],
                supplemental_groups_policy: policy.into(),
                ..Default::default()
            };
        let (merge, strict) = (
            SupplementalGroupsPolicy::Merge,
            SupplementalGroupsPolicy::Strict,
        );
        let www = ImageConfig {
            user: "1002:www".to_owned(),
            ..image()
        };
        for (image, context, uid, gid, groups) in [
            (image(), stated(None, merge), 1000, 1000, vec![1234, 50_000]),
            (image(), stated(None, strict), 1000, 1000, vec![1234]),
            (
                image(),
                stated(Some(1000), merge),
                1000,
                1000,
                vec![1234, 50_000],
            ),
            (image(), stated(Some(7), merge), 7, 0, vec![1234]),
            (www, stated(None, merge), 1002, 33, vec![1234]),
            (
                ImageConfig::default(),
                stated(None, merge),
                0,
                0,
                vec![1234],
            ),
        ] {
            let user = container(image, context, (&[], &[])).user(&PodSandboxConfig::default());
            assert_eq!((user.uid, user.gid, user.groups), (uid, gid, groups));
        }
    }

    #[test]
    fn the_user_of_an_image_is_a_number_or_a_name() {
        for (user, uid, name) in [
            ("1002", Some(1002), ""),
            ("1003:users", Some(1003), ""),
            ("www-data", None, "www-data"),
            ("www-data:www", None, "www-data"),
            ("", None, ""),
        ] {
            let image = ImageConfig {
                user: user.to_owned(),
                ..ImageConfig::default()
            };
            assert_eq!((image.uid(), image.username()), (uid, name), "{user}");
        }
    }

    #[test]
    fn a_command_line_is_that_of_kubernetes_table() {
        for (command, args, expected) in [
            (&[][..], &[][..], &["/entry", "serve"][..]),
            (&["/own"], &[], &["/own"]),
            (&[], &["x"], &["/entry", "x"]),
            (&["/own"], &["x"], &["/own", "x"]),
        ] {
            let container = container(
                image(),
                LinuxContainerSecurityContext::default(),
                (command, args),
            );
            assert_eq!(container.command_line(), expected);
        }
    }
}
