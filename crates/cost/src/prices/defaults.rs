//! Prices by core, GiB and graphics processor (`CustomPricing` in `pkg/cloud/models/models.go` of
//! OpenCost).

use std::str::FromStr;

use inventory::api::Labels;
use serde::Deserialize;

use crate::allocation::UnitPrices;
use crate::money::Money;
use crate::prices::PriceError;
use crate::resource::PerResource;
use crate::wide::mul_div_round;

/// Labels of nodes that may be taken away at any time, with their values (`isPreemptible` and the
/// spot labels of the providers in `pkg/cloud` of OpenCost).
const SPOT: [(&str, &str); 5] = [
    ("cloud.google.com/gke-spot", "true"),
    ("cloud.google.com/gke-preemptible", "true"),
    ("eks.amazonaws.com/capacityType", "SPOT"),
    ("karpenter.sh/capacity-type", "spot"),
    ("kubernetes.azure.com/scalesetpriority", "spot"),
];

/// Prices per hour by resource, with discounts applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultPrices {
    /// Description of the list.
    pub description: String,
    /// Code of the currency, such as `USD`.
    pub currency: String,
    /// Prices of ordinary nodes.
    pub on_demand: UnitPrices,
    /// Prices of spot nodes.
    pub spot: UnitPrices,
    /// Label of spot nodes and its value, beside the well-known ones.
    pub spot_label: Option<(String, String)>,
    /// Discount on CPU and memory in millionths (`applyNodeDiscount` in
    /// `pkg/costmodel/allocation_helpers.go`).
    pub discount: u32,
}

/// File as it is written; all values are texts in OpenCost, and numbers are read, too.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(non_snake_case, reason = "the names of OpenCost")]
struct File {
    description: Value,
    CPU: Value,
    spotCPU: Value,
    RAM: Value,
    spotRAM: Value,
    GPU: Value,
    spotGPU: Value,
    spotLabel: Value,
    spotLabelValue: Value,
    currencyCode: Value,
    discount: Value,
    negotiatedDiscount: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Value {
    #[default]
    Absent,
    Text(String),
    Number(serde_json::Number),
}

impl Value {
    fn text(&self) -> Option<String> {
        match self {
            Self::Absent => None,
            Self::Text(text) if text.trim().is_empty() => None,
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
        }
    }
}

impl Default for DefaultPrices {
    /// Returns the prices of `configs/default.json` of OpenCost: Google Cloud, us-central1.
    fn default() -> Self {
        let prices = |cpu: u128, memory: u128| PerResource {
            cpu: millionths(cpu),
            memory: millionths(memory),
            gpu: millionths(950_000),
        };
        Self {
            description: "Default prices based on GCP us-central1".to_owned(),
            currency: "USD".to_owned(),
            on_demand: prices(31_611, 4_237),
            spot: prices(6_655, 892),
            spot_label: None,
            discount: 0,
        }
    }
}

fn millionths(amount: u128) -> Money {
    Money::from_units(amount * 10_u128.pow(Money::DECIMALS - 6)).unwrap_or_default()
}

impl FromStr for DefaultPrices {
    type Err = PriceError;

    /// Reads a file. A price that it does not have is the one of [`DefaultPrices::default`]; a spot
    /// price of processors without one is the ordinary one.
    fn from_str(text: &str) -> Result<Self, PriceError> {
        let file: File = serde_json::from_str(text).map_err(|error| PriceError::Json {
            line: error.line(),
            message: error.to_string(),
        })?;
        let built_in = Self::default();
        let price = |field, value: &Value, default: Money| match value.text() {
            None => Ok(default),
            Some(text) => text.parse().map_err(|error| PriceError::Field {
                field,
                value: text,
                error,
            }),
        };
        let gpu = price("GPU", &file.GPU, built_in.on_demand.gpu)?;
        let on_demand = PerResource {
            cpu: price("CPU", &file.CPU, built_in.on_demand.cpu)?,
            memory: price("RAM", &file.RAM, built_in.on_demand.memory)?,
            gpu,
        };
        let spot = PerResource {
            cpu: price("spotCPU", &file.spotCPU, built_in.spot.cpu)?,
            memory: price("spotRAM", &file.spotRAM, built_in.spot.memory)?,
            gpu: price("spotGPU", &file.spotGPU, gpu)?,
        };
        let paid = [
            ("discount", &file.discount),
            ("negotiatedDiscount", &file.negotiatedDiscount),
        ]
        .into_iter()
        .map(|(field, value)| Ok(1_000_000 - percentage(field, value)?))
        .product::<Result<u64, PriceError>>()?;
        // Of the millionths of millionths that are paid, a discount has six decimals.
        let discount = u32::try_from(1_000_000 - paid / 1_000_000).unwrap_or(1_000_000);
        Ok(Self {
            description: file.description.text().unwrap_or_default(),
            currency: file.currencyCode.text().unwrap_or(built_in.currency),
            on_demand: discounted(on_demand, discount),
            spot: discounted(spot, discount),
            spot_label: file.spotLabel.text().zip(file.spotLabelValue.text()),
            discount,
        })
    }
}

impl DefaultPrices {
    /// Returns the prices of a node with these labels, and whether they are spot prices.
    pub fn of(&self, labels: &Labels) -> (UnitPrices, bool) {
        let own = self.spot_label.iter();
        let own = own.map(|(label, value)| (label.as_str(), value.as_str()));
        let is_spot = own
            .chain(SPOT)
            .any(|(label, value)| labels.get(label).is_some_and(|found| found == value));
        let prices = if is_spot { self.spot } else { self.on_demand };
        (prices, is_spot)
    }
}

/// Returns a percentage in millionths.
fn percentage(field: &'static str, value: &Value) -> Result<u64, PriceError> {
    let Some(text) = value.text() else {
        return Ok(0);
    };
    let number = text.trim().trim_end_matches('%');
    let wrong = || PriceError::Percentage {
        field,
        value: text.clone(),
    };
    let percent: Money = number.parse().map_err(|_| wrong())?;
    // One percent is 10^15 units, a hundredth of the whole.
    let millionths = percent.units() / 10_u128.pow(Money::DECIMALS - 4);
    u64::try_from(millionths)
        .ok()
        .filter(|millionths| *millionths <= 1_000_000)
        .ok_or_else(wrong)
}

/// Applies a discount to CPU and memory; OpenCost leaves processors out.
pub(super) fn discounted(prices: UnitPrices, discount: u32) -> UnitPrices {
    let paid = u128::from(1_000_000_u32.saturating_sub(discount));
    let apply = |price: Money| {
        let units = mul_div_round(price.units(), paid, 1_000_000);
        units.and_then(Money::from_units).unwrap_or(price)
    };
    PerResource {
        cpu: apply(prices.cpu),
        memory: apply(prices.memory),
        gpu: prices.gpu,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
        "provider": "custom", "description": "Default prices based on GCP us-central1",
        "CPU": "0.031611", "spotCPU": "0.006655", "RAM": "0.004237", "spotRAM": "0.000892",
        "GPU": "0.95", "storage": "0.00005479452", "zoneNetworkEgress": "0.01",
        "regionNetworkEgress": "0.01", "internetNetworkEgress": "0.12"
    }"#;

    #[test]
    fn the_built_in_prices_are_those_of_the_file_of_opencost() {
        assert_eq!(FILE.parse(), Ok(DefaultPrices::default()));
        assert_eq!(
            "{}".parse::<DefaultPrices>().unwrap().spot,
            DefaultPrices::default().spot
        );
    }

    #[test]
    fn discounts_apply_one_after_the_other_to_cpu_and_memory() {
        let file = r#"{"CPU": 1, "RAM": "2", "GPU": "3", "discount": "30%",
                       "negotiatedDiscount": "10%", "currencyCode": "EUR"}"#;
        let prices: DefaultPrices = file.parse().unwrap();
        let texts = Resource::ALL.map(|resource| prices.on_demand[resource].to_string());
        assert_eq!(texts, ["0.63", "1.26", "3"]);
        assert_eq!(prices.currency, "EUR");
    }

    #[test]
    fn spot_nodes_are_known_by_their_labels() {
        let file = r#"{"spotLabel": "pool", "spotLabelValue": "cheap"}"#;
        let prices: DefaultPrices = file.parse().unwrap();
        for (label, value, expected) in [
            ("pool", "cheap", true),
            ("pool", "dear", false),
            ("karpenter.sh/capacity-type", "spot", true),
            ("karpenter.sh/capacity-type", "on-demand", false),
        ] {
            let labels = [(label.to_owned(), value.to_owned())].into_iter().collect();
            assert_eq!(prices.of(&labels).1, expected, "{label}={value}");
        }
    }

    #[test]
    fn wrong_values_name_their_field() {
        for (file, message) in [
            (r#"{"CPU": "-1"}"#, r#"CPU: "-1": below zero"#),
            (
                r#"{"RAM": "cheap"}"#,
                r#"RAM: "cheap": not a decimal number such as 0.031611"#,
            ),
            (r#"{"RAM": 1e300}"#, r#"RAM: "1e+300": above 1e15"#),
            (
                r#"{"discount": "130%"}"#,
                r#"discount: "130%": not a percentage such as 30%, from 0% to 100%"#,
            ),
        ] {
            assert_eq!(
                file.parse::<DefaultPrices>().unwrap_err().to_string(),
                message
            );
        }
        let error = "{\n\"CPU\": }".parse::<DefaultPrices>().unwrap_err();
        assert!(error.to_string().starts_with("line 2: "), "{error}");
    }

    use crate::resource::Resource;
}
