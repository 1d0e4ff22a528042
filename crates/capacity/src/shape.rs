//! Shapes of nodes, as they are written on a command line.

use std::fmt;
use std::str::FromStr;

use inventory::api::Labels;
use inventory::{Amounts, ResourceName};
use kube_resources::{Quantity, QuantityError};

/// Number of pods of a node that states none (`maxPods` of the kubelet's default configuration).
pub const DEFAULT_PODS: i64 = 110;

/// Label of the zone of a node.
pub const ZONE: &str = "topology.kubernetes.io/zone";

/// Billionths in a unit of money.
const NANO: i128 = 1_000_000_000;

/// Kind of node that can be bought: `8c,32Gi,58pods,price=0.40,name=large,zone=a:b`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Name; by default the shape as it was written.
    pub name: String,
    /// Resources that pods may request, with the number of pods.
    pub allocatable: Amounts,
    /// Whether the number of pods was stated.
    pub states_pods: bool,
    /// Price of a node per hour, in billionths of a unit of money.
    pub price: Option<i128>,
    /// Zones, which nodes take in turns; none if the nodes have no zone.
    pub zones: Vec<String>,
    /// Other labels.
    pub labels: Labels,
}

/// Fault of a shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A part has no known form.
    #[error(
        "{0:?} is no part of a node: expected 8c, 32Gi, 58pods, RESOURCE=QUANTITY, price=, name=, \
         zone= or label.KEY=VALUE"
    )]
    Unknown(String),
    /// A quantity is wrong.
    #[error("{part:?}: {fault}")]
    Quantity {
        /// Part as it was written.
        part: String,
        /// Fault.
        fault: QuantityError,
    },
    /// An amount is zero or beyond 64 bits.
    #[error("{0:?} is not an amount that a node can have")]
    Amount(String),
    /// A part is there twice.
    #[error("{0} is stated twice")]
    Twice(String),
    /// CPU or memory is missing.
    #[error("the node has no {0} (such as 8c,32Gi,58pods)")]
    Missing(&'static str),
    /// A price is no number of at most nine decimals.
    #[error("{0:?} is not a price (such as 0.40)")]
    Price(String),
}

impl FromStr for Shape {
    type Err = ShapeError;

    fn from_str(text: &str) -> Result<Self, ShapeError> {
        let mut shape = Self {
            name: text.to_owned(),
            allocatable: Amounts::default(),
            states_pods: true,
            price: None,
            zones: Vec::new(),
            labels: Labels::new(),
        };
        for part in text.split(',').map(str::trim) {
            shape.add(part)?;
        }
        for (name, example) in [(ResourceName::CPU, "CPU"), (ResourceName::MEMORY, "memory")] {
            if shape.allocatable.get(name).is_none() {
                return Err(ShapeError::Missing(example));
            }
        }
        if shape.allocatable.get(ResourceName::PODS).is_none() {
            shape.states_pods = false;
            shape.allocatable.set(ResourceName::PODS, DEFAULT_PODS);
        }
        Ok(shape)
    }
}

impl Shape {
    fn add(&mut self, part: &str) -> Result<(), ShapeError> {
        match part.split_once('=') {
            Some(("price", price)) => {
                if self.price.replace(parse_price(price)?).is_some() {
                    return Err(ShapeError::Twice("price".to_owned()));
                }
            }
            Some(("name", name)) => name.clone_into(&mut self.name),
            Some(("zone", zones)) => {
                self.zones = zones.split(':').map(str::to_owned).collect();
            }
            Some((key, value)) => match key.strip_prefix("label.") {
                Some(label) => {
                    self.labels.insert(label.to_owned(), value.to_owned());
                }
                None => self.set(key, value, part)?,
            },
            None => {
                let suffixed = [("cpu", ResourceName::CPU), ("c", ResourceName::CPU)]
                    .into_iter()
                    .chain([("pods", ResourceName::PODS)])
                    .find_map(|(suffix, name)| Some((name, part.strip_suffix(suffix)?)));
                match suffixed {
                    Some((name, amount)) => self.set(name, amount, part)?,
                    None if part.starts_with(|first: char| first.is_ascii_digit()) => {
                        self.set(ResourceName::MEMORY, part, part)?;
                    }
                    None => return Err(ShapeError::Unknown(part.to_owned())),
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &str, amount: &str, part: &str) -> Result<(), ShapeError> {
        let quantity: Quantity = amount.parse().map_err(|fault| ShapeError::Quantity {
            part: part.to_owned(),
            fault,
        })?;
        let amount = match name {
            ResourceName::CPU => quantity.milli(),
            _ => quantity.whole(),
        };
        let amount = i64::try_from(amount)
            .ok()
            .filter(|amount| (1..i64::MAX).contains(amount));
        let amount = amount.ok_or_else(|| ShapeError::Amount(part.to_owned()))?;
        if self.allocatable.get(name).is_some() {
            return Err(ShapeError::Twice(name.to_owned()));
        }
        self.allocatable.set(name, amount);
        Ok(())
    }

    /// Returns the zone of a node by its number; `None` if nodes have no zone.
    pub fn zone(&self, node: usize) -> Option<&str> {
        let place = node.checked_rem(self.zones.len())?;
        self.zones.get(place).map(String::as_str)
    }
}

/// Writes the name.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Reads a price with at most nine decimals, in billionths.
fn parse_price(text: &str) -> Result<i128, ShapeError> {
    let error = || ShapeError::Price(text.to_owned());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    if !is_number || fraction.len() > 9 || whole.len() > 12 {
        return Err(error());
    }
    let number = |part: &str| match part {
        "" => Ok(0),
        part => part.parse::<i128>().map_err(|_| error()),
    };
    let scaled = format!("{fraction:0<9}");
    Ok(number(whole)? * NANO + number(&scaled)?)
}

/// Writes an amount of money in billionths with two decimals or as many as it needs.
pub fn money(nanos: i128) -> String {
    let (whole, fraction) = (nanos / NANO, (nanos % NANO).unsigned_abs());
    let fraction = format!("{fraction:09}");
    let decimals = fraction.trim_end_matches('0');
    format!("{whole}.{decimals:0<2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_read_with_all_of_its_parts() {
        let shape: Shape =
            "8c,32Gi,58pods,nvidia.com/gpu=2,price=0.4,name=large,zone=a:b,label.disk=ssd"
                .parse()
                .expect("a shape");
        let amounts: Vec<_> = shape.allocatable.iter().collect();
        assert_eq!(
            amounts,
            [
                ("cpu", 8000),
                ("memory", 32 << 30),
                ("nvidia.com/gpu", 2),
                ("pods", 58)
            ]
        );
        assert_eq!(
            (shape.name.as_str(), shape.price),
            ("large", Some(400_000_000))
        );
        assert_eq!(
            [shape.zone(0), shape.zone(1), shape.zone(2)],
            [Some("a"), Some("b"), Some("a")]
        );
        assert_eq!(shape.labels["disk"], "ssd");
    }

    #[test]
    fn a_shape_without_pods_takes_the_default_number() {
        let shape: Shape = "cpu=3920m,memory=15Gi".parse().expect("a shape");
        assert_eq!(shape.allocatable.cpu(), 3920);
        assert_eq!(shape.allocatable.get("pods"), Some(DEFAULT_PODS));
        assert!(!shape.states_pods && shape.zone(5).is_none());
    }

    #[test]
    fn faults_name_the_part() {
        for (text, fault) in [
            ("32Gi", "the node has no CPU (such as 8c,32Gi,58pods)"),
            ("8c", "the node has no memory (such as 8c,32Gi,58pods)"),
            ("8c,8c,1Gi", "cpu is stated twice"),
            ("0c,1Gi", "\"0c\" is not an amount that a node can have"),
            ("8c,1Gi,price=-1", "\"-1\" is not a price (such as 0.40)"),
            ("8c,1Gi,price=1,price=1", "price is stated twice"),
            (
                "8c,1Gi,price=0.1234567891",
                "\"0.1234567891\" is not a price (such as 0.40)",
            ),
        ] {
            let error = text.parse::<Shape>().expect_err(text);
            assert_eq!(error.to_string(), fault);
        }
        assert!(matches!(
            "8c,1Gi,huge".parse::<Shape>(),
            Err(ShapeError::Unknown(_))
        ));
        assert!("-8c,1Gi".parse::<Shape>().is_err());
        assert!("1e99c,1Gi".parse::<Shape>().is_err());
    }

    #[test]
    fn money_has_two_decimals_or_more() {
        assert_eq!(money(400_000_000), "0.40");
        assert_eq!(money(12 * NANO + 345_600_000), "12.3456");
        assert_eq!(money(0), "0.00");
    }
}
