//! Prices of nodes from lists in the forms of OpenCost.

use cost::prices::{CsvPrices, GivenPrice, PriceList, PriceSource};
use cost::{Money, Resource};
use inventory::{Amounts, Node, Source};

const HEAD: &str = "EndTimestamp,InstanceID,Region,AssetClass,InstanceIDField,InstanceType,MarketPriceHourly,Version\n";

fn node(name: &str, gpus: i64, labels: &[(&str, &str)], provider_id: Option<&str>) -> Node {
    let mut amounts: Amounts = [("cpu", 4000), ("memory", 16 << 30)].into_iter().collect();
    if gpus > 0 {
        amounts.set("nvidia.com/gpu", gpus);
    }
    let labels = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Node {
        name: name.into(),
        labels: labels.collect::<inventory::api::Labels>().into(),
        taints: [].into(),
        unschedulable: false,
        allocatable: amounts.clone().into(),
        capacity: amounts.into(),
        provider_id: provider_id.map(Into::into),
        source: Source {
            file: "nodes.yaml".into(),
            line: 1,
        },
    }
}

fn list(rows: &str) -> PriceList {
    let machines: CsvPrices = format!("{HEAD}{rows}").parse().unwrap();
    PriceList {
        machines,
        ..PriceList::default()
    }
}

/// Returns the cost of an hour of all resources of a node, rounded to nine decimals.
fn per_hour(list: &PriceList, node: &Node) -> (String, PriceSource) {
    let (priced, _) = list.price(std::slice::from_ref(node));
    let node = &priced[0].node;
    let cost = |resource: Resource| {
        let units = node.capacity[resource] * node.prices[resource].units() / resource.priced();
        Money::from_units(units).unwrap()
    };
    let total: Money = Resource::ALL.into_iter().map(cost).sum();
    (total.rounded(9), priced[0].source)
}

#[test]
fn a_node_costs_the_price_of_its_row() {
    let list = list(
        "2019-04-17 23:34:22 UTC,N1,,node,metadata.name,,0.1337,\n\
         ,pool-a,,node,metadata.labels.pool,,0.2,\n\
         ,I-0ABC,,node,spec.providerID,m5.xlarge,0.3,\n",
    );
    for (node, price, source) in [
        (
            node("n1", 0, &[], None),
            "0.133700000",
            PriceSource::Machine,
        ),
        (
            node("x", 0, &[("pool", "pool-a")], None),
            "0.200000000",
            PriceSource::Machine,
        ),
        (
            node("x", 0, &[], Some("aws:///eu/i-0abc")),
            "0.300000000",
            PriceSource::Machine,
        ),
        (
            node(
                "x",
                0,
                &[("node.kubernetes.io/instance-type", "m5.xlarge")],
                None,
            ),
            "0.300000000",
            PriceSource::InstanceType,
        ),
        (node("x", 0, &[], None), "0.194236000", PriceSource::Default),
        (
            node("x", 0, &[("cloud.google.com/gke-spot", "true")], None),
            "0.040892000",
            PriceSource::DefaultSpot,
        ),
    ] {
        assert_eq!(
            per_hour(&list, &node),
            (price.to_owned(), source),
            "{node:?}"
        );
    }
}

/// `pricing_schema_region.csv` of OpenCost.
#[test]
fn a_row_for_the_region_goes_before_one_for_any() {
    let list = list(
        ",gke,regionone,node,spec.providerID,,0.1337,\n\
         ,gke,regiontwo,node,spec.providerID,,0.1338,\n\
         ,gke,,node,spec.providerID,,0.1339,\n",
    );
    for (region, price) in [
        ("regionone", "0.133700000"),
        ("REGIONTWO", "0.133800000"),
        ("regionthree", "0.133900000"),
    ] {
        let labels = [("topology.kubernetes.io/region", region)];
        assert_eq!(
            per_hour(&list, &node("x", 0, &labels, Some("gke"))).0,
            price
        );
    }
    assert_eq!(
        per_hour(&list, &node("x", 0, &[], Some("gke"))).0,
        "0.133900000"
    );
}

/// `pricing_schema_mixed_gpu_ondemand.csv` of OpenCost.
#[test]
fn processors_with_a_price_are_paid_beside_the_machine() {
    let list = list(
        ",Reserved,,node,metadata.labels.TestClusterUsage,,0.654795,\n\
         ,a100-ondemand,,gpu,nvidia.com/gpu_type,,0.5,\n",
    );
    let labels = [
        ("TestClusterUsage", "Reserved"),
        ("nvidia.com/gpu_type", "A100-OnDemand"),
    ];
    assert_eq!(
        per_hour(&list, &node("x", 2, &labels, None)).0,
        "1.654795000"
    );
    assert_eq!(
        per_hour(&list, &node("x", 0, &labels, None)).0,
        "0.654795000"
    );
    // Without a price of their own, processors are a part of the machine.
    assert_eq!(
        per_hour(&list, &node("x", 2, &labels[..1], None)).0,
        "0.654795000"
    );
}

#[test]
fn rows_without_a_machine_are_told() {
    let list = list(",n1,,node,metadata.name,,1,\n,n2,,node,metadata.name,,2,\n");
    let nodes = [node("n1", 0, &[], None)];
    assert_eq!(list.price(&nodes).1, [(3, "n2")]);
}

#[test]
fn a_given_price_goes_before_all_others() {
    let mut list = list(",n1,,node,metadata.name,,0.5,\n");
    for (given, price) in [
        ("2", "2.000000000"),
        ("0.5,0.25", "6.000000000"),
        ("0.5,0.25,3", "12.000000000"),
    ] {
        list.given = vec![("n1".into(), given.parse().unwrap())];
        let (cost, source) = per_hour(&list, &node("n1", 2, &[], None));
        assert_eq!((cost.as_str(), source), (price, PriceSource::Given));
    }
    for (text, message) in [
        ("x", "\"x\": not a decimal number such as 0.031611"),
        (
            "1,2,3,4",
            "neither the price of a node nor those of a core, a GiB and a GPU, such as \
          0.03,0.004,0.95",
        ),
    ] {
        assert_eq!(text.parse::<GivenPrice>().unwrap_err().to_string(), message);
    }
}
