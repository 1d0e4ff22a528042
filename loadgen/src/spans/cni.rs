//! Times the plugins of the network of pods.
//!
//! containerd makes no span around a CNI plugin. So each plugin of a started containerd gets a
//! wrapper: a file whose interpreter is this program, which runs the plugin and appends a line with
//! its times to a log.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use otlp::{Kind, Span};

/// Service of the spans of plugins.
pub const SERVICE: &str = "cni";

/// Hidden command of this program that a wrapper runs.
pub const COMMAND: &str = "cni-plugin";

/// Exit code if the wrapper itself fails.
const BROKEN: u8 = 1;

/// Writes the wrapper of a plugin to `wrapper`. Its lines go to `log`.
///
/// # Errors
/// A file that cannot be written, or a path with a line break.
pub fn wrap(wrapper: &Path, plugin: &Path, log: &Path) -> io::Result<()> {
    let own = std::env::current_exe()?;
    let (own, plugin, log) = (own.display(), plugin.display(), log.display());
    let text = format!("#!{own} {COMMAND}\n{plugin}\n{log}\n");
    if text.lines().count() != 3 {
        return Err(io::Error::other("a path of a CNI plugin has a line break"));
    }
    fs::write(wrapper, text)?;
    fs::set_permissions(wrapper, fs::Permissions::from_mode(0o755))
}

/// Runs the plugin of a wrapper, and appends its times to the log. Returns the exit code of the
/// plugin.
pub fn run(wrapper: &Path, args: &[OsString]) -> u8 {
    match timed(wrapper, args) {
        Ok(code) => code,
        Err(error) => {
            let error = format!("{}: {error}", wrapper.display());
            let reply = serde_json::json!({
                "cniVersion": "1.0.0",
                // The first code that the CNI specification leaves to plugins.
                "code": 100,
                "msg": error,
            });
            // A failed write means that containerd has gone.
            let _ = writeln!(io::stdout(), "{reply}");
            BROKEN
        }
    }
}

fn timed(wrapper: &Path, args: &[OsString]) -> io::Result<u8> {
    let text = fs::read_to_string(wrapper)?;
    let mut lines = text.lines().skip(1);
    let (Some(plugin), Some(log)) = (lines.next(), lines.next()) else {
        return Err(io::Error::other("this is no wrapper of a CNI plugin"));
    };
    let from = SystemTime::now();
    let status = Command::new(plugin).args(args).status()?;
    let until = SystemTime::now();
    let variable = |name| std::env::var(name).unwrap_or_default();
    let name = Path::new(plugin).file_name().unwrap_or(OsStr::new(plugin));
    let line = format!(
        "{} {} {} {} {}\n",
        nanoseconds(from),
        nanoseconds(until),
        variable("CNI_CONTAINERID"),
        variable("CNI_COMMAND"),
        name.display(),
    );
    // One write, so that the lines of several plugins do not mix.
    let mut log = OpenOptions::new().append(true).create(true).open(log)?;
    log.write_all(line.as_bytes())?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    Ok(code
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(BROKEN))
}

/// Returns the spans of a log; none if there is no log.
pub fn spans(log: &Path) -> Vec<Span> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(number, line)| span(number as u64 + 1, line))
        .collect()
}

fn span(number: u64, line: &str) -> Option<Span> {
    let mut fields = line.splitn(5, ' ');
    let mut field = || fields.next();
    let (from_ns, until_ns) = (field()?.parse().ok()?, field()?.parse().ok()?);
    let (id, command, plugin) = (field()?, field()?, field()?);
    Some(Span {
        trace: 1,
        id: number,
        parent: None,
        name: format!("{plugin} {command}"),
        service: SERVICE.into(),
        kind: Kind::Internal,
        from_ns,
        until_ns,
        attributes: vec![("sandbox.id".to_owned(), id.to_owned())],
        failed: false,
    })
}

/// Adds wrappers in `bin` for all programs of a directory, or links to them without a log.
///
/// # Errors
/// A directory that cannot be read, or a file that cannot be written.
pub fn add_plugins(bin: &Path, plugins: &Path, log: Option<&Path>) -> io::Result<()> {
    for entry in fs::read_dir(plugins)? {
        let entry = entry?;
        // One program may have the names of several plugins.
        let plugin = std::path::absolute(entry.path())?;
        if !plugin.is_file() {
            continue;
        }
        let place: PathBuf = bin.join(entry.file_name());
        match log {
            Some(log) => wrap(&place, &plugin, log)?,
            None => std::os::unix::fs::symlink(&plugin, place)?,
        }
    }
    Ok(())
}

fn nanoseconds(at: SystemTime) -> u128 {
    let since = at.duration_since(UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_is_a_span() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        assert_eq!(spans(&log), []);
        fs::write(&log, "10 30 pod ADD bridge\nbroken\n40 50 pod DEL bridge").unwrap();
        let found = spans(&log);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].from_ns, found[0].until_ns), (10, 30));
        assert_eq!(found[1].name, "bridge DEL");
        assert_eq!(found[0].attribute("sandbox.id"), Some("pod"));
    }

    #[test]
    fn the_plugin_of_a_wrapper_is_run_and_timed() {
        let dir = tempfile::tempdir().unwrap();
        let [wrapper, log] = ["wrapper", "log"].map(|name| dir.path().join(name));
        wrap(&wrapper, Path::new("/bin/false"), &log).unwrap();
        assert_eq!(run(&wrapper, &[]), 1);
        let found = spans(&log);
        assert_eq!(found.len(), 1);
        assert!(found[0].name.starts_with("false"), "{:?}", found[0]);
        assert!(found[0].until_ns > found[0].from_ns);
    }

    #[test]
    fn a_broken_wrapper_fails() {
        let dir = tempfile::tempdir().unwrap();
        let wrapper = dir.path().join("wrapper");
        fs::write(&wrapper, "#!/bin/true\n").unwrap();
        assert_eq!(run(&wrapper, &[]), BROKEN);
    }
}
