//! The groups of any costs sum to the whole, exactly.

use std::sync::Arc;

use cost::{
    Allocation, Container, Group, Grouping, Idle, Interval, Money, Names, PerResource, PricedNode,
    Rates, Resource, Split, Window, allocate, group, node_costs,
};
use inventory::Timestamp;
use proptest::prelude::*;

const HOUR: i64 = 3_600_000_000_000;

fn rates() -> impl Strategy<Value = Rates> {
    let some = |most: u128| prop_oneof![Just(0), 0..most];
    (some(8_000_000_000), some(32 << 40), some(3000)).prop_map(|(cpu, memory, gpu)| Rates {
        cpu,
        memory,
        gpu,
    })
}

fn prices() -> impl Strategy<Value = PerResource<Money>> {
    let price = prop_oneof![
        Just(Money::ZERO),
        (0..10_u128.pow(16)).prop_map(|units| Money::from_units(units).unwrap()),
    ];
    (price.clone(), price.clone(), price).prop_map(|(cpu, memory, gpu)| PerResource {
        cpu,
        memory,
        gpu,
    })
}

/// Times before, in and after the window from 0 to 24 hours.
fn time() -> impl Strategy<Value = Timestamp> {
    (-5 * HOUR..30 * HOUR).prop_map(Timestamp)
}

fn interval() -> impl Strategy<Value = Interval> {
    (time(), time(), rates(), rates()).prop_map(|(a, b, request, usage)| Interval {
        start: a.min(b),
        end: a.max(b),
        request,
        usage,
    })
}

fn container() -> impl Strategy<Value = Container> {
    let node = prop_oneof![Just(None), (0..4_usize).prop_map(Some)];
    let team = prop_oneof![Just(None), (0..3_usize).prop_map(Some)];
    let names = (0..3_usize, 0..5_usize, node, team);
    (names, prop::collection::vec(interval(), 0..4)).prop_map(
        |((namespace, pod, node, team), intervals)| Container {
            names: Names {
                namespace: ["web", "db", "kube-system"][namespace].into(),
                pod: format!("pod-{pod}").into(),
                container: "app".into(),
                node: node.map(|node| format!("n{node}").into()),
                owner: None,
                labels: Arc::new(
                    team.map(|team| ("team".to_owned(), format!("{team}")))
                        .into_iter()
                        .collect(),
                ),
            },
            intervals,
        },
    )
}

fn node(number: usize) -> impl Strategy<Value = PricedNode> {
    let times = (prop::option::of(time()), prop::option::of(time()));
    (rates(), prices(), times).prop_map(move |(capacity, prices, (start, end))| PricedNode {
        name: format!("n{number}").into(),
        capacity,
        prices,
        start,
        end,
    })
}

fn split() -> impl Strategy<Value = Split> {
    prop_oneof![Just(Split::Weighted), Just(Split::Even)]
}

fn grouping() -> impl Strategy<Value = Grouping> {
    let by = prop::sample::select(vec!["namespace", "label:team", "node", "pod", "cluster"]);
    let idle = prop::sample::select(vec![
        Idle::LeftOut,
        Idle::Apart,
        Idle::ApartByNode,
        Idle::SharedInCluster,
        Idle::SharedOnNode,
    ]);
    let namespace = prop::sample::select(vec!["web", "db", "kube-system", "none"]);
    let shares = prop::collection::vec((namespace.prop_map(str::to_owned), split()), 0..3);
    let cost = (0..10_u128.pow(17)).prop_map(|units| Money::from_units(units).unwrap());
    let overheads = prop::collection::vec((cost, split()), 0..3);
    (prop::collection::vec(by, 0..3), idle, shares, overheads).prop_map(
        |(by, idle, shares, overheads)| Grouping {
            by: by.iter().map(|by| by.parse().unwrap()).collect(),
            cluster: "c".to_owned(),
            idle,
            shares,
            overheads,
        },
    )
}

proptest! {
    #[test]
    fn groups_sum_to_allocations_and_idle_and_overhead(
        containers in prop::collection::vec(container(), 0..12),
        nodes in [node(0), node(1), node(2)],
        default in prices(),
        grouping in grouping(),
    ) {
        let window = Window::new(Timestamp(0), Timestamp(24 * HOUR)).unwrap();
        let prices = |name: Option<&str>| {
            let node = nodes.iter().find(|node| name == Some(&node.name));
            node.map_or(default, |node| node.prices)
        };
        let allocations: Vec<Allocation> = containers
            .iter()
            .filter_map(|container| {
                let prices = prices(container.names.node.as_deref());
                allocate(container, &prices, window).unwrap()
            })
            .collect();
        let costs = node_costs(&nodes, &allocations, window).unwrap();
        let grouped = group(&allocations, &costs, window, &grouping);

        let total: Money = grouped.groups.iter().map(Group::total).sum();
        prop_assert_eq!(total, grouped.total());
        let allocated: Money = allocations.iter().map(|allocation| allocation.cost.total()).sum();
        let idle: Money = costs.iter().map(|node| node.idle.total()).sum();
        let idle = if grouping.idle == Idle::LeftOut { Money::ZERO } else { idle };
        prop_assert_eq!(total, allocated + idle + grouped.overhead);
        // The same in billionths, as documents tell it.
        let nanos: u128 = grouped.nanos().into_iter().sum();
        prop_assert_eq!(i128::try_from(nanos).unwrap(), grouped.total().nano());
        // What nodes cost is what their containers cost and what is idle, less the excess.
        for node in &costs {
            for resource in Resource::ALL {
                let sum = node.allocated[resource] + node.idle[resource];
                prop_assert_eq!(sum, node.capacity[resource] + node.excess()[resource]);
            }
        }
    }

    #[test]
    fn a_window_costs_as_much_as_its_parts_to_the_rounding(
        container in container(), prices in prices(), cut in 1..24 * HOUR,
    ) {
        let window = |start, end| Window::new(Timestamp(start), Timestamp(end)).unwrap();
        let cost = |window| {
            let allocation = allocate(&container, &prices, window).unwrap();
            allocation.map_or(Money::ZERO, |allocation| allocation.cost.total())
        };
        let whole = cost(window(0, 24 * HOUR));
        let parts = cost(window(0, cut)) + cost(window(cut, 24 * HOUR));
        prop_assert!((whole - parts).units().max((parts - whole).units()) <= 5);
    }
}
