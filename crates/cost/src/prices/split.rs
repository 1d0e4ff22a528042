//! Price of a machine to prices of its resources.

use crate::allocation::UnitPrices;
use crate::money::Money;
use crate::resource::{PerResource, Rates, Resource};
use crate::wide::{mul_div, mul_div_round};

/// Splits the price of a machine in the proportion that default prices have (`GetNodeCost` in
/// `pkg/costmodel/costmodel.go` of OpenCost, and appendix A of its specification).
///
/// A machine of `c` cores, `m` GiB and `g` processors, with default prices `C`, `M` and `G`, has
/// the memory price `price / (g * G / M + c * C / M + m)`, and the others in proportion.
/// OpenCost rounds the results to six decimals; here they keep 15, so that the resources of the
/// machine cost as much as the machine.
///
/// Processors with a price of their own are no part of the split. A machine without any resource
/// that has a default price costs nothing by its resources: `None`.
pub fn split(price: Money, capacity: &Rates, defaults: &UnitPrices) -> Option<UnitPrices> {
    // In units of 10^-15: the cost of the machine at default prices, per hour.
    let at_default = |resource| {
        mul_div(
            capacity[resource],
            defaults[resource].units(),
            resource.priced(),
        )
        .map(|(quotient, _)| quotient)
    };
    let mut whole = 0_u128;
    for resource in Resource::ALL {
        whole = whole.checked_add(at_default(resource)?)?;
    }
    if whole == 0 {
        return None;
    }
    let mut prices = PerResource::default();
    for resource in Resource::ALL {
        let units = mul_div_round(price.units(), defaults[resource].units(), whole)?;
        prices[resource] = Money::from_units(units)?;
    }
    Some(prices)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    /// The example of appendix A of the specification of OpenCost.
    #[test]
    fn a_machine_of_35_is_split_to_15_15_and_5() {
        let one = PerResource::from_fn(Resource::priced);
        let defaults = PerResource {
            cpu: money("30"),
            memory: money("10"),
            gpu: money("30"),
        };
        let prices = split(money("35"), &one, &defaults).unwrap();
        let texts = Resource::ALL.map(|resource| prices[resource].to_string());
        assert_eq!(texts, ["15", "5", "15"]);
    }

    #[test]
    fn a_machine_without_resources_has_no_prices() {
        let defaults = PerResource::default();
        assert_eq!(split(money("1"), &Rates::default(), &defaults), None);
    }
}
