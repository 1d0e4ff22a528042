//! Columns of the data set, and one row.

use std::fmt::{Display, Write as _};
use std::io::{self, Write};

use crate::money::Money;

macro_rules! columns {
    ($($name:ident,)*) => {
        /// Column of the data set.
        #[derive(Debug, Clone, Copy)]
        #[expect(non_camel_case_types, reason = "the names of columns")]
        pub(super) enum Column {
            $($name,)*
        }

        /// Columns, in the order of their names; `x_` marks columns that the specification does
        /// not have.
        pub const COLUMNS: [&str; [$(stringify!($name)),*].len()] = [$(stringify!($name)),*];
    };
}

columns! {
    AvailabilityZone,
    BilledCost,
    BillingAccountId,
    BillingAccountName,
    BillingCurrency,
    BillingPeriodEnd,
    BillingPeriodStart,
    ChargeCategory,
    ChargeClass,
    ChargeDescription,
    ChargeFrequency,
    ChargePeriodEnd,
    ChargePeriodStart,
    ConsumedQuantity,
    ConsumedUnit,
    ContractedCost,
    ContractedUnitPrice,
    EffectiveCost,
    InvoiceIssuerName,
    ListCost,
    ListUnitPrice,
    PricingCategory,
    PricingQuantity,
    PricingUnit,
    ProviderName,
    PublisherName,
    RegionId,
    RegionName,
    ResourceId,
    ResourceName,
    ResourceType,
    ServiceCategory,
    ServiceName,
    ServiceSubcategory,
    SkuId,
    SkuMeter,
    SkuPriceId,
    SubAccountId,
    SubAccountName,
    Tags,
    x_Node,
    x_Workload,
}

/// Row, of which each value is empty until it is set.
pub(super) struct Row(Vec<String>);

impl Row {
    /// Returns a row without values.
    pub(super) fn new() -> Self {
        Self(vec![String::new(); COLUMNS.len()])
    }

    /// Removes all values.
    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(String::clear);
    }

    /// Sets the value of a column.
    pub(super) fn set(&mut self, column: Column, value: impl Display) {
        let place = &mut self.0[column as usize];
        place.clear();
        // Writing to a string cannot fail.
        let _ = write!(place, "{value}");
    }

    /// Sets the values of a cost, which has no discounts.
    pub(super) fn set_cost(&mut self, cost: Money, price: Money, quantity: &str, unit: &str) {
        for column in [
            Column::BilledCost,
            Column::ContractedCost,
            Column::EffectiveCost,
            Column::ListCost,
        ] {
            self.set(column, cost);
        }
        self.set(Column::ContractedUnitPrice, price);
        self.set(Column::ListUnitPrice, price);
        self.set(Column::PricingQuantity, quantity);
        self.set(Column::PricingUnit, unit);
    }

    /// Sets the columns that name the provider.
    pub(super) fn set_provider(&mut self, provider: &str) {
        for column in [
            Column::InvoiceIssuerName,
            Column::ProviderName,
            Column::PublisherName,
        ] {
            self.set(column, provider);
        }
    }

    /// Writes the row as a line of CSV.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for (place, value) in self.0.iter().enumerate() {
            if place > 0 {
                out.write_all(b",")?;
            }
            if value.contains([',', '"', '\n', '\r']) {
                write!(out, "\"{}\"", value.replace('"', "\"\""))?;
            } else {
                out.write_all(value.as_bytes())?;
            }
        }
        out.write_all(b"\n")
    }
}
