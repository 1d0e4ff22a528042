//! `slotplan export`: tables for other programs, and traces that make a placement happen.

pub(super) mod answer;
mod files;
mod page;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use export::replay::{Timeline, Trace, by_node, scenario};
use export::{Cluster, Exporter, Format, Results, read_result};
use inventory::{Assumption, Inventory};

use crate::answer::{Answer, Header, InputFile, OutputArgs};
use crate::exit::Verdict;
use crate::input::InputArgs;
use crate::progress::Phase;
use answer::Document;
use files::Directory;

/// Options of `slotplan export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Write tables in Apache Parquet to DIR, which must be empty or new
    #[arg(long, value_name = "DIR", help_heading = "Tables")]
    parquet: Option<PathBuf>,
    /// Write tables as comma-separated values to DIR, which must be empty or new
    #[arg(long, value_name = "DIR", help_heading = "Tables")]
    csv: Option<PathBuf>,
    /// Name of the cluster, a column of every table
    #[arg(
        long,
        value_name = "NAME",
        default_value = "default",
        help_heading = "Tables"
    )]
    cluster: Cluster,
    /// Result of `slotplan schedule --json` or `slotplan cost --json`, for the tables of placements
    /// and costs and for the nodes of traces; can be given several times
    #[arg(long, value_name = "FILE", help_heading = "Tables")]
    result: Vec<PathBuf>,
    /// Write a trace for each node to DIR/NODE.trace, which `loadgen replay` plays against the
    /// runtime of that node
    #[arg(long, value_name = "DIR", help_heading = "Traces")]
    emit_trace: Option<PathBuf>,
    /// Time for which pods without a departure stay after the last change
    #[arg(
        long,
        value_name = "TIME",
        default_value = "1m",
        value_parser = stay,
        help_heading = "Traces"
    )]
    stay: Duration,
    /// Write a scenario for `loadgen run` to FILE, which draws pods like those of the input
    #[arg(long, value_name = "FILE", help_heading = "Traces")]
    emit_scenario: Option<PathBuf>,
    /// Options for the output.
    #[command(flatten)]
    pub output: OutputArgs,
}

fn stay(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

impl ExportArgs {
    /// Writes the tables and traces, and tells what they hold.
    ///
    /// # Errors
    /// An input that cannot be read, a directory that is not empty, a file that cannot be written.
    pub fn run(&self) -> anyhow::Result<Answer> {
        // Before the inputs, which may take long to read.
        let open = |path: &Option<PathBuf>| path.as_deref().map(Directory::new).transpose();
        ensure!(
            self.parquet.is_some()
                || self.csv.is_some()
                || self.emit_trace.is_some()
                || self.emit_scenario.is_some(),
            "nothing to write: give --parquet, --csv, --emit-trace or --emit-scenario"
        );
        let parquet = open(&self.parquet)?;
        let csv = open(&self.csv)?;
        let traces = open(&self.emit_trace)?;
        let mut input = self.input.read()?;
        let _phase = Phase::begin("writing the tables".to_owned());
        let results = self.results(&mut input.files)?;
        let inventory = &mut input.inventory;
        let mut document = Document {
            cluster: self.cluster.to_string(),
            tables: self.tables(inventory, &results, parquet, csv)?,
            traces: Vec::new(),
            pods_without_node: None,
            header: Header::new(answer::SCHEMA, &input.files, &[]),
        };
        if let Some(directory) = traces {
            self.write_traces(inventory, &results, &directory, &mut document)?;
        }
        if let Some(path) = &self.emit_scenario {
            let text = scenario(&inventory.pods).context("a scenario needs pods in the input")?;
            fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
        }
        let assumptions = inventory.assumptions.drain(..);
        document.header.assumptions = assumptions.map(|Assumption(text)| text).collect();
        Ok(Answer {
            verdict: Verdict::Good,
            text: document.text()?,
            page: Some(page::write(&document)),
            document: serde_json::to_value(document)?,
            markdown: None,
        })
    }

    fn results(&self, read: &mut Vec<InputFile>) -> anyhow::Result<Results> {
        let mut results = Results::default();
        for path in &self.result {
            let (text, file) = files::read_text(path)?;
            let document = read_result(&text).map_err(|error| anyhow!("{}: {error}", file.path))?;
            results.documents.push((file.path.clone(), document));
            read.push(file);
        }
        Ok(results)
    }

    fn tables(
        &self,
        inventory: &Inventory,
        results: &Results,
        parquet: Option<Directory>,
        csv: Option<Directory>,
    ) -> anyhow::Result<Vec<answer::Table>> {
        let directories = [(Format::Parquet, parquet), (Format::Csv, csv)];
        let directories: Vec<_> = directories
            .into_iter()
            .filter_map(|(format, directory)| Some((format, directory?)))
            .collect();
        if directories.is_empty() {
            return Ok(Vec::new());
        }
        let formats: Vec<_> = directories.iter().map(|(format, _)| *format).collect();
        let mut open = |format: Format, path: &str| {
            let directory = directories.iter().find(|(other, _)| *other == format);
            let (_, directory) = directory.ok_or(io::ErrorKind::NotFound)?;
            let file: Box<dyn Write + Send> = Box::new(directory.create(path)?);
            Ok(file)
        };
        let mut exporter = Exporter {
            cluster: &self.cluster,
            formats: &formats,
            open: &mut open,
        };
        let tables = exporter.write(inventory, results)?;
        Ok(tables.into_iter().map(answer::Table::from).collect())
    }

    /// Writes a trace for each node.
    fn write_traces(
        &self,
        inventory: &mut Inventory,
        results: &Results,
        directory: &Directory,
        document: &mut Document,
    ) -> anyhow::Result<()> {
        let schedules: Vec<_> = results.schedules().collect();
        ensure!(
            schedules.len() <= 1,
            "{} and {} both place the pods: a trace needs one schedule",
            schedules.first().map_or("", |(name, _)| name),
            schedules.get(1).map_or("", |(name, _)| name)
        );
        let schedule = schedules.first();
        let by_node = by_node(&inventory.pods, schedule.map(|(_, schedule)| *schedule))
            .map_err(|error| anyhow!("{}: {error}", schedule.map_or("input", |(name, _)| name)))?;
        let timeline = Timeline::of(&by_node, self.stay);
        let mut inexact = 0;
        for (node, pods) in &by_node.nodes {
            let trace = Trace {
                source: &format!("the pods of node {node} in a plan of slotplan"),
                pods,
                timeline,
            };
            let file = format!("{node}.trace");
            let out = directory.create(&file);
            let summary = out.and_then(|out| trace.write(&mut BufWriter::new(out)));
            let summary = summary.with_context(|| format!("write {file}"))?;
            inexact += summary.inexact;
            document
                .traces
                .push(answer::Trace::new(node, file, summary));
        }
        document.pods_without_node = Some(by_node.unplaced);
        if inexact > 0 {
            inventory.assumptions.push(Assumption(format!(
                "{inexact} pods request CPU that no runtime can be told: 1 or 2 millicores, which \
                 are replayed as none, or more than 256 cores for a container, replayed as 256"
            )));
        }
        Ok(())
    }
}
