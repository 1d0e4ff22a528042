//! Manifests and cluster dumps to inventories.

use inventory::{Inventory, InventoryBuilder, Part, ReadError, read};

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
kind: Service
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
        ("Service", 1)
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
