//! Tests of the command line and the configuration file.

use super::*;

fn parsed(args: &[&str]) -> Result<Cli, clap::Error> {
    let program = std::iter::once("resource-slot-sandboxer");
    parse(program.chain(args.iter().copied()).map(OsString::from))
}

fn config(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_command_line_of_the_documentation_works() {
    let cli = parsed(&[
        "--listen",
        "/run/resource-slot-sandboxer.sock",
        "--dir",
        "/var/lib/kuasar-resource-slot",
        "--log-level",
        "info",
    ])
    .unwrap();
    assert_eq!(cli.serve.log_level, Level::INFO);
    assert_eq!(cli.serve.views, ViewMode::WriteThrough);
}

#[test]
fn a_file_sets_options_without_a_flag() {
    let (_dir, path) = config("views = \"off\"\nhistory = true\nthreads = 3\nlog-level = 'debug'");
    let cli = parsed(&["--config", &path, "--threads", "4"]).unwrap();
    assert_eq!(cli.serve.views, ViewMode::Off);
    assert!(cli.serve.history);
    assert_eq!(cli.serve.threads, 4);
    assert_eq!(cli.serve.log_level, Level::DEBUG);
}

#[test]
fn metrics_are_off_unless_a_flag_or_a_file_states_an_address() {
    assert_eq!(parsed(&[]).unwrap().serve.metrics_listen, None);
    let (_dir, path) = config("metrics-listen = '127.0.0.1:9464'\nmetrics-per-pod = 10");
    let serve = parsed(&["--config", &path]).unwrap().serve;
    let address = serve.metrics_listen.expect("an address");
    assert_eq!((address.port(), serve.metrics_per_pod), (9464, 10));
    let error = parsed(&["--metrics-listen", "9464"]).unwrap_err();
    assert!(error.to_string().contains("metrics-listen"), "{error}");
}

#[test]
fn the_behaviour_file_can_be_named_by_its_earlier_spelling() {
    let named = |args: &[&str]| parsed(args).unwrap().serve.behaviour;
    let file = Some(PathBuf::from("b.toml"));
    assert_eq!(named(&["--behaviour", "b.toml"]), file);
    assert_eq!(named(&["--lives", "b.toml"]), file);
    for key in ["behaviour", "lives"] {
        let (_dir, path) = config(&format!("{key} = 'b.toml'"));
        assert_eq!(named(&["--config", &path]), file, "{key}");
    }
    let variable = |set: &[&str]| {
        let command = command(|name| set.contains(&name));
        let mut arguments = command.get_arguments();
        let argument = arguments.find(|arg| arg.get_id() == "behaviour").unwrap();
        argument.get_env().unwrap().to_str().unwrap().to_owned()
    };
    assert_eq!(variable(&[]), BEHAVIOUR_ENV);
    assert_eq!(variable(&[OLD_BEHAVIOUR_ENV]), OLD_BEHAVIOUR_ENV);
    assert_eq!(variable(&[OLD_BEHAVIOUR_ENV, BEHAVIOUR_ENV]), BEHAVIOUR_ENV);
}

#[test]
fn an_invalid_file_is_named_with_the_reason() {
    for (text, word) in [
        ("speed = 3", "speed"),
        ("config = 'x'", "config"),
        ("views = 'sideways'", "sideways"),
        ("views = ['off']", "array"),
        ("allow-uid = [1, 2.5]", "float"),
        ("views", "TOML"),
    ] {
        let (_dir, path) = config(text);
        let error = parsed(&["--config", &path]).unwrap_err().to_string();
        assert!(error.contains(&path), "{error}");
        assert!(error.contains(word) || word == "TOML", "{error}");
    }
}

#[test]
fn an_option_that_repeats_takes_an_array() {
    for (text, uids) in [
        ("allow-uid = [1, 1000]", &[1, 1000][..]),
        ("allow-uid = [\"7\"]", &[7]),
        ("allow-uid = 5", &[5]),
        ("allow-uid = \"5,6\"", &[5, 6]),
        ("allow-uid = []", &[]),
    ] {
        let (_dir, path) = config(text);
        let serve = parsed(&["--config", &path]).unwrap().serve;
        assert_eq!(serve.allow_uid, uids, "{text}");
        let serve = parsed(&["--config", &path, "--allow-uid", "9"])
            .unwrap()
            .serve;
        assert_eq!(serve.allow_uid, [9], "{text}");
    }
}

#[test]
fn sizes_have_units_in_flags_and_files() {
    let sizes = |args: &[&str]| {
        let serve = parsed(args).unwrap().serve;
        (serve.compact_bytes, serve.limits.message_size)
    };
    let defaults = (
        journal::Options::default().compact_min_bytes,
        MAX_GRPC_MESSAGE,
    );
    assert_eq!(sizes(&[]), defaults);
    let flags = ["--compact-bytes=64KiB", "--max-message-size=1MiB"];
    assert_eq!(sizes(&flags), (64 << 10, 1 << 20));
    let (_dir, path) = config("compact-bytes = \"1GiB\"\nmax-message-size = 4096");
    assert_eq!(sizes(&["--config", &path]), (1 << 30, 4096));
    for bad in [
        "--compact-bytes=0",
        "--max-message-size=17MiB",
        "--compact-bytes=x",
    ] {
        parsed(&[bad]).unwrap_err();
    }
}

#[test]
fn a_socket_is_named_by_url_or_path() {
    for text in ["/run/a.sock", "unix:///run/a.sock", "unix:/run/a.sock"] {
        let args = ["--listen", text, "--containerd-address", text];
        let serve = parsed(&args).unwrap().serve;
        let right: SocketPath = "/run/a.sock".parse().unwrap();
        assert_eq!(serve.containerd_address.as_ref(), Some(&right));
        assert_eq!(serve.listen, right);
    }
    let long = format!("/run/{}", "s".repeat(200));
    for option in ["--listen", "--containerd-address"] {
        let error = parsed(&[option, &long]).unwrap_err().to_string();
        for words in [option, "205 bytes", "107", "a shorter path"] {
            assert!(error.contains(words), "{error}");
        }
        parsed(&[option, "tcp://localhost:1"]).unwrap_err();
    }
}

#[test]
fn probes_are_answered_by_a_switch_or_a_list_of_ports() {
    let of = |args: &[&str]| parsed(args).unwrap().serve.pods.answer_probes;
    assert!(!of(&[]).is_on);
    assert!(of(&["--answer-probes"]).is_on && of(&["--answer-probes"]).ports.is_empty());
    assert_eq!(of(&["--answer-probes=8080,9090"]).ports, [8080, 9090]);
    for (value, ports) in [("true", &[][..]), ("8080", &[8080]), ("\"host,80\"", &[80])] {
        let (_dir, path) = config(&format!("answer-probes = {value}"));
        let read = of(&["--config", &path]);
        assert!(read.is_on && read.ports == ports, "{read:?}");
    }
}

#[test]
fn pods_may_have_addresses_of_two_ranges() {
    let (_dir, path) = config("pod-cidr = [\"fd00::/64\", \"10.0.0.0/8\"]");
    assert_eq!(
        parsed(&["--config", &path]).unwrap().serve.pods.cidr.len(),
        2
    );
}

/// An option with a value that it refuses. Every value that is no path has one.
const REFUSED: [(&str, &str); 29] = [
    ("listen", "tcp://localhost:1"),
    ("log-level", "loud"),
    ("log-format", "yaml"),
    ("sync", "sideways"),
    ("views", "sideways"),
    ("history", "perhaps"),
    ("compact-bytes", "many"),
    ("recover", "perhaps"),
    ("on-invalid", "ask"),
    ("cpu-weight-formula", "cubic"),
    ("streaming-listen", "nowhere"),
    ("log-root", "logs"),
    ("no-host-reads", "perhaps"),
    ("kubelet-root", "kubelet"),
    ("pod-cidr", "198.18.0.0"),
    ("answer-probes", "http"),
    ("pod-route", "perhaps"),
    ("streaming-idle-timeout", "soon"),
    ("metrics-listen", "nowhere"),
    ("metrics-per-pod", "some"),
    ("otlp", "localhost:4318"),
    ("unknown-command", "256"),
    ("node-memory", "much"),
    ("exit-delay", "soon"),
    ("containerd-address", "tcp://localhost:1"),
    ("allow-uid", "root"),
    ("max-message-size", "17MiB"),
    ("threads", "0"),
    ("die-with-parent", "perhaps"),
];

/// Options whose values are refused when they are used, as paths, and options like one above.
const OTHERS: [&str; 9] = [
    "dir",
    "behaviour",
    "images",
    "config",
    "test-slowdown",
    "max-connections",
    "max-in-flight",
    "max-waits",
    "max-sandboxes",
];

#[test]
fn a_bad_value_is_told_once_with_its_flag_or_file() {
    let command = Cli::command();
    let mut options: Vec<&str> = command
        .get_arguments()
        .filter_map(clap::Arg::get_long)
        .collect();
    options.retain(|name| !["help", "version"].contains(name) && !OTHERS.contains(name));
    assert_eq!(options, REFUSED.map(|(name, _)| name));
    for (name, bad) in REFUSED {
        let (_dir, path) = config(&format!("{name} = \"{bad}\""));
        let error = parsed(&["--config", &path]).unwrap_err().to_string();
        let once = |words: &str| error.matches(words).count() == 1;
        assert!(
            once("error:") && once(&path) && error.contains(bad),
            "{error}"
        );
        assert!(
            once("For more information") && once(&format!("--{name}")),
            "{error}"
        );

        if !["history", "recover", "die-with-parent", "pod-route"].contains(&name) {
            let error = parsed(&[&format!("--{name}={bad}")])
                .unwrap_err()
                .to_string();
            let once = |words: &str| error.matches(words).count() == 1;
            assert!(once("error:") && error.contains(bad), "{error}");
        }
        // A mistake in the file stays one if a flag replaces its value.
        let error = parsed(&["--config", &path, "--threads=1"]).unwrap_err();
        assert!(error.to_string().contains(&path), "{error}");
    }
}

#[test]
fn a_file_that_never_ends_is_refused() {
    let error = parsed(&["--config", "/dev/zero"]).unwrap_err().to_string();
    assert!(error.contains("/dev/zero: it has more than"), "{error}");
}

/// Sample of the configuration file, as shipped.
const SAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../deploy/resource-slot-sandboxer.toml"
);

/// Values in the sample for the options without a default.
const EXAMPLES: [(&str, &str); 9] = [
    ("log-root", "\"/var/log/pods\""),
    ("node-memory", "\"16GiB\""),
    ("metrics-listen", "\"127.0.0.1:9464\""),
    ("otlp", "\"http://127.0.0.1:4318\""),
    ("behaviour", "\"/etc/resource-slot/behaviour.toml\""),
    ("images", "\"/etc/resource-slot/images.toml\""),
    ("exit-delay", "\"1ms\""),
    ("containerd-address", "\"/run/containerd/containerd.sock\""),
    ("allow-uid", "[1000, 1001]"),
];

/// Returns the sample: each option with its first sentence of help and its default.
fn sample() -> String {
    let mut text = "\
# Configuration of resource-slot-sandboxer: --config FILE, or RESOURCE_SLOT_CONFIG=FILE.
#
# Every option of the command line is a key. Each one below has its default, or an example if it
# says so; remove the # to set it. A flag wins over the environment, and that over this file.
"
    .to_owned();
    for arg in Cli::command().get_arguments() {
        let name = arg.get_long().unwrap_or_default();
        if arg.is_hide_set() || ["help", "version", "config"].contains(&name) {
            continue;
        }
        let help = arg.get_help().expect("help").to_string();
        let sentence = help.split(". ").next().unwrap_or_default();
        let sentence = sentence.trim_end_matches('.');
        let default = arg
            .get_default_values()
            .first()
            .and_then(|value| value.to_str());
        let (note, value) = match default {
            Some(word) if word.parse::<i64>().is_ok() => ("", word.to_owned()),
            Some(word) => ("", format!("{word:?}")),
            None if arg.get_action().takes_values() => {
                let example = EXAMPLES.iter().find(|(option, _)| *option == name);
                let (_, value) = example.unwrap_or_else(|| panic!("an example of {name}"));
                (" No default; an example:", (*value).to_owned())
            }
            None => ("", "false".to_owned()),
        };
        let lines = [
            "\n# ", sentence, ".", note, "\n# ", name, " = ", &value, "\n",
        ];
        text.extend(lines);
    }
    text
}

#[test]
fn the_sample_file_has_every_option_with_its_default() {
    let sample = sample();
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        std::fs::write(SAMPLE, &sample).unwrap();
    }
    let shipped = std::fs::read_to_string(SAMPLE).unwrap();
    assert!(
        shipped == sample,
        "UPDATE_DOCUMENTS=1 cargo test -p sandboxer writes {SAMPLE} anew:\n{sample}"
    );
    let parsed_as = |text: &str| {
        let (_dir, path) = config(text);
        let mut serve = parsed(&["--config", &path]).unwrap().serve;
        serve.config = None;
        format!("{serve:?}")
    };
    let defaults = format!("{:?}", parsed(&[]).unwrap().serve);
    assert_eq!(parsed_as(&shipped), defaults);
    // With every # removed, only the examples differ from the defaults.
    let is_key = |line: &str| EXAMPLES.iter().all(|(name, _)| !line.starts_with(name));
    let set = shipped.lines().filter_map(|line| line.strip_prefix("# "));
    let set = set.filter(|line| line.contains(" = ") && !line.ends_with('.'));
    let (keys, examples): (Vec<&str>, Vec<&str>) = set.partition(|line| is_key(line));
    assert_eq!(parsed_as(&keys.join("\n")), defaults);
    assert_eq!(examples.len(), EXAMPLES.len());
    assert_ne!(parsed_as(&examples.join("\n")), defaults);
}
