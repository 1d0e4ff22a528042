//! Manifests and cluster dumps to inventories.

use inventory::{Inventory, InventoryBuilder, Part, ReadError, Scale, read};
use proptest::prelude::*;

fn try_read(files: &[(&str, &str)]) -> Result<Inventory, ReadError> {
    let mut builder = InventoryBuilder::new();
    for (name, text) in files {
        read(&mut builder, name, &mut text.as_bytes())?;
    }
    builder.finish()
}

fn read_one(text: &str) -> Inventory {
    try_read(&[("one.yaml", text)]).unwrap()
}

fn error(text: &str) -> String {
    try_read(&[("one.yaml", text)]).unwrap_err().to_string()
}

const NODES: &str = r#"{"apiVersion": "v1", "items": [
  {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "managedFields": [{"x": 1}]},
   "spec": {"providerID": "aws:///i-1"},
   "status": {"allocatable": {"cpu": "3920m", "memory": "15Gi", "pods": "58"},
              "capacity": {"cpu": "4", "memory": "16Gi", "pods": "58"}}},
  {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": null},
   "spec": {"nodeName": "n1", "containers": [{"name": "a"}]}}
], "kind": "List"}"#;

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: app
        resources:
          requests: {cpu: 0.5, memory: 1Gi}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
";

#[test]
fn a_dump_has_nodes_and_pods() {
    let all = read_one(NODES);
    let node = &all.nodes[0];
    assert_eq!((&*node.name, node.allocatable.cpu()), ("n1", 3920));
    assert_eq!(node.capacity.memory(), 16 << 30);
    assert_eq!(node.provider_id.as_deref(), Some("aws:///i-1"));
    assert_eq!(all.pods[0].node.as_deref(), Some("n1"));
    assert_eq!(&*all.pods[0].namespace, "default");
}

#[test]
fn a_deployment_makes_equal_pods_and_other_kinds_are_counted() {
    let all = read_one(WEB);
    assert_eq!(all.pods.len(), 3);
    let effective = &all.pods[2].template.effective;
    assert_eq!(effective.requests.cpu(), 500);
    assert_eq!(&*all.pods[0].owner.as_ref().unwrap().kind, "Deployment");
    assert_eq!(
        (all.ignored[0].kind.as_str(), all.ignored[0].count),
        ("ConfigMap", 1)
    );
}

#[test]
fn a_selection_takes_only_its_part() {
    let mut builder = InventoryBuilder::new();
    builder.select(Part::Load);
    read(&mut builder, "a.json", &mut NODES.as_bytes()).unwrap();
    builder.select(Part::Nodes);
    read(&mut builder, "b.yaml", &mut WEB.as_bytes()).unwrap();
    let all = builder.finish().unwrap();
    assert_eq!((all.pods.len(), all.nodes.len()), (1, 0));
}

#[test]
fn a_wrong_value_is_an_error_with_file_line_and_field() {
    let wrong = WEB.replace("cpu: 0.5", "cpu: 5oo m");
    assert_eq!(
        error(&wrong),
        "one.yaml:12: spec.template.spec.containers[0].resources.requests.cpu: \"5oo m\": \
         not a quantity such as 500m, 1.5, 2Gi or 1e3"
    );
}

#[test]
fn two_nodes_of_one_name_are_an_error_with_both_places() {
    let files = [("a.json", NODES), ("b.json", NODES)];
    assert_eq!(
        try_read(&files).unwrap_err().to_string(),
        "b.json:2: Node n1: is there twice, first at a.json:2"
    );
}

/// Returns the error of a pod with this spec.
fn error_of_pod(spec: &str) -> String {
    error(&format!(
        "kind: Pod\napiVersion: v1\nmetadata:\n  name: p\nspec:\n{spec}"
    ))
}

/// Returns the error of a pod with one container and these further lines.
fn error_of_container(lines: &str) -> String {
    error_of_pod(&format!("  containers:\n  - name: a\n{lines}"))
}

#[test]
fn wrong_specs_are_refused_where_the_fault_is() {
    for (found, expected) in [
        (
            error_of_container("    resources:\n      requests:\n        memory: -1Gi\n"),
            "one.yaml:10: spec.containers[0].resources.requests.memory: \"-1Gi\": below zero",
        ),
        (
            error_of_container(
                "    resources:\n      requests:\n        cpu: 9\n      limits:\n        cpu: 1\n",
            ),
            "one.yaml:10: spec.containers[0].resources.requests.cpu: 9 is above the limit, 1",
        ),
        (
            error_of_container("    resources:\n      requests: {cpu: 1E}\n"),
            "one.yaml:9: spec.containers[0].resources.requests.cpu: 1E is above 9223372036854775 cores",
        ),
        (
            error_of_container("    resources:\n      requests: {memory: 10000E}\n"),
            "one.yaml:9: spec.containers[0].resources.requests.memory: \"10000E\": above 9223372036854775807",
        ),
        (
            error_of_container("    resources:\n      requets:\n        cpu: 1\n"),
            "one.yaml:9: spec.containers[0].resources.requets: unknown field",
        ),
        (
            error_of_container("    resources:\n      requests: {memroy: 1Gi}\n"),
            "one.yaml:9: spec.containers[0].resources.requests.memroy: not a resource of containers: cpu, memory, ephemeral-storage, hugepages-SIZE or a name with a domain",
        ),
        (
            error_of_container("    resources:\n      requests: [cpu]\n"),
            "one.yaml:9: spec.containers[0].resources.requests: a list is not a map",
        ),
        (
            error_of_container("    resources:\n      limits: {nvidia.com/gpu: 500m}\n"),
            "one.yaml:9: spec.containers[0].resources.limits[nvidia.com/gpu]: 500m is not a whole number of devices",
        ),
        (
            error_of_container("  - name: B_2\n"),
            "one.yaml:8: spec.containers[1].name: \"B_2\" is not a name of at most 63 lower case letters, digits and inner hyphens",
        ),
        (
            error_of_container("  - name: b\n  - name: a\n"),
            "one.yaml:9: spec.containers[2].name: \"a\" is the name of containers[0], too",
        ),
        (
            error_of_container("    ports:\n    - containerPort: 80\n      hostPort: 70000\n"),
            "one.yaml:10: spec.containers[0].ports[0].hostPort: 70000 is not a port from 1 to 65535",
        ),
        (
            error_of_container("  tolerations:\n  - operator: Exist\n"),
            "one.yaml:9: spec.tolerations[0].operator: \"Exist\" is none of Exists, Equal, Lt, Gt",
        ),
        (
            error_of_container("  priority: high\n"),
            "one.yaml:8: spec.priority: \"high\" is not a whole number",
        ),
        (
            error_of_container("  priority: 99999999999\n"),
            "one.yaml:8: spec.priority: 99999999999 is not from -2147483648 to 2147483647",
        ),
        (
            error_of_pod("  containers: []\n"),
            "one.yaml:6: spec.containers: a pod has at least one container",
        ),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn kinds_that_are_not_known_are_never_passed_in_silence() {
    let typo = WEB.replace("kind: Deployment", "kind: Deploymnet");
    assert_eq!(error(&typo), "one.yaml:1: apps/v1 has no kind Deploymnet");
    let group = WEB.replace("apiVersion: apps/v1", "apiVersion: v1");
    assert_eq!(error(&group), "one.yaml:1: v1 has no kind Deployment");
    let rollout = WEB
        .replace("apps/v1", "argoproj.io/v1alpha1")
        .replace("kind: Deployment", "kind: Rollout");
    let all = read_one(&rollout);
    assert_eq!(
        all.assumptions[0].0,
        "Rollout of argoproj.io/v1alpha1, an unknown kind with a pod template, makes no pods"
    );
    let newer = "---\n{kind: PodGang, apiVersion: v1, metadata: {name: a, uid: b}}";
    assert_eq!(
        read_one(newer).assumptions[0].0,
        "PodGang of v1, an unknown kind, decides nothing"
    );
    let lists = "---\n{kind: ConfigMapList, apiVersion: v1, items: [{metadata: {name: a}}]}";
    assert_eq!(read_one(lists).ignored[0].kind, "ConfigMap");
}

#[test]
fn fields_that_no_plan_follows_are_assumptions() {
    let text = "kind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec:\n  \
                containers: [{name: a}]\n  resourceClaims: [{name: gpu}]\n  \
                volumes: [{name: v, persistentVolumeClaim: {claimName: c}}]\n";
    let assumptions: Vec<_> = read_one(text).assumptions;
    let assumptions: Vec<_> = assumptions.iter().map(|a| a.0.as_str()).collect();
    assert_eq!(
        assumptions,
        [
            "devices of resource claims are not counted",
            "persistent volumes keep no pod from a node",
        ]
    );
}

#[test]
fn wrong_objects_are_refused_where_the_fault_is() {
    for (found, expected) in [
        (
            error(
                "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: d}\nspec:\n  replicas: -1\n  template:\n    spec: {containers: [{name: a}]}\n",
            ),
            "one.yaml:5: spec.replicas: -1 is below zero",
        ),
        (
            error("kind: Pod\napiVersion: v1\nmetadata: {name: p, labels: {a: on}}\n"),
            "one.yaml:3: metadata.labels.a: true is not a string (YAML reads a plain yes, no, on, off, y or n so: quote it)",
        ),
        (
            error("kind: Pod\nmetadata: {name: p}\n"),
            "one.yaml:1: not an object of the Kubernetes API: it has no apiVersion",
        ),
        (
            error("a: b: c\n"),
            "one.yaml:1: not YAML: mapping values are not allowed in this context",
        ),
        (
            error("{\"kind\": \"Pod\",\n \"a\" 1}"),
            "one.yaml:2: not JSON: expected `:`",
        ),
        (
            error("{\"kind\": \"Pod\",\n \"kind\": 1}"),
            "one.yaml:2: kind: the key is there twice",
        ),
        (
            error("- 1\n"),
            "one.yaml:1: not an object of the Kubernetes API: not a map",
        ),
        (
            error(
                "kind: Node\napiVersion: v1\nmetadata: {name: n1}\nstatus:\n  allocatable:\n    cpu: lots\n",
            ),
            "one.yaml:6: status.allocatable.cpu: \"lots\": not a quantity such as 500m, 1.5, 2Gi or 1e3",
        ),
        (
            error(
                "kind: Pod\napiVersion: v1\nmetadata:\n  name: p\n  creationTimestamp: yesterday\n",
            ),
            "one.yaml:5: metadata.creationTimestamp: \"yesterday\": not a time such as 2026-01-31T08:00:00Z, from 1970 to 2262",
        ),
    ] {
        assert_eq!(found, expected);
    }
}

const EVERY_KIND: &str = "
apiVersion: v1
kind: List
items:
- {apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db}, spec: {replicas: 2, ordinals: {start: 5}, template: &t {spec: {containers: [{name: a}]}}}}
- {apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: rs}, spec: {template: *t}}
- {apiVersion: v1, kind: ReplicationController, metadata: {name: rc}, spec: {replicas: 0, template: *t}}
- {apiVersion: batch/v1, kind: Job, metadata: {name: job}, spec: {parallelism: 5, completions: 3, template: *t}}
- {apiVersion: batch/v1, kind: CronJob, metadata: {name: cron}, spec: {jobTemplate: {spec: {template: *t}}}}
- {apiVersion: v1, kind: PodTemplate, metadata: {name: pt}, template: *t}
- {apiVersion: apps/v2, kind: Deployment, metadata: {name: new}, spec: {template: *t}}
- {apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: r}}
";

#[test]
fn every_kind_of_workload_makes_its_pods() {
    let all = read_one(EVERY_KIND);
    let names: Vec<_> = all.pods.iter().map(|pod| &*pod.name).collect();
    assert_eq!(
        names,
        [
            "db-5",
            "db-6",
            "rs-00000",
            "job-00000",
            "job-00001",
            "job-00002",
            "cron-00000",
            "pt-00000",
            "new-00000",
        ]
    );
    let assumptions: Vec<_> = all.assumptions.iter().map(|a| a.0.as_str()).collect();
    assert_eq!(
        assumptions,
        [
            "Deployment of apps/v2, an unknown version, is read as if it were the known one",
            "a CronJob has one run, which begins when the CronJob does",
            "a PodTemplate stands for one pod",
        ]
    );
    assert_eq!(all.ignored[0].kind, "Rollout");
}

const DAEMON: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: kube-system}
spec:
  template:
    spec:
      containers: [{name: a}]
      nodeSelector: {disk: ssd}
      priorityClassName: system-node-critical
---
apiVersion: v1
kind: Node
metadata: {name: plain}
status: {capacity: {cpu: 1}}
---
apiVersion: v1
kind: Node
metadata: {name: fast, labels: {disk: ssd}}
spec: {taints: [{key: node.kubernetes.io/unschedulable, effect: NoSchedule}], unschedulable: true}
status: {capacity: {cpu: 1}}
---
apiVersion: v1
kind: Node
metadata: {name: kept, labels: {disk: ssd}}
spec: {taints: [{key: team, value: a, effect: NoSchedule}]}
status: {capacity: {cpu: 1}}
";

#[test]
fn a_daemon_set_runs_on_the_nodes_that_it_selects_and_tolerates() {
    let all = read_one(DAEMON);
    assert_eq!(all.pods.len(), 1);
    let pod = &all.pods[0];
    assert_eq!(pod.template.effective.priority, 2_000_001_000);
    let required = pod.template.spec.affinity.as_ref().unwrap();
    let required = required.node_affinity.as_ref().unwrap().required.as_ref();
    let field = &required.unwrap().node_selector_terms[0].match_fields[0];
    assert_eq!(field.values, ["fast"]);
    assert_eq!(&*all.per_node[0].name, "agent");
    assert_eq!(all.per_node[0].template.effective.priority, 2_000_001_000);
    assert_eq!(all.nodes[0].allocatable.get("pods"), Some(110));
    let alone = DAEMON.split("---").next().unwrap();
    let alone = read_one(alone);
    assert_eq!((alone.pods.len(), alone.per_node.len()), (0, 1));
    assert_eq!(
        alone.assumptions[0].0,
        "DaemonSet kube-system/agent has no pods, because the input has no nodes"
    );
}

const CLUSTER: &str = r#"{"apiVersion": "v1", "items": [
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "uid": "1"},
 "spec": {"replicas": 9, "template": {"spec": {"containers": [{"name": "a"}]}}}},
{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "night-1", "uid": "2",
  "ownerReferences": [{"kind": "CronJob", "name": "night", "controller": true}]},
 "spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}},
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-7d9-x", "uid": "3",
  "creationTimestamp": "2026-01-01T00:00:05Z", "labels": {"pod-template-hash": "7d9"},
  "ownerReferences": [{"kind": "ReplicaSet", "name": "web-7d9", "controller": true}]},
 "spec": {"containers": [{"name": "a", "newField": 1}]}, "status": {"phase": "Running"}},
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "night-1-y", "uid": "4",
  "creationTimestamp": "2026-01-01T00:00:00Z",
  "ownerReferences": [{"kind": "Job", "name": "night-1", "controller": true}]},
 "spec": {"containers": [{"name": "a"}]},
 "status": {"phase": "Succeeded", "containerStatuses": [
   {"state": {"terminated": {"finishedAt": "2026-01-01T00:10:00Z"}}}]}},
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "going", "uid": "5",
  "creationTimestamp": "2026-01-01T00:00:09Z", "deletionTimestamp": "2026-01-01T01:00:00Z"},
 "spec": {"nodeName": "n", "containers": [{"name": "a"}]}, "status": {"phase": "Running"}}
], "kind": "List"}"#;

#[test]
fn a_dump_has_the_pods_of_its_workloads_with_times_and_owners() {
    let all = read_one(CLUSTER);
    let rows: Vec<_> = all
        .pods
        .iter()
        .map(|pod| {
            let owner = pod.owner.as_ref();
            let owner = owner.map_or(String::new(), |o| format!("{}/{}", o.kind, o.name));
            let time = |time: Option<inventory::Timestamp>| {
                time.map_or("-".to_owned(), |time| time.to_string())
            };
            format!(
                "{} {owner} {} {}",
                pod.name,
                time(pod.arrival),
                time(pod.departure)
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            "night-1-y CronJob/night 2026-01-01T00:00:00Z 2026-01-01T00:10:00Z",
            "web-7d9-x Deployment/web 2026-01-01T00:00:05Z -",
            "going  2026-01-01T00:00:09Z 2026-01-01T01:00:00Z",
        ]
    );
    let assumptions: Vec<_> = all.assumptions.iter().map(|a| a.0.as_str()).collect();
    assert_eq!(
        assumptions,
        [
            "spec.containers.newField of Pod, an unknown field, decides nothing",
            "2 workloads of a cluster make no pods beside those that the input has of it",
        ]
    );
    // Pods of one workload share their template, whatever node they are on.
    let raw = r#"{"kind": "PodList", "apiVersion": "v1", "items": [
        {"metadata": {"name": "a"}, "spec": {"nodeName": "x", "containers": [{"name": "c"}]}},
        {"metadata": {"name": "b"}, "spec": {"nodeName": "y", "containers": [{"name": "c"}]}}]}"#;
    let all = read_one(raw);
    assert!(std::sync::Arc::ptr_eq(
        &all.pods[0].template,
        &all.pods[1].template
    ));
    // The kind of the list may come after its items.
    let sorted = raw.replacen(r#""kind": "PodList", "#, "", 1);
    let sorted = sorted.strip_suffix('}').unwrap().to_owned() + r#", "kind": "PodList"}"#;
    assert_eq!(read_one(&sorted).pods.len(), 2);
}

#[test]
fn a_pod_or_workload_that_is_there_twice_is_an_error_with_both_places() {
    let pod = "kind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec: {containers: [{name: a}]}\n";
    let twice = try_read(&[("a.yaml", pod), ("b.yaml", pod)]).unwrap_err();
    assert_eq!(
        twice.to_string(),
        "b.yaml:1: Pod default/p: is there twice, first at a.yaml:1"
    );
    let twice = try_read(&[("a.yaml", WEB), ("b.yaml", WEB)]).unwrap_err();
    assert_eq!(
        twice.to_string(),
        "b.yaml:1: Deployment default/web: is there twice, first at a.yaml:1"
    );
}

#[test]
fn a_name_may_come_back_after_its_pod_has_gone() {
    let pod = |start: u32, end: u32| {
        format!(
            "---\nkind: Pod\napiVersion: v1\nmetadata:\n  name: p\n  \
             creationTimestamp: 2026-01-01T0{start}:00:00Z\n  \
             deletionTimestamp: 2026-01-01T0{end}:00:00Z\nspec: {{containers: [{{name: a}}]}}\n"
        )
    };
    let in_turn = format!("{}{}", pod(3, 4), pod(1, 3));
    assert_eq!(read_one(&in_turn).pods.len(), 2);
    let at_once = format!("{}{}", pod(2, 4), pod(1, 3));
    assert_eq!(
        error(&at_once),
        "one.yaml:2: Pod default/p: is there twice, first at one.yaml:10"
    );
}

#[test]
fn classes_add_priority_overhead_and_scheduling() {
    let text = "
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: low}
value: -5
globalDefault: true
preemptionPolicy: Never
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: vm}
handler: vm
overhead: {podFixed: {cpu: 250m, memory: 120Mi}}
scheduling: {nodeSelector: {vm: 'yes'}, tolerations: [{key: vm, operator: Exists}]}
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {runtimeClassName: vm, containers: [{name: a, resources: {requests: {cpu: 1}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: q}
spec: {priorityClassName: gone, runtimeClassName: gone, containers: [{name: a}]}
";
    let all = read_one(text);
    let template = &all.pods[0].template;
    assert_eq!(template.effective.requests.cpu(), 1250);
    assert_eq!(template.effective.priority, -5);
    assert_eq!(template.spec.preemption_policy.as_deref(), Some("Never"));
    assert_eq!(template.spec.node_selector["vm"], "yes");
    assert_eq!(template.spec.tolerations.len(), 1);
    assert_eq!(all.assumptions.len(), 2, "{:?}", all.assumptions);
    let contradicts = text.replace(
        "{runtimeClassName: vm,",
        "{nodeSelector: {vm: 'no'}, runtimeClassName: vm,",
    );
    assert_eq!(
        error(&contradicts),
        "one.yaml:16: spec.nodeSelector[vm]: \"no\" contradicts \"yes\" of runtime class vm"
    );
}

#[test]
fn an_autoscaler_bounds_the_number_of_pods() {
    let scaler = "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {scaleTargetRef: {kind: Deployment, name: web}, minReplicas: 4, maxReplicas: 7}
";
    for (scale, pods) in [(Scale::Written, 4), (Scale::Least, 4), (Scale::Most, 7)] {
        let mut builder = InventoryBuilder::new();
        builder.scale(scale);
        for text in [WEB, scaler] {
            read(&mut builder, "x.yaml", &mut text.as_bytes()).unwrap();
        }
        assert_eq!(builder.finish().unwrap().pods.len(), pods, "{scale:?}");
    }
}

#[test]
fn workloads_of_one_name_make_pods_of_different_names() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: web}\n\
               spec: {template: {spec: {containers: [{name: a}]}}}\n";
    let all = try_read(&[("a.yaml", WEB), ("b.yaml", job)]).unwrap();
    let names: Vec<_> = all.pods.iter().map(|pod| &*pod.name).collect();
    assert_eq!(
        names,
        ["web-00000", "web-00001", "web-00002", "web-job-00000"]
    );
}

#[test]
fn an_absurd_number_of_pods_is_refused() {
    let many = WEB.replace("replicas: 3", "replicas: 2147483647");
    assert_eq!(
        error(&many),
        "one.yaml:1: Deployment web makes 2147483647 pods: more than 10000000 pods in all"
    );
}

#[test]
fn pods_are_kept_as_they_were_written_when_a_policy_asks() {
    let mut builder = InventoryBuilder::new();
    builder.keep_raw();
    read(&mut builder, "x.yaml", &mut WEB.as_bytes()).unwrap();
    let all = builder.finish().unwrap();
    let raw = all.pods[0].template.raw.as_ref().unwrap();
    assert_eq!(raw["metadata"]["labels"]["app"], "web");
    assert_eq!(
        raw["spec"]["containers"][0]["resources"]["requests"]["cpu"],
        0.5
    );
    assert!(read_one(WEB).pods[0].template.raw.is_none());
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut builder = InventoryBuilder::new();
        if read(&mut builder, "x", &mut &bytes[..]).is_ok() {
            let _ = builder.finish();
        }
    }

    #[test]
    fn no_change_of_a_manifest_makes_the_reader_panic(
        text in prop_oneof![Just(WEB), Just(EVERY_KIND), Just(DAEMON), Just(CLUSTER)],
        cut in any::<prop::sample::Index>(),
        insert in "[-:{}\\[\\], \n\"'a0~&*|]{0,4}",
        length in 0..20_usize,
    ) {
        let start = cut.index(text.len());
        let end = (start + length).min(text.len());
        let changed = format!("{}{insert}{}", &text[..start], &text[end..]);
        let mut builder = InventoryBuilder::new();
        if read(&mut builder, "x", &mut changed.as_bytes()).is_ok() {
            let _ = builder.finish();
        }
    }
}
