//! Tests of single bytes. The expected texts are those of a terminal of Linux.

use proptest::prelude::*;

use super::*;

/// Types a text, and returns what is shown and what can be read, line by line.
fn typed_with(attributes: Attributes, text: &[u8]) -> (String, Vec<String>) {
    let mut discipline = Discipline::default();
    discipline.set(attributes);
    let mut shown = Vec::new();
    for byte in text {
        discipline.type_byte(*byte, &mut shown);
    }
    let mut lines = Vec::new();
    while let Some(line) = discipline.read(usize::MAX) {
        if line.is_empty() && !attributes.icanon {
            break;
        }
        lines.push(String::from_utf8(line).unwrap());
    }
    (String::from_utf8(shown).unwrap(), lines)
}

fn typed(text: &[u8]) -> (String, Vec<String>) {
    typed_with(Attributes::default(), text)
}

#[track_caller]
fn assert_typed(text: &[u8], shown: &str, lines: &[&str]) {
    let (seen, read) = typed(text);
    let read: Vec<&str> = read.iter().map(String::as_str).collect();
    assert_eq!((seen.as_str(), &read[..]), (shown, lines), "{text:?}");
}

#[test]
fn a_line_is_echoed_and_read_when_it_is_complete() {
    assert_typed(b"ls", "ls", &[]);
    assert_typed(b"ls\r", "ls\r\n", &["ls\n"]);
    assert_typed(b"a\nb\r", "a\r\nb\r\n", &["a\n", "b\n"]);
    assert_typed(b"\x1b[A\r", "^[[A\r\n", &["\u{1b}[A\n"]);
    assert_typed(b"a\tb\r", "a\tb\r\n", &["a\tb\n"]);
}

#[test]
fn a_line_is_edited() {
    assert_typed(b"ab\x7fc\r", "ab\x08 \x08c\r\n", &["ac\n"]);
    assert_typed(b"ab\x08c\r", "ab\x08 \x08c\r\n", &["ac\n"]);
    assert_typed(b"\x7f\r", "\r\n", &["\n"]);
    let erased = "\x08 \x08".repeat(3);
    assert_typed(b"a foo\x17b\r", &format!("a foo{erased}b\r\n"), &["a b\n"]);
    let erased = "\x08 \x08".repeat(5);
    assert_typed(
        b"a foo .\x17b\r",
        &format!("a foo .{erased}b\r\n"),
        &["a b\n"],
    );
    assert_typed(b"a foo\x15b\r", &format!("a foo{erased}b\r\n"), &["b\n"]);
    // A control character takes two columns, a tab up to its stop, and é one.
    assert_typed(b"\x01\x7f\r", "^A\x08 \x08\x08 \x08\r\n", &["\n"]);
    assert_typed(b"ab\t\x7f\r", "ab\t\x08\x08\x08\x08\x08\x08\r\n", &["ab\n"]);
    assert_typed("aé\x7f\r".as_bytes(), "aé\x08 \x08\r\n", &["a\n"]);
    assert_typed("a é\x17\r".as_bytes(), "a é\x08 \x08\r\n", &["a \n"]);
}

#[test]
fn a_character_after_the_literal_next_has_no_meaning() {
    assert_typed(b"\x16\x03\r", "^\x08^C\r\n", &["\u{3}\n"]);
    assert_typed(b"\x16\x16\r", "^\x08^V\r\n", &["\u{16}\n"]);
}

#[test]
fn a_line_is_shown_again() {
    assert_typed(b"ab\x12c\r", "ab^R\r\nabc\r\n", &["abc\n"]);
}

#[test]
fn an_end_of_file_ends_a_line_or_the_input() {
    assert_typed(b"\x04", "", &[""]);
    assert_typed(b"ab\x04\x04c\r", "abc\r\n", &["ab", "", "c\n"]);
}

#[test]
fn a_signal_drops_the_line_and_is_shown() {
    for (byte, shown, signal) in [
        (3, "^C", Signal::Interrupt),
        (0x1c, "^\\", Signal::Quit),
        (0x1a, "^Z", Signal::Stop),
    ] {
        let mut discipline = Discipline::default();
        let mut seen = Vec::new();
        discipline.type_byte(b'x', &mut seen);
        seen.clear();
        assert_eq!(discipline.type_byte(byte, &mut seen), Some(signal));
        assert_eq!(seen, shown.as_bytes());
        assert_eq!(discipline.read(10), None);
        discipline.type_byte(b'\r', &mut seen);
        assert_eq!(discipline.read(10), Some(b"\n".to_vec()));
    }
}

#[test]
fn the_output_is_stopped_and_started() {
    let mut discipline = Discipline::default();
    let mut shown = Vec::new();
    discipline.type_byte(0x13, &mut shown);
    assert!(discipline.is_stopped);
    discipline.type_byte(0x11, &mut shown);
    assert!(!discipline.is_stopped && shown.is_empty());
}

#[test]
fn modes_change_the_input() {
    let default = Attributes::default();
    let raw = Attributes {
        icrnl: false,
        ixon: false,
        opost: false,
        isig: false,
        icanon: false,
        echo: false,
        ..default
    };
    let text = b"a\x03\x7f\r";
    let read = vec![String::from_utf8(text.to_vec()).unwrap()];
    assert_eq!(typed_with(raw, text), (String::new(), read));
    let silent = Attributes {
        echo: false,
        ..default
    };
    let read = |text: &str| vec![text.to_owned()];
    assert_eq!(
        typed_with(silent, b"ab\x7f\r"),
        (String::new(), read("a\n"))
    );
    let newline = Attributes {
        echonl: true,
        ..silent
    };
    assert_eq!(
        typed_with(newline, b"ab\r"),
        ("\r\n".to_owned(), read("ab\n"))
    );
    let printer = Attributes {
        echoe: false,
        ..default
    };
    assert_eq!(typed_with(printer, b"ab\x7f\r").0, "ab^?\r\n");
    assert_eq!(typed_with(printer, b"ab\x15c\r").0, "ab^U\r\nc\r\n");
    let plain = Attributes {
        onlcr: false,
        ..default
    };
    assert_eq!(typed_with(plain, b"a\r").0, "a\n");
    let ignoring = Attributes {
        igncr: true,
        ..default
    };
    assert_eq!(typed_with(ignoring, b"a\r\n").1, read("a\n"));
}

#[test]
fn bytes_stay_readable_when_the_mode_changes() {
    let mut discipline = Discipline::default();
    let mut shown = Vec::new();
    for byte in b"one\rtw" {
        discipline.type_byte(*byte, &mut shown);
    }
    let raw = Attributes {
        icanon: false,
        ..Attributes::default()
    };
    discipline.set(raw);
    assert_eq!(discipline.read(2), Some(b"on".to_vec()));
    assert_eq!(discipline.read(9), Some(b"e\n".to_vec()));
    assert_eq!(discipline.read(9), Some(b"tw".to_vec()));
    assert_eq!(discipline.read(9), None);
    discipline.set(Attributes {
        characters: crate::Characters {
            min: 0,
            ..raw.characters
        },
        ..raw
    });
    assert_eq!(discipline.read(9), Some(vec![]));
}

#[test]
fn a_line_without_end_keeps_room_for_its_newline() {
    let mut discipline = Discipline::default();
    let mut shown = Vec::new();
    for _ in 0..10_000 {
        assert!(discipline.has_room());
        discipline.type_byte(b'x', &mut shown);
    }
    discipline.type_byte(b'\r', &mut shown);
    assert!(!discipline.has_room());
    let line = discipline.read(usize::MAX).unwrap();
    assert_eq!((line.len(), line.last()), (MAX_INPUT_BYTES, Some(&b'\n')));
    assert!(discipline.has_room());
}

proptest! {
    #[test]
    fn the_memory_of_a_terminal_is_bounded(
        bytes in prop::collection::vec(any::<u8>(), 0..9000),
        icanon in any::<bool>(),
    ) {
        let mut discipline = Discipline::default();
        discipline.set(Attributes { icanon, ..Attributes::default() });
        let mut total = 0;
        for byte in bytes {
            if discipline.has_room() {
                let mut shown = Vec::new();
                discipline.type_byte(byte, &mut shown);
                total += shown.len();
            }
            let kept: usize = discipline.lines.iter().map(Vec::len).sum();
            prop_assert_eq!(kept, discipline.in_lines);
            prop_assert!(kept + discipline.typed.len() <= MAX_INPUT_BYTES);
        }
        prop_assert!(total < 100 << 20);
    }
}
