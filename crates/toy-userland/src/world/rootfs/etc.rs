//! Files in `/etc`.

use std::fmt::Write;

use super::super::setup::Setup;

/// Text of os-release(5). No distribution has this name: nothing here is one.
pub(super) const OS_RELEASE: &str = "NAME=\"ResourceSlot toy userland\"\nID=resource-slot\n\
    PRETTY_NAME=\"ResourceSlot toy userland\"\nVERSION_ID=1\n";

pub(super) fn hosts(setup: &Setup) -> String {
    format!(
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t{}\n",
        setup.hostname
    )
}

pub(in crate::world) fn passwd(setup: &Setup) -> String {
    let mut text = "root:x:0:0:root:/root:/bin/sh\n\
                    nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        .to_owned();
    for line in &setup.passwd {
        let _ = writeln!(text, "{line}");
    }
    let user = &setup.user;
    let named = format!("{}:", user.name);
    let is_listed = setup.passwd.iter().any(|line| line.starts_with(&named));
    if !user.name.is_empty() && !is_listed && !matches!(user.uid, 0 | 65534) {
        let (name, uid, gid) = (&user.name, user.uid, user.gid);
        let _ = writeln!(text, "{name}:x:{uid}:{gid}::/home/{name}:/bin/sh");
    }
    text
}

pub(in crate::world) fn group(setup: &Setup) -> String {
    let mut text = "root:x:0:\nnobody:x:65534:\n".to_owned();
    for line in &setup.group {
        let _ = writeln!(text, "{line}");
    }
    let user = &setup.user;
    let number = user.gid.to_string();
    let has_number = |line: &String| line.split(':').nth(2) == Some(number.as_str());
    let is_listed = setup.group.iter().any(has_number);
    if !user.name.is_empty() && !is_listed && !matches!(user.gid, 0 | 65534) {
        let _ = writeln!(text, "{}:x:{}:", user.name, user.gid);
    }
    text
}
