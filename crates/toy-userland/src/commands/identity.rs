//! `id`, `groups`, `whoami` and `hostname`.

use super::call::Call;

pub(super) fn id(call: &mut Call<'_>) -> u8 {
    let arguments = match call.arguments("ugGnr") {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let mut user = call.user().clone();
    if let Some(other) = arguments.operands.first() {
        let uid = call.id_of(other, "/etc/passwd");
        match uid.filter(|uid| call.name_of(*uid, "/etc/passwd").is_some()) {
            Some(uid) if uid == user.uid => {}
            Some(uid) => {
                (user.uid, user.gid) = (uid, uid);
                user.groups.clear();
            }
            None => return call.fail(&format!("unknown user {other}")),
        }
    }
    let groups = std::iter::once(user.gid).chain(user.groups.iter().copied());
    let mut groups: Vec<u32> = groups.collect();
    let mut seen = std::collections::BTreeSet::new();
    groups.retain(|group| seen.insert(*group));
    let names = arguments.has('n');
    let shown = |call: &mut Call<'_>, id: u32, file: &'static str| {
        let name = names.then(|| call.name_of(id, file)).flatten();
        name.unwrap_or_else(|| id.to_string())
    };
    let line = if arguments.has('u') {
        shown(call, user.uid, "/etc/passwd")
    } else if arguments.has('g') {
        shown(call, user.gid, "/etc/group")
    } else if arguments.has('G') {
        let groups = groups.iter().map(|group| shown(call, *group, "/etc/group"));
        groups.collect::<Vec<_>>().join(" ")
    } else {
        let mut with_name = |id: u32, file: &'static str| match call.name_of(id, file) {
            Some(name) => format!("{id}({name})"),
            None => id.to_string(),
        };
        let uid = with_name(user.uid, "/etc/passwd");
        let gid = with_name(user.gid, "/etc/group");
        let groups = groups.iter().map(|group| with_name(*group, "/etc/group"));
        format!(
            "uid={uid} gid={gid} groups={}",
            groups.collect::<Vec<_>>().join(",")
        )
    };
    call.print_line(&line);
    0
}

pub(super) fn groups(call: &mut Call<'_>) -> u8 {
    call.args = vec!["-Gn".to_owned()];
    id(call)
}

pub(super) fn whoami(call: &mut Call<'_>) -> u8 {
    let user = call.user();
    let (uid, given) = (user.uid, user.name.clone());
    let name = call.name_of(uid, "/etc/passwd");
    match name.or((!given.is_empty()).then_some(given)) {
        Some(name) => {
            call.print_line(&name);
            0
        }
        None => call.fail(&format!("unknown uid {uid}")),
    }
}

pub(super) fn hostname(call: &mut Call<'_>) -> u8 {
    let arguments = match call.arguments("sfdi") {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    if let Some(name) = arguments.operands.first() {
        let set = call.world().set_hostname(name);
        return match set {
            Ok(()) => 0,
            Err(error) => call.fail(&format!("sethostname: {error}")),
        };
    }
    let full = call.world().hostname();
    let short = full.split('.').next().unwrap_or_default();
    call.print_line(if arguments.has('s') { short } else { &full });
    0
}
