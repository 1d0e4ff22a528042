//! Appends that did not finish.

use std::fs;
use std::io::Write;

use crate::directory::Directory;
use crate::testing::{append_all, create, creates, fold, key, open, write_journal};
use crate::{Journal, Options, read, record};
use slot::Timestamp;

#[test]
fn a_torn_last_line_is_cut_off_at_every_length() {
    let dir = tempfile::tempdir().unwrap();
    let entries = creates(4);
    write_journal(dir.path(), Options::default(), &entries);
    let path = Directory::of(dir.path()).segment(1);
    let whole = fs::read(&path).unwrap();
    let before = whole[..whole.len() - 1]
        .iter()
        .rposition(|b| *b == b'\n')
        .unwrap()
        + 1;
    for len in before..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let bytes = (len - before) as u64;

        let seen = read(dir.path()).unwrap();
        assert_eq!(seen.slots, fold(&entries[..3]));
        assert_eq!(
            fs::read(&path).unwrap().len(),
            len,
            "a reader changes nothing"
        );

        let (journal, recovered) = open(dir.path());
        assert_eq!(recovered.slots, fold(&entries[..3]));
        let torn = recovered.report.torn.as_ref();
        assert_eq!(torn.map_or(0, |torn| torn.bytes), bytes);
        if bytes > 0 {
            assert_eq!(torn.unwrap().line, 4);
            let warning = &recovered.report.warnings()[0];
            assert!(warning.contains(path.to_str().unwrap()), "{warning}");
        }
        append_all(&journal, &entries[3..]);
        drop(journal);
        assert_eq!(fs::read(&path).unwrap(), whole, "cut at {len}");
    }
}

#[test]
fn only_a_line_without_a_newline_is_a_torn_tail() {
    let entries = creates(3);
    for (garbage, torn) in [
        (&b"\0\0\0"[..], true),
        (b"{\"seq\":4", true),
        (b"{}\n", false),
        (b"\0\n\n{}\n\0", false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        write_journal(dir.path(), Options::default(), &entries);
        let path = Directory::of(dir.path()).segment(1);
        let whole = fs::read(&path).unwrap();
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(garbage).unwrap();
        if torn {
            let (_journal, recovered) = open(dir.path());
            assert_eq!(recovered.slots, fold(&entries));
            assert_eq!(recovered.report.torn.unwrap().bytes, garbage.len() as u64);
            assert_eq!(fs::read(&path).unwrap(), whole);
        } else {
            let refused = Journal::open(dir.path(), Options::default()).map(drop);
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("line 4: "), "{refused}");
        }
    }
}

/// A failed append that cannot be undone may leave a part of the line, all of it, or all of it
/// behind other bytes. Its sequence number goes to the next append in each case.
#[test]
fn an_append_that_could_not_be_undone_never_happened() {
    let entries = creates(5);
    let lost = key("lost");
    let mut body = Vec::new();
    record::encode_body(&mut body, &lost, Timestamp::default().into(), &create(99)).unwrap();
    let mut line = Vec::new();
    record::encode(&mut line, 4, &body);
    for remains in [&b""[..], &line[..20], &line[..line.len() - 1], &line] {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = open(dir.path());
        append_all(&journal, &entries[..3]);
        let path = Directory::of(dir.path()).segment(1);
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(remains).unwrap();
        journal.shared.writer.lock().segment_mut().break_down();

        journal
            .append(&lost, Timestamp::default(), &create(99))
            .unwrap_err();
        assert_eq!(read(dir.path()).unwrap().slots, fold(&entries[..3]));
        let (key, at, change) = &entries[3];
        assert_eq!(journal.append(key, *at, change).unwrap(), 4);
        append_all(&journal, &entries[4..]);
        drop(journal);

        let (_journal, recovered) = open(dir.path());
        assert_eq!(recovered.slots, fold(&entries));
        assert_eq!(recovered.report.warnings(), Vec::<String>::new());
    }
}

#[test]
fn a_first_append_that_could_not_be_undone_never_happened() {
    let dir = tempfile::tempdir().unwrap();
    let entries = creates(2);
    let (journal, _) = open(dir.path());
    let path = Directory::of(dir.path()).segment(1);
    fs::write(&path, "{\"seq\":1,").unwrap();
    journal.shared.writer.lock().segment_mut().break_down();
    journal
        .append(&key("lost"), Timestamp::default(), &create(99))
        .unwrap_err();
    append_all(&journal, &entries);
    drop(journal);
    assert_eq!(open(dir.path()).1.slots, fold(&entries));
}
