//! Damage of a journal, and the records that giving it up would lose.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use containerd_sandbox::Key;

/// Most sandboxes that a message names; further ones are only counted.
const NAMED: usize = 10;

/// A place in the journal that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The file.
    pub file: PathBuf,
    /// The first line of the place, counted from 1.
    pub line: u64,
    /// Reason in words.
    pub reason: String,
    /// Records (in a snapshot: sandboxes) that are lost.
    pub records: u64,
    /// Whether further records may be lost, because the end of the journal is missing.
    pub open_ended: bool,
    /// Sandboxes of the lost records, as far as they can be read.
    pub sandboxes: BTreeSet<Key>,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file, line, reason, ..
        } = self;
        write!(f, "{}, line {line}: {reason}", file.display())
    }
}

/// All places of a journal that cannot be used; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The first place.
    pub first: Dropped,
    /// The other places in the order of reading.
    pub others: Vec<Dropped>,
}

impl Damage {
    /// Returns the damage of these places; `None` if there are none.
    pub(super) fn of(dropped: Vec<Dropped>) -> Option<Self> {
        let mut places = dropped.into_iter();
        Some(Self {
            first: places.next()?,
            others: places.collect(),
        })
    }

    /// Iterates over every place.
    pub fn places(&self) -> impl Iterator<Item = &Dropped> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Returns in words the records and sandboxes that giving the places up would lose.
    pub fn loss(&self) -> String {
        let records = self
            .places()
            .fold(0_u64, |sum, place| sum.saturating_add(place.records));
        let sandboxes: BTreeSet<&Key> = self.places().flat_map(|p| &p.sandboxes).collect();
        let open_ended = self.places().any(|place| place.open_ended);
        let mut text = match (records, open_ended) {
            (0, true) => "an unknown number of records".to_owned(),
            (n, true) => format!("{n} or more records"),
            (1, false) => "1 record".to_owned(),
            (n, false) => format!("{n} records"),
        };
        if sandboxes.is_empty() {
            text.push_str(" of sandboxes that cannot be told");
            return text;
        }
        text.push_str(if sandboxes.len() == 1 {
            " of sandbox "
        } else {
            " of sandboxes "
        });
        let mut names: Vec<String> = sandboxes.iter().map(ToString::to_string).collect();
        let unnamed = names.split_off(names.len().min(NAMED)).len();
        text.push_str(&names.join(", "));
        match unnamed {
            0 => text,
            more => format!("{text} and {more} more"),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        match self.others.len() {
            0 => Ok(()),
            1 => f.write_str(", and another place"),
            n => write!(f, ", and {n} other places"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: u64, records: u64, ids: &[String]) -> Dropped {
        Dropped {
            file: "/j/1.jsonl".into(),
            line,
            reason: "why".to_owned(),
            records,
            open_ended: false,
            sandboxes: ids
                .iter()
                .map(|id| Key::new("k8s.io", id).unwrap())
                .collect(),
        }
    }

    #[test]
    fn the_first_place_is_shown_and_the_loss_is_the_sum() {
        let one = Damage::of(vec![place(3, 1, &["a".to_owned()])]).unwrap();
        assert_eq!(one.to_string(), "/j/1.jsonl, line 3: why");
        assert_eq!(one.loss(), "1 record of sandbox a");
        let ids: Vec<String> = (10..22).map(|i| format!("s{i}")).collect();
        let many = Damage::of(vec![place(3, 1, &ids[..6]), place(9, u64::MAX, &ids[6..])]).unwrap();
        assert_eq!(
            many.to_string(),
            "/j/1.jsonl, line 3: why, and another place"
        );
        assert!(
            many.loss()
                .starts_with("18446744073709551615 records of sandboxes s10, s11,")
        );
        assert!(many.loss().ends_with("s19 and 2 more"));
    }

    #[test]
    fn without_a_place_there_is_no_damage() {
        assert_eq!(Damage::of(Vec::new()), None);
    }
}
