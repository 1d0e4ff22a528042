//! Room for more pods of a kind.

use scheduler::{ClassId, Engine, PodId, PodOnNode};

/// Number of pods of a kind that fit beside those of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Number of pods.
    pub pods: usize,
    /// Message of the scheduler about the first one that does not fit; `None` if the limit was
    /// reached.
    pub stop: Option<String>,
}

/// Counts how many more pods of a class fit, as cluster-capacity does, one after the other, up to
/// a limit. Afterwards the engine has the pods that it had before.
///
/// # Panics
/// The class is of another cluster.
pub fn room(engine: &mut Engine, class: ClassId, limit: usize) -> Room {
    let mut placed = Vec::new();
    let mut stop = None;
    while placed.len() < limit {
        let number = u32::try_from(placed.len()).unwrap_or(u32::MAX);
        let pod = PodOnNode {
            id: PodId(FIRST_MORE.saturating_add(number)),
            class,
            start: PodOnNode::NOT_STARTED,
        };
        let Some(node) = engine.place(pod) else {
            stop = Some(engine.evaluate(class).message().unwrap_or_default());
            break;
        };
        placed.push((node, pod.id));
    }
    for (node, pod) in placed.iter().rev() {
        engine.remove(*node, *pod);
    }
    Room {
        pods: placed.len(),
        stop,
    }
}

/// Number of the first pod that is counted.
const FIRST_MORE: u32 = 1 << 30;
