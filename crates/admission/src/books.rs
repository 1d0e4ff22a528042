//! Usage of all quotas, as it is and as it would be if no quota refused a pod.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use inventory::api::PodSpec;
use inventory::{QosClass, Timestamp};
use kube_resources::Quantity;

use crate::quota::{Ledger, ResourceQuota, Share, Usage};

/// Most marks that are kept of one key; beyond, every other one is dropped.
const MAX_MARKS: usize = 256;

/// Quota with its usage over time.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaReport {
    /// Namespace.
    pub namespace: String,
    /// Name of the quota.
    pub name: String,
    /// Keys, in the order of their names.
    pub keys: Vec<KeyReport>,
    /// Number of pods that the quota refused for want of room.
    pub refused: u64,
}

/// Key of a quota with its usage over time.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyReport {
    /// Key, such as `requests.cpu`.
    pub key: String,
    /// Bound.
    pub hard: Quantity,
    /// Usage at the end.
    pub used: Quantity,
    /// High-water mark of the usage.
    pub peak: Quantity,
    /// Arrival of the pod with which the usage reached its high-water mark first; `None` if that
    /// pod was there from the start, or if there is no usage.
    pub peak_at: Option<Timestamp>,
    /// Smallest bound with which no pod would have been refused for want of room: the high-water
    /// mark that the usage would have then.
    pub sufficient: Quantity,
    /// Times at which the usage rose above all earlier usage, and that usage, thinned to at most
    /// 256.
    pub marks: Vec<(Option<Timestamp>, Quantity)>,
}

/// Ledgers of one quota.
struct Book {
    namespace: String,
    ledger: Ledger,
    /// Ledger that counts the pods that quotas refuse for want of room, too.
    demand: Ledger,
    refused: u64,
    marks: Vec<Vec<(Option<Timestamp>, Quantity)>>,
}

/// Ledgers of all quotas.
pub(crate) struct Books {
    books: Vec<Book>,
    places: HashMap<String, Vec<usize>>,
}

impl Books {
    pub(crate) fn new(quotas: &BTreeMap<String, Vec<ResourceQuota>>) -> Self {
        let mut books = Vec::new();
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (namespace, quotas) in quotas {
            for quota in quotas {
                let ledger = Ledger::new(quota);
                places
                    .entry(namespace.clone())
                    .or_default()
                    .push(books.len());
                books.push(Book {
                    namespace: namespace.clone(),
                    demand: ledger.clone(),
                    refused: 0,
                    marks: vec![Vec::new(); ledger.lines().count()],
                    ledger,
                });
            }
        }
        Self { books, places }
    }

    /// Returns the reason why a quota refuses pods with this spec at any usage, and the quotas that
    /// count them with their shares.
    pub(crate) fn counted(
        &self,
        namespace: &str,
        spec: &PodSpec,
        qos: QosClass,
        usage: &Usage,
    ) -> (Option<String>, Arc<[(usize, Share)]>) {
        let places = self.places.get(namespace).map_or(&[][..], Vec::as_slice);
        let held = places.iter().filter_map(|&place| {
            let ledger = &self.books.get(place)?.ledger;
            ledger.matches(spec, qos).then_some((place, ledger))
        });
        let held: Vec<_> = held.collect();
        let unstated = held.iter().find_map(|(_, ledger)| ledger.constraints(spec));
        let shares = held
            .iter()
            .map(|(place, ledger)| (*place, ledger.share(usage)));
        (unstated, shares.collect())
    }

    /// Counts a pod, or returns the reason why a quota has no room for it.
    pub(crate) fn admit(
        &mut self,
        shares: &[(usize, Share)],
        now: Option<Timestamp>,
    ) -> Option<String> {
        let mut refused = None;
        for (place, share) in shares {
            let Some(book) = self.books.get_mut(*place) else {
                continue;
            };
            book.demand.charge(share);
            if refused.is_none() {
                refused = book.ledger.refuses(share);
                book.refused += u64::from(refused.is_some());
            }
        }
        if refused.is_some() {
            return refused;
        }
        for (place, share) in shares {
            if let Some(book) = self.books.get_mut(*place) {
                book.charge(share, now);
            }
        }
        None
    }

    /// Frees the usage of a pod that has left.
    pub(crate) fn release(&mut self, shares: &[(usize, Share)], was_admitted: bool) {
        for (place, share) in shares {
            if let Some(book) = self.books.get_mut(*place) {
                book.demand.release(share);
                if was_admitted {
                    book.ledger.release(share);
                }
            }
        }
    }

    /// Returns the usage of every quota.
    pub(crate) fn reports(self) -> Vec<QuotaReport> {
        self.books.into_iter().map(Book::report).collect()
    }
}

impl Book {
    fn charge(&mut self, share: &Share, now: Option<Timestamp>) {
        for (place, peak) in self.ledger.charge(share) {
            let Some(marks) = self.marks.get_mut(place) else {
                continue;
            };
            marks.push((now, peak));
            if marks.len() > MAX_MARKS {
                let mut place = 0;
                let last = marks.len() - 1;
                marks.retain(|_| {
                    place += 1;
                    place % 2 == 1 || place > last
                });
            }
        }
    }

    fn report(self) -> QuotaReport {
        let lines = self.ledger.lines().zip(self.demand.lines());
        let keys = lines.zip(self.marks).map(|((line, demand), marks)| {
            let (key, hard, used, peak) = line;
            let (_, _, _, sufficient) = demand;
            KeyReport {
                key: key.to_owned(),
                hard,
                used,
                peak,
                peak_at: marks.last().and_then(|(time, _)| *time),
                sufficient,
                marks,
            }
        });
        QuotaReport {
            keys: keys.collect(),
            namespace: self.namespace,
            name: self.ledger.name().to_owned(),
            refused: self.refused,
        }
    }
}
