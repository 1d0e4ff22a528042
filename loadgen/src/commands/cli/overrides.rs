//! Options that override values of a scenario.

use std::time::Duration;

use clap::{Args, value_parser};

use crate::workload::scenario::limits::{MAX_CONCURRENCY, MAX_CONNECTIONS, MAX_PODS, MAX_THREADS};
use crate::workload::scenario::{Arrivals, Distribution, Lifecycle, Overrides, SignalChoice, text};

/// Options that override values of a scenario; a value without an option stays.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(next_help_heading = "Scenario overrides")]
pub struct OverrideArgs {
    /// Seed of all random numbers.
    #[arg(long, env = "LOADGEN_SEED", value_name = "S")]
    pub seed: Option<u64>,
    /// Number of pods of a closed loop.
    #[arg(long, short = 'n', env = "LOADGEN_PODS", value_name = "N",
          value_parser = value_parser!(u64).range(1..=MAX_PODS))]
    pub pods: Option<u64>,
    /// Number of warm-up pods of a closed loop, before the measured ones.
    #[arg(long, env = "LOADGEN_WARM_UP_PODS", value_name = "N",
          value_parser = value_parser!(u64).range(0..=MAX_PODS))]
    pub warm_up_pods: Option<u64>,
    /// Number of pods under way at once in a closed loop.
    #[arg(long, short, env = "LOADGEN_CONCURRENCY", value_name = "N",
          value_parser = value_parser!(u32).range(1..=i64::from(MAX_CONCURRENCY)))]
    pub concurrency: Option<u32>,
    /// Make it an open loop with this rate, independent of the progress of pods: pods per
    /// second, or with a unit such as 10/s, 5/m or 100/h.
    #[arg(long, short, env = "LOADGEN_RATE", value_name = "RATE", value_parser = text::rate)]
    pub rate: Option<f64>,
    /// Spacing of the arrivals of an open loop.
    #[arg(long, env = "LOADGEN_ARRIVALS", value_name = "HOW")]
    pub arrivals: Option<Arrivals>,
    /// Length of the only measured phase of an open loop, or time limit of a closed
    /// loop.
    #[arg(long, short = 'z', env = "LOADGEN_DURATION", value_name = "TIME", value_parser = text::duration)]
    pub duration: Option<Duration>,
    /// With --rate: length of the warm-up before the measured phase; "0s" for none.
    #[arg(long, env = "LOADGEN_WARM_UP", value_name = "TIME",
          value_parser = text::duration_or_none)]
    pub warm_up: Option<Duration>,
    /// Limit of pods under way at once in an open loop; further pods wait, and the
    /// wait counts as latency.
    #[arg(long, env = "LOADGEN_MAX_IN_FLIGHT", value_name = "N",
          value_parser = value_parser!(u32).range(1..=i64::from(MAX_CONCURRENCY)))]
    pub max_in_flight: Option<u32>,
    /// Number of connections that the pods share; at most one per pod.
    #[arg(long, env = "LOADGEN_CONNECTIONS", value_name = "N",
          value_parser = value_parser!(u32).range(1..=i64::from(MAX_CONNECTIONS)))]
    pub connections: Option<u32>,
    /// Number of threads that drive the connections; at most one per connection.
    #[arg(long, env = "LOADGEN_THREADS", value_name = "N",
          value_parser = value_parser!(u32).range(1..=i64::from(MAX_THREADS)))]
    pub threads: Option<u32>,
    /// Time limit of a call.
    #[arg(long, env = "LOADGEN_TIMEOUT", value_name = "TIME", value_parser = text::duration)]
    pub timeout: Option<Duration>,
    /// Containers per pod: N, MIN-MAX, or a distribution as in a scenario.
    #[arg(long, env = "LOADGEN_CONTAINERS", value_name = "DIST", value_parser = text::containers)]
    pub containers: Option<Distribution>,
    /// CPU request of a container, in millicores.
    #[arg(long, env = "LOADGEN_CPU_MILLICORES", value_name = "DIST", value_parser = text::cpu_millicores)]
    pub cpu_millicores: Option<Distribution>,
    /// Memory request of a container, in MiB.
    #[arg(long, env = "LOADGEN_MEMORY_MIB", value_name = "DIST", value_parser = text::memory_mib)]
    pub memory_mib: Option<Distribution>,
    /// Limit of processes of a container.
    #[arg(long, env = "LOADGEN_PIDS", value_name = "DIST", value_parser = text::pids)]
    pub pids: Option<Distribution>,
    /// Signal that ends a container.
    #[arg(long, env = "LOADGEN_SIGNAL", value_name = "SIGNAL")]
    pub signal: Option<SignalChoice>,
    /// Stay of a pod once its containers run: a time, "held", or a form as in a
    /// scenario.
    #[arg(long, env = "LOADGEN_LIFE", value_name = "LIFE", value_parser = text::lifecycle)]
    pub life: Option<Lifecycle>,
}

impl From<OverrideArgs> for Overrides {
    fn from(args: OverrideArgs) -> Self {
        Self {
            seed: args.seed,
            pods: args.pods,
            warm_up_pods: args.warm_up_pods,
            concurrency: args.concurrency,
            rate: args.rate,
            arrivals: args.arrivals,
            duration: args.duration,
            warm_up: args.warm_up,
            max_in_flight: args.max_in_flight,
            connections: args.connections,
            threads: args.threads,
            timeout: args.timeout,
            containers: args.containers,
            cpu_millicores: args.cpu_millicores,
            memory_mib: args.memory_mib,
            pids: args.pids,
            signal: args.signal,
            lifecycle: args.life,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::scenario::{Closed, LoadShape, PodShape, Rate, Scenario};

    fn overridden(name: &str, args: &[&str]) -> Result<Scenario, String> {
        #[derive(clap::Parser)]
        struct Only {
            #[command(flatten)]
            overrides: OverrideArgs,
        }
        let args = ["test"].iter().chain(args);
        let only = <Only as clap::Parser>::try_parse_from(args).map_err(|e| e.to_string())?;
        let overrides = Overrides::from(only.overrides);
        let scenario = Scenario::find(name).unwrap();
        let changed = overrides.apply(scenario).map_err(|e| e.to_string())?;
        // The document in a result can be run again.
        let read = Scenario::parse(&changed.to_string(), "s.toml");
        assert_eq!(read.map_err(|e| e.to_string()), Ok(changed.clone()));
        Ok(changed)
    }

    #[test]
    fn options_replace_the_values_of_a_closed_loop() {
        let args = [
            "--pods=7",
            "--concurrency=3",
            "--seed=9",
            "--warm-up-pods=2",
            "--duration=5s",
            "--connections=2",
            "--threads=2",
            "--timeout=1s",
            "--containers=2-3",
            "--pids=40",
            "--cpu-millicores",
            "{ log_uniform = [10, 20] }",
            "--memory-mib=[16, 32]",
            "--signal=term",
            "--life=20ms",
        ];
        let scenario = overridden("churn", &args).unwrap();
        let closed = Closed {
            concurrency: 3,
            pods: 7,
            warm_up_pods: 2,
            duration: Some(Duration::from_secs(5)),
        };
        assert_eq!(scenario.load, LoadShape::Closed(closed));
        assert_eq!(
            (scenario.seed, scenario.connections, scenario.threads),
            (9, 2, 2)
        );
        let shape = PodShape {
            containers: Distribution::Uniform(2, 3),
            cpu_millicores: Distribution::LogUniform(10, 20),
            memory_mib: Distribution::Uniform(16, 32),
            pids: Distribution::Constant(40),
            signal: SignalChoice::Term,
            lifecycle: Lifecycle::For(Distribution::Constant(20)),
        };
        assert_eq!(scenario.pods, shape);
    }

    #[test]
    fn a_rate_makes_an_open_loop() {
        let args = [
            "--rate=50",
            "--duration=4s",
            "--arrivals=constant",
            "--warm-up=0s",
        ];
        let LoadShape::Open { phases, .. } = overridden("churn", &args).unwrap().load else {
            panic!();
        };
        let [phase] = &phases[..] else {
            panic!("{phases:?}")
        };
        assert_eq!(
            (phase.rate.clone(), phase.arrivals),
            (Rate::Constant(50.0), Arrivals::Constant)
        );
        assert!(phase.measured && phase.duration == Duration::from_secs(4));
        let LoadShape::Open { phases, .. } = overridden("steady", &["--duration=4s"]).unwrap().load
        else {
            panic!();
        };
        assert_eq!(phases[1].duration, Duration::from_secs(4));
    }

    #[test]
    fn an_option_that_has_no_meaning_is_refused() {
        for (name, args, expected) in [
            (
                "steady",
                &["--pods=5"][..],
                "--pods does not go with the scenario \"steady\"",
            ),
            ("steady", &["--concurrency=5"], "closed loop"),
            ("churn", &["--arrivals=poisson"], "--rate makes it one"),
            ("churn", &["--rate=5", "--pods=5"], "--pods"),
            ("burst", &["--duration=5s"], "several measured phases"),
            (
                "churn",
                &["--rate=0"],
                "not from 0.00001 to 1000000 per second",
            ),
            ("churn", &["--rate=5/d"], "not a rate such as"),
            (
                "churn",
                &["--rate=1e6", "--duration=1d"],
                "more than 100000000",
            ),
            ("steady", &["--duration=12d"], "more than 100000000"),
            ("churn", &["--rate=5", "--warm-up=31d"], "thirty days"),
            ("churn", &["--life=10us"], "whole milliseconds"),
            ("churn", &["--warm-up=1s"], "--rate"),
            ("churn", &["--containers=3-2"], "minimum 3"),
            ("churn", &["--containers=x"], "TOML"),
            ("churn", &["--timeout=0s"], "no time at all"),
        ] {
            let message = overridden(name, args).unwrap_err();
            assert!(message.contains(expected), "{args:?}\n{message}");
        }
    }
}
