//! The verdicts of the API server's own expression compiler and evaluator.

use cel::{Bindings, Budget, Evaluated, Program, Value};
use serde_json::{Value as Json, json};

const GOLDEN: &str = include_str!("../../../tests/data/golden/cel.json");

/// Values of the names of one pod.
struct Case<'a> {
    globals: [Value; 4],
    variables: &'a [Program],
}

impl Bindings for Case<'_> {
    fn global(&self, place: usize) -> Value {
        self.globals[place].clone()
    }

    fn variable(&self, place: usize, budget: &mut Budget) -> Evaluated<Value> {
        self.variables[place].evaluate(self, budget)
    }
}

#[test]
fn every_expression_has_the_verdict_of_the_api_server() {
    let golden: Json = serde_json::from_str(GOLDEN).unwrap();
    let list = |field: &str| golden[field].as_array().unwrap();
    let mut environment = admission::environment(false);
    let mut variables = Vec::new();
    for variable in list("variables") {
        let expression = variable["expression"].as_str().unwrap();
        let program = environment.compile(expression).unwrap();
        let name = variable["name"].as_str().unwrap();
        environment.declare_variable(name, program.output().clone());
        variables.push(program);
    }
    let namespace = json!({"metadata": {"name": golden["request"]["namespace"], "labels": golden["namespace_labels"]}});
    let user =
        json!({"username": golden["request"]["user"], "groups": golden["request"]["groups"]});
    let mut verdicts = 0;
    for case in list("cases") {
        let text = case["expression"].as_str().unwrap();
        let compiled = environment.compile(text);
        if case.get("does_not_compile").is_some() {
            assert!(compiled.is_err(), "{text}");
            verdicts += 1;
            continue;
        }
        let program = compiled.unwrap_or_else(|error| panic!("{text}: {error}"));
        let results = case["results"].as_array().unwrap();
        assert_eq!(results.len(), list("pods").len());
        for (pod, expected) in list("pods").iter().zip(results) {
            let request = json!({
                "name": pod["metadata"]["name"],
                "namespace": golden["request"]["namespace"],
                "operation": golden["request"]["operation"],
                "userInfo": user
            });
            let case = Case {
                globals: [
                    admission::typed_pod(pod),
                    Value::Null,
                    Value::from_json(&namespace),
                    Value::from_json(&request),
                ],
                variables: &variables,
            };
            let value = program.evaluate(&case, &mut Budget::new(Budget::PER_CALL));
            let place = format!("{text} on {}: {value:?}", pod["metadata"]["name"]);
            if expected.get("error").is_some() {
                assert!(value.is_err(), "{place}");
            } else {
                let equal = value.is_ok_and(|value| value.equals(&Value::from_json(expected)));
                assert!(equal, "{place}, not {expected}");
            }
            verdicts += 1;
        }
    }
    assert!(verdicts > 100, "{verdicts}");
}
