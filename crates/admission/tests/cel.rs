//! The answers of the API server's own expression compiler, compared verdict by verdict.
use cel::{Bindings, Budget, Environment, Evaluated, Program, Type, Value};
use serde_json::Value as Json;

struct Case<'a> {
    globals: [Value; 3],
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
    let golden: Json =
        serde_json::from_str(include_str!("../../../tests/data/golden/cel.json")).unwrap();
    let mut environment = Environment::default();
    environment.declare("object", Type::Dyn);
    environment.declare("namespaceObject", Type::Dyn);
    environment.declare("request", Type::Dyn);
    let mut variables = Vec::new();
    for v in golden["variables"].as_array().unwrap() {
        let program = environment
            .compile(v["expression"].as_str().unwrap())
            .unwrap();
        environment.declare_variable(v["name"].as_str().unwrap(), program.output().clone());
        variables.push(program);
    }
    for case in golden["cases"].as_array().unwrap() {
        let text = case["expression"].as_str().unwrap();
        let program = environment.compile(text);
        if let Some(e) = case.get("does_not_compile") {
            assert_eq!(
                format!("compilation failed: {}", program.unwrap_err()),
                e.as_str().unwrap()
            );
            continue;
        }
        let program = program.unwrap();
        for (pod, expected) in golden["pods"]
            .as_array()
            .unwrap()
            .iter()
            .zip(case["results"].as_array().unwrap())
        {
            let b = Case {
                globals: [
                    admission::typed_pod(pod),
                    Value::from_json(
                        &serde_json::json!({"metadata": {"labels": golden["namespace_labels"]}}),
                    ),
                    Value::from_json(
                        &serde_json::json!({"operation": "CREATE", "userInfo": {"username": golden["request"]["user"], "groups": golden["request"]["groups"]}}),
                    ),
                ],
                variables: &variables,
            };
            let got = program.evaluate(&b, &mut Budget::new(Budget::PER_CALL));
            match expected.get("error") {
                Some(e) => {
                    let got = got.map(|v| format!("{v:?}")).unwrap_err();
                    assert_eq!(
                        format!("expression '{text}' resulted in error: {got}"),
                        e.as_str().unwrap()
                    );
                }
                None => assert!(
                    got.clone()
                        .is_ok_and(|v| v.equals(&Value::from_json(expected))),
                    "{text} {pod}: {got:?} {expected}"
                ),
            }
        }
    }
}
