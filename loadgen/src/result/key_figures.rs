//! The figures of a run by which it is compared.

use super::key_figure::{KeyFigure, Statistic};
use super::run::{OperationResult, RunResult};
use crate::record::operation::Operation;

/// Role of everything that a runtime ran.
const ALL: &str = "all";

/// Returns all figures of a run with their values: the latencies of its operations in the
/// order of a lifecycle, the rate, and the CPU time per pod of its processes.
pub fn of(result: &RunResult) -> Vec<(KeyFigure, f64)> {
    let mut figures = Vec::new();
    for operation in Operation::ALL {
        let mut found = result.operations.iter();
        let found = found.find(|figures| figures.operation == operation && figures.count > 0);
        for statistic in [Statistic::P50, Statistic::P99, Statistic::Mean] {
            let value = found.map(|figures| latency(statistic, figures));
            figures.extend(value.map(|value| (KeyFigure::latency(operation, statistic), value)));
        }
    }
    figures.push((KeyFigure::rate(), result.totals.pods_per_s));
    let pods = result.totals.pods + result.totals.pods_failed;
    if pods > 0 {
        figures.extend(result.processes.iter().map(|process| {
            let used_s = process.usage.cpu_user_s + process.usage.cpu_system_s;
            (KeyFigure::cpu(&process.role), used_s * 1000.0 / pods as f64)
        }));
        figures.extend(result.cpu_of_all.first().map(|all| {
            let ms = all.cpu_s * 1000.0 / pods as f64;
            (KeyFigure::cpu(ALL), ms)
        }));
    }
    figures
}

fn latency(statistic: Statistic, figures: &OperationResult) -> f64 {
    match statistic {
        Statistic::P50 => figures.p50_ns as f64,
        Statistic::P99 => figures.p99_ns as f64,
        Statistic::Mean | Statistic::Rate | Statistic::Cpu => figures.mean_ns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::example;

    #[test]
    fn a_run_has_latencies_a_rate_and_cpu_times() {
        let figures = of(&example());
        let value = |name: &KeyFigure| figures.iter().find(|(known, _)| known == name).unwrap().1;
        let p50 = value(&KeyFigure::latency(Operation::TaskCreate, Statistic::P50));
        assert!((p50 / 500_000.0 - 1.0).abs() < 0.001, "{p50}");
        assert!((value(&KeyFigure::rate()) - 0.4).abs() < 1e-9);
        // 0.75 s of CPU time for four pods.
        assert!((value(&KeyFigure::cpu("sandboxer")) - 187.5).abs() < 1e-9);
    }

    #[test]
    fn two_figures_of_a_run_decide() {
        let names = of(&example()).into_iter().map(|(name, _)| name);
        let decide: Vec<String> = names
            .filter(KeyFigure::decides)
            .map(|n| n.words())
            .collect();
        assert_eq!(decide, ["pod p50", "sandboxer CPU per pod"]);
        assert!(!KeyFigure::cpu("loadgen").decides());
    }
}
