//! Options of `loadgen compare`.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgGroup, Args};

use crate::result::baseline::BaselineName;

/// Options of `loadgen compare`.
#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[command(group(ArgGroup::new("instead_of_a").args(["several_a", "baseline"])))]
pub struct CompareArgs {
    /// Result A, to compare with: the directory of a run or of repeated runs, or its
    /// result.json. With --baseline this is B.
    #[arg(value_name = "A", required_unless_present = "several_b")]
    pub a: Option<PathBuf>,
    /// Result B, to compare, like A.
    #[arg(value_name = "B", required_unless_present_any = ["several_b", "baseline"],
          conflicts_with = "baseline")]
    pub b: Option<PathBuf>,
    /// Results that make up A together, instead of one.
    #[arg(id = "several_a", long = "a", env = "LOADGEN_A", value_name = "RESULT", num_args = 1..,
          value_delimiter = ',', requires = "several_b", conflicts_with_all = ["a", "b"])]
    pub several_a: Vec<PathBuf>,
    /// Results that make up B together, instead of one.
    #[arg(id = "several_b", long = "b", env = "LOADGEN_B", value_name = "RESULT", num_args = 1..,
          value_delimiter = ',', requires = "instead_of_a", conflicts_with_all = ["a", "b"])]
    pub several_b: Vec<PathBuf>,
    /// Baseline to compare with instead of A, as `loadgen run --save-baseline` keeps it.
    #[arg(long, env = "LOADGEN_BASELINE", value_name = "NAME")]
    pub baseline: Option<BaselineName>,
    /// Directory for saved results, with the baselines.
    #[arg(
        long,
        env = "LOADGEN_RESULTS",
        value_name = "DIR",
        default_value = "results"
    )]
    pub results: PathBuf,
    /// Smallest difference of CPU time that counts, in percent.
    #[arg(long, env = "LOADGEN_MIN_EFFECT", value_name = "PERCENT", default_value = "5",
          value_parser = percent)]
    pub min_effect: f64,
    /// Smallest difference of latencies and rates that counts, in percent.
    #[arg(long, env = "LOADGEN_MIN_LATENCY_EFFECT", value_name = "PERCENT", default_value = "10",
          value_parser = percent)]
    pub min_latency_effect: f64,
    /// Compare results that are not comparable; the output says so at the top.
    #[arg(long, env = "LOADGEN_ANYWAY", value_parser = BoolishValueParser::new())]
    pub anyway: bool,
    /// Print a table in Markdown.
    #[arg(long, env = "LOADGEN_MARKDOWN", conflicts_with = "json",
          value_parser = BoolishValueParser::new())]
    pub markdown: bool,
    /// Print a page in HTML.
    #[arg(long, env = "LOADGEN_HTML", conflicts_with_all = ["json", "markdown"],
          value_parser = BoolishValueParser::new())]
    pub html: bool,
    /// Print JSON.
    #[arg(long, env = "LOADGEN_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}

impl CompareArgs {
    /// Returns the paths of both sides.
    pub fn sides(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let side = |one: &Option<PathBuf>, several: &Vec<PathBuf>| match one {
            Some(one) => vec![one.clone()],
            None => several.clone(),
        };
        if let Some(baseline) = &self.baseline {
            let kept = vec![baseline.directory(&self.results)];
            return (kept, side(&self.a, &self.several_b));
        }
        (
            side(&self.a, &self.several_a),
            side(&self.b, &self.several_b),
        )
    }
}

/// Parses a percentage above 0 and up to 100, with or without a percent sign.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim().parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent),
        _ => Err("more than 0 and at most 100, in percent".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        compare: CompareArgs,
    }

    fn sides(args: &[&str]) -> Option<(Vec<PathBuf>, Vec<PathBuf>)> {
        // Variables of the environment are those of the tests' user.
        let command = Cli::command().mut_args(|arg| arg.env(None::<&'static str>));
        let args = ["compare"].iter().chain(args);
        let found = command.try_get_matches_from(args).ok()?;
        Some(Cli::from_arg_matches(&found).unwrap().compare.sides())
    }

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn a_baseline_takes_the_place_of_a() {
        let kept = paths(&["results/baselines/main"]);
        for (args, expected) in [
            (&["x", "y"][..], Some((paths(&["x"]), paths(&["y"])))),
            (
                &["--baseline", "main", "y"],
                Some((kept.clone(), paths(&["y"]))),
            ),
            (
                &["--baseline", "main", "--b", "y", "z"],
                Some((kept, paths(&["y", "z"]))),
            ),
            (
                &["--a", "x", "--b", "y"],
                Some((paths(&["x"]), paths(&["y"]))),
            ),
            (&["x"], None),
            (&["--baseline", "main"], None),
            (&["--baseline", "main", "x", "y"], None),
            (&["--baseline", "main", "--a", "x", "--b", "y"], None),
            (&["--baseline", "../x", "y"], None),
        ] {
            assert_eq!(sides(args), expected, "{args:?}");
        }
    }
}
