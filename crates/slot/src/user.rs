//! User and command line of a container: stated by the container, or else by its image.

use cri_api::v1::{
    Int64Value, LinuxContainerSecurityContext, PodSandboxConfig, SupplementalGroupsPolicy,
};

use crate::cri::CriContainer;
use crate::image::{ImageConfig, UserIds};

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
