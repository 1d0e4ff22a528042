//! The data set of FOCUS sums to the cost and has the formats of the specification.

use cost::prices::PriceList;
use cost::{Account, COLUMNS, Estimate, Grouping, Money, Period, group, write_focus};
use inventory::{InventoryBuilder, read};

const INPUT: &str = r#"{"apiVersion": "v1", "kind": "List", "items": [
    {"apiVersion": "v1", "kind": "Node",
     "metadata": {"name": "n1", "labels": {"topology.kubernetes.io/region": "eu-west-1"}},
     "spec": {"providerID": "aws:///eu-west-1a/i-0"},
     "status": {"capacity": {"cpu": "4", "memory": "16Gi"}}},
    {"apiVersion": "v1", "kind": "Pod",
     "metadata": {"name": "a", "namespace": "web", "labels": {"team": "a", "say": "\"x, y\""}},
     "spec": {"nodeName": "n1", "containers": [
        {"name": "app", "resources": {"requests": {"cpu": "333m", "memory": "1G"}}}]}},
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b", "namespace": "web"},
     "spec": {"containers": [{"name": "app", "resources": {"limits": {"nvidia.com/gpu": 1}}}]}}
]}"#;

/// Columns that a data set must have (feature level Mandatory).
const MANDATORY: [&str; 21] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
];

/// Splits a line of CSV.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut is_quoted) = (vec![String::new()], false);
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        let last = fields.last_mut().unwrap();
        match c {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                last.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            c => last.push(c),
        }
    }
    fields
}

#[test]
fn rows_sum_to_the_cost_and_have_the_columns_of_the_specification() {
    let mut builder = InventoryBuilder::new();
    read(&mut builder, "test.json", &mut INPUT.as_bytes()).unwrap();
    let inventory = builder.finish().unwrap();
    let estimate = Estimate::of(&inventory, &PriceList::default(), Period::Month).unwrap();
    let overhead: Money = "0.1".parse().unwrap();
    let account = Account {
        cluster: "prod".to_owned(),
        overheads: vec![overhead],
    };
    let mut csv = Vec::new();
    write_focus(&mut csv, &estimate, &inventory.nodes, &account).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let mut lines = csv.lines();
    assert_eq!(fields(lines.next().unwrap()), COLUMNS);
    assert!(COLUMNS.is_sorted());
    assert!(MANDATORY.iter().all(|column| COLUMNS.contains(column)));

    let grouping = Grouping {
        overheads: vec![(overhead, cost::Split::Even)],
        ..Grouping::default()
    };
    let grouped = group(
        &estimate.allocations,
        &estimate.nodes,
        estimate.window,
        &grouping,
    );
    let mut sum = Money::ZERO;
    let mut tags = Vec::new();
    for line in lines {
        let values = fields(line);
        assert_eq!(values.len(), COLUMNS.len(), "{line}");
        let value = |column: &str| {
            let place = COLUMNS.iter().position(|known| *known == column).unwrap();
            values[place].as_str()
        };
        for column in MANDATORY {
            // No row is a correction of an invoice.
            assert_eq!(
                value(column).is_empty(),
                column == "ChargeClass",
                "{column}: {line}"
            );
        }
        sum += value("EffectiveCost").parse().unwrap();
        let number = |column: &str| value(column).parse::<f64>().unwrap();
        let product = number("ListUnitPrice") * number("PricingQuantity");
        assert!((product - number("ListCost")).abs() < 1e-12, "{line}");
        assert_eq!(value("ChargePeriodStart"), "1970-01-01T00:00:00Z");
        assert_eq!(
            value("ConsumedQuantity").is_empty(),
            value("ChargeCategory") != "Usage"
        );
        tags.push(value("Tags").to_owned());
    }
    assert_eq!(sum, grouped.total());
    assert_eq!(tags[0], r#"{"say":"\"x, y\"","team":"a"}"#);
    // CPU and memory of a, the processor of b, idle CPU and memory of n1, the overhead.
    assert_eq!(tags.len(), 6);
}
