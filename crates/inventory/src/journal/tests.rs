//! Whole journals, read as the commands read them.

use super::testing::{record, sealed};
use super::*;
use crate::{Inventory, Pod};

const CREATE: &str = r#"{"create":{"pid":1,"info":{},"pod":{"name":"web-6d4cf56db6-x7k2p","namespace":"shop","uid":"u1","attempt":0},"meta":{"labels":{"app":"web","pod-template-hash":"6d4cf56db6"}}}}"#;

fn container(id: &str, name: &str, info: &str, rest: &str) -> String {
    format!(
        r#"{{"create_container":{{"id":"{id}","name":"{name}","bundle":"/b","info":{{{info}}}{rest},"process":{{"pid":2}}}}}}"#
    )
}

fn lines(changes: &[(u64, &str, &str)]) -> String {
    let lines = (1..).zip(changes);
    lines
        .map(|(seq, (seconds, sandbox, change))| record(seq, *seconds, sandbox, change))
        .collect()
}

const ONLY: Segment = Segment {
    first: 1,
    next: None,
};

fn read_with(text: &str, options: JournalOptions) -> Result<Inventory, ReadError> {
    let mut builder = InventoryBuilder::new();
    let mut reader = JournalReader::new("dir", 0, options);
    reader.segment(&mut builder, "1.jsonl", ONLY, &mut text.as_bytes())?;
    reader.finish(&mut builder);
    builder.finish()
}

fn read(text: &str) -> Inventory {
    read_with(text, JournalOptions::default()).unwrap()
}

fn assumptions(inventory: &Inventory) -> Vec<&str> {
    let all = inventory.assumptions.iter();
    all.map(|assumption| assumption.0.as_str()).collect()
}

fn time(seconds: u64) -> Option<Timestamp> {
    let text = format!("2024-01-01T10:{:02}:{:02}Z", seconds / 60, seconds % 60);
    text.parse().ok()
}

fn requests(pod: &Pod) -> (Option<i64>, Option<i64>) {
    let requests = &pod.template.effective.requests;
    (requests.get("cpu"), requests.get("memory"))
}

#[test]
fn a_pod_has_its_name_life_labels_owner_and_requests() {
    let info = r#""cpu_request":0.099609375,"memory_request":1048576,"memory_limit":2097152"#;
    let app = container("c", "app", info, "");
    let text = lines(&[
        (0, "s", CREATE),
        (1, "s", "\"start\""),
        (2, "s", &app),
        (3, "s", r#"{"start_process":{"container":"c"}}"#),
        (60, "s", r#"{"stop":0}"#),
        (61, "s", "\"delete\""),
    ]);
    let inventory = read(&text);
    let [pod] = &inventory.pods[..] else {
        panic!("{inventory:?}")
    };
    assert_eq!(
        (&*pod.namespace, &*pod.name),
        ("shop", "web-6d4cf56db6-x7k2p")
    );
    assert_eq!(pod.uid.as_deref(), Some("u1"));
    assert_eq!((pod.arrival, pod.departure), (time(0), time(60)));
    assert_eq!(pod.template.labels["app"], "web");
    let owner = pod.owner.as_ref().unwrap();
    assert_eq!((&*owner.kind, &*owner.name), ("Deployment", "web"));
    assert_eq!(requests(pod), (Some(100), Some(1 << 20)));
    assert_eq!(pod.template.effective.limits.get("memory"), Some(2 << 20));
    assert_eq!(pod.source.to_string(), "1.jsonl:1");
    assert_eq!(assumptions(&inventory), [""; 0]);
}

#[test]
fn equal_pods_share_a_template_and_a_pod_without_an_end_stays() {
    let app = container("c", "app", r#""memory_request":1"#, "");
    let other = CREATE.replace("x7k2p", "zzzzz").replace("u1", "u2");
    let text = lines(&[
        (0, "s", CREATE),
        (1, "t", &other),
        (2, "s", &app),
        (2, "t", &app),
    ]);
    let inventory = read(&text);
    let [a, b] = &inventory.pods[..] else {
        panic!("{inventory:?}")
    };
    assert!(std::sync::Arc::ptr_eq(&a.template, &b.template));
    assert_eq!((a.departure, b.arrival), (None, time(1)));
}

#[test]
fn restarts_count_once_and_init_containers_are_known_by_their_end() {
    let half = r#""cpu_request":0.5,"memory_request":1"#;
    let exit = |id: &str, code: u32| format!(r#"{{"exit":[{{"container":"{id}"}},{code}]}}"#);
    let text = lines(&[
        (0, "s", CREATE),
        (
            1,
            "s",
            &container("i", "init", r#""cpu_request":2.0,"memory_request":1"#, ""),
        ),
        (2, "s", &exit("i", 0)),
        (3, "s", &container("a0", "app", half, "")),
        (4, "s", &container("b0", "log", half, "")),
        (5, "s", &exit("a0", 1)),
        (6, "s", &container("a1", "app", half, "")),
        (7, "s", &exit("b0", 0)),
        (8, "s", &container("b1", "log", half, "")),
    ]);
    let inventory = read(&text);
    let spec = &inventory.pods[0].template.spec;
    let names = |containers: &[crate::api::Container]| -> Vec<String> {
        containers.iter().map(|c| c.name.clone()).collect()
    };
    assert_eq!(names(&spec.init_containers), ["init"]);
    assert_eq!(names(&spec.containers), ["app", "log"]);
    assert_eq!(requests(&inventory.pods[0]).0, Some(2000));
}

#[test]
fn a_container_that_stays_beside_an_init_container_is_a_sidecar() {
    let text = lines(&[
        (0, "s", CREATE),
        (
            1,
            "s",
            &container("p", "proxy", r#""cpu_request":1.0,"memory_request":1"#, ""),
        ),
        (
            2,
            "s",
            &container("i", "init", r#""cpu_request":2.0,"memory_request":1"#, ""),
        ),
        (3, "s", r#"{"exit":[{"container":"i"},0]}"#),
        (
            4,
            "s",
            &container("a", "app", r#""cpu_request":0.5,"memory_request":1"#, ""),
        ),
    ]);
    let inventory = read(&text);
    let spec = &inventory.pods[0].template.spec;
    assert!(spec.init_containers[0].is_sidecar() && !spec.init_containers[1].is_sidecar());
    assert_eq!(requests(&inventory.pods[0]).0, Some(3000));
}

#[test]
fn what_the_sandbox_states_comes_before_the_sum() {
    let create = CREATE.replace(
        r#""info":{}"#,
        r#""info":{"cpu_request":3.0,"memory_request":7}"#,
    );
    let app = container("c", "app", r#""cpu_request":1.0"#, "");
    let inventory = read(&lines(&[(0, "s", &create), (1, "s", &app)]));
    assert_eq!(requests(&inventory.pods[0]), (Some(3000), Some(7)));
    assert_eq!(assumptions(&inventory), [""; 0]);
}

#[test]
fn the_memory_request_comes_from_the_best_source() {
    let manifest = r#"{\"kind\":\"Pod\",\"spec\":{\"priority\":5,\"containers\":[{\"name\":\"app\",\"resources\":{\"requests\":{\"memory\":\"1Mi\"}}}]}}"#;
    let annotated = CREATE.replace(
        r#""meta":{"#,
        &format!(
            r#""meta":{{"annotations":{{"kubectl.kubernetes.io/last-applied-configuration":"{manifest}"}},"#
        ),
    );
    let node = 16 << 30_u64;
    let cases = [
        // Stated, of the manifest, of the adjustment, the limit, nothing.
        (
            &annotated[..],
            r#""memory_request":9"#,
            r#","oom_score_adj":938"#,
            Some(9),
            "",
        ),
        (&annotated, "", r#","oom_score_adj":938"#, Some(1 << 20), ""),
        (
            CREATE,
            "",
            r#","oom_score_adj":938"#,
            Some(1_073_741_823),
            "is estimated",
        ),
        (CREATE, "", r#","oom_score_adj":1000"#, None, ""),
        (
            CREATE,
            r#""memory_limit":5"#,
            r#","oom_score_adj":-997"#,
            Some(5),
            "",
        ),
        (
            CREATE,
            r#""memory_limit":5"#,
            "",
            Some(5),
            "the memory limit is taken for it",
        ),
        (
            CREATE,
            "",
            r#","oom_score_adj":-997"#,
            None,
            "is unknown, and counts as none",
        ),
        (CREATE, "", "", None, "is unknown, and counts as none"),
    ];
    for (create, info, rest, expected, assumption) in cases {
        let app = container("c", "app", info, rest);
        let options = JournalOptions {
            node_memory: Some(node),
        };
        let text = lines(&[(0, "s", create), (1, "s", &app)]);
        let inventory = read_with(&text, options).unwrap();
        let memory = requests(&inventory.pods[0]).1;
        match expected {
            Some(bytes) if assumption.contains("estimated") => {
                let off = memory.unwrap().abs_diff(bytes);
                assert!(off < node / 1000, "{memory:?}");
            }
            expected => assert_eq!(memory, expected, "{info} {rest}"),
        }
        let stated = assumptions(&inventory).join("\n");
        assert!(stated.contains(assumption), "{stated}");
        assert_eq!(stated.is_empty(), assumption.is_empty(), "{stated}");
    }
    // Without the memory of the node an adjustment says how to find it.
    let app = container("c", "app", "", r#","oom_score_adj":938"#);
    let inventory = read(&lines(&[(0, "s", CREATE), (1, "s", &app)]));
    let expected = "dir: 1 pod: the memory request is unknown, and counts as none (--node-memory \
                    would show those of 1)";
    assert_eq!(assumptions(&inventory), [expected]);
}

#[test]
fn a_pod_with_another_sandbox_is_one_pod() {
    let again = CREATE.replace(r#""attempt":0"#, r#""attempt":1"#);
    let text = lines(&[
        (0, "s", CREATE),
        (5, "s", r#"{"stop":0}"#),
        (6, "t", &again),
        (9, "t", r#"{"stop":0}"#),
        (10, "u", &again.replace(r#""attempt":1"#, r#""attempt":2"#)),
    ]);
    let inventory = read(&text);
    assert_eq!(inventory.pods.len(), 1);
    let pod = &inventory.pods[0];
    assert_eq!((pod.arrival, pod.departure), (time(0), None));
}

#[test]
fn updates_count_and_are_stated() {
    let app = container("c", "app", r#""cpu_request":1.0,"memory_request":1"#, "");
    let update =
        r#"{"update_container":{"container":"c","info":{"cpu_request":2.0,"memory_request":1}}}"#;
    let inventory = read(&lines(&[
        (0, "s", CREATE),
        (1, "s", &app),
        (2, "s", update),
    ]));
    assert_eq!(requests(&inventory.pods[0]).0, Some(2000));
    assert!(assumptions(&inventory)[0].contains("the resources changed"));
}

#[test]
fn a_sandbox_without_a_pod_has_its_id_for_a_name() {
    let text = lines(&[(
        0,
        "s",
        r#"{"create":{"pid":1,"info":{"memory_request":1}}}"#,
    )]);
    let inventory = read(&text);
    let pod = &inventory.pods[0];
    assert_eq!((&*pod.namespace, &*pod.name), ("default", "s"));
    assert!(assumptions(&inventory)[0].contains("names no pod"));
}

#[test]
fn an_incomplete_last_line_is_stated_and_any_other_damage_is_an_error() {
    let whole = lines(&[
        (0, "s", CREATE),
        (1, "s", "\"start\""),
        (2, "s", r#"{"stop":0}"#),
    ]);
    let torn = &whole[..whole.len() - 9];
    let inventory = read(torn);
    assert!(assumptions(&inventory)[0].starts_with("1.jsonl:3: the last line is incomplete"));
    assert_eq!(inventory.pods[0].departure, None);

    let all: Vec<&str> = whole.split_inclusive('\n').collect();
    let unknown = record(2, 1, "s", "\"explode\"");
    for (text, expected) in [
        (
            whole.replace("\"start\"", "\"strat\""),
            "1.jsonl:2: the checksum is missing or wrong",
        ),
        (
            whole.replace("{\"stop\":0}", "{\"stop\":1}"),
            "1.jsonl:3: the checksum",
        ),
        ([all[0], all[2]].concat(), "1.jsonl:2: record 2 is missing"),
        ([all[1], all[2]].concat(), "1.jsonl:1: record 1 is missing"),
        (
            [all[0], all[1], all[1]].concat(),
            "1.jsonl:3: record 2 comes after record 2",
        ),
        (
            [all[0], &unknown, all[2]].concat(),
            "1.jsonl:2: do: unknown variant `explode`",
        ),
        ([all[0], "\n", all[1]].concat(), "1.jsonl:2: the checksum"),
    ] {
        let error = read_with(&text, JournalOptions::default())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{error}\nnot {expected}");
    }
}

#[test]
fn segments_follow_each_other_and_the_rest_of_a_failed_append_is_no_damage() {
    let whole = lines(&[
        (0, "s", CREATE),
        (1, "s", "\"start\""),
        (2, "s", r#"{"stop":0}"#),
    ]);
    let all: Vec<&str> = whole.split_inclusive('\n').collect();
    let read = |first: &str, second: &str, next: u64| {
        let mut builder = InventoryBuilder::new();
        let mut reader = JournalReader::new("dir", 0, JournalOptions::default());
        let one = Segment {
            first: 1,
            next: Some(next),
        };
        reader.segment(&mut builder, "1", one, &mut first.as_bytes())?;
        let two = Segment {
            first: next,
            next: None,
        };
        reader.segment(&mut builder, "2", two, &mut second.as_bytes())?;
        reader.finish(&mut builder);
        builder
            .finish()
            .map(|inventory| inventory.pods[0].departure)
    };
    let two = [all[0], all[1]].concat();
    assert_eq!(read(&two, all[2], 3).unwrap(), time(2));
    // Half of record 3 was written, taken back without success, and written again.
    assert_eq!(
        read(&[&two, &all[2][..20]].concat(), all[2], 3).unwrap(),
        time(2)
    );
    assert_eq!(read(&whole, all[2], 3).unwrap(), time(2));
    let error = read(all[0], all[2], 3).unwrap_err().to_string();
    assert_eq!(error, "1:1: record 2 is missing");
    let error = read(&two, "", 4).unwrap_err().to_string();
    assert_eq!(error, "1:2: record 3 is missing");
}

fn snapshot(entries: &[&str], count: usize) -> String {
    let entries: String = entries.iter().map(|entry| sealed(entry)).collect();
    let header = sealed(r#"{"snapshot":4,"format":1"#);
    header + &entries + &sealed(&format!("{{\"end\":4,\"sandboxes\":{count}"))
}

const ENTRY: &str = r#"{"ns":"k8s.io","sandbox":"s","slot":{"sandbox":{"pid":1,"info":{},"pod":{"name":"db-0","namespace":"shop","uid":"u","attempt":0}},"created_at":"2024-01-01T10:00:00.000000000Z","state":"ready","containers":[{"id":"a","name":"one","bundle":"/b","info":{"memory_request":1},"init":{"spec":{"pid":3},"state":"stopped","exit":{"code":0,"at":"2024-01-01T10:00:02.000000000Z"}}},{"id":"b","name":"two","bundle":"/b","info":{"memory_request":2},"init":{"spec":{"pid":4},"state":"running"}}]}"#;

#[test]
fn a_snapshot_and_the_records_after_it_make_the_pods() {
    let mut builder = InventoryBuilder::new();
    let mut reader = JournalReader::new("dir", 4, JournalOptions::default());
    let text = snapshot(&[ENTRY], 1);
    reader
        .snapshot(&mut builder, "4.snapshot", &mut text.as_bytes())
        .unwrap();
    let old = record(4, 3, "s", "\"start\"");
    let segment = old + &record(5, 9, "s", r#"{"stop":0}"#);
    let place = Segment {
        first: 4,
        next: None,
    };
    reader
        .segment(&mut builder, "4.jsonl", place, &mut segment.as_bytes())
        .unwrap();
    reader.finish(&mut builder);
    let inventory = builder.finish().unwrap();
    let pod = &inventory.pods[0];
    assert_eq!((pod.arrival, pod.departure), (time(0), time(9)));
    assert_eq!(requests(pod).1, Some(3), "neither is an init container");
    assert_eq!(pod.source.to_string(), "4.snapshot:2");
}

#[test]
fn a_damaged_snapshot_is_an_error_with_file_and_line() {
    let whole = snapshot(&[ENTRY], 1);
    let all: Vec<&str> = whole.split_inclusive('\n').collect();
    for (text, expected) in [
        (whole.replace("db-0", "db-1"), "f:2: the checksum"),
        ([all[0], all[1]].concat(), "f:3: the last line is missing"),
        (snapshot(&[ENTRY], 2), "f:3: 2 sandboxes after record 4"),
        (whole.trim_end().to_owned(), "f:3: the line does not end"),
        (
            whole.clone() + &whole,
            "f:4: there is more after the last line",
        ),
        (
            sealed(r#"{"snapshot":4,"format":2"#),
            "f:1: format 2, and 1 is known",
        ),
        (
            sealed(r#"{"snapshot":5,"format":1"#),
            "f:1: the state after record 5, not 4",
        ),
    ] {
        let mut reader = JournalReader::new("dir", 4, JournalOptions::default());
        let mut builder = InventoryBuilder::new();
        let error = reader.snapshot(&mut builder, "f", &mut text.as_bytes());
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}\nnot {expected}");
    }
}

#[test]
fn pods_of_before_the_first_segment_come_from_the_snapshot_after_it() {
    let mut builder = InventoryBuilder::new();
    // Records 1 and 2 are gone, and the snapshot is that of record 4.
    let mut reader = JournalReader::new("dir", 2, JournalOptions::default());
    let text: String = [
        record(3, 1, "t", &CREATE.replace("u1", "u3")),
        record(4, 2, "gone", r#"{"stop":0}"#),
        record(5, 7, "s", r#"{"stop":0}"#),
    ]
    .concat();
    let place = Segment {
        first: 3,
        next: None,
    };
    reader
        .segment(&mut builder, "3", place, &mut text.as_bytes())
        .unwrap();
    let later = ENTRY
        .replace(r#""sandbox":"s""#, r#""sandbox":"t""#)
        .replace("10:00:00", "10:00:01");
    let text = snapshot(&[ENTRY, &later], 2);
    reader
        .older(&mut builder, "4", 4, &mut text.as_bytes())
        .unwrap();
    reader.finish(&mut builder);
    let inventory = builder.finish().unwrap();
    let names: Vec<&str> = inventory.pods.iter().map(|pod| &*pod.name).collect();
    assert_eq!(names, ["db-0", "web-6d4cf56db6-x7k2p"]);
    assert_eq!(inventory.pods[0].departure, time(7));
    assert!(
        assumptions(&inventory)
            .iter()
            .any(|text| text.contains("left out"))
    );
}
