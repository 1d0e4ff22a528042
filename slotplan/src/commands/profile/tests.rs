use std::sync::Arc;

use inventory::api::{Container, PodSpec};
use inventory::{Inventory, Owner, Pod, Sample, Source, Template, Timestamp, UsageSeries};
use rightsizing::Strategy;
use rightsizing::resize::Resize;

use super::plan::Plan;
use super::{document, page, tables};
use crate::answer::Header;

const START: i64 = 1_767_225_600;
const HOUR: i64 = 3_600 * 1_000_000_000;

fn container(name: &str, resources: serde_json::Value) -> Container {
    Container {
        name: name.to_owned(),
        resources: serde_json::from_value(resources).unwrap(),
        ..Container::default()
    }
}

fn pod(name: &str, template: &Arc<Template>) -> Pod {
    Pod {
        namespace: "shop".into(),
        name: name.into(),
        uid: None,
        template: Arc::clone(template),
        owner: Some(Arc::new(Owner {
            kind: "Deployment".into(),
            name: "web".into(),
        })),
        node: None,
        arrival: None,
        departure: None,
        source: Source {
            file: "web.yaml".into(),
            line: 1,
        },
    }
}

/// Usage every quarter of an hour: a wave over the day.
fn usage(pod: &str, container: &str, days: i64, millicores: f64, mebibytes: i64) -> UsageSeries {
    let sample = |quarter: i64| {
        let angle = quarter as f64 * std::f64::consts::TAU / 96.0;
        #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
        let cpu = (millicores * 1e6 * (1.0 + 0.6 * angle.sin())) as i64;
        Sample {
            time: Timestamp::from_seconds(START + 900 * quarter),
            cpu_nanocores: Some(cpu),
            memory_bytes: Some((mebibytes + quarter % 96) << 20),
            oom_killed: false,
        }
    };
    UsageSeries {
        namespace: "shop".into(),
        pod: pod.into(),
        container: container.into(),
        samples: (0..days * 96).map(sample).collect(),
    }
}

/// Two pods of a Deployment with two containers, of which one has next to no usage.
fn inventory() -> Inventory {
    let spec = PodSpec {
        containers: vec![
            container(
                "app",
                serde_json::json!({
                    "requests": {"cpu": "1", "memory": "2Gi"},
                    "limits": {"cpu": "2", "memory": "2Gi"},
                }),
            ),
            container("side", serde_json::json!({"requests": {"memory": "64Mi"}})),
        ],
        ..PodSpec::default()
    };
    let template = Arc::new(Template::new(std::collections::BTreeMap::new(), spec));
    let mut short = usage("web-a", "side", 1, 5.0, 20);
    short.samples.truncate(7);
    Inventory {
        pods: vec![pod("web-a", &template), pod("web-b", &template)],
        usage: vec![
            usage("web-a", "app", 7, 200.0, 300),
            usage("web-6d4cf56db6-x2zp7", "app", 7, 150.0, 500),
            short,
            usage("other", "app", 1, 1.0, 1),
        ],
        ..Inventory::default()
    }
}

fn plan(inventory: &mut Inventory, strategy: Strategy) -> Plan {
    let compare = ["requested", "vpa", "krr", "percentile=95"];
    let compare = compare.map(|name| name.parse().unwrap()).to_vec();
    Plan::new(rightsizing::join(inventory), strategy, compare, 24 * HOUR).unwrap()
}

#[test]
fn a_profile_is_a_table_of_eighty_columns() {
    for strategy in [Strategy::Vpa, Strategy::Krr] {
        let text = tables::text(&plan(&mut inventory(), strategy)).unwrap();
        println!("{text}");
        for line in text.lines().filter(|line| !line.starts_with("note:")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn too_few_samples_make_no_number() {
    let plan = plan(&mut inventory(), Strategy::Krr);
    let side = &plan.rows[1];
    assert!(side.profile.krr_cpu.is_err() && side.profile.cpu.is_err());
    assert_eq!(side.new, plan.container(side).today);
    let text = tables::text(&plan).unwrap();
    assert!(
        text.contains("side (2 pods), cpu: not enough data: 7 points in 167.8 h"),
        "{text}"
    );
}

#[test]
fn usage_without_a_pod_is_stated_and_counted() {
    let plan = plan(&mut inventory(), Strategy::Vpa);
    assert_eq!(plan.usage.unknown, ["shop/other/app"]);
    let notes = plan.notes().join("\n");
    assert!(
        notes.contains("1 usage series belongs to no container"),
        "{notes}"
    );
    assert!(
        notes.contains("1 pod with usage is counted to a workload"),
        "{notes}"
    );
}

#[test]
fn new_requests_change_the_pods_of_another_command() {
    let mut first = inventory();
    let plan = plan(&mut first, Strategy::Krr);
    let text = serde_json::to_string(&plan.resize()).unwrap();
    let mut second = inventory();
    let unused = Resize::parse(&text).unwrap().apply(&mut second).unwrap();
    assert!(unused.is_empty(), "{unused:?}");
    let effective = &second.pods[1].template.effective;
    let new = plan.rows[0].new;
    assert_eq!(Some(effective.requests.cpu()), new.cpu.request);
    assert_eq!(effective.limits.get("cpu"), None);
    assert_eq!(
        effective.requests.memory(),
        new.memory.request.unwrap() + (64 << 20)
    );
    assert!(Arc::ptr_eq(
        &second.pods[0].template,
        &second.pods[1].template
    ));
}

#[test]
fn documents_and_pages_are_the_same_twice() {
    let twice = [(); 2].map(|()| {
        let plan = plan(&mut inventory(), Strategy::Vpa);
        let header = Header::new("slotplan/profile/1", &[], &[]);
        let document = document::document(&plan, header).unwrap().to_string();
        let markdown = tables::markdown(&plan).unwrap();
        (document, markdown, page::page(&plan))
    });
    assert_eq!(twice[0], twice[1]);
    if let Some(path) = std::env::var_os("PROFILE_PAGE") {
        std::fs::write(path, &twice[0].2).unwrap();
        println!("{}\n{}", twice[0].0, twice[0].1);
    }
}
