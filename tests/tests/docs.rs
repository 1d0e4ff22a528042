//! The documents say what is so: links lead somewhere, examples run.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::binary;

/// What an example started ends with it, also if it fails half-way.
const CLEAN_UP: &str = r"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT";

const DOCUMENTS: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"];

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
