//! Places pods on nodes as kube-scheduler does: its filters, scores and messages.
