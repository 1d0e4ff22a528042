//! Values, errors and refusals of expressions.

use cel::{Bindings, Budget, Environment, EvalError, Evaluated, Type, Value};
use proptest::prelude::*;
use serde_json::json;

struct Names;

impl Bindings for Names {
    fn global(&self, place: usize) -> Value {
        match place {
            0 => Value::from_json(&json!({
                "name": "web",
                "labels": {"app": "web", "tier": "front"},
                "ports": [80, 443],
                "limits": {"cpu": "500m"},
                "none": null,
                "deep": {"list": [{"a": 1}, {"a": 2}, {}]}
            })),
            _ => Value::from_json(&json!({"userInfo": {"username": "alice"}})),
        }
    }

    fn variable(&self, _: usize, _: &mut Budget) -> Evaluated<Value> {
        Ok(Value::Int(7))
    }
}

fn environment() -> Environment {
    let mut environment = Environment::default();
    environment.declare("object", Type::Dyn);
    let user = Type::object("kubernetes.UserInfo", [("username", Type::String)]);
    environment.declare("request", Type::object("Request", [("userInfo", user)]));
    environment.declare_variable("seven", Type::Int);
    environment
}

fn evaluate(text: &str) -> Evaluated<Value> {
    let program = environment().compile(text);
    let program = program.unwrap_or_else(|error| panic!("{text}: {error}"));
    program.evaluate(&Names, &mut Budget::new(Budget::PER_CALL))
}

/// Expressions that are true.
const TRUE: &[&str] = &[
    // literals
    "1 == 1 && -1 < 0 && 0x1F == 31 && 5u > 4u && 1.5e1 == 15.0 && .5 == 0.5",
    r#"'a\n\x41\u00e9\101' == "a\nAéA" && "it's" == 'it\'s'"#,
    r#"r'\d' == '\\d' && size(b'\xff') == 1 && """a"b""" == 'a"b'"#,
    "'\\U0001F600'.size() == 1",
    "-9223372036854775808 < 0",
    "// a comment\ntrue",
    // numbers
    "1 < 2.5 && 2u > 1 && 3.0 >= 3 && !(1 > 1u)",
    "dyn(1) == 1.0 && dyn(1u) == 1 && dyn('1') != 1",
    "7 / 2 == 3 && -7 / 2 == -3 && 7 % 3 == 1 && -7 % 3 == -1 && 1.0 / 0.0 > 1e308",
    "int('42') == 42 && int(3.9) == 3 && int(-3.9) == -3 && uint(7) == 7u && double('1.5') == 1.5",
    "string(1.0) == '1' && string(2.5) == '2.5' && string(1e21) == '1e+21' && string(true) == 'true'",
    "string(0.0001) == '0.0001' && string(0.00001) == '1e-05' && string(123456789.0) == '123456789'",
    "bool('true') && !bool('False') && string(b'abc') == 'abc' && bytes('é').size() == 2",
    // errors that do not matter
    "true || 1 / 0 > 0",
    "1 / 0 > 0 || true",
    "!(false && 1 / 0 > 0) && !(1 / 0 > 0 && false)",
    "[0, 1].exists(x, 1 / x > 0)",
    "![0, 2].all(x, 1 / x > 0)",
    "true ? true : 1 / 0 > 0",
    // lists and maps
    "2 in [1, 2] && !('c' in {'a': 1}) && 'a' in {'a': 1}",
    "[1, 2] + [3] == [1, 2, 3] && [[1], [2]] != [[1], [3]]",
    "{'a': 1, 'b': 2} == {'b': 2, 'a': 1} && {1: 'x'}[1] == 'x' && {'k': {'l': 2}}.k.l == 2",
    "size([1, 2]) == 2 && {'a': 1}.size() == 1 && 'été'.size() == 3",
    "[1, 2, 3].map(x, x * 2) == [2, 4, 6] && [1, 2, 3].map(x, x > 1, x * 2) == [4, 6]",
    "[1, 2, 3].filter(x, x > 1) == [2, 3] && [1, 2].exists_one(x, x == 1) && [1].existsOne(x, x == 1)",
    "{'a': 1, 'b': 2}.all(k, k in ['a', 'b']) && {'a': 1}.exists(k, k == 'a')",
    "[[1, 2], [3]].exists(l, l.exists(x, x == 3))",
    // comprehensions with two variables
    "[5, 6].all(i, v, v == i + 5) && {'a': 1}.exists(k, v, k == 'a' && v == 1)",
    "[5, 6].existsOne(i, v, i == 1 && v == 6)",
    "[5, 6].transformList(i, v, i * v) == [0, 6] && [5, 6].transformList(i, v, i > 0, v) == [6]",
    "{'a': 1, 'b': 2}.transformMap(k, v, v * 10) == {'a': 10, 'b': 20}",
    "{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v) == {'b': 2}",
    "{'a': 'x'}.transformMapEntry(k, v, {v: k}) == {'x': 'a'}",
    // fields
    "object.name == 'web' && object['name'] == 'web' && object.ports[1] == 443",
    "{'a': 1, 'a': 2} == {'a': 2} && variables.?seven.orValue(1) == 7",
    "'hello'.indexOf('l', 9) == -1 && 'hello'.lastIndexOf('l', 9) == -1 && '%s'.format([1e21]) == '1000000000000000000000'",
    "has(object.labels.app) && !has(object.labels.missing) && !has(object.nothing) && has(object.none)",
    "object.none == null && dyn(object) != null",
    "object.deep.list[1].a == 2 && object.deep.list.all(e, !has(e.a) || e.a > 0)",
    "request.userInfo.username == 'alice' && variables.seven == 7 && has(variables.seven)",
    // optional values
    "object.?labels.?app.orValue('') == 'web' && object.?nothing.?app.orValue('x') == 'x'",
    "!object.?nothing.hasValue() && object.?name.value() == 'web'",
    "object.ports[?0].hasValue() && !object.ports[?9].hasValue() && object.labels[?'tier'].value() == 'front'",
    "optional.of(1).or(optional.of(2)).value() == 1 && optional.none().orValue(3) == 3",
    "optional.ofNonZeroValue('').hasValue() == false && optional.ofNonZeroValue(1).hasValue()",
    "optional.of(2).optMap(x, x * 2).value() == 4 && !optional.none().optMap(x, x).hasValue()",
    "optional.of(2).optFlatMap(x, optional.of(x + 1)).value() == 3",
    "[1, ?optional.none(), ?optional.of(2)] == [1, 2] && {?'a': optional.none()} == {}",
    "optional.unwrap([optional.of(1), optional.none()]) == [1] && [1, 2].first().value() == 1 && ![].last().hasValue()",
    "object.?labels.app.orValue('') == 'web' && !has(object.?nothing.app)",
    // texts
    "'hello'.contains('ell') && 'hello'.startsWith('he') && 'hello'.endsWith('lo')",
    "'hello'.charAt(1) == 'e' && 'hello'.charAt(5) == '' && 'hello'.indexOf('l') == 2",
    "'hello'.lastIndexOf('l') == 3 && 'hello'.indexOf('l', 3) == 3 && 'hello'.indexOf('z') == -1",
    "'hello'.lastIndexOf('l', 2) == 2 && 'hello'.indexOf('') == 0 && 'hello'.lastIndexOf('') == 5",
    "['a', 'b'].join() == 'ab' && ['a', 'b'].join('-') == 'a-b' && 'a,b,c'.split(',') == ['a', 'b', 'c']",
    "'a,b,c'.split(',', 2) == ['a', 'b,c'] && 'abc'.split('') == ['a', 'b', 'c'] && 'a'.split(',', 0) == []",
    "'Hello'.lowerAscii() == 'hello' && 'hello'.upperAscii() == 'HELLO' && ' x '.trim() == 'x'",
    "'hello'.replace('l', 'L') == 'heLLo' && 'hello'.replace('l', 'L', 1) == 'heLlo' && 'ab'.replace('', '-') == '-a-b-'",
    r#"'hello'.substring(2) == 'llo' && 'hello'.substring(1, 3) == 'el' && strings.quote('a"b') == '"a\\"b"'"#,
    "'%s is %d, %.2f, %x %X %b %o %e'.format([dyn('a'), 5, 1.5, 255, 255, 5, 8, 1500.0]) == 'a is 5, 1.50, ff FF 101 10 1.500000e+03'",
    "'%s %s %%'.format([dyn([dyn(1), 'a']), {'k': true}]) == '[1, \"a\"] {\"k\": true} %'",
    "'abc'.matches('^[a-c]+$') && matches('abc', 'b') && !'abc'.matches('^b')",
    r"'a1 b22'.find('[0-9]+') == '1' && 'a1 b22'.findAll('\\d+') == ['1', '22'] && 'a1 b22'.findAll('[0-9]+', 1) == ['1']",
    r"'é'.matches('^.$') && !'é'.matches('^\\w$') && '[x]'.matches('^[[]x]$') && 'a&b'.matches('[&&]')",
    // lists of Kubernetes and of cel-go
    "[1, 2, 3].sum() == 6 && [1.5, 2.5].sum() == 4.0 && [1, 3, 2].max() == 3 && ['b', 'a'].min() == 'a'",
    "[1, 2].isSorted() && ![2, 1].isSorted() && [1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2",
    "[1, 2, 3].slice(1, 3) == [2, 3] && [[1], [2, 3]].flatten() == [1, 2, 3] && lists.range(3) == [0, 1, 2]",
    "[1, 1, 2].distinct() == [1, 2] && [1, 2].reverse() == [2, 1] && [3, 1, 2].sort() == [1, 2, 3]",
    "['bb', 'a'].sortBy(s, size(s)) == ['a', 'bb']",
    "sets.contains([1, 2], [2]) && sets.equivalent([1, 2], [2, 1, 1]) && sets.intersects([1], [1, 2]) && !sets.intersects([1], [2])",
    // quantities
    "quantity('1Gi').compareTo(quantity('1024Mi')) == 0 && quantity('50M').isLessThan(quantity('50Mi'))",
    "quantity('50k').add(20).asInteger() == 50020 && quantity('50k').sub(20).asInteger() == 49980",
    "quantity('100m').asApproximateFloat() == 0.1 && sign(quantity('-1')) == -1 && isQuantity('1.5Gi') && !isQuantity('x')",
    "quantity('1k').isInteger() && !quantity('1000m').isInteger() && quantity('200M') == quantity('0.2G')",
    "quantity('1').sub(quantity('2')).compareTo(quantity('-1')) == 0 && type(quantity('1')) == kubernetes.Quantity",
    // addresses
    "ip('10.0.0.1').family() == 4 && ip('::1').isLoopback() && isIP('1.2.3.4') && !isIP('1.2.3') && !isIP('::ffff:1.2.3.4')",
    "ip.isCanonical('::1') && !ip.isCanonical('2001:DB8::') && ip('fe80::1').isLinkLocalUnicast() && ip('10.0.0.1').isGlobalUnicast()",
    "cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.0.0.0/8').containsCIDR('0.0.0.0/0')",
    "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.0.0.0/8').prefixLength() == 8 && cidr('10.1.2.3/8').ip() == ip('10.1.2.3')",
    "isCIDR('::/0') && !isCIDR('10.0.0.0/33') && string(ip('10.0.0.1')) == '10.0.0.1' && string(cidr('10.0.0.0/8')) == '10.0.0.0/8'",
    "ip('224.0.0.1').isLinkLocalMulticast() && ip('0.0.0.0').isUnspecified()",
    // URLs
    "url('https://a.example:80/p/a?x=1&x=2&y=#f').getHost() == 'a.example:80' && url('https://[::1]:443/').getHostname() == '::1'",
    "url('https://a.example:80/').getPort() == '80' && url('HTTP://a/').getScheme() == 'http' && url('/p').getHost() == ''",
    "url('https://a/p q/').getEscapedPath() == '/p%20q/' && url('https://a/?x=1&x=2').getQuery() == {'x': ['1', '2']}",
    "isURL('https://a/') && isURL('/a') && !isURL('a b') && !isURL('../a') && !isURL('https://a:b/')",
    // versions
    "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-alpha').isLessThan(semver('1.0.0')) && semver('1.2.3').minor() == 2",
    "isSemver('1.2.3-rc.1+build') && !isSemver('1.2') && isSemver('v1.2', true) && semver('v01.2', true).compareTo(semver('1.2.0')) == 0",
    // formats
    "!format.dns1123Label().validate('my-name').hasValue() && format.dns1123Label().validate('My_Name').hasValue()",
    "format.named('uuid').hasValue() && !format.named('x').hasValue() && !format.labelValue().validate('').hasValue()",
    "!format.qualifiedName().validate('example.com/name').hasValue() && format.qualifiedName().validate('a/b/c').hasValue()",
    "!format.date().validate('2024-02-29').hasValue() && format.date().validate('2023-02-29').hasValue()",
    // time
    "timestamp('2024-02-29T12:30:45.5Z').getFullYear() == 2024 && timestamp('2024-02-29T12:30:45.5Z').getMonth() == 1",
    "timestamp('2024-02-29T12:30:45.5Z').getDate() == 29 && timestamp('2024-02-29T12:30:45.5Z').getDayOfWeek() == 4",
    "timestamp('2024-12-31T00:00:00Z').getDayOfYear() == 365 && timestamp('2024-01-01T23:00:00Z').getHours('+02:00') == 1",
    "timestamp('2024-01-01T00:00:00Z') + duration('1h') == timestamp('2024-01-01T01:00:00Z')",
    "timestamp('2024-01-02T00:00:00Z') - timestamp('2024-01-01T00:00:00Z') == duration('24h')",
    "duration('90m').getHours() == 1 && duration('1.5s').getMilliseconds() == 1500 && duration('1h30m') > duration('1h')",
    "string(duration('90s')) == '90s' && string(timestamp('2024-01-01T00:00:00Z')) == '2024-01-01T00:00:00Z' && int(timestamp('1970-01-01T00:01:00Z')) == 60",
    "timestamp('2024-01-01T01:00:00+01:00') == timestamp('2024-01-01T00:00:00Z') && duration('-1.5h') < duration('0')",
    // types
    "type(1) == int && type('a') == string && type([1]) == list && type({}) == map && type(null) == null_type && type(int) == type",
    "type(timestamp('2024-01-01T00:00:00Z')) == google.protobuf.Timestamp && type(dyn(1u)) == uint",
    "object.ports.map(p, p + 1).sum() == 525 && [object.ports[0], 1].max() == 80",
];

#[test]
fn expressions_have_the_values_of_the_language() {
    let mut wrong = Vec::new();
    for text in TRUE {
        let value = environment()
            .compile(text)
            .map_err(|error| error.to_string())
            .and_then(|program| {
                let value = program.evaluate(&Names, &mut Budget::new(Budget::PER_CALL));
                value.map_err(|error| error.to_string())
            });
        if !value
            .as_ref()
            .is_ok_and(|value| value.equals(&Value::Bool(true)))
        {
            wrong.push(format!("{text}: {value:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Expressions that an API server does not compile.
const REFUSED: &[&str] = &[
    "",
    "1 +",
    "(1",
    "1 + 1.0",
    "1 + 'a'",
    "1 == 1.0",
    "1 == 'a'",
    "'a' == null",
    "1u + 1",
    "!1",
    "-'a'",
    "-1u",
    "true + true",
    "[1, 'a']",
    "{'a': 1, 'b': 'c'}",
    "{1.5: 'a'}",
    "nothing",
    "nothing.field",
    "nothing(1)",
    "'a'.nothing()",
    "size(1)",
    "'a'.startsWith(1)",
    "['a'].sum()",
    "[quantity('1')].sum()",
    "[quantity('1')].max()",
    "quantity(1)",
    "quantity('1') + quantity('2')",
    "quantity('1') < quantity('2')",
    "quantity('1').sign()",
    "quantity('1').plus(1)",
    "string(quantity('1'))",
    "'a' in 'abc'",
    "1 in ['a']",
    "1 ? 2 : 3",
    "true ? 1 : 'a'",
    "true && 1",
    "1 || false",
    "[1].map(x.y, x)",
    "[1].all(x, x)",
    "[1].filter(x, 1)",
    "1.all(x, true)",
    "[1].all(x, x, true)",
    "has(object)",
    "has(1)",
    "variables.eight",
    "request.nothing",
    "request.userInfo.username.first",
    "request['userInfo']",
    "'a'.b",
    "duration('x')",
    "timestamp('2024')",
    "'a'.matches('[')",
    "for",
    "namespace",
    "Object{a: 1}",
    "[1][true]",
    "{'a': 1}[1]",
    "[?1]",
    "'a'.format('b')",
    "optional.of(1) == 1",
    "x -> x",
    "a; b",
    "'a",
    "1 = 1",
    "object.spec.containers.all(c)",
    "[1, 2].exists(1, true)",
    "9223372036854775808",
    "'\\q'",
    "1.2.3",
    "[1].sortBy(x, [x])",
    "'a' + b'a'",
    "lists.range('a')",
];

#[test]
fn an_expression_that_an_api_server_refuses_does_not_compile() {
    for text in REFUSED {
        assert!(environment().compile(text).is_err(), "{text}");
    }
}

#[test]
fn an_evaluation_that_fails_tells_the_reason() {
    let key = |name: &str| EvalError::NoSuchKey(name.to_owned());
    for (text, error) in [
        ("object.missing", key("missing")),
        ("object['missing']", key("missing")),
        ("object.labels.missing == 'a'", key("missing")),
        ("object.name.first", key("first")),
        ("object.ports[2]", EvalError::OutOfBounds("2".to_owned())),
        ("1 / 0", EvalError::DivisionByZero),
        ("1 % 0", EvalError::ModulusByZero),
        ("9223372036854775807 + 1", EvalError::Overflow("integer")),
        ("0u - 1u", EvalError::Overflow("unsigned integer")),
        ("-9223372036854775808 / -1", EvalError::Overflow("integer")),
        ("int(1e30)", EvalError::Overflow("integer")),
        ("uint(-1)", EvalError::Overflow("unsigned integer")),
    ] {
        assert_eq!(
            evaluate(text).map(|value| value.type_of()),
            Err(error),
            "{text}"
        );
    }
    for text in [
        "object.name + 1",
        "object.ports + 'a'",
        "!object.name",
        "object.name && true",
        "object.name.sum()",
        "object.ports.join()",
        "object.name.all(x, true)",
        "quantity('x')",
        "ip('x')",
        "url('x')",
        "semver('x')",
        "optional.none().value()",
        "'a'.substring(2)",
        "'a'.charAt(2)",
        "'hello'.indexOf('l', -1)",
        "'%d'.format(['a'])",
        "'%d'.format([])",
        "[].max()",
        "object.name.matches('[' + object.name)",
        "[object.name, object.ports].sort() == []",
    ] {
        assert!(evaluate(text).is_err(), "{text}");
    }
}

#[test]
fn work_without_end_runs_out_of_budget() {
    let nested = |depth: usize| {
        let list = "[1,2,3,4,5,6,7,8,9,10]";
        let open: Vec<_> = (0..depth).map(|n| format!("{list}.all(x{n}, ")).collect();
        let open = open.concat();
        format!("{open}true{}", ")".repeat(depth))
    };
    let doubled = format!("['a']{}", ".map(x, x + x)".repeat(60));
    let shared = format!("[1]{0} == [1]{0}", ".map(x, [x, x])".repeat(40));
    for text in [
        nested(9),
        doubled,
        shared,
        "lists.range(1000000000000)".to_owned(),
        "true || lists.range(1000000000000).size() > 0 ? lists.range(99999999).size() > 0 : false"
            .to_owned(),
        format!("'{}'.replace('', '{}')", "a".repeat(9000), "b".repeat(9000)),
        format!(
            "lists.range(900).all(i, '{}'.matches('(a|b)*c' + string(i)) || true)",
            "a".repeat(9000)
        ),
    ] {
        let result = evaluate(&text);
        assert!(
            matches!(result, Err(EvalError::OutOfBudget)),
            "{} {:?}",
            &text[..40],
            result.map(|v| v.type_of())
        );
    }
}

#[test]
fn deep_nesting_is_refused_and_the_deepest_that_is_not_runs() {
    let repeated = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    for depth in [10, 90, 200, 1_000, 30_000] {
        for (open, inner, close) in [
            ("(", "1", ")"),
            ("[", "1", "]"),
            ("{1:", "1", "}"),
            ("[1].map(x, ", "1", ")"),
            ("!", "true", ""),
            ("-", "object.name", ""),
            ("", "1", "+1"),
            ("", "object", ".a"),
            ("", "object", "[0]"),
            ("", "true", "||true"),
            ("true?1:", "1", ""),
            ("size([", "1", "])"),
            ("", "object", "{"),
        ] {
            if let Ok(program) = environment().compile(&repeated(open, inner, close, depth)) {
                let _ = program.evaluate(&Names, &mut Budget::new(Budget::PER_CALL));
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_compiles_or_is_refused(text in "\\PC{0,60}") {
        let _ = environment().compile(&text);
    }

    #[test]
    fn anything_that_looks_like_an_expression_compiles_or_is_refused(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "object", ".name", "[0]", "(", ")", "[", "]", "{", "}", "1", "2.5", "3u", "'a'", "b'a'", "+", "-", "*",
            "/", "%", "==", "<", "&&", "||", "!", "?", ":", ",", ".map(x, ", ".all(x, ", "x", "has(", ".?", "[?",
            "in", "quantity('1Gi')", ".sum()", "size(", "type(", "dyn(", ".matches('a')", "timestamp(", "duration(",
            "optional.of(", ".orValue(", ".format(", "null", "true", " ", "int(", "string(", ".sort()", ".flatten()",
            "-9223372036854775808", "1e308", "lists.range(", "'%s %d %f'", ".substring(", ".split(", "ip('::1')",
        ]), 0..14),
    ) {
        let text = parts.concat();
        if let Ok(program) = environment().compile(&text) {
            let _ = program.evaluate(&Names, &mut Budget::new(10_000));
        }
    }

    #[test]
    fn sums_of_integers_are_those_of_the_machine(a in any::<i64>(), b in any::<i64>()) {
        let value = evaluate(&format!("{a} + {b}"));
        match a.checked_add(b) {
            Some(sum) => prop_assert!(value.unwrap().equals(&Value::Int(sum))),
            None => prop_assert!(value.is_err()),
        }
    }

    #[test]
    fn points_in_time_come_back(seconds in -62_135_596_800_i64..253_402_300_800) {
        let text = format!("int(timestamp(string(timestamp({seconds})))) == {seconds}");
        prop_assert!(evaluate(&text).unwrap().equals(&Value::Bool(true)));
    }
}
