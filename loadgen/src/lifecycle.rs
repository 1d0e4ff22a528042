//! One pod from creation to removal, through any door.

use std::time::Instant;

use crate::calls::Calls;
use crate::door::{Door, Made};
use crate::operation::Operation;
use crate::plan::Pod;

/// How a pod ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodEnd {
    /// As the plan wants.
    Done,
    /// Not so; the other side still answers.
    Failed,
    /// Nobody answers any more.
    Lost,
}

/// Runs one pod, records it, and removes it if it failed.
///
/// Call it within a [`tokio::task::LocalSet`].
pub async fn run<D: Door>(door: &D, pod: &Pod, calls: Calls<'_>) -> PodEnd {
    let begun = Instant::now();
    let mut made = D::Made::default();
    let end = match door.pod(pod, &mut made, calls).await {
        Ok(()) => {
            calls.success(Operation::Pod, begun.elapsed());
            PodEnd::Done
        }
        Err(failure) => {
            calls.failure(&failure);
            let lost = failure.is_silence() && door.probe().await.is_err();
            let made = made.without_others(&failure);
            if !made.is_empty() && (lost || !door.tear_down(pod, made, calls).await) {
                calls.recorder.borrow_mut().pod_left_behind();
            }
            if lost { PodEnd::Lost } else { PodEnd::Failed }
        }
    };
    calls.recorder.borrow_mut().pod_ended();
    end
}
