//! The engine held against the full scan.

mod random;
mod scale;

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::cluster::{ClassId, Cluster, PodId, PodOnNode};
use crate::evaluation::Ties;
use crate::profile::Profile;

use super::{Engine, EngineError};
use random::{Draws, node, profile, template};

/// Compares the best nodes for a pod of a class.
fn compare(engine: &mut Engine, class: ClassId) -> Result<(), TestCaseError> {
    let evaluation = engine.evaluate(class);
    let best = evaluation.best();
    let total = evaluation
        .feasible()
        .iter()
        .position(|node| Some(node) == best.first())
        .map(|place| evaluation.scores()[place].total());
    let found = engine.best(class);
    let expected = total.map(|total| (best, total));
    prop_assert_eq!(found, expected);
    Ok(())
}

/// Places and removes pods of random classes and compares each choice.
fn follow(seed: u64, rules: bool, steps: u32) -> Result<(), TestCaseError> {
    let mut draws = Draws(seed);
    let count = 1 + draws.below(if rules { 12 } else { 150 });
    let nodes: Vec<_> = (0..count).map(|number| node(&mut draws, number)).collect();
    let cluster = Cluster::new(&nodes, BTreeMap::new()).expect("nodes of different names");
    let profile = profile(&mut draws);
    let mut engine = Engine::new(cluster, profile, Ties::First).expect("a valid profile");
    let mut on_nodes: Vec<(usize, PodId)> = Vec::new();
    for number in 0..steps {
        let kind = draws.below(8);
        let namespace = ["default", "other"][draws.below(2)].into();
        let class = engine.class(&namespace, &template(kind, rules), None);
        let class = class.expect("a valid spec");
        compare(&mut engine, class)?;
        if draws.below(4) == 0 && !on_nodes.is_empty() {
            let (node, pod) = on_nodes.swap_remove(draws.below(on_nodes.len()));
            prop_assert!(engine.remove(node, pod).is_some());
            continue;
        }
        let pod = PodOnNode {
            id: PodId(number),
            class,
            start: PodOnNode::NOT_STARTED,
        };
        let placed = match draws.below(10) {
            // Pods that run already lie anywhere.
            0 => {
                let node = draws.below(count);
                engine.add(node, pod);
                Some(node)
            }
            _ => engine.place(pod),
        };
        on_nodes.extend(placed.map(|node| (node, pod.id)));
    }
    // A cluster that is taken over with its pods is the same.
    let cluster = engine.cluster().clone();
    let profile = engine.profile().clone();
    let mut again = Engine::new(cluster, profile, Ties::First).expect("a valid profile");
    for class in 0..again.cluster().classes().len() {
        let class = ClassId(u32::try_from(class).expect("few classes"));
        prop_assert_eq!(again.best(class), engine.best(class));
        compare(&mut again, class)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn classes_without_rules_go_where_the_full_scan_sends_them(seed in any::<u64>()) {
        follow(seed, false, 150)?;
    }

    #[test]
    fn classes_with_rules_go_where_the_full_scan_sends_them(seed in any::<u64>()) {
        follow(seed, true, 120)?;
    }
}

#[test]
fn a_seed_draws_as_the_full_scan_does() {
    let mut draws = Draws(7);
    let nodes: Vec<_> = (0..9).map(|number| node(&mut draws, number)).collect();
    let cluster = Cluster::new(&nodes, BTreeMap::new()).expect("nodes");
    let ties = Ties::Seeded(5);
    let mut engine = Engine::new(cluster, Profile::default(), ties).expect("a profile");
    let class = engine.class(&"default".into(), &template(0, false), None);
    let class = class.expect("a valid spec");
    for draw in 0..40 {
        let placed = engine.evaluate(class).placed(ties, draw);
        assert_eq!(engine.choose(class, draw).map(|choice| choice.node), placed);
    }
}

#[test]
fn weights_out_of_range_are_refused() {
    let mut profile = Profile::default();
    profile.weights.fit = -1;
    let error = Engine::new(Cluster::default(), profile, Ties::First).err();
    assert_eq!(error, Some(EngineError::Weight(-1)));
    let mut profile = Profile::default();
    profile.strategy_resources[0].weight = 101;
    let error = Engine::new(Cluster::default(), profile, Ties::First).err();
    assert_eq!(error, Some(EngineError::ResourceWeight(101)));
}

#[test]
fn a_closed_node_takes_no_pods() {
    let mut draws = Draws(3);
    let nodes: Vec<_> = (0..9).map(|number| node(&mut draws, number)).collect();
    let cluster = Cluster::new(&nodes, BTreeMap::new()).expect("nodes");
    let mut engine = Engine::new(cluster, Profile::default(), Ties::First).expect("a profile");
    let class = engine.class(&"default".into(), &template(0, false), None);
    let class = class.expect("a valid spec");
    let open = engine.best(class).expect("a node");
    engine.close(open.0[0], true);
    let other = engine.best(class).expect("another node");
    assert!(!other.0.contains(&open.0[0]));
    engine.close(open.0[0], false);
    assert_eq!(engine.best(class), Some(open));
}
