//! Tables of `slotplan export`, read by DuckDB.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use export::{Exporter, Format, Results};
use inventory::{Inventory, Owner, Pod, Sample, Source, Template, Timestamp, UsageSeries};
use serde_json::{Value, json};
use tests::binary;
use tests::foreign::found_by;

/// Returns a Python with the package duckdb; `None` if the test is skipped.
fn python() -> Option<PathBuf> {
    found_by("python-duckdb", "REQUIRE_PYTHON_DUCKDB")
}

/// Runs a query in a directory and returns its rows.
fn query(python: &Path, directory: &Path, sql: &str) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/query.py");
    let mut child = Command::new(python)
        .arg(script)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(sql.as_bytes()).expect("Python reads");
    drop(input);
    let output = child.wait_with_output().expect("Python ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sql}\n{said}");
    let text = String::from_utf8(output.stdout).expect("text");
    let row = |line| serde_json::from_str(line).expect("a row in JSON");
    text.lines().map(row).collect()
}

/// Returns the queries of the documentation.
fn documented() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/planning-export.md");
    let page = fs::read_to_string(page).expect("the page");
    let blocks = page.split("```sql\n").skip(1);
    let queries: Vec<_> = blocks
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(queries.len(), 3);
    queries
}

fn slotplan(directory: &Path, args: &[&str]) -> Value {
    let output = Command::new(binary("slotplan"))
        .args(args)
        .arg("--json")
        .current_dir(directory)
        .output()
        .expect("slotplan runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
    serde_json::from_slice(&output.stdout).expect("a document")
}

/// Returns a pod of a cluster dump.
fn pod(name: &str, resources: &Value, times: [&str; 2]) -> Value {
    let (namespace, name) = name.split_once('/').expect("NAMESPACE/NAME");
    let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": namespace,
        "uid": "o", "controller": true});
    let [created, finished] = times;
    let status = match finished {
        "" => json!({"phase": "Running"}),
        _ => json!({"phase": "Succeeded", "containerStatuses":
            [{"name": "app", "state": {"terminated": {"exitCode": 0, "finishedAt": finished}}}]}),
    };
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "uid": name, "labels": {"a": "\"q,\n"},
            "creationTimestamp": created, "ownerReferences": [owner]},
        "spec": {"nodeName": "a",
            "containers": [{"name": "app", "image": "i", "resources": resources}]},
        "status": status,
    })
}

fn write_inputs(directory: &Path) {
    let amounts = json!({"cpu": "8", "memory": "32Gi", "pods": "110"});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"},
        "status": {"capacity": amounts, "allocatable": amounts}});
    let small = json!({"requests": {"cpu": "250m", "memory": "128Mi"}});
    let large =
        json!({"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"example.com/gpu": "1"}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        node,
        pod("shop/web-0", &small, ["2026-01-30T22:10:00Z", ""]),
        pod("shop/web-1", &small, ["2026-01-30T22:40:00Z", "2026-01-31T01:15:00Z"]),
        pod("batch/job-0", &large, ["2026-01-30T23:30:00Z", "2026-01-31T00:30:00Z"]),
        pod("batch/none", &json!({}), ["2026-01-30T23:30:00Z", ""]),
    ]});
    fs::write(directory.join("dump.json"), list.to_string()).unwrap();
    let usage = "time,namespace,pod,container,cpu_millicores,memory_bytes\n\
        2026-01-30T23:59:00Z,shop,web-0,app,30,1000\n\
        2026-01-31T00:01:00Z,shop,web-0,app,90,2000\n\
        2026-01-30T23:59:00Z,batch,job-0,app,1500,3000\n";
    fs::write(directory.join("usage.csv"), usage).unwrap();
}

/// Returns the table of an export's document.
fn table<'a>(document: &'a Value, name: &str) -> &'a Value {
    let tables = document["tables"].as_array().expect("tables");
    let found = tables.iter().find(|table| table["name"] == name);
    found.unwrap_or_else(|| panic!("no table {name}"))
}

fn integer(value: &Value) -> i128 {
    let text = value.to_string();
    text.trim_matches('"')
        .parse()
        .unwrap_or_else(|_| panic!("{text} is no integer"))
}

/// Checks that the sums of DuckDB over each table, in both formats, are those of the document.
fn assert_sums(python: &Path, dir: &Path, document: &Value) {
    for table in document["tables"].as_array().expect("tables") {
        let name = table["name"].as_str().expect("a name");
        for source in [
            format!("read_parquet('lake/{name}/**/*.parquet')"),
            format!("read_csv('csv/{name}/**/*.csv', union_by_name = true)"),
        ] {
            let sums = table["sums"].as_object().expect("sums");
            let columns: Vec<_> = sums
                .keys()
                .map(|column| format!("coalesce(sum(\"{column}\"::BIGINT), 0) AS \"{column}\""))
                .collect();
            let columns = columns.join(", ");
            let comma = if columns.is_empty() { "" } else { ", " };
            let rows = query(
                python,
                dir,
                &format!("SELECT count(*) AS rows{comma}{columns} FROM {source}"),
            );
            assert_eq!(rows[0]["rows"], table["rows"], "{source}");
            for (column, sum) in sums {
                assert_eq!(
                    integer(&rows[0][column]),
                    integer(sum),
                    "{source}: {column}"
                );
            }
        }
    }
}

#[test]
fn sums_of_duckdb_are_those_of_slotplan() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write_inputs(dir);
    let cost = slotplan(dir, &["cost", "dump.json", "--recorded", "--by", "owner"]);
    fs::write(dir.join("cost.json"), cost.to_string()).unwrap();
    let args = [
        "export",
        "dump.json",
        "usage.csv",
        "--result",
        "cost.json",
        "--cluster",
        "west",
    ];
    let args = [&args[..], &["--parquet", "lake", "--csv", "csv"]].concat();
    let document = slotplan(dir, &args);

    assert_sums(&python, dir, &document);
    let pods = table(&document, "pods");
    assert_eq!(pods["rows"], 4);
    assert_eq!(pods["files"], 2);
    assert_eq!(pods["sums"]["cpu_request_millicores"], 2500);
    // Of the pods that left, nothing is left.
    let changes = table(&document, "changes");
    assert_eq!(changes["sums"]["cpu_millicores"], 250);
    assert_eq!(changes["sums"]["pods"], 2);

    let columns = query(
        &python,
        dir,
        "SELECT pod, cluster, day::VARCHAR AS day, labels, other_requests, \
         epoch_ns(departure) AS departure FROM 'lake/pods/**/*.parquet' ORDER BY pod",
    );
    assert_eq!(
        columns[0],
        json!({"pod": "job-0", "cluster": "west", "day": "2026-01-30",
            "labels": "{\"a\":\"\\\"q,\\n\"}", "other_requests": "{\"example.com/gpu\":1}",
            "departure": 1_769_819_400_000_000_000_i64}),
    );

    let queries = documented();
    let hours = query(&python, dir, &queries[0]);
    let amount: i128 = hours.iter().map(|row| integer(&row["millicore_ns"])).sum();
    let minutes = 250 * (185 + 155) + 2000 * 60;
    assert_eq!(amount, minutes * 60_000_000_000);
    assert_eq!(
        hours[1],
        json!({"hour": "2026-01-30 23:00:00", "namespace": "batch",
            "millicore_ns": 2000 * 1_800_000_000_000_i64, "core_hours": 1.0}),
    );
    let groups = cost["groups"].as_array().expect("groups");
    let core_hours = groups
        .iter()
        .filter_map(|group| group["core_hours"].as_f64());
    let core_hours: f64 = core_hours.sum();
    let difference = core_hours - amount as f64 / 3.6e15;
    assert!(difference.abs() < 1e-9, "{difference}");

    let unused = query(&python, dir, &queries[1]);
    let row = |namespace: &str, pod: &str, requested: i64, peak: i64| {
        json!({"namespace": namespace, "pod": pod, "container": "app",
            "requested_millicores": requested, "peak_millicores": peak, "unused": requested - peak})
    };
    let rows = [
        row("batch", "job-0", 2000, 1500),
        row("shop", "web-0", 250, 90),
    ];
    assert_eq!(unused, rows);

    let owners = query(&python, dir, &queries[2]);
    let told = groups.iter().filter(|group| group["kind"] == "containers");
    let mut told: Vec<_> = told
        .map(|group| (integer(&group["total_nano"]), group["key"].clone()))
        .collect();
    told.sort_by_key(|(nano, _)| std::cmp::Reverse(*nano));
    let found = owners.iter();
    let found: Vec<_> = found
        .map(|row| (integer(&row["total_nano"]), row["owner"].clone()))
        .collect();
    assert_eq!(found, told);
    let all = query(
        &python,
        dir,
        "SELECT sum(total_nano) AS total FROM 'lake/costs/**/*.parquet'",
    );
    assert_eq!(
        integer(&all[0]["total"]),
        integer(&cost["total"]["total_nano"])
    );
}

/// Midnight of 2026-01-31.
const MIDNIGHT: i64 = 1_769_817_600_000_000_000;

fn sample(seconds: i64, cpu_nanocores: Option<i64>, memory_bytes: Option<i64>) -> Sample {
    Sample {
        time: Timestamp(MIDNIGHT + seconds * 1_000_000_000 + 1),
        cpu_nanocores,
        memory_bytes,
        oom_killed: seconds == 0,
    }
}

/// Returns pods with one container each, and samples on both sides of midnight.
fn with_usage() -> Inventory {
    let spec = json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]});
    let spec = serde_json::from_value(spec).expect("a spec");
    let template = Arc::new(Template::new([].into(), spec));
    let pod = |name: &str| Pod {
        namespace: "ns".into(),
        name: name.into(),
        uid: None,
        template: Arc::clone(&template),
        owner: Some(Arc::new(Owner {
            kind: "Job".into(),
            name: "o".into(),
        })),
        node: None,
        arrival: None,
        departure: None,
        source: Source {
            file: "f".into(),
            line: 0,
        },
    };
    let usage = |name: &str, samples: &[Sample]| UsageSeries {
        namespace: "ns".into(),
        pod: name.into(),
        container: "c".into(),
        samples: samples.to_vec(),
    };
    Inventory {
        pods: vec![pod("busy"), pod("idle")],
        usage: vec![
            usage(
                "busy",
                &[
                    sample(-60, Some(900_000_001), Some(i64::MAX)),
                    sample(0, Some(5), Some(i64::MAX)),
                ],
            ),
            usage(
                "idle",
                &[
                    sample(-60, None, None),
                    sample(-30, Some(3_000_000), Some(7)),
                    sample(60, Some(1), Some(8)),
                ],
            ),
        ],
        ..Inventory::default()
    }
}

#[test]
fn samples_keep_every_nanosecond_and_nanocore() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut exporter = Exporter {
        cluster: &"west".parse().expect("a name"),
        formats: &[Format::Parquet],
        open: &mut |_, path| {
            let path = dir.join("lake").join(path);
            fs::create_dir_all(path.parent().expect("a directory"))?;
            Ok(Box::new(fs::File::create_new(path)?))
        },
    };
    let tables = exporter.write(&with_usage(), &Results::default());
    let tables = tables.expect("tables are written");
    let usage = tables.iter().find(|table| table.table == "usage");
    let usage = usage.expect("a table");
    assert_eq!((usage.rows, usage.files), (5, 2));
    // A sum beyond 64 bits is not told.
    let sums: Vec<_> = usage.sums.iter().map(|sum| sum.sum).collect();
    assert_eq!(sums, [Some(903_000_007), None]);
    let rows = query(
        &python,
        dir,
        "SELECT pod, epoch_ns(time) AS time, cpu_nanocores AS cpu, memory_bytes AS memory, \
         oom_killed AS oom, day::VARCHAR AS day FROM 'lake/usage/**/*.parquet' ORDER BY pod, time",
    );
    let row = |pod: &str, seconds: i64, cpu: Value, memory: Value, day: &str| {
        let time = sample(seconds, None, None).time.0;
        json!({"pod": pod, "time": time, "cpu": cpu, "memory": memory, "oom": seconds == 0, "day": day})
    };
    let (before, after) = ("2026-01-30", "2026-01-31");
    assert_eq!(
        rows,
        [
            row("busy", -60, 900_000_001.into(), i64::MAX.into(), before),
            row("busy", 0, 5.into(), i64::MAX.into(), after),
            row("idle", -60, Value::Null, Value::Null, before),
            row("idle", -30, 3_000_000.into(), 7.into(), before),
            row("idle", 60, 1.into(), 8.into(), after),
        ]
    );
    let unused = query(&python, dir, &documented()[1]);
    let row = |pod: &str, peak: i64| {
        json!({"namespace": "ns", "pod": pod, "container": "c", "requested_millicores": 1000,
            "peak_millicores": peak, "unused": 1000 - peak})
    };
    assert_eq!(unused, [row("idle", 3), row("busy", 901)]);
}

/// Returns the contents of all files below a directory, by their paths.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(directory).expect("below it").display();
                found.insert(name.to_string(), fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write_inputs(dir);
    let export = |name: &str| {
        let directory = |kind: &str| format!("{name}/{kind}");
        let (lake, csv, traces) = (directory("lake"), directory("csv"), directory("traces"));
        let args = ["export", "dump.json", "--parquet", &lake, "--csv", &csv];
        slotplan(dir, &[&args[..], &["--emit-trace", &traces]].concat());
        files(&dir.join(name))
    };
    let first = export("first");
    // Pods, containers and usage have one day, changes two, and three tables none; one trace.
    assert_eq!(
        first.len(),
        2 * (1 + 1 + 1 + 2 + 3) + 1,
        "{:?}",
        first.keys()
    );
    assert!(first == export("second"), "the bytes differ");
}

#[test]
fn what_cannot_be_written_or_read_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write_inputs(dir);
    fs::create_dir(dir.join("full")).unwrap();
    fs::write(dir.join("full/file"), "").unwrap();
    fs::write(dir.join("old.json"), r#"{"schema": "slotplan/cost/9"}"#).unwrap();
    let place = r#"{"schema": "slotplan/schedule/1", "placements": [{"pod": "a/b", "node": "n"}]}"#;
    fs::write(dir.join("plan.json"), place).unwrap();
    for (args, message) in [
        (&[][..], "nothing to write: give --parquet, --csv"),
        (&["--csv", "full"], "full is not empty: it contains file"),
        (&["--csv", "full/file"], "create the directory full/file: "),
        (&["--csv", "a", "--cluster", "a/b"], "not 1 to 128 letters"),
        (
            &["--csv", "b", "--result", "old.json"],
            "old.json: schema is \"slotplan/cost/9\", not",
        ),
        (&["--csv", "c", "--result", "none.json"], "read none.json: "),
        (
            &["--emit-trace", "d", "--result", "plan.json"],
            "plan.json: placement of pod a/b, which does not wait for a node in the input",
        ),
    ] {
        let output = Command::new(binary("slotplan"))
            .args(["export", "dump.json"])
            .args(args)
            .current_dir(dir)
            .output()
            .expect("slotplan runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert_eq!(said.matches(message).count(), 1, "{message}: {said}");
    }
}
