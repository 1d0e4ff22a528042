//! Tests of the grammar.

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Result<List, SyntaxError> {
    let limits = Limits {
        bytes: 1 << 16,
        words: 1 << 12,
        depth: 0,
        max_depth: 32,
    };
    parse(text, limits)
}

fn message(text: &str) -> String {
    parsed(text).unwrap_err().to_string()
}

fn words(text: &str) -> Vec<Word> {
    let list = parsed(text).unwrap();
    match &list.0[0].command.first.commands[0].kind {
        CommandKind::Simple { words, .. } => words.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn invalid_scripts_are_refused_with_the_messages_of_a_shell() {
    for (text, expected) in [
        ("echo 'a", "syntax error: unterminated quoted string"),
        ("echo \"a", "syntax error: unterminated quoted string"),
        (
            "if true",
            "syntax error: unexpected end of file (expecting \"then\")",
        ),
        (
            "if true; then true",
            "syntax error: unexpected end of file (expecting \"fi\")",
        ),
        (
            "while true; do echo",
            "syntax error: unexpected end of file (expecting \"done\")",
        ),
        ("| cat", "syntax error: unexpected \"|\""),
        ("echo )", "syntax error: unexpected \")\""),
        ("fi", "syntax error: unexpected \"fi\""),
        (
            "for 1x in a; do :; done",
            "syntax error: bad for loop variable",
        ),
        ("echo ${x@y}", "syntax error: bad substitution"),
        ("echo ${", "syntax error: bad substitution"),
        ("a && ", "syntax error: unexpected end of file"),
        (
            "echo $(",
            "syntax error: unexpected end of file (expecting \")\")",
        ),
        ("( )", "syntax error: unexpected \")\""),
        ("echo >", "syntax error: unexpected end of file"),
        ("a;;", "syntax error: unexpected \";;\""),
    ] {
        assert_eq!(message(text), expected, "{text}");
    }
}

#[test]
fn nesting_is_bounded_whatever_it_is_made_of() {
    for opening in [
        "(",
        "$(",
        "`echo \\`",
        "if ",
        "{ ",
        "\"${x:-",
        "$((",
        "f() f() ",
        "case x in x) ",
    ] {
        let text = format!("echo; {}", opening.repeat(10_000));
        assert!(parsed(&text).is_err(), "{opening}");
    }
    let deep = format!("{}echo{}", "(".repeat(40), ")".repeat(40));
    assert_eq!(message(&deep), "syntax error: nested more than 32 deep");
    let shallow = format!("{}echo{}", "(".repeat(20), ")".repeat(20));
    assert!(parsed(&shallow).is_ok());
}

#[test]
fn a_script_that_is_too_long_is_not_read() {
    let text = "#".repeat((1 << 16) + 1);
    assert_eq!(
        message(&text),
        "syntax error: a script of more than 65536 bytes"
    );
}

#[test]
fn quotes_keep_text_as_it_stands() {
    assert_eq!(
        words(r#"a'b c'"d"\e"#),
        [Word(vec![
            Part::Plain("a".into()),
            Part::Quoted("b cde".into())
        ])]
    );
    assert_eq!(words(r#""" ''"#).len(), 2);
    assert_eq!(words("a#b #c"), [Word(vec![Part::Plain("a#b".into())])]);
}

#[test]
fn a_here_document_is_read_after_its_line() {
    let list = parsed("cat <<A <<-'B'; echo x\none\nA\n\ttwo\nB\necho y").unwrap();
    assert_eq!(list.0.len(), 3);
    let bodies: Vec<Word> = list.0[0].command.first.commands[0]
        .redirects
        .iter()
        .map(|redirect| match &redirect.kind {
            RedirectKind::Here(document) => document.body().unwrap().clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    let quoted = |text: &str| Word(vec![Part::Quoted(text.into())]);
    assert_eq!(bodies, [quoted("one\n"), quoted("two\n")]);
}

#[test]
fn reserved_words_are_words_elsewhere() {
    assert_eq!(words("echo if then fi done").len(), 5);
    assert!(parsed("echo a | while read x; do echo $x; done && { true; } 2>&1").is_ok());
    assert!(parsed("case $x in (a|b*) echo;; *) ;; esac").is_ok());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = parsed(&text);
    }

    #[test]
    fn any_tokens_are_read_or_refused(tokens in proptest::collection::vec(
        prop_oneof![
            Just("if"), Just("then"), Just("fi"), Just("while"), Just("do"), Just("done"),
            Just("case"), Just("in"), Just("esac"), Just("for"), Just("x"), Just("x=1"),
            Just("("), Just(")"), Just("{"), Just("}"), Just(";"), Just(";;"), Just("&"),
            Just("&&"), Just("|"), Just("||"), Just("\n"), Just("<<E"), Just("E\n"), Just(">"),
            Just("2>&1"), Just("\""), Just("'"), Just("`"), Just("$("), Just("$(("), Just("))"),
            Just("${x:-"), Just("${"), Just("\\"), Just("$"), Just("!"), Just("~"), Just("#"),
        ],
        0..60,
    )) {
        let _ = parsed(&tokens.join(" "));
        let _ = parsed(&tokens.concat());
    }
}
