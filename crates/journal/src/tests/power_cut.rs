//! Power cuts, simulated on the file that they leave.
//!
//! Up to the last sync the file is as it was written. Each later block has reached the disk or
//! not, in any order, and the file may end at any byte (Pillai et al., "All File Systems Are
//! Not Created Equal", OSDI 2014, section 2).

use std::fs;

use proptest::prelude::*;

use super::damage::{fold_without, recover};
use crate::directory::Directory;
use crate::testing::{fold, scripts, write_journal};
use crate::{Journal, JournalError, Options};

/// State of the unsynced part of a block after the cut.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Written,
    /// The block is there and empty: the new length of the file reached the disk, the data did
    /// not.
    Zeros,
    /// The block was being written.
    Flipped(usize),
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        4 => Just(Fate::Written),
        2 => Just(Fate::Zeros),
        1 => any::<usize>().prop_map(Fate::Flipped),
    ];
    prop::collection::vec(fate, 1..20)
}

/// Returns the file after the cut; its first `synced` bytes are unchanged.
fn after_cut(whole: &[u8], synced: usize, len: usize, block: usize, fates: &[Fate]) -> Vec<u8> {
    let mut left = whole[..len].to_vec();
    for (start, fate) in (0..len).step_by(block).zip(fates.iter().cycle()) {
        let end = (start + block).min(len);
        let unsynced = start.max(synced)..end;
        match fate {
            _ if unsynced.is_empty() => {}
            Fate::Written => {}
            Fate::Zeros => left[unsynced].fill(0),
            Fate::Flipped(bit) => {
                let bit = bit % (unsynced.len() * 8);
                left[unsynced.start + bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
    left
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Covers every sync mode: the mode decides how many records were synced before the cut.
    #[test]
    fn synced_records_are_kept_and_none_is_invented(
        entries in scripts(40),
        synced: prop::sample::Index,
        len: prop::sample::Index,
        block in prop::sample::select(vec![64, 512, 4096]),
        fates in fates(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        write_journal(dir.path(), Options::default(), &entries);
        let path = Directory::of(dir.path()).segment(1);
        let whole = fs::read(&path).unwrap();
        // Offsets at which a record ends, with 0 for the start of the file.
        let lines = whole.split_inclusive(|b| *b == b'\n').map(<[u8]>::len);
        let ends: Vec<usize> = std::iter::once(0)
            .chain(lines)
            .scan(0, |at, len| {
                *at += len;
                Some(*at)
            })
            .collect();
        let synced = synced.index(ends.len());
        let len = ends[synced] + len.index(whole.len() - ends[synced] + 1);
        let left = after_cut(&whole, ends[synced], len, block, &fates);
        fs::write(&path, &left).unwrap();
        // A record is lost, too, if the newline before it is.
        let is_whole = |i: usize| {
            let span = ends[i].saturating_sub(1)..ends[i + 1];
            left.get(span.clone()) == Some(&whole[span])
        };

        match Journal::open(dir.path(), Options::default()) {
            Ok((_journal, recovered)) => {
                let kept = usize::try_from(recovered.report.last_seq).unwrap();
                prop_assert!(kept >= synced, "{kept} of {synced} synced records are there");
                prop_assert!((0..kept).all(is_whole));
                prop_assert_eq!(recovered.slots, fold(&entries[..kept]));
            }
            // The damage may also be one of synced records, so the start gives up none.
            Err(JournalError::Damaged { .. }) => {
                prop_assert_ne!(&left, &whole[..len], "a file cut short is no damage");
                let recovered = recover(dir.path());
                prop_assert!((0..synced).all(is_whole));
                prop_assert_eq!(recovered.slots, fold_without(&entries, |i| !is_whole(i)));
            }
            Err(e) => return Err(TestCaseError::fail(e.to_string())),
        }
    }
}
