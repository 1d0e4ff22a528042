//! Costs of inventories.

use std::sync::Arc;

use cost::prices::{GivenPrice, PriceList};
use cost::{Estimate, EstimateError, Group, Grouping, Money, Period, Window, group};
use inventory::{Inventory, InventoryBuilder, Sample, Timestamp, UsageSeries, read};

const NODE: &str = r#"{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"},
    "status": {"capacity": {"cpu": "4", "memory": "16Gi", "pods": "110"}}}"#;

fn inventory(objects: &[&str]) -> Inventory {
    let mut builder = InventoryBuilder::new();
    for object in objects {
        read(&mut builder, "test.json", &mut object.as_bytes()).unwrap();
    }
    builder.finish().unwrap()
}

fn pod(name: &str, spec: &str, times: &str) -> String {
    let (created, ended) = times.split_once('/').unwrap_or((times, ""));
    let created = match created {
        "" => String::new(),
        time => format!(r#", "creationTimestamp": "2026-01-01T{time}:00Z""#),
    };
    let ended = match ended {
        "" => String::new(),
        time => format!(
            r#", "status": {{"phase": "Succeeded", "containerStatuses": [{{"state":
                {{"terminated": {{"finishedAt": "2026-01-01T{time}:00Z"}}}}}}]}}"#
        ),
    };
    format!(
        r#"{{"apiVersion": "v1", "kind": "Pod",
            "metadata": {{"name": "{name}", "namespace": "web"{created}}}, "spec": {spec}{ended}}}"#
    )
}

fn container(name: &str, cpu: &str, memory: &str) -> String {
    format!(
        r#"{{"name": "{name}", "resources": {{"requests": {{"cpu": "{cpu}", "memory": "{memory}"}}}}}}"#
    )
}

fn on(node: &str, containers: &[String]) -> String {
    format!(
        r#"{{"nodeName": "{node}", "containers": [{}]}}"#,
        containers.join(",")
    )
}

fn estimate(inventory: &Inventory) -> Estimate {
    Estimate::of(inventory, &PriceList::default(), Period::Fitting).unwrap()
}

fn allocated(estimate: &Estimate) -> Money {
    estimate
        .allocations
        .iter()
        .map(|allocation| allocation.cost.total())
        .sum()
}

#[test]
fn pods_that_stay_cost_a_month() {
    let pod = pod("a", &on("n1", &[container("app", "1", "2Gi")]), "");
    let estimate = estimate(&inventory(&[NODE, &pod]));
    assert!(estimate.is_projection);
    // 730 * (0.031611 + 2 * 0.004237)
    assert_eq!(allocated(&estimate).to_string(), "29.26205");
    // 730 * (4 * 0.031611 + 16 * 0.004237)
    assert_eq!(estimate.provisioned().total().to_string(), "141.79228");
    let per_hour = allocated(&estimate).at_rate(estimate.window.nanoseconds(), 1);
    assert_eq!(per_hour.to_string(), "0.040085");
}

#[test]
fn recorded_pods_cost_their_lives() {
    let spec = on("n1", &[container("app", "1", "0")]);
    let pods = [
        pod("a", &spec, "00:00/01:00"),
        pod("b", &spec, "00:30/02:00"),
    ];
    let estimate = estimate(&inventory(&[NODE, &pods[0], &pods[1]]));
    assert!(!estimate.is_projection);
    assert_eq!(estimate.window.start().to_string(), "2026-01-01T00:00:00Z");
    assert_eq!(estimate.window.end().to_string(), "2026-01-01T02:00:00Z");
    assert_eq!(allocated(&estimate).to_string(), "0.0790275");
    let window = Window::new(
        "2026-01-01T00:30:00Z".parse().unwrap(),
        "2026-01-01T01:00:00Z".parse().unwrap(),
    );
    let period = Period::Window(window.unwrap());
    let part = Estimate::of(
        &inventory(&[&pods[0], &pods[1]]),
        &PriceList::default(),
        period,
    );
    assert_eq!(allocated(&part.unwrap()).to_string(), "0.031611");
}

#[test]
fn usage_above_the_request_costs_until_the_next_sample() {
    let pod = pod(
        "a",
        &on("n1", &[container("app", "1", "1Gi")]),
        "00:00/04:00",
    );
    let mut inventory = inventory(&[NODE, &pod]);
    let sample = |hour: i64, cores: i64, gib: Option<i64>| Sample {
        time: Timestamp(
            "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap().0 + hour * 3_600_000_000_000,
        ),
        cpu_nanocores: Some(cores * 1_000_000_000),
        memory_bytes: gib.map(|gib| gib << 30),
        oom_killed: false,
    };
    let series = |container: &str, samples: Vec<Sample>| UsageSeries {
        namespace: "web".into(),
        pod: "a".into(),
        container: container.into(),
        samples,
    };
    // Cores: 1, 2, 3, 3 of which 0, 2, 3, 3 are used; GiB: 1, 4, 4, 4.
    inventory.usage = vec![
        series("app", vec![sample(1, 2, Some(4)), sample(2, 3, None)]),
        series("sidecar", vec![sample(3, 1, None)]),
        UsageSeries {
            pod: "gone".into(),
            ..series("app", vec![sample(0, 1, None)])
        },
    ];
    let estimate = estimate(&inventory);
    let hours = |place: usize| {
        let allocation = &estimate.allocations[place];
        let allocated = allocation.allocated;
        (
            allocated.cpu / 3_600_000_000_000_000_000,
            (allocated.memory / 3_600_000_000_000_000) >> 30,
        )
    };
    assert_eq!(hours(0), (9000, 13));
    assert_eq!(hours(1), (1000, 0));
    let told = "usage of 1 containers of pods that the input does not have is left out";
    assert!(
        estimate.assumptions.iter().any(|text| text == told),
        "{:?}",
        estimate.assumptions
    );
    let grouping = Grouping {
        by: vec!["pod".parse().unwrap()],
        ..Grouping::default()
    };
    let grouped = group(
        &estimate.allocations,
        &estimate.nodes,
        estimate.window,
        &grouping,
    );
    let efficiency = grouped.groups[0].cpu_efficiency();
    assert!((efficiency - 9.0 / 4.0).abs() < 1e-12, "{efficiency}");
}

#[test]
fn what_a_pod_requests_beyond_its_containers_costs_too() {
    let spec = r#"{"containers": [{"name": "app", "resources": {"requests": {"cpu": "500m"}}}],
        "resources": {"requests": {"cpu": "2", "memory": "1Gi"}}, "overhead": {"cpu": "100m"},
        "initContainers": [{"name": "init", "resources": {"requests": {"cpu": "1"}}},
            {"name": "proxy", "restartPolicy": "Always",
             "resources": {"limits": {"cpu": "250m"}}}]}"#;
    let estimate = estimate(&inventory(&[&pod("a", spec, "")]));
    let found: Vec<_> = estimate
        .allocations
        .iter()
        .map(|allocation| {
            (
                &*allocation.names.container,
                allocation.requested.cpu / 730 / 3_600_000_000_000,
            )
        })
        .collect();
    // The pod requests 2.1 cores. Init containers have ended when it runs.
    assert_eq!(
        found,
        [
            ("app", 500_000_000),
            ("proxy", 250_000_000),
            ("(pod)", 1_350_000_000)
        ]
    );
}

#[test]
fn pods_without_a_node_are_somewhere_on_the_nodes() {
    let spec = format!(r#"{{"containers": [{}]}}"#, container("app", "1", "4Gi"));
    let estimate = estimate(&inventory(&[NODE, &pod("a", &spec, "")]));
    let idle: Money = estimate.nodes.iter().map(|node| node.idle.total()).sum();
    assert_eq!(idle + allocated(&estimate), estimate.provisioned().total());
    assert!(
        estimate
            .assumptions
            .contains(&"1 pods that are on no node cost the mean prices of all nodes".to_owned())
    );
}

#[test]
fn a_resource_that_no_node_has_costs_the_default_price() {
    let spec = r#"{"containers": [{"name": "app", "resources": {"limits": {"amd.com/gpu": 2}}}]}"#;
    let estimate = estimate(&inventory(&[NODE, &pod("a", spec, "")]));
    assert_eq!(allocated(&estimate).to_string(), "1387");
    // Half a processor in the way of Alibaba's lists.
    let spec = spec.replace(
        r#""amd.com/gpu": 2"#,
        r#""alibabacloud.com/gpu-milli": 500"#,
    );
    let estimate = self::estimate(&inventory(&[NODE, &pod("a", &spec, "")]));
    assert_eq!(allocated(&estimate).to_string(), "346.75");
}

#[test]
fn nodes_alone_are_idle() {
    let estimate = estimate(&inventory(&[NODE]));
    let grouped = group(&[], &estimate.nodes, estimate.window, &Grouping::default());
    let keys: Vec<_> = grouped
        .groups
        .iter()
        .map(|group: &Group| &*group.key)
        .collect();
    assert_eq!(keys, ["__idle__"]);
    assert_eq!(grouped.total(), estimate.provisioned().total());
}

#[test]
fn wrong_inputs_are_told() {
    let node: Arc<str> = "n2".into();
    let list = PriceList {
        given: vec![(node, GivenPrice::Node(Money::ZERO))],
        ..PriceList::default()
    };
    let error = |inventory: &Inventory, list: &PriceList, period| {
        Estimate::of(inventory, list, period).unwrap_err()
    };
    let (empty, one) = (Inventory::default(), inventory(&[NODE]));
    let none = PriceList::default();
    assert_eq!(error(&empty, &none, Period::Fitting), EstimateError::Empty);
    assert_eq!(
        error(&one, &none, Period::Recorded),
        EstimateError::Timeless
    );
    assert_eq!(
        error(&one, &list, Period::Month),
        EstimateError::Stranger("n2".into())
    );
    let mut twice = one.clone();
    twice.nodes.extend(one.nodes);
    assert_eq!(
        error(&twice, &none, Period::Month),
        EstimateError::Twice("n1".into())
    );
    let huge = on("n1", &[container("app", "9P", "8E")]);
    let huge = pod("a", &huge, "");
    let error = error(&inventory(&[&huge]), &none, Period::Month);
    assert_eq!(
        error.to_string(),
        "the cpu of web/a/app costs more than 1e15"
    );
}
