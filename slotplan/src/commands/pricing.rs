//! Options with prices, which `cost` and `diff` have.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, anyhow};
use clap::Args;
use cost::prices::{GivenPrice, PriceList};
use sha2::{Digest, Sha256};

use crate::answer::InputFile;

/// Options with prices.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Prices")]
pub struct PriceArgs {
    /// Prices in a form of OpenCost: JSON by resource (configs/default.json) or CSV by machine;
    /// one of each may be given
    #[arg(long, value_name = "FILE")]
    prices: Vec<PathBuf>,
    /// Price of a node per hour, before any other; or those of its cores, GiB and GPUs, as in
    /// n1=0.03,0.004,0.95
    #[arg(long, value_name = "NAME=PRICE", value_parser = Named::<GivenPrice>::from_str)]
    node_price: Vec<Named<GivenPrice>>,
}

/// Value with a name: `NAME=VALUE`.
#[derive(Debug, Clone)]
pub struct Named<T> {
    /// Name.
    pub name: String,
    /// Value.
    pub value: T,
}

impl<T: FromStr<Err: std::fmt::Display>> FromStr for Named<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("not NAME=VALUE")?;
        Ok(Self {
            name: name.to_owned(),
            value: value.parse().map_err(|error: T::Err| error.to_string())?,
        })
    }
}

impl PriceArgs {
    /// Reads the lists of prices, and tells which files were read.
    ///
    /// # Errors
    /// A file that cannot be read or is wrong, or two of one form.
    pub fn read(&self) -> anyhow::Result<(PriceList, Vec<InputFile>)> {
        let mut list = PriceList::default();
        let mut files = Vec::new();
        let (mut json, mut csv) = (None, None);
        for path in &self.prices {
            let name = path.display().to_string();
            let text = fs::read_to_string(path).with_context(|| format!("read {name}"))?;
            files.push(InputFile {
                bytes: text.len() as u64,
                sha256: sha256(&text),
                path: name.clone(),
            });
            let wrong = |error| anyhow!("{name}: {error}");
            let earlier = if text.trim_start().starts_with('{') {
                list.defaults = text.parse().map_err(wrong)?;
                json.replace(name.clone())
            } else {
                list.machines = text.parse().map_err(wrong)?;
                csv.replace(name.clone())
            };
            if let Some(earlier) = earlier {
                anyhow::bail!("{name}: prices of this form were read from {earlier}, too");
            }
        }
        for Named { name, value } in &self.node_price {
            list.given.push((name.as_str().into(), *value));
        }
        Ok((list, files))
    }
}

fn sha256(text: &str) -> String {
    let mut digits = String::new();
    for byte in Sha256::digest(text) {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
