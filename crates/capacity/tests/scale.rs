//! Measurement with its bar: `cargo test --release -p capacity --test scale -- --ignored --nocapture`

use std::sync::Arc;
use std::time::Instant;

use capacity::packing::{lower_bound, pack};
use capacity::{Attempt, Fleet, Least, Load, PLACEMENTS, Shape, ShapedNode};
use inventory::api::{Labels, PodSpec};
use inventory::{Pod, Source, Template};
use scheduler::{Profile, Strategy, Ties};
use serde_json::json;

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "the measurement reads the clock")]
fn ten_thousand_pods_are_planned_in_two_seconds() {
    let mut state = 1_u64;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % limit as u64).expect("small")
    };
    let pods: Vec<_> = (0..10_000)
        .map(|number| {
            let cpu = [100, 250, 400, 500, 700, 1000, 1300, 1500, 2000, 2600][below(10)];
            let memory = [128, 256, 512, 900, 1024, 1500, 2048, 3000, 4096, 6000][below(10)];
            let spec: PodSpec = serde_json::from_value(json!({"containers": [{
                "name": format!("c{number}"),
                "resources": {"requests": {"cpu": format!("{cpu}m"), "memory": format!("{memory}Mi")}},
            }]}))
            .expect("a spec");
            let mut labels = Labels::new();
            labels.insert("pod".to_owned(), number.to_string());
            Pod {
                namespace: "default".into(),
                name: format!("pod-{number}").into(),
                uid: None,
                template: Arc::new(Template::new(labels, spec)),
                owner: None,
                node: None,
                arrival: None,
                departure: None,
                source: Source {
                    file: "scale".into(),
                    line: 0,
                },
            }
        })
        .collect();
    let start = Instant::now();
    let load = Load::new(&pods, &[], |_| None);
    let shape: Shape = "16c,64Gi,110pods".parse().expect("a shape");
    let order = load.in_order();
    let problem = load.problem(&order, &shape.allocatable, &[]);
    let packing = pack(&problem, 100_000).expect("every pod fits");
    println!(
        "{} kinds, packing {} to {}, {:?}",
        load.kinds.len(),
        packing.lower,
        packing.upper,
        start.elapsed()
    );
    let lower = lower_bound(&problem);
    let mut best = usize::MAX;
    for strategy in [Strategy::LeastAllocated, Strategy::MostAllocated] {
        let profile = Profile {
            strategy,
            ..Profile::default()
        };
        let shaped = ShapedNode::new(&shape, &load, &profile).expect("a node");
        for order in [load.in_order(), load.largest_first(&shape.allocatable)] {
            let attempt = Attempt {
                load: &load,
                order: &order,
                base: Fleet::default(),
                shape: &shaped,
                profile: &profile,
                ties: Ties::First,
            };
            let least = attempt.least(lower, PLACEMENTS).expect("an answer");
            println!("{:?}: {least:?} {:?}", profile.strategy, start.elapsed());
            if let Least::Nodes { nodes, .. } = least {
                best = best.min(nodes);
            }
        }
    }
    let took = start.elapsed();
    let near = packing.upper + (packing.upper / 50).max(1);
    let is_met = took.as_secs_f64() <= 2.0 && best <= near;
    println!(
        "{}: nodes for 10000 pods, by two strategies and two orders, in {took:.2?}, at most 2 s; \
         {best} nodes, a packing by size {}, at most 2 % more; bound {}",
        if is_met { "met" } else { "MISSED" },
        packing.upper,
        packing.lower
    );
}
