//! Pods of one name that live at the same time.

use crate::{Pod, ReadError, Timestamp};

/// Checks that no two pods of a namespace have one name at the same time. The pods are in the
/// order of their arrival.
pub(super) fn check(pods: &[Pod]) -> Result<(), ReadError> {
    let mut order: Vec<&Pod> = pods.iter().collect();
    // Stable, so that pods of one name stay in the order of their arrival.
    order.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    for pair in order.windows(2) {
        let &[first, second] = pair else { continue };
        let same = (&first.namespace, &first.name) == (&second.namespace, &second.name);
        let end = first.departure.unwrap_or(Timestamp(i64::MAX));
        if same && second.arrival.is_none_or(|start| start < end) {
            return Err(ReadError::Twice {
                object: format!("Pod {}/{}", second.namespace, second.name),
                place: second.source.clone(),
                first: first.source.clone(),
            });
        }
    }
    Ok(())
}
