//! Prices of machines in the form of OpenCost's CSV files (`pkg/cloud/provider/csvprovider.go`).

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use inventory::Node;

use crate::money::Money;
use crate::prices::PriceError;

/// Fields of a line, as the first line names them.
pub const FIELDS: [&str; 8] = [
    "EndTimestamp",
    "InstanceID",
    "Region",
    "AssetClass",
    "InstanceIDField",
    "InstanceType",
    "MarketPriceHourly",
    "Version",
];

/// Labels with the type of a machine, and with its region, first the current ones
/// (`core/pkg/util/compat.go` of OpenCost).
const INSTANCE_TYPE: [&str; 2] = [
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/instance-type",
];
const REGION: [&str; 2] = [
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/region",
];

/// Price of one machine by its name, its identifier or a label.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    line: usize,
    /// Value that identifies the machine, in lower case.
    id: String,
    price: Money,
}

/// Property of a node that is compared with a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum IdField {
    ProviderId,
    Name,
    Label(String),
}

/// Prices of machines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsvPrices {
    rows: Vec<Row>,
    /// Places of rows by the property, the region in lower case (empty for any) and the value;
    /// the last row of equal ones.
    places: BTreeMap<IdField, BTreeMap<(String, String), usize>>,
    /// First price of each region and type.
    types: BTreeMap<(String, String), Money>,
    /// Labels that name the sort of graphics processor, with the price of each sort.
    gpus: Vec<(String, String, Money)>,
    /// Number of rows that this program has no use for: prices of volumes.
    pub ignored: usize,
}

/// Match of a node with a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// A row for this very machine, at this place.
    Exact(usize, Money),
    /// A row for a machine of the same type in the same region.
    Type(Money),
}

impl FromStr for CsvPrices {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Self, PriceError> {
        let mut prices = Self::default();
        for (place, text) in text.lines().enumerate() {
            let line = place + 1;
            if text.trim().is_empty() || text.starts_with('#') {
                continue;
            }
            let fields = fields(text).map_err(|message| PriceError::Line { line, message })?;
            if line == 1 && fields.first().is_some_and(|first| first == FIELDS[0]) {
                continue;
            }
            let count = fields.len();
            let fields: [String; FIELDS.len()] =
                fields.try_into().map_err(|_| PriceError::Line {
                    line,
                    message: format!(
                        "{count} fields instead of the {} of {}",
                        FIELDS.len(),
                        FIELDS.join(",")
                    ),
                })?;
            prices
                .add(line, &fields)
                .map_err(|message| PriceError::Line { line, message })?;
        }
        if prices.rows.is_empty() && prices.gpus.is_empty() {
            return Err(PriceError::Empty);
        }
        Ok(prices)
    }
}

impl CsvPrices {
    fn add(&mut self, line: usize, fields: &[String; FIELDS.len()]) -> Result<(), String> {
        let [_, id, region, class, field, instance_type, price, _] = fields;
        let money: Money = price
            .trim()
            .parse()
            .map_err(|error| format!("MarketPriceHourly: {price:?}: {error}"))?;
        match class.as_str() {
            "pv" => self.ignored += 1,
            "gpu" => self
                .gpus
                .push((field.to_lowercase(), id.to_lowercase(), money)),
            // OpenCost takes any other class for a machine; a misspelt one is an error here.
            "node" => {
                let kind = (region.to_lowercase(), instance_type.clone());
                // OpenCost means to average the prices of one type and keeps the first.
                self.types.entry(kind).or_insert(money);
                let id = id.to_lowercase();
                let places = self.places.entry(id_field(field)?).or_default();
                places.insert((region.to_lowercase(), id.clone()), self.rows.len());
                self.rows.push(Row {
                    line,
                    id,
                    price: money,
                });
            }
            other => return Err(format!("AssetClass: {other:?} is none of node, gpu, pv")),
        }
        Ok(())
    }

    /// Returns the price of a node: of the last row for this machine in its region, else for this
    /// machine in any region, else of the first row for its type.
    pub(super) fn of(&self, node: &Node) -> Option<Match> {
        let region = label(node, &REGION).to_lowercase();
        let find = |region: &str| {
            let places = self.places.iter().filter_map(|(field, places)| {
                let key = (region.to_owned(), field.of(node)?);
                places.get(&key)
            });
            let place = *places.max()?;
            Some(Match::Exact(place, self.rows[place].price))
        };
        let by_type = || {
            let instance_type = label(node, &INSTANCE_TYPE);
            let kind = (region.clone(), instance_type.to_owned());
            let anywhere = (String::new(), instance_type.to_owned());
            let found = self.types.get(&kind).or_else(|| self.types.get(&anywhere));
            found
                .filter(|_| !instance_type.is_empty())
                .map(|price| Match::Type(*price))
        };
        let in_region = Some(&region).filter(|region| !region.is_empty());
        in_region
            .and_then(|region| find(region))
            .or_else(|| find(""))
            .or_else(by_type)
    }

    /// Returns the price of each of a node's graphics processors, by a label that names their sort.
    pub(super) fn gpu(&self, node: &Node) -> Option<Money> {
        let sort = |label: &str| {
            let found = node
                .labels
                .iter()
                .find(|(name, _)| name.to_lowercase() == label);
            found.map(|(_, value)| value.to_lowercase())
        };
        let found = self
            .gpus
            .iter()
            .rev()
            .find(|(label, id, _)| sort(label).is_some_and(|sort| sort == *id));
        found.map(|(_, _, price)| *price)
    }

    /// Returns the identifiers and lines of rows without a machine among these places.
    pub(super) fn unmatched(&self, matched: &BTreeSet<usize>) -> Vec<(usize, &str)> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(place, _)| !matched.contains(place))
            .map(|(_, row)| (row.line, row.id.as_str()))
            .collect()
    }
}

/// Returns the value of the first of some labels that a node has; empty if it has none.
fn label<'a>(node: &'a Node, names: &[&str]) -> &'a str {
    let found = names.iter().find_map(|name| node.labels.get(*name));
    found.map_or("", |value| value.as_str())
}

fn id_field(text: &str) -> Result<IdField, String> {
    if text == "spec.providerID" {
        return Ok(IdField::ProviderId);
    }
    if text == "metadata.name" {
        return Ok(IdField::Name);
    }
    let label = text.strip_prefix("metadata.labels.");
    label
        .map(|label| IdField::Label(label.to_owned()))
        .ok_or_else(|| {
            format!(
                "InstanceIDField: {text:?} is none of spec.providerID, metadata.name, \
             metadata.labels.NAME"
            )
        })
}

impl IdField {
    /// Returns the value of a node in lower case (`NodeValueFromMapField`).
    fn of(&self, node: &Node) -> Option<String> {
        let value = match self {
            Self::Name => &*node.name,
            Self::Label(label) => node.labels.get(label)?,
            Self::ProviderId => instance(node.provider_id.as_deref()?),
        };
        Some(value.to_lowercase())
    }
}

/// Returns the machine of a provider's identifier: of `aws:///ZONE/INSTANCE` the instance, of
/// `azure://ID` the rest.
fn instance(provider_id: &str) -> &str {
    let aws = provider_id
        .find("aws:///")
        .map(|start| &provider_id[start + 7..]);
    let parts = aws.and_then(|rest| rest.split_once('/'));
    if let Some((zone, rest)) = parts
        && let Some(instance) = rest.split('/').next()
        && !zone.is_empty()
        && !instance.is_empty()
    {
        return instance;
    }
    provider_id.strip_prefix("azure://").unwrap_or(provider_id)
}

/// Splits a line into its fields; a field in double quotes may have commas and doubled quotes.
fn fields(line: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
            Some(quoted) => quoted_field(quoted)?,
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(fields),
            None => return Err("text after the closing quote of a field".to_owned()),
        }
    }
}

fn quoted_field(mut rest: &str) -> Result<(String, &str), String> {
    let mut field = String::new();
    loop {
        let end = rest.find('"').ok_or("a quote that is not closed")?;
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None => return Ok((field, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Vec<String> {
        fields(text).unwrap()
    }

    #[test]
    fn quoted_fields_may_have_commas_and_quotes() {
        assert_eq!(line(r#"a,"b,""c""",,d"#), ["a", "b,\"c\"", "", "d"]);
        assert_eq!(line(""), [""]);
        assert!(fields(r#""a"#).is_err());
        assert!(fields(r#""a"b,c"#).is_err());
    }

    #[test]
    fn the_instance_is_cut_out_of_the_identifier_of_the_provider() {
        for (id, expected) in [
            ("aws:///us-east-1a/i-0abc", "i-0abc"),
            ("aws:///us-east-1a/i-0abc/x", "i-0abc"),
            ("aws:///us-east-1a", "aws:///us-east-1a"),
            ("azure:///subscriptions/1", "/subscriptions/1"),
            ("gce://project/zone/name", "gce://project/zone/name"),
        ] {
            assert_eq!(instance(id), expected);
        }
    }

    #[test]
    fn wrong_lines_are_told() {
        for (text, message) in [
            ("", "no price in the file"),
            (
                "a,b\n",
                "line 1: 2 fields instead of the 8 of EndTimestamp,InstanceID,Region,\
              AssetClass,InstanceIDField,InstanceType,MarketPriceHourly,Version",
            ),
            (
                "# prices\n,n,,node,metadata.name,,x,\n",
                "line 2: MarketPriceHourly: \"x\": not a decimal number such as 0.031611",
            ),
            (
                ",n,,disk,metadata.name,,1,\n",
                "line 1: AssetClass: \"disk\" is none of node, gpu, pv",
            ),
            (
                ",n,,node,metadata.annotations.x,,1,\n",
                "line 1: InstanceIDField: \"metadata.annotations.x\" is none of spec.providerID, \
              metadata.name, metadata.labels.NAME",
            ),
        ] {
            assert_eq!(text.parse::<CsvPrices>().unwrap_err().to_string(), message);
        }
    }
}
