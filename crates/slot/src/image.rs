//! Configuration of an image, and its users.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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

    pub(crate) fn group_id(&self, name: &str) -> u32 {
        let known = self.groups().find(|(known, _, _)| *known == name);
        known.map_or_else(|| user_id(name), |(_, gid, _)| gid)
    }

    /// Returns the user part and the group part of the image's user.
    pub(crate) fn stated_user(&self) -> (&str, Option<&str>) {
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
    pub(crate) fn lookup(&self, user: &str) -> UserIds {
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

/// Returns the number of a user that is stated by name.
///
/// No image exists whose `/etc/passwd` could be read. So `root` and `nobody` have the numbers
/// that they have in every image, a text of digits is that number, and any other name gets
/// 1000, the first number of an ordinary user.
pub fn user_id(name: &str) -> u32 {
    match name {
        "" | "root" => 0,
        "nobody" => 65534,
        name => name.parse().unwrap_or(1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
