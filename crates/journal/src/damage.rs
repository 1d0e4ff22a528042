//! What of a journal cannot be read, and what giving it up would lose.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use containerd_sandbox::Key;

/// How many sandboxes a message names before it only counts.
const NAMED: usize = 10;

/// A place in the journal that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1, at which the trouble begins.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
    /// How many records (in a snapshot: sandboxes) are lost by it.
    pub records: u64,
    /// The sandboxes it concerns, as far as they can be told.
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

/// All such places of a journal; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The first.
    pub first: Dropped,
    /// The others, in the order of reading.
    pub others: Vec<Dropped>,
}

impl Damage {
    /// The damage in these places, if there are any.
    pub(super) fn of(dropped: Vec<Dropped>) -> Option<Self> {
        let mut places = dropped.into_iter();
        Some(Self {
            first: places.next()?,
            others: places.collect(),
        })
    }

    /// Every place.
    pub fn places(&self) -> impl Iterator<Item = &Dropped> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// In words, what giving it up would lose.
    pub fn loss(&self) -> String {
        let records = self
            .places()
            .fold(0_u64, |sum, place| sum.saturating_add(place.records));
        let sandboxes: BTreeSet<&Key> = self.places().flat_map(|p| &p.sandboxes).collect();
        let mut text = match records {
            1 => "1 record".to_owned(),
            n => format!("{n} records"),
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
    fn no_place_is_no_damage() {
        assert_eq!(Damage::of(Vec::new()), None);
    }
}
