//! The documents agree with the programs: links lead somewhere, examples run, tables show
//! the committed results.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tests::binary;

/// The document that also names files and commands of the past.
const CHANGE_LOG: &str = "CHANGELOG.md";

/// Folders without documents of the project: build output and version control.
const SKIPPED_FOLDERS: [&str; 3] = ["target", ".git", "node_modules"];

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("in a workspace").to_owned()
}

fn read(document: &str) -> String {
    std::fs::read_to_string(root().join(document)).unwrap_or_else(|e| panic!("{document}: {e}"))
}

/// Returns the paths of all Markdown files of the project, relative to its root.
fn documents() -> Vec<String> {
    let (root, mut found) = (root(), Vec::new());
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && !SKIPPED_FOLDERS.contains(&&*name) {
                folders.push(path);
            } else if name.ends_with(".md") {
                let relative = path.strip_prefix(&root).expect("below the root");
                found.push(relative.display().to_string());
            }
        }
    }
    found.sort();
    assert!(found.len() > 10, "{found:?}");
    found
}

/// Returns the path that a link in `document` points to, relative to the root, with its
/// `.` and `..` components resolved.
fn resolved(document: &str, link: &str) -> String {
    let folder = Path::new(document).parent().unwrap_or(Path::new(""));
    let mut components: Vec<String> = Vec::new();
    for component in folder.join(link).components() {
        match component.as_os_str().to_string_lossy().as_ref() {
            "." => {}
            ".." => assert!(components.pop().is_some(), "{document}: {link} leaves"),
            name => components.push(name.to_owned()),
        }
    }
    components.join("/")
}

/// Returns the lines of a document outside of its code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

/// Returns the targets of `[text](target)`, outside of code blocks.
fn links(text: &str) -> Vec<String> {
    let parts = prose(text).flat_map(|line| line.split("](").skip(1));
    parts
        .filter_map(|after| after.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

/// Returns the spans of inline code of a document.
fn inline_code(text: &str) -> impl Iterator<Item = &str> {
    prose(text).flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Returns the anchors of a document's headings, as GitHub and mdBook derive them.
fn anchors(text: &str) -> HashSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
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

/// Returns the code blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let after = text.split(&opening).skip(1);
    after
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn links_lead_somewhere() {
    for document in documents() {
        for link in links(&read(&document)) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = match path {
                "" => document.clone(),
                path => resolved(&document, path),
            };
            assert!(
                root().join(&path).exists(),
                "{document}: {link} leads nowhere"
            );
            assert!(
                anchor.is_empty() || anchors(&read(&path)).contains(anchor),
                "{document}: {link}: no such heading"
            );
            // A site that is built from docs/ contains nothing else.
            assert!(
                !document.starts_with("docs/") || path.starts_with("docs/"),
                "{document}: {link} leads out of the book"
            );
        }
    }
}

/// The pages of the book and the files in docs/ are the same.
#[test]
fn the_summary_links_every_page_once() {
    const SUMMARY: &str = "docs/SUMMARY.md";
    let mut linked: Vec<String> = links(&read(SUMMARY))
        .iter()
        .map(|link| resolved(SUMMARY, link))
        .collect();
    linked.sort();
    let mut pages = documents();
    pages.retain(|document| document.starts_with("docs/") && document != SUMMARY);
    assert_eq!(linked, pages);
}

/// Files of the repository that the documents name in inline code.
#[test]
fn named_files_exist() {
    const FOLDERS: [&str; 6] = ["deploy/", "scripts/", "tests/", "fuzz/", "docs/", "crates/"];
    let mut seen = 0;
    for document in documents() {
        if document == CHANGE_LOG {
            continue;
        }
        let text = read(&document);
        for code in inline_code(&text).filter(|code| FOLDERS.iter().any(|f| code.starts_with(f))) {
            let path = code.split(' ').next().unwrap_or_default();
            if path.contains(['{', '*', '…', '<']) {
                continue;
            }
            assert!(root().join(path).exists(), "{document} names {path}");
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} names of files");
}

/// Returns the text of all Rust sources of the project.
fn sources() -> String {
    let (mut text, mut folders) = (String::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && !SKIPPED_FOLDERS.contains(&&*name) {
                folders.push(path);
            } else if name.ends_with(".rs") {
                text.push_str(&std::fs::read_to_string(&path).expect("text"));
            }
        }
    }
    text
}

/// Whether inline code looks like the name of a test: four words at least, joined by
/// underscores.
fn names_a_test(code: &str) -> bool {
    code.matches('_').count() >= 3
        && code
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The documents whose rules name the tests that hold them.
#[test]
fn named_tests_exist() {
    let (sources, mut seen) = (sources(), 0);
    for document in ["ARCHITECTURE.md", "SECURITY.md"] {
        let text = read(document);
        for test in inline_code(&text).filter(|code| names_a_test(code)) {
            assert!(
                sources.contains(&format!("fn {test}(")),
                "{document} names the test {test}"
            );
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} names of tests");
}

/// Returns the shell examples of all documents, each with its document.
fn shell_examples() -> impl Iterator<Item = (String, String)> {
    documents().into_iter().flat_map(|document| {
        let examples = blocks(&read(&document), "sh");
        examples
            .into_iter()
            .map(move |example| (document.clone(), example))
    })
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
    let mut named = 0;
    for document in documents() {
        if document == CHANGE_LOG {
            continue;
        }
        let text = read(&document);
        let shown = blocks(&text, "sh").concat() + &blocks(&text, "text").concat();
        let lines = shown.lines().chain(inline_code(&text));
        for target in lines.filter_map(|line| line.strip_prefix("make ")) {
            let target = target.split(' ').next().unwrap_or_default();
            assert!(targets.contains(target), "{document}: make {target}");
            named += 1;
        }
    }
    assert!(named > 10, "only {named} targets are named");
}

/// Runs an example with a shell, and ends the processes that it has left.
fn ran(shell: &[&str], example: &str) -> Output {
    let programs = binary("loadgen");
    let programs = programs.parent().expect("in a directory").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let (mut stdout, mut stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .arg(example)
        .current_dir(root())
        .env("PATH", format!("{programs}:{path}"))
        .stdin(Stdio::null())
        .stdout(stdout.try_clone().unwrap())
        .stderr(stderr.try_clone().unwrap())
        .process_group(0)
        .spawn()
        .expect("the shell runs");
    let group = Pid::from_child(&child);
    let status = child.wait().expect("a child can be waited for");
    // It fails if no process is left.
    let _ = kill_process_group(group, Signal::KILL);
    let text = |file: &mut File| {
        let mut bytes = Vec::new();
        file.rewind()
            .and_then(|()| file.read_to_end(&mut bytes))
            .unwrap();
        bytes
    };
    Output {
        status,
        stdout: text(&mut stdout),
        stderr: text(&mut stderr),
    }
}

/// The examples of all documents run from the top directory, with the programs just built
/// on the PATH, and print the JSON that their document shows. They run with bash and, if it
/// exists, dash, which is Debian's `sh`, print no log of the programs, and build nothing.
/// `make` commands are left out, because they build the programs.
#[test]
fn every_shell_example_runs() {
    let has_dash = Command::new("dash").args(["-c", ":"]).status().is_ok();
    let mut printed: HashMap<String, String> = HashMap::new();
    let mut seen = HashSet::new();
    for (document, example) in shell_examples() {
        // Two documents may show the same example.
        if example.starts_with("make ") || !seen.insert(example.clone()) {
            continue;
        }
        assert!(!example.contains("cargo "), "{document} builds:\n{example}");
        let dash: &[&str] = &["dash", "-euc"];
        let bash: &[&str] = &["bash", "-euo", "pipefail", "-c"];
        let shells = has_dash.then_some(dash).into_iter().chain([bash]);
        let mut text = String::new();
        for shell in shells {
            let output = ran(shell, &example);
            text = String::from_utf8_lossy(&output.stdout).into_owned();
            let errors = String::from_utf8_lossy(&output.stderr);
            let all = format!("{document}, {}:\n{example}\n{text}\n{errors}", shell[0]);
            assert!(output.status.success(), "{all}");
            assert!(!errors.contains("resource_slot_sandboxer] "), "{all}");
        }
        printed.entry(document).or_default().push_str(&text);
    }
    assert!(printed.len() > 3, "few examples: {:?}", printed.keys());
    let mut shown = 0;
    for (document, printed) in printed {
        for json in blocks(&read(&document), "json") {
            assert!(
                printed.contains(&json),
                "{document}: no example prints\n{json}{printed}"
            );
            shown += 1;
        }
    }
    assert!(shown > 0, "some example shows its JSON");
}

/// If this variable is set, generated blocks are written instead of compared.
const UPDATE: &str = "UPDATE_DOCUMENTS";

const OUTPUT_OF: &str = "<!-- output of `";
const COMMAND_ENDS: &str = "` -->\n";
const END_OF_OUTPUT: &str = "<!-- end of output -->";
const FENCE: &str = "```";

/// Returns the document with the present output of each command that it names, and the
/// number of these commands.
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

/// Returns the output of a command, without the settings of the caller's environment.
fn printed(command: &str) -> String {
    let programs = binary("loadgen");
    let programs = programs.parent().expect("in a directory").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", command])
        .current_dir(root())
        .env_clear()
        .env("PATH", format!("{programs}:{path}"))
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn generated_blocks_equal_the_output_of_their_commands() {
    let mut commands = 0;
    for document in documents() {
        let text = read(&document);
        let (made, named) = regenerated(&text);
        commands += named;
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(root().join(&document), made).expect("the document is written");
        } else {
            let differs = made.lines().zip(text.lines()).find(|(new, old)| new != old);
            assert!(
                made == text,
                "{document} differs from the output of a command that it names, at {differs:?}; \
                 {UPDATE}=1 cargo test -p tests --test docs writes it anew"
            );
        }
    }
    assert!(commands > 4, "the documents show results");
}
