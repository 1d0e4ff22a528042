use std::collections::HashSet;

use prost::Message;

use super::lifecycle::{EXIT_AFTER, EXIT_CODE};
use super::*;
use crate::workload::scenario::{Distribution, SignalChoice};

fn plan(seed: u64) -> Plan {
    Plan::new(seed, PodShape::default())
}

#[test]
fn the_same_seed_gives_the_same_bytes_in_any_order() {
    let forward: Vec<_> = (0..50).map(|i| plan(7).pod(i)).collect();
    let mut backward: Vec<_> = (0..50).rev().map(|i| plan(7).pod(i)).collect();
    backward.reverse();
    assert_eq!(forward, backward);
    for pod in &forward {
        assert_eq!(pod.sandbox_config(), pod.sandbox_config());
    }
    assert_eq!(hash(&plan(7), 50).unwrap(), hash(&plan(7), 50).unwrap());
}

#[test]
fn another_seed_length_range_or_signal_has_another_hash() {
    let base = hash(&plan(7), 20).unwrap();
    assert_ne!(base, hash(&plan(8), 20).unwrap());
    assert_ne!(base, hash(&plan(7), 21).unwrap());
    let narrow = Plan {
        shape: PodShape::with_containers(1, 3),
        ..plan(7)
    };
    assert_ne!(base, hash(&narrow, 20).unwrap());
    let kill = Plan {
        shape: PodShape {
            signal: SignalChoice::Kill,
            ..PodShape::default()
        },
        ..plan(7)
    };
    assert_ne!(base, hash(&kill, 20).unwrap());
}

#[test]
fn the_hash_of_a_small_plan_is_known() {
    // A change here means that results are no longer comparable with older ones.
    assert_eq!(
        hash(&plan(42), 10).unwrap().to_string(),
        "8a089106c6ba99cfe69ce53182b70e2d30fa07808b491e8cb142d442f8cc468f"
    );
}

#[test]
fn ids_are_64_hexadecimal_digits_and_unique() {
    let mut seen = HashSet::new();
    for index in 0..500 {
        let pod = plan(1).pod(index);
        let tasks = pod.containers.iter().map(|c| c.id.clone());
        for id in tasks.chain([pod.sandbox_id.clone()]) {
            assert_eq!(id.len(), 64);
            assert!(id.bytes().all(|b| b.is_ascii_hexdigit()));
            assert!(seen.insert(id));
        }
    }
}

#[test]
fn every_number_of_containers_in_the_range_occurs_and_no_other() {
    let seen: HashSet<_> = (0..200).map(|i| plan(3).pod(i).containers.len()).collect();
    assert_eq!(seen, HashSet::from([1, 2, 3, 4]));
}

#[test]
fn the_choice_of_signal_changes_nothing_else() {
    let only = |signal| {
        let shape = PodShape {
            signal,
            ..PodShape::default()
        };
        Plan::new(3, shape).pod(5)
    };
    let (kill, mut term) = (only(SignalChoice::Kill), only(SignalChoice::Term));
    assert!(
        kill.containers
            .iter()
            .all(|c| c.end == End::Signal(Signal::Kill))
    );
    for container in &mut term.containers {
        assert_eq!(container.end.exit_status(), 143);
        container.end = End::Signal(Signal::Kill);
    }
    assert_eq!(kill, term);
}

fn living(lifecycle: Lifecycle) -> Plan {
    let shape = PodShape {
        lifecycle,
        ..PodShape::default()
    };
    Plan::new(42, shape)
}

fn crashing(restarts: u32) -> Plan {
    living(Lifecycle::CrashLoop {
        restarts,
        exit_after_ms: Distribution::Uniform(20, 60),
    })
}

#[test]
fn lives_change_nothing_else() {
    let stay = Distribution::Exponential {
        mean: 500.0,
        max: 5000,
    };
    for lifecycle in [Lifecycle::For(stay), Lifecycle::Held] {
        let (plan, base) = (living(lifecycle), plan(42));
        for index in 0..50 {
            let mut pod = plan.pod(index);
            assert_ne!(pod.lifecycle, PodLifecycle::For(Duration::ZERO));
            pod.lifecycle = PodLifecycle::For(Duration::ZERO);
            assert_eq!(pod, base.pod(index));
        }
    }
}

#[test]
fn a_crash_loop_changes_only_how_containers_end() {
    for index in 0..50 {
        let (mut pod, base) = (crashing(3).pod(index), plan(42).pod(index));
        assert_eq!(pod.lifecycle, PodLifecycle::CrashLoop { restarts: 3 });
        for (container, before) in pod.containers.iter_mut().zip(&base.containers) {
            assert_eq!(container.end.exit_status(), 1);
            container.end = before.end;
        }
        pod.lifecycle = base.lifecycle.clone();
        assert_eq!(pod, base);
    }
}

#[test]
fn a_crashing_container_has_annotations_for_its_time_and_code() {
    let mut times = HashSet::new();
    for pod in (0..50).map(|index| crashing(3).pod(index)) {
        for container in &pod.containers {
            let End::Exit(Exit { after, .. }) = container.end else {
                panic!("{:?}", container.end)
            };
            assert!((20..=60).contains(&after.as_millis()), "{after:?}");
            times.insert(after);
            let after = format!("{}ms", after.as_millis());
            let spec: serde_json::Value =
                serde_json::from_slice(&pod.config_json(container).unwrap()).unwrap();
            assert_eq!(spec["annotations"][EXIT_AFTER], after);
            assert_eq!(spec["annotations"][EXIT_CODE], "1");
            let config = container.cri_config("image", 2);
            assert_eq!(config.metadata.unwrap().attempt, 2);
            assert_eq!(config.annotations[EXIT_AFTER], after);
            assert_eq!(config.annotations[EXIT_CODE], "1");
        }
    }
    assert!(times.len() > 30, "each container has a time of its own");
    for container in plan(42).pod(3).containers {
        assert_eq!(container.cri_config("image", 0).annotations.len(), 0);
    }
}

fn mostly_well() -> Distribution {
    Distribution::Choice(vec![(0, 9), (3, 1)])
}

fn jobs() -> Plan {
    living(Lifecycle::Job {
        exit_after_ms: Distribution::Uniform(20, 60),
        exit_code: mostly_well(),
    })
}

fn restarted(hold_s: u64) -> Plan {
    living(Lifecycle::RestartAlways {
        hold: Duration::from_secs(hold_s),
        exit_after_ms: Distribution::Uniform(20, 60),
        exit_code: mostly_well(),
    })
}

#[test]
fn a_jobs_containers_end_with_the_codes_that_were_drawn() {
    let pods = (0..200).map(|index| jobs().pod(index));
    let pods: Vec<_> = pods.collect();
    // Its end is awaited; no signal is sent.
    let once = PodLifecycle::CrashLoop { restarts: 0 };
    assert!(pods.iter().all(|pod| pod.lifecycle == once));
    let codes = pods.iter().flat_map(|pod| &pod.containers);
    let codes: Vec<_> = codes.map(|container| container.end.exit_status()).collect();
    let failed = codes.iter().filter(|code| **code == 3).count();
    let well = codes.iter().filter(|code| **code == 0).count();
    assert_eq!(failed + well, codes.len());
    assert!(
        (codes.len() / 20..codes.len() / 5).contains(&failed),
        "{failed}"
    );
}

#[test]
fn a_traces_crash_is_an_exit_with_code_1() {
    let old: End = serde_json::from_str(r#"{"crash":250}"#).unwrap();
    let exit = Exit {
        after: Duration::from_millis(250),
        code: 1,
    };
    assert_eq!(old, End::Exit(exit));
    let text = serde_json::to_string(&old).unwrap();
    assert_eq!(text, r#"{"exit":{"after_ms":250,"code":1}}"#);
    assert_eq!(serde_json::from_str::<End>(&text).unwrap(), old);
}

#[test]
fn every_lifecycle_has_its_own_hash() {
    let constant = |ms| living(Lifecycle::For(Distribution::Constant(ms)));
    let plans = [
        constant(0),
        constant(1),
        constant(2),
        living(Lifecycle::Held),
        crashing(3),
        crashing(4),
        jobs(),
        restarted(1),
        restarted(2),
    ];
    let hashes = plans.map(|plan| hash(&plan, 10).unwrap().to_string());
    assert_eq!(HashSet::from(hashes.clone()).len(), hashes.len());
    assert_eq!(hashes[0], hash(&plan(42), 10).unwrap().to_string());
}

#[test]
fn a_config_json_looks_like_containerds() {
    let pod = plan(42).pod(3);
    for container in &pod.containers {
        let bytes = pod.config_json(container).unwrap();
        assert!((2000..4096).contains(&bytes.len()), "{}", bytes.len());
        let spec: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let annotations = &spec["annotations"];
        assert_eq!(annotations["io.kubernetes.cri.container-type"], "container");
        assert_eq!(annotations["io.kubernetes.cri.sandbox-id"], pod.sandbox_id);
        let resources = &spec["linux"]["resources"];
        assert_eq!(resources["cpu"]["shares"], container.resources.shares);
        assert_eq!(resources["cpu"]["period"], 100_000);
        assert_eq!(
            resources["pids"]["limit"].as_u64(),
            container.resources.pids
        );
        assert_eq!(
            resources["memory"]
                .get("limit")
                .and_then(serde_json::Value::as_u64),
            container.resources.memory_limit
        );
        assert_eq!(
            resources["cpu"]
                .get("quota")
                .and_then(serde_json::Value::as_u64),
            container.resources.quota_us
        );
    }
}

#[test]
fn the_sandbox_config_decodes_to_the_pod_and_states_no_resources() {
    let pod = plan(42).pod(3);
    let config = PodSandboxConfig::decode(&*pod.sandbox_config()).unwrap();
    assert_eq!(config, pod.sandbox_config_message());
    let metadata = config.metadata.unwrap();
    assert_eq!((metadata.name, metadata.uid), (pod.name, pod.uid));
    assert_eq!(config.labels.len(), 4);
    let linux = config.linux.unwrap();
    assert!(linux.resources.is_none() && linux.overhead.is_none());
}

#[test]
fn a_pod_shows_the_sum_of_its_containers() {
    let pod = (0..100)
        .map(|i| plan(1).pod(i))
        .find(|p| p.containers.len() == 3);
    let pod = pod.unwrap();
    let pids: u64 = pod.containers.iter().filter_map(|c| c.resources.pids).sum();
    assert_eq!(pod.resources().pid_limit, Some(pids));
    let shares: u64 = pod.containers.iter().map(|c| c.resources.shares).sum();
    let shown = pod.resources().cpu_request.unwrap() * 1024.0;
    // Each container's request is rounded up to a millicore.
    assert!(shown <= shares as f64 + 3.0 * 1.024, "{shown} {shares}");
}

#[test]
fn a_container_that_ended_before_the_next_counts_beside_those_before_it_only() {
    let pods = (0..200).map(|i| plan(1).pod(i));
    for pod in pods.filter(|pod| pod.containers.len() == 3) {
        let pids = |place: usize| pod.containers[place].resources.pids.unwrap();
        let shown = pod.resources_in_turn(|place| place == 1).pid_limit;
        assert_eq!(shown, Some((pids(0) + pids(1)).max(pids(0) + pids(2))));
        let all = pod.resources_in_turn(|_| true).pid_limit;
        assert_eq!(all, (0..3).map(pids).max());
    }
}
