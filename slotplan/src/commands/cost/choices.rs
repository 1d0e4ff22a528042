//! Choices on the command line.

use std::str::FromStr;

use anyhow::Context;
use clap::{Args, ValueEnum};
use cost::{Idle, Period, Split, Window};

/// Scope in which idle costs are laid on containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ShareIdle {
    /// Not at all
    #[default]
    None,
    /// On the containers of each node
    Node,
    /// On all containers
    Cluster,
}

/// Way to show idle costs that are not laid on containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum IdleChoice {
    /// As one group
    #[default]
    Apart,
    /// As one group for each node
    ByNode,
    /// Not at all
    Hide,
}

/// Returns the use of idle costs.
pub fn idle(share: ShareIdle, shown: IdleChoice) -> Idle {
    match (share, shown) {
        (ShareIdle::Node, _) => Idle::SharedOnNode,
        (ShareIdle::Cluster, _) => Idle::SharedInCluster,
        (ShareIdle::None, IdleChoice::Apart) => Idle::Apart,
        (ShareIdle::None, IdleChoice::ByNode) => Idle::ApartByNode,
        (ShareIdle::None, IdleChoice::Hide) => Idle::LeftOut,
    }
}

/// Value with a division among groups: `VALUE`, `VALUE=weighted` or `VALUE=even`.
#[derive(Debug, Clone)]
pub struct Divided<T> {
    /// Value.
    pub value: T,
    /// Division.
    pub split: Split,
}

impl<T: FromStr<Err: std::fmt::Display>> FromStr for Divided<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (value, split) = match text.split_once('=') {
            None => (text, Split::Weighted),
            Some((value, "weighted")) => (value, Split::Weighted),
            Some((value, "even")) => (value, Split::Even),
            Some((_, other)) => return Err(format!("{other:?} is none of weighted, even")),
        };
        let value = value.parse().map_err(|error: T::Err| error.to_string())?;
        Ok(Self { value, split })
    }
}

/// Options for the window of time.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Time")]
pub struct PeriodArgs {
    /// Costs from one time to another, both in RFC 3339, such as
    /// 2026-01-31T00:00:00Z/2026-02-01T00:00:00Z
    #[arg(long, value_name = "FROM/TO", conflicts_with_all = ["month", "recorded"])]
    window: Option<String>,
    /// Costs of a month of 730 hours with the pods that stay
    #[arg(long, conflicts_with = "recorded")]
    month: bool,
    /// Costs from the first to the last time in the input
    #[arg(long)]
    recorded: bool,
}

impl PeriodArgs {
    /// Returns the choice of the window; without one, the recorded time if there is usage or all
    /// pods have ended, else a month.
    ///
    /// # Errors
    /// A window that is none.
    pub fn period(&self) -> anyhow::Result<Period> {
        let Some(text) = &self.window else {
            return Ok(match (self.month, self.recorded) {
                (true, _) => Period::Month,
                (_, true) => Period::Recorded,
                _ => Period::Fitting,
            });
        };
        let (from, to) = text
            .split_once('/')
            .with_context(|| format!("--window: {text:?} is not FROM/TO"))?;
        let time = |text: &str| text.parse().with_context(|| format!("--window: {text:?}"));
        Ok(Period::Window(Window::new(time(from)?, time(to)?)?))
    }
}
