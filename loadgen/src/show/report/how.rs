//! Parameters of a measurement, from which it can be repeated.

use maud::{Markup, html};

use crate::result::density::DensityResult;
use crate::result::environment::Environment;
use crate::result::header::Header;
use crate::result::search::SearchResult;
use crate::result::software::Software;
use crate::result::{RunResult, Scenario};
use display::human;

/// Parts that all documents with a scenario share.
pub struct How<'a> {
    header: &'a Header,
    scenario: &'a Scenario,
    plan_hash: &'a str,
    environment: &'a Environment,
}

macro_rules! how {
    ($($document:ty),*) => {
        $(impl<'a> From<&'a $document> for How<'a> {
            fn from(result: &'a $document) -> Self {
                Self {
                    header: &result.header,
                    scenario: &result.scenario,
                    plan_hash: &result.plan_hash,
                    environment: &result.environment,
                }
            }
        })*
    };
}

how!(RunResult, SearchResult, DensityResult);

impl How<'_> {
    /// Renders the command line, the parameters, the machine, and the duration if it is
    /// known.
    pub fn section(&self, wall_s: Option<f64>) -> Markup {
        html! {
            section aria-labelledby="how" {
                h2 id="how" { "How it was run" }
                pre tabindex="0" aria-label="Command line" { code { (command(&self.header.command_line)) } }
                div.how {
                    (list("Parameters", &self.asked()))
                    (list("Where", &self.machine(wall_s)))
                }
                @if !self.scenario.document.is_empty() {
                    h3 { "Scenario" }
                    pre tabindex="0" aria-label="Scenario" {
                        code { (self.scenario.document.trim_end()) }
                    }
                }
            }
        }
    }

    fn asked(&self) -> Vec<(&'static str, String)> {
        let scenario = self.scenario;
        let mut asked = vec![
            ("scenario", scenario.name.clone()),
            ("driver", scenario.target.clone()),
            ("pods", human::count(scenario.pods)),
            ("connections", human::count(scenario.connections as u64)),
            ("threads", human::count(scenario.threads as u64)),
            ("time limit of a call", format!("{} s", scenario.timeout_s)),
            ("namespace", scenario.namespace.clone()),
            ("seed", scenario.seed.to_string()),
            ("plan hash", self.plan_hash.to_owned()),
        ];
        let given = [
            ("endpoint", scenario.endpoint.clone()),
            ("sandboxer", scenario.sandboxer.clone()),
            ("containerd", scenario.containerd.clone()),
            ("runtime handler", scenario.runtime_handler.clone()),
            ("image", scenario.image.clone()),
            (
                "sandboxer's arguments",
                Some(scenario.sandboxer_args.join(" ")),
            ),
        ];
        let given = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        asked.extend(given.filter(|(_, value)| !value.is_empty()));
        let shown = |one: &Software| ("tested program", format!("{}: {}", one.role, one.words()));
        asked.extend(scenario.software.iter().map(shown));
        let configurations = scenario.software.iter().filter_map(|one| {
            let configuration = one.configuration.as_ref()?;
            let hash = &configuration.sha256;
            let text = format!(
                "{}: {} settings other than the default, sha256 {hash:.12}",
                one.role,
                configuration.changes.len()
            );
            Some(("configuration", text))
        });
        asked.extend(configurations);
        asked
    }

    fn machine(&self, wall_s: Option<f64>) -> Vec<(&'static str, String)> {
        machine(self.header, self.environment, wall_s)
    }
}

/// Renders the command line and the machine of a document without a scenario of a load.
pub fn run(header: &Header, environment: &Environment, wall_s: Option<f64>) -> Markup {
    html! {
        section aria-labelledby="how" {
            h2 id="how" { "How it was run" }
            pre tabindex="0" aria-label="Command line" { code { (command(&header.command_line)) } }
            (list("Where", &machine(header, environment, wall_s)))
        }
    }
}

fn machine(
    header: &Header,
    environment: &Environment,
    wall_s: Option<f64>,
) -> Vec<(&'static str, String)> {
    let unknown = || "unknown".to_owned();
    let none = || "none".to_owned();
    let memory = environment.memory_bytes.map_or_else(unknown, human::bytes);
    let mut machine = vec![
        ("CPU", environment.cpu_model.clone().unwrap_or_else(unknown)),
        ("cores", environment.cores.to_string()),
        ("memory", memory),
        ("kernel", environment.kernel.clone()),
        ("architecture", environment.architecture.clone()),
        ("temporary files", environment.temporary_files.clone()),
        (
            "cgroups",
            environment
                .cgroup_version
                .map_or_else(unknown, |version| format!("version {version}")),
        ),
        (
            "CPU governor",
            environment.governor.clone().unwrap_or_else(none),
        ),
        (
            "clock",
            environment.clock_source.clone().unwrap_or_else(unknown),
        ),
        ("loadgen", header.tool_version.clone()),
        ("begun", header.started_at.clone()),
    ];
    machine.extend(wall_s.map(|wall_s| ("measured for", format!("{wall_s:.2} s"))));
    machine
}

fn list(name: &str, pairs: &[(&str, String)]) -> Markup {
    html! {
        div {
            h3 { (name) }
            dl.pairs { @for (name, value) in pairs { dt { (name) } dd { (value) } } }
        }
    }
}

/// Formats a command line in the syntax of a shell.
fn command(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    let quoted = |word: &String| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted_into_a_shell() {
        let words = ["loadgen", "run", "--a=b", "it's $HOME", ""].map(str::to_owned);
        assert_eq!(command(&words), r"loadgen run --a=b 'it'\''s $HOME' ''");
    }
}
