//! Updates of a pod's resources through the record of containerd: each keeps what it does not
//! state.

use std::collections::HashMap;
use std::path::Path;

use containerd_sandbox::{
    Any, Key, Sandbox, SandboxOptions, SandboxRecord, SandboxUpdate, Sandboxer,
};
use serde_json::{Value, json};

use super::ResourceSlotSandboxer;
use super::tests::open;

fn record(extensions: &[(&str, &Value)]) -> SandboxRecord {
    let extensions = extensions.iter().map(|(key, json)| {
        let any = Any {
            type_url: (*key).to_owned(),
            value: json.to_string().into_bytes(),
        };
        ((*key).to_owned(), any)
    });
    SandboxRecord {
        extensions: extensions.collect(),
        ..SandboxRecord::default()
    }
}

/// Returns containerd's record of a pod with 100 MB of memory.
fn metadata() -> Value {
    let linux = json!({"resources": {"memory_limit_in_bytes": 100, "cpu_shares": 512}});
    json!({"Version": "v1", "Metadata": {"Config": {"linux": linux}}})
}

fn memory(bytes: u64) -> Value {
    json!({"memory_limit_in_bytes": bytes})
}

async fn update(sandboxer: &ResourceSlotSandboxer, id: &Key, updated: &Value) {
    let update = SandboxUpdate {
        fields: vec!["extensions".to_owned()],
        record: record(&[("metadata", &metadata()), ("updated-resources", updated)]),
    };
    sandboxer.update(id, update).await.unwrap();
}

fn shown(sandboxer: &ResourceSlotSandboxer, id: &Key) -> Value {
    let status = sandboxer.sandbox(id).unwrap().status(true).unwrap();
    let info: HashMap<String, Value> = serde_json::from_str(&status.info["info"]).unwrap();
    info["resource_info"].clone()
}

async fn created(dir: &Path) -> (ResourceSlotSandboxer, Key) {
    let sandboxer = open(dir);
    let id = Key::new("k8s.io", "s").unwrap();
    let options = SandboxOptions {
        record: record(&[("metadata", &metadata())]),
        ..SandboxOptions::default()
    };
    sandboxer.create(&id, options).await.unwrap();
    (sandboxer, id)
}

#[tokio::test]
async fn an_update_of_a_pod_keeps_what_it_does_not_state() {
    let dir = tempfile::tempdir().unwrap();
    let (sandboxer, id) = created(dir.path()).await;
    assert_eq!(shown(&sandboxer, &id)["memory_limit"], 100);
    update(
        &sandboxer,
        &id,
        &json!({"Overhead": null, "Resources": memory(500)}),
    )
    .await;
    assert_eq!(shown(&sandboxer, &id)["memory_limit"], 500);
    update(&sandboxer, &id, &json!({"Overhead": memory(10)})).await;
    assert_eq!(shown(&sandboxer, &id)["memory_limit"], 510);
    let quota = json!({"Resources": {"cpu_quota": 50_000, "cpu_period": 100_000}});
    update(&sandboxer, &id, &quota).await;
    let info = shown(&sandboxer, &id);
    assert_eq!(
        (&info["memory_limit"], &info["cpu_limit"]),
        (&json!(510), &json!(0.5))
    );
    assert_eq!(info["cpu_request"], 0.5);
    sandboxer.close().unwrap();

    // A restart and an update of the labels alone change none of it.
    let sandboxer = open(dir.path());
    let labels = SandboxUpdate {
        fields: vec!["labels".to_owned()],
        record: record(&[("metadata", &metadata())]),
    };
    sandboxer.update(&id, labels).await.unwrap();
    assert_eq!(shown(&sandboxer, &id), info);
    sandboxer.close().unwrap();
}

#[tokio::test]
async fn an_update_of_a_pod_can_remove_a_limit() {
    let dir = tempfile::tempdir().unwrap();
    let (sandboxer, id) = created(dir.path()).await;
    let none = json!({"Resources": {"memory_limit_in_bytes": -1}});
    update(&sandboxer, &id, &none).await;
    assert_eq!(shown(&sandboxer, &id)["memory_limit"], Value::Null);
    sandboxer.close().unwrap();
}

#[tokio::test]
async fn an_update_that_cannot_be_read_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (sandboxer, id) = created(dir.path()).await;
    let before = shown(&sandboxer, &id);
    for wrong in [
        json!("x"),
        json!({"Resources": 5}),
        json!({"Resources": {"cpu_shares": -7}}),
    ] {
        let update = SandboxUpdate {
            fields: Vec::new(),
            record: record(&[("metadata", &metadata()), ("updated-resources", &wrong)]),
        };
        let error = sandboxer.update(&id, update).await.unwrap_err();
        assert_eq!(
            error.code(),
            containerd_sandbox::Code::InvalidArgument,
            "{wrong}"
        );
        assert_eq!(shown(&sandboxer, &id), before);
    }
    sandboxer.close().unwrap();
}
