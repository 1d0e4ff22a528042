//! The documents say what is so: links lead somewhere, examples run.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::binary;

/// What an example started ends with it, also if it fails half-way.
const CLEAN_UP: &str = r"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT";

const DOCUMENTS: [&str; 4] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "results/README.md",
];

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("in a workspace").to_owned()
}

fn read(document: &str) -> String {
    std::fs::read_to_string(root().join(document)).unwrap_or_else(|e| panic!("{document}: {e}"))
}

/// The targets of `[text](target)`, outside of code blocks.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.starts_with("```");
        if in_code {
            continue;
        }
        for after in line.split("](").skip(1) {
            links.extend(after.split_once(')').map(|(target, _)| target.to_owned()));
        }
    }
    links
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> HashSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let title = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// The code blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let after = text.split(&opening).skip(1);
    after
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let mut seen = 0;
    for document in DOCUMENTS {
        for link in links(&read(document)) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = if path.is_empty() { document } else { path };
            assert!(
                root().join(path).exists(),
                "{document}: {link} leads nowhere"
            );
            assert!(
                anchor.is_empty() || anchors(&read(path)).contains(anchor),
                "{document}: {link}: no such heading"
            );
            seen += 1;
        }
    }
    assert!(seen > 3, "the documents link to each other");
}

#[test]
fn every_make_command_is_a_target() {
    let makefile = read("Makefile");
    let targets: HashSet<&str> = makefile
        .lines()
        .filter(|line| !line.starts_with(['\t', '#', '.']))
        .filter_map(|line| line.split_once(':'))
        .flat_map(|(targets, _)| targets.split_whitespace())
        .collect();
    for example in blocks(&read("README.md"), "sh") {
        for line in example.lines() {
            if let Some(target) = line.strip_prefix("make ") {
                assert!(targets.contains(target), "make {target}");
            }
        }
    }
}

/// The examples run from the top directory with the programs just built on the
/// PATH, and print the JSON that the document shows. Builds are the caller's: `make`.
#[test]
fn every_shell_example_runs() {
    let readme = read("README.md");
    let programs = binary("loadgen");
    let programs = programs.parent().expect("in a directory").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut printed = String::new();
    for example in blocks(&readme, "sh") {
        if example.starts_with("make ") {
            continue;
        }
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &format!("{CLEAN_UP}\n{example}")])
            .current_dir(root())
            .env("PATH", format!("{programs}:{path}"))
            .stdin(Stdio::null())
            .output()
            .expect("bash runs");
        assert!(
            output.status.success(),
            "{example}\n{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        printed.push_str(&String::from_utf8_lossy(&output.stdout));
    }
    for shown in blocks(&readme, "json") {
        assert!(
            printed.contains(&shown),
            "no example prints\n{shown}{printed}"
        );
    }
}

/// Set, what is generated in the documents is written anew instead of compared.
const UPDATE: &str = "UPDATE_DOCUMENTS";

const OUTPUT_OF: &str = "<!-- output of `";
const COMMAND_ENDS: &str = "` -->\n";
const END_OF_OUTPUT: &str = "<!-- end of output -->";
const FENCE: &str = "```";

/// The document with the present output of each command that it names, and how many
/// there are.
fn regenerated(text: &str) -> (String, usize) {
    let mut pieces = text.split(OUTPUT_OF);
    let mut made = pieces.next().unwrap_or_default().to_owned();
    let mut commands = 0;
    for piece in pieces {
        let (command, rest) = piece.split_once(COMMAND_ENDS).expect("a command ends");
        let (shown, rest) = rest.split_once(END_OF_OUTPUT).expect("its output ends");
        let output = printed(command);
        let output = if shown.starts_with(FENCE) {
            format!("{FENCE}text\n{output}{FENCE}\n")
        } else {
            output
        };
        made.extend([
            OUTPUT_OF,
            command,
            COMMAND_ENDS,
            &output,
            END_OF_OUTPUT,
            rest,
        ]);
        commands += 1;
    }
    (made, commands)
}

fn printed(command: &str) -> String {
    let programs = binary("loadgen");
    let programs = programs.parent().expect("in a directory").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", command])
        .current_dir(root())
        .env("PATH", format!("{programs}:{path}"))
        .output()
        .expect("bash runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn tables_say_what_the_committed_results_say() {
    let mut commands = 0;
    for document in DOCUMENTS {
        let text = read(document);
        let (made, named) = regenerated(&text);
        commands += named;
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(root().join(document), made).expect("the document is written");
        } else {
            assert!(
                made == text,
                "{document} does not show what results/ holds; {UPDATE}=1 writes it anew:\n{made}"
            );
        }
    }
    assert!(commands > 4, "the documents show results");
}
