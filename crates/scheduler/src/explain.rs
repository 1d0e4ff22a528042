//! The verdict of every filter on every node.

use crate::cluster::{ClassId, Cluster};
use crate::evaluate::Prepared;
use crate::evaluation::Rejection;
use crate::plugin::Plugin;
use crate::profile::Profile;

/// Refusals of one node, one for each filter that refuses it, in the order of the filters.
///
/// A scheduler stops at the first, which is the one in its message.
pub type Refusals = Vec<Rejection>;

impl Cluster {
    /// Asks every filter about every node, even after one refuses, and returns the refusals of
    /// each node in the order of the nodes.
    ///
    /// # Panics
    /// The class is of another cluster.
    pub fn explain(&self, class: ClassId, profile: &Profile) -> Vec<Refusals> {
        let prepared = Prepared::new(self, self.class_of(class), profile.version);
        let nodes = self.nodes().iter().enumerate();
        let refusals = nodes.map(|(number, node)| {
            let filters = Plugin::FILTERS.into_iter();
            let asked = filters.map(|plugin| prepared.ask(plugin, self, number, &node.usage));
            asked.filter_map(Result::err).collect()
        });
        refusals.collect()
    }
}
