//! Whole files, read as the commands read them.

use super::*;
use crate::Inventory;

fn try_read(files: &[(&str, Option<Quantity>)]) -> Result<Inventory, ReadError> {
    let mut builder = InventoryBuilder::new();
    let mut usage = UsageReader::new();
    for (text, unnamed) in files {
        usage.read("f", &mut text.as_bytes(), *unnamed)?;
    }
    usage.finish(&mut builder);
    builder.finish()
}

fn read(text: &str) -> Inventory {
    try_read(&[(text, None)]).unwrap()
}

fn refused(text: &str) -> String {
    try_read(&[(text, None)]).unwrap_err().to_string()
}

/// Returns the samples of the only series: seconds, billionths of a core, bytes, kill.
fn samples(inventory: &Inventory) -> Vec<(i64, Option<i64>, Option<i64>, bool)> {
    let [series] = &inventory.usage[..] else {
        panic!("{:?}", inventory.usage)
    };
    assert_eq!(
        (&*series.namespace, &*series.pod, &*series.container),
        ("n", "p", "c")
    );
    let sample = |sample: &Sample| {
        (
            sample.time.0 / 1_000_000_000,
            sample.cpu_nanocores,
            sample.memory_bytes,
            sample.oom_killed,
        )
    };
    series.samples.iter().map(sample).collect()
}

fn assumptions(inventory: &Inventory) -> String {
    let all = inventory.assumptions.iter();
    all.map(|one| one.0.as_str()).collect::<Vec<_>>().join("\n")
}

const EXPECTED: [(i64, Option<i64>, Option<i64>, bool); 3] = [
    (0, None, Some(1000), false),
    (60, Some(500_000_000), Some(2000), false),
    (120, Some(250_000_000), Some(3000), true),
];

const LABELS: &str = r#""namespace":"n","pod":"p","container":"c""#;

fn matrix(series: &[(&str, &str)]) -> String {
    let one = |(name, values): &(&str, &str)| {
        let name = match *name {
            "" => String::new(),
            name => format!("\"__name__\":\"{name}\","),
        };
        format!("{{\"metric\":{{{name}{LABELS}}},\"values\":[{values}]}}")
    };
    let series: Vec<String> = series.iter().map(one).collect();
    format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{}]}}}}\n",
        series.join(",")
    )
}

const CPU: &str = "container_cpu_usage_seconds_total";
const MEMORY: &str = "container_memory_working_set_bytes";

#[test]
fn an_answer_of_prometheus_is_read() {
    let text = matrix(&[
        (CPU, r#"[0,"10"],[60,"40"],[120,"55"]"#),
        (MEMORY, r#"[0,"1e3"],[60,"2000"],[120,"3000"]"#),
        (
            "container_oom_events_total",
            r#"[0,"0"],[60,"0"],[120,"1"]"#,
        ),
    ]);
    let mut expected = EXPECTED;
    // The counter of kills rose by nothing in the first minute.
    expected[1].3 = false;
    let inventory = read(&text);
    assert_eq!(samples(&inventory), expected);
    assert_eq!(assumptions(&inventory), "");
}

#[test]
fn metrics_as_text_are_read_in_both_formats() {
    let labels = "namespace=\"n\",pod=\"p\",container=\"c\",id=\"/a}\\\"b\"";
    let open_metrics = [(0, 10, 1000), (60, 40, 2000), (120, 55, 3000)]
        .iter()
        .map(|(time, cpu, memory)| {
            format!(
                "{CPU}{{{labels}}} {cpu} {time}.0\n{MEMORY}{{{labels}}} {memory} {time}\n\
                 container_oom_events_total{{{labels}}} {} {time} # {{a=\"b\"}} 1\n",
                i32::from(*time == 120)
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let open_metrics = format!("# TYPE {CPU} counter\n\n{open_metrics}# EOF\nrest\n");
    assert_eq!(samples(&read(&open_metrics)), EXPECTED);
    let base = 1_700_000_000_000_i64;
    let text = [(0, 10), (60, 40)]
        .iter()
        .map(|(time, cpu)| format!("{CPU}{{{labels}}} {cpu} {}\n", base + time * 1000))
        .collect::<Vec<_>>()
        .concat();
    let expected = [(1_700_000_060, Some(500_000_000), None, false)];
    assert_eq!(samples(&read(&text)), expected);
}

#[test]
fn a_table_is_read_with_either_form_of_a_time() {
    let text = "time,namespace,pod,container,cpu_millicores,memory_bytes,oom\r\n\
                1970-01-01T00:00:00Z,n,p,c,,1000,\r\n\
                60,n,\"p\",c,500,2000,false\n\
                120.0,n,p,c,250.0,3000,true\n";
    let inventory = read(text);
    assert_eq!(samples(&inventory), EXPECTED);
    assert_eq!(assumptions(&inventory), "");
}

#[test]
fn rates_without_a_name_are_what_the_user_says() {
    let text = matrix(&[("", r#"[60,"0.5"]"#)]);
    let inventory = try_read(&[
        (&text, Some(Quantity::Cpu)),
        (&matrix(&[("", r#"[60,"2000"]"#)]), Some(Quantity::Memory)),
    ]);
    let expected = [(60, Some(500_000_000), Some(2000), false)];
    assert_eq!(samples(&inventory.unwrap()), expected);
    assert!(refused(&text).starts_with("f:1: data.result[0].metric: no __name__"));
}

#[test]
fn what_is_odd_is_stated() {
    let text = matrix(&[
        (
            CPU,
            r#"[0,"10"],[120,"1"],[60,"40"],[60,"40"],[180,"NaN"],[240,"1"],[900,"1"]"#,
        ),
        ("container_memory_rss", r#"[0,"1"]"#),
    ]);
    let inventory = read(&text);
    let stated = assumptions(&inventory);
    for expected in [
        "usage: 1 series with samples out of order",
        "usage: 1 samples repeat",
        "usage: 1 falls of a counter",
        "usage: 1 samples that are not a number",
        "usage: 1 gaps, of at most 660 s",
        "usage: 1 series of container_memory_rss",
    ] {
        assert!(stated.contains(expected), "{stated}\nnot {expected}");
    }
    let of_pod = matrix(&[(MEMORY, r#"[0,"1"]"#)]).replace("\"c\"", "\"\"");
    assert!(assumptions(&read(&of_pod)).contains("of a whole pod"));
}

#[test]
fn what_is_wrong_is_an_error_with_its_place() {
    let value = |value: &str| matrix(&[(CPU, &format!("[0,\"1\"],[60,\"{value}\"]"))]);
    let table = |row: &str| {
        format!("time,namespace,pod,container,cpu_millicores,memory_bytes\n0,n,p,c,1,1\n{row}\n")
    };
    for (text, expected) in [
        (
            value("-1"),
            "f:1: data.result[0].values[1]: \"-1\" is negative",
        ),
        (
            value("+Inf"),
            "f:1: data.result[0].values[1]: \"+Inf\" is beyond",
        ),
        (
            value("many"),
            "f:1: data.result[0].values[1]: \"many\" is no number",
        ),
        (
            matrix(&[(CPU, r#"[0,"1"],[0,"2"]"#)]),
            "f:1: data.result[0].values[1]: 2, and 1 at",
        ),
        (
            matrix(&[(CPU, r#"[-5,"1"]"#)]),
            "f:1: data.result[0].values[0]: -5 is no time",
        ),
        (
            matrix(&[(CPU, "[0]")]),
            "f:1: a time and a value are needed",
        ),
        (
            value("1").replace("matrix", "scalar"),
            "f:1: data.resultType: \"scalar\", not",
        ),
        (
            r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#.to_owned(),
            "f:1: error: parse error",
        ),
        (
            "{\"status\":\"success\"}".to_owned(),
            "f:1: data.result: missing",
        ),
        (value("1")[..60].to_owned(), "f:1: EOF while parsing"),
        (
            table("60,n,p,c,-1,1"),
            "f:3: cpu_millicores: \"-1\" is negative",
        ),
        (table("60,n,p,c,1"), "f:3: 5 columns, and the header has 6"),
        (table("noon,n,p,c,1,1"), "f:3: time: \"noon\" is no time"),
        (table("60,n,,c,1,1"), "f:3: pod: missing"),
        (
            table("60,n,\"p,c,1,1"),
            "f:3: a quotation mark is not closed",
        ),
        (
            table("0,n,p,c,1,2"),
            "f:3: memory_bytes: 2, and 1 at the same time before",
        ),
        (table("").replace("pod,", "name,"), "f:1: the header is"),
        (format!("{CPU}{{namespace=\"n\"}} 1\n"), ""),
        (
            format!("{CPU}{{{}}} 1", "namespace=\"n\",pod=\"p\",container=\"c\""),
            "f:1: the time",
        ),
        (
            format!("{CPU}{{namespace=\"n"),
            "f:1: the labels do not end",
        ),
        ("x".to_owned(), "f:1: the value is missing"),
    ] {
        match try_read(&[(&text, None)]) {
            Ok(_) => assert_eq!(expected, "", "{text}"),
            Err(error) => assert!(
                !expected.is_empty() && error.to_string().starts_with(expected),
                "{error}\nnot {expected}"
            ),
        }
    }
}

mod any {
    use proptest::prelude::*;

    use super::try_read;

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in "[a-z{}\",0-9\\[\\]:. \n]{0,80}", head in 0..3_usize) {
            let heads = [
                "{\"data\":{\"result\":[{\"metric\":{},\"values\":[",
                "time,namespace,pod,container,cpu_millicores,memory_bytes\n",
                "container_cpu_usage_seconds_total{",
            ];
            let _ = try_read(&[(&format!("{}{text}", heads[head]), None)]);
        }
    }
}
