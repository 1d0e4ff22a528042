//! Files and directories to an inventory.

use std::fs;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use admission::Requester;
use anyhow::Context;
use clap::{Args, ValueEnum};
use inventory::{Assumption, Inventory, InventoryBuilder, Part, Scale};
use rightsizing::resize::Resize;

use crate::admit;
use crate::answer::InputFile;
use crate::hashing::Hashing;
use crate::history::{self, HistoryArgs};
use crate::journal;
use crate::progress::Phase;

/// Options for the input, which every command has.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Files and directories with pods, nodes, usage and policies: manifests, cluster dumps,
    /// journals, traces, in any mixture
    #[arg(value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Use only the pods and workloads of INPUT
    #[arg(long, value_name = "INPUT")]
    pub load: Vec<PathBuf>,
    /// Use only the nodes of INPUT
    #[arg(long, value_name = "INPUT")]
    pub nodes: Vec<PathBuf>,
    /// Number of pods of a workload with a HorizontalPodAutoscaler: the number that the workload
    /// states, within the bounds of the autoscaler, or the least or most that it allows
    #[arg(long, value_enum, default_value_t, value_name = "NUMBER")]
    pub replicas: Replicas,
    /// Give pods the requests and limits of FILE, which `slotplan profile --apply-to FILE` writes
    #[arg(long, value_name = "FILE")]
    pub resize: Vec<PathBuf>,
    /// Options for what was recorded.
    #[command(flatten)]
    pub history: HistoryArgs,
    /// Options for policies.
    #[command(flatten)]
    pub policies: PolicyArgs,
}

/// Options for policies that decide on pods before a command computes, which every command has.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Policies")]
pub struct PolicyArgs {
    /// Let the policies of INPUT and of all other inputs decide on the pods first: refused pods are
    /// left out, and default requests and limits are set
    #[arg(long, value_name = "INPUT")]
    pub policies: Vec<PathBuf>,
    /// User that creates the pods, for policies
    #[arg(long, value_name = "NAME", default_value = "kubernetes-admin")]
    pub user: String,
    /// Group of the user, beside system:authenticated; can be given several times
    #[arg(long, value_name = "GROUP")]
    pub group: Vec<String>,
}

impl PolicyArgs {
    /// Returns the user that creates the pods, with the group that every user has.
    pub fn requester(&self) -> Requester {
        let mut groups = self.group.clone();
        groups.push("system:authenticated".to_owned());
        Requester {
            name: self.user.clone(),
            groups,
        }
    }
}

/// Number of pods of a workload with a HorizontalPodAutoscaler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Replicas {
    /// The number that the workload states.
    #[default]
    Written,
    /// The least that the autoscaler may set.
    Least,
    /// The most that the autoscaler may set.
    Most,
}

/// Inventory with the files that it was read from.
#[derive(Debug, Default)]
pub struct Input {
    /// Pods, nodes, usage and objects.
    pub inventory: Inventory,
    /// Files that were read, in the order of reading.
    pub files: Vec<InputFile>,
}

impl InputArgs {
    /// Reads all inputs, and lets the policies decide on the pods if `--policies` names some.
    ///
    /// # Errors
    /// A file that cannot be read, or whose contents are wrong.
    pub fn read(&self) -> anyhow::Result<Input> {
        if self.policies.policies.is_empty() {
            return self.read_into(InventoryBuilder::new());
        }
        let mut input = self.read_raw()?;
        admit::apply(&mut input.inventory, &self.policies.requester())?;
        Ok(input)
    }

    /// Returns the user that creates the pods.
    pub fn requester(&self) -> Requester {
        self.policies.requester()
    }

    /// Reads all inputs, and keeps pods and pod templates as they were written, for policies.
    ///
    /// # Errors
    /// A file that cannot be read, or whose contents are wrong.
    pub fn read_raw(&self) -> anyhow::Result<Input> {
        let mut builder = InventoryBuilder::new();
        builder.keep_raw();
        self.read_into(builder)
    }

    fn read_into(&self, mut builder: InventoryBuilder) -> anyhow::Result<Input> {
        builder.scale(match self.replicas {
            Replicas::Written => Scale::Written,
            Replicas::Least => Scale::Least,
            Replicas::Most => Scale::Most,
        });
        let mut files = Vec::new();
        let parts = [
            (Part::All, &self.inputs),
            (Part::Load, &self.load),
            (Part::Nodes, &self.nodes),
            (Part::Load, &self.policies.policies),
        ];
        for (part, paths) in parts {
            builder.select(part);
            for path in paths {
                let _phase = Phase::begin(format!("reading {}", path.display()));
                add(&mut builder, path, &self.history, &mut files)?;
            }
        }
        builder.select(Part::Load);
        history::add_usage(&mut builder, &self.history.usage, &mut files)?;
        let mut inventory = builder.finish()?;
        inventory.clip(self.history.window());
        for path in &self.resize {
            files.push(resize(&mut inventory, path)?);
        }
        Ok(Input { inventory, files })
    }
}

/// Gives pods the requests and limits of a file. New requests without a pod are an assumption.
fn resize(inventory: &mut Inventory, path: &Path) -> anyhow::Result<InputFile> {
    let file = path.display().to_string();
    let context = || format!("read {file}");
    let mut opened = fs::File::open(path).with_context(context)?;
    let mut reader = Hashing::new(&mut opened);
    let mut text = String::new();
    reader.read_to_string(&mut text).with_context(context)?;
    let unused = Resize::parse(&text)
        .and_then(|resize| resize.apply(inventory))
        .with_context(|| file.clone())?;
    for name in unused {
        let text = format!("{file}: no pod has {name}, so its new requests are left out");
        inventory.assumptions.push(Assumption(text));
    }
    Ok(reader.finish(&file))
}

/// Adds a file, a journal, each file of another directory, or standard input.
fn add(
    builder: &mut InventoryBuilder,
    path: &Path,
    history: &HistoryArgs,
    files: &mut Vec<InputFile>,
) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        return add_reader(builder, "-", &mut io::stdin().lock(), files);
    }
    let context = || format!("read {}", path.display());
    if fs::metadata(path).with_context(context)?.is_dir() {
        if let Some(directory) = journal::directory(path) {
            let options = history.journal();
            return journal::add(builder, &directory, options, history.history, files);
        }
        let mut found = Vec::new();
        walk(path, 0, &mut found)?;
        anyhow::ensure!(
            !found.is_empty(),
            "{}: no *.yaml, *.yml, *.json, *.sktrace or journal in the directory",
            path.display()
        );
        let add_one = |path: &PathBuf| add(builder, path, history, files);
        return found.iter().try_for_each(add_one);
    }
    let file = fs::File::open(path).with_context(context)?;
    add_reader(builder, &path.display().to_string(), &mut &file, files)
}

/// Finds the manifests and journals of a directory and of the directories within it, in the order
/// of names.
fn walk(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    /// Deepest nesting; a link to an enclosing directory would go on without end.
    const DEEPEST: usize = 32;
    let context = || format!("read {}", directory.display());
    anyhow::ensure!(
        depth <= DEEPEST,
        "{}: more than {DEEPEST} directories within each other",
        directory.display()
    );
    let mut entries = fs::read_dir(directory)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .with_context(context)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let is_manifest = path.extension().is_some_and(|extension| {
            ["yaml", "yml", "json", "sktrace"]
                .iter()
                .any(|known| extension == *known)
        });
        if path.is_dir() && journal::directory(&path).is_none() {
            walk(&path, depth + 1, found)?;
        } else if is_manifest || path.is_dir() {
            found.push(path);
        }
    }
    Ok(())
}

fn add_reader(
    builder: &mut InventoryBuilder,
    name: &str,
    reader: &mut dyn Read,
    files: &mut Vec<InputFile>,
) -> anyhow::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, Hashing::new(reader));
    inventory::read(builder, name, &mut reader)?;
    // The hash is that of the whole file, wherever its reader stopped.
    io::copy(&mut reader, &mut io::sink()).with_context(|| format!("read {name}"))?;
    files.push(reader.into_inner().finish(name));
    Ok(())
}
