//! Scores of a node by its resources: the arithmetic of the plugins `NodeResourcesFit` and
//! `NodeResourcesBalancedAllocation`.
//!
//! Every function takes one [`Use`] for each resource of the plugin's configuration and returns
//! 0 to 100. The sources are `least_allocated.go`, `most_allocated.go`,
//! `requested_to_capacity_ratio.go`, `balanced_allocation.go` and `resource_allocation.go` in
//! `pkg/scheduler/framework/plugins/noderesources`, and `helper/shape_score.go` beside it, of
//! Kubernetes 1.36. Integers divide at the same places as there, and `BalancedAllocation`
//! computes with the same IEEE 754 doubles in the same order.
//!
//! One difference: a product beyond 64 bits, which wraps in Go, is computed with 128 bits here.

use thiserror::Error;

/// Largest score of a node (`MaxNodeScore`).
pub const MAX_NODE_SCORE: i64 = 100;

/// Largest score of a point of a [`Shape`] (`MaxCustomPriorityScore`).
pub const MAX_SHAPE_SCORE: i64 = 10;

/// Use of one resource of a node, in the unit of the resource.
///
/// A resource that does not count for a pod on a node has `allocatable` 0: the node does not
/// have it, or it is an extended resource that the pod does not request
/// (`calculateNodeAllocatableRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Use {
    /// Weight of the resource in the plugin's configuration.
    pub weight: i64,
    /// Sum of the requests of the pods on the node, without the pod to place.
    pub allocated: i64,
    /// The same sum with the pod to place.
    pub requested: i64,
    /// Amount that pods can request of the node.
    pub allocatable: i64,
}

impl Use {
    /// Returns the use of a resource by the pods on a node and one more that requests `pod`.
    pub fn with_pod(weight: i64, allocated: i64, pod: i64, allocatable: i64) -> Self {
        Self {
            weight,
            allocated,
            requested: allocated.saturating_add(pod),
            allocatable,
        }
    }
}

/// Scores a node the higher, the less of it is requested (`leastResourceScorer`).
pub fn least_allocated(uses: &[Use]) -> i64 {
    weighted_mean(uses, |used| {
        if used.requested > used.allocatable {
            return 0;
        }
        percent(
            used.allocatable.saturating_sub(used.requested),
            used.allocatable,
        )
    })
}

/// Scores a node the higher, the more of it is requested (`mostResourceScorer`).
pub fn most_allocated(uses: &[Use]) -> i64 {
    weighted_mean(uses, |used| {
        percent(used.requested.min(used.allocatable), used.allocatable)
    })
}

/// Scores a node by a function of its utilisation
/// (`buildRequestedToCapacityRatioScorerFunction`).
///
/// A resource with score 0 does not count, neither with its score nor with its weight.
pub fn requested_to_capacity_ratio(uses: &[Use], shape: &Shape) -> i64 {
    let (mut score, mut weights) = (0_i64, 0_i64);
    for used in uses.iter().filter(|used| used.allocatable != 0) {
        let utilisation = if used.requested > used.allocatable {
            MAX_NODE_SCORE
        } else {
            percent(used.requested, used.allocatable)
        };
        let of_resource = shape.score(utilisation);
        if of_resource > 0 {
            score = score.saturating_add(of_resource.saturating_mul(used.weight));
            weights = weights.saturating_add(used.weight);
        }
    }
    if weights == 0 {
        return 0;
    }
    truncated((score as f64 / weights as f64).round())
}

/// Scores a node by how much the pod improves the balance of its resources, as Kubernetes 1.36
/// does (`balancedResourceScorer`): about 75 without a change, 100 and 50 at the ends.
pub fn balanced_allocation(uses: &[Use]) -> i64 {
    let with_pod = balance(uses, |used| used.requested);
    let without = balance(uses, |used| used.allocated);
    improvement(with_pod, without)
}

/// Returns the score of a balance that the pod changes.
pub(crate) fn improvement(with_pod: i64, without: i64) -> i64 {
    MAX_NODE_SCORE / 2 + (MAX_NODE_SCORE / 2 + with_pod - without) / 2
}

/// Scores a node by the balance of its resources with the pod, as Kubernetes up to 1.35 does
/// (`balancedResourceScorer` in 1.34.1).
pub fn balanced_allocation_1_34(uses: &[Use]) -> i64 {
    balance(uses, |used| used.requested)
}

/// Returns the score of equal shares of all resources, 100, less their standard deviation in
/// percent (`balancedResourceScore`).
fn balance(uses: &[Use], requested: impl Fn(&Use) -> i64) -> i64 {
    let fraction = |used: &Use| (requested(used) as f64 / used.allocatable as f64).min(1.0);
    let counted = || uses.iter().filter(|used| used.allocatable != 0);
    let count = counted().count();
    let deviation = match count {
        0 | 1 => 0.0,
        2 => {
            let mut fractions = counted().map(fraction);
            let first = fractions.next().unwrap_or_default();
            let second = fractions.next().unwrap_or_default();
            return balance_of_two(first, second);
        }
        _ => {
            let total = counted().map(fraction).fold(0.0, |sum, next| sum + next);
            let mean = total / count as f64;
            let squares = counted().map(fraction).fold(0.0, |sum, next| {
                let distance = next - mean;
                sum + distance * distance
            });
            (squares / count as f64).sqrt()
        }
    };
    truncated((1.0 - deviation) * MAX_NODE_SCORE as f64)
}

/// Returns the score of the balance of two shares, each 1 at most.
pub(crate) fn balance_of_two(first: f64, second: f64) -> i64 {
    let deviation = ((first - second) / 2.0).abs();
    truncated((1.0 - deviation) * MAX_NODE_SCORE as f64)
}

/// Returns the mean of the scores of the resources that count, by weight.
fn weighted_mean(uses: &[Use], score: impl Fn(&Use) -> i64) -> i64 {
    let (mut sum, mut weights) = (0_i64, 0_i64);
    for used in uses.iter().filter(|used| used.allocatable != 0) {
        sum = sum.saturating_add(score(used).saturating_mul(used.weight));
        weights = weights.saturating_add(used.weight);
    }
    sum.checked_div(weights).unwrap_or(0)
}

/// Returns the part of the whole in percent, rounded towards zero; the whole is not 0.
fn percent(part: i64, whole: i64) -> i64 {
    if let Some(hundredfold) = part.checked_mul(MAX_NODE_SCORE) {
        return hundredfold.checked_div(whole).unwrap_or(0);
    }
    let percent = i128::from(part) * i128::from(MAX_NODE_SCORE) / i128::from(whole).max(1);
    i64::try_from(percent).unwrap_or(i64::MAX)
}

/// Returns the number without its digits after the point.
#[expect(
    clippy::cast_possible_truncation,
    reason = "scores are below 10,000, and beyond 64 bits the conversion saturates"
)]
fn truncated(number: f64) -> i64 {
    number as i64
}

/// Function of the utilisation for [`requested_to_capacity_ratio`]: straight lines between
/// points, level before the first and after the last (`BuildBrokenLinearFunction`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape(Vec<ShapePoint>);

/// Point of a [`Shape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShapePoint {
    /// Utilisation in percent, 0 to 100.
    pub utilization: i64,
    /// Score, 0 to 10.
    pub score: i64,
}

/// Fault of the points of a [`Shape`] (`validateFunctionShape` in
/// `pkg/scheduler/apis/config/validation/validation_pluginargs.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ShapeError {
    /// There is no point.
    #[error("at least one point must be specified")]
    Empty,
    /// A utilisation is outside of its range.
    #[error("the utilization {0} is not from 0 to 100")]
    Utilization(i64),
    /// Utilisations do not rise.
    #[error("utilization values must be sorted in increasing order: {1} follows {0}")]
    Order(i64, i64),
    /// A score is outside of its range.
    #[error("the score {0} is not from 0 to 10")]
    Score(i64),
}

impl Shape {
    /// Returns the shape with these points.
    ///
    /// # Errors
    /// No point, a number outside of its range, or utilisations that do not rise.
    pub fn new(points: &[ShapePoint]) -> Result<Self, ShapeError> {
        if points.is_empty() {
            return Err(ShapeError::Empty);
        }
        for point in points {
            if !(0..=100).contains(&point.utilization) {
                return Err(ShapeError::Utilization(point.utilization));
            }
            if !(0..=MAX_SHAPE_SCORE).contains(&point.score) {
                return Err(ShapeError::Score(point.score));
            }
        }
        for (before, after) in points.iter().zip(points.iter().skip(1)) {
            if before.utilization >= after.utilization {
                return Err(ShapeError::Order(before.utilization, after.utilization));
            }
        }
        Ok(Self(points.to_vec()))
    }

    /// Returns the score, 0 to 100, of a utilisation in percent.
    fn score(&self, utilisation: i64) -> i64 {
        let scaled = |point: &ShapePoint| point.score * (MAX_NODE_SCORE / MAX_SHAPE_SCORE);
        let mut before: Option<&ShapePoint> = None;
        for point in &self.0 {
            if utilisation <= point.utilization {
                let Some(before) = before else {
                    return scaled(point);
                };
                let rise = (scaled(point) - scaled(before)) * (utilisation - before.utilization);
                return scaled(before) + rise / (point.utilization - before.utilization);
            }
            before = Some(point);
        }
        before.map_or(0, scaled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: i64 = 1 << 30;

    fn uses(of: &[(i64, i64, i64)]) -> Vec<Use> {
        of.iter()
            .map(|&(allocated, pod, allocatable)| Use::with_pod(1, allocated, pod, allocatable))
            .collect()
    }

    fn shape(points: &[(i64, i64)]) -> Shape {
        let points: Vec<_> = points
            .iter()
            .map(|&(utilization, score)| ShapePoint { utilization, score })
            .collect();
        Shape::new(&points).expect("a valid shape")
    }

    #[test]
    fn least_and_most_divide_by_resource_and_again_by_weight() {
        // 1000 of 3000: 66 and 33; 1 of 3: 66 and 33; weights 1 and 2.
        let mut of = uses(&[(0, 1000, 3000), (GIB, 0, 2 * GIB)]);
        assert_eq!((least_allocated(&of), most_allocated(&of)), (58, 41));
        of[1].weight = 2;
        // (66 + 100) / 3 and (33 + 100) / 3.
        assert_eq!((least_allocated(&of), most_allocated(&of)), (55, 44));
    }

    #[test]
    fn more_than_all_is_nothing_for_least_and_all_for_most() {
        let of = uses(&[(3000, 100, 3000), (GIB, 0, 2 * GIB)]);
        assert_eq!((least_allocated(&of), most_allocated(&of)), (25, 75));
    }

    #[test]
    fn a_resource_that_the_node_lacks_does_not_count() {
        let of = uses(&[(0, 1500, 3000), (0, 0, 0)]);
        assert_eq!((least_allocated(&of), most_allocated(&of)), (50, 50));
        let none = uses(&[(0, 1, 0)]);
        assert_eq!((least_allocated(&none), most_allocated(&none)), (0, 0));
        assert_eq!(requested_to_capacity_ratio(&none, &shape(&[(0, 10)])), 0);
        assert_eq!(balanced_allocation_1_34(&none), 100);
    }

    #[test]
    fn the_ratio_follows_lines_between_points() {
        let line = shape(&[(0, 0), (100, 10)]);
        // 50 and 75 percent; the mean 62.5 is rounded away from zero.
        let of = uses(&[(0, 50, 100), (0, 75, 100)]);
        assert_eq!(requested_to_capacity_ratio(&of, &line), 63);
        // A resource with score 0 takes its weight along.
        let of = uses(&[(0, 0, 100), (0, 75, 100)]);
        assert_eq!(requested_to_capacity_ratio(&of, &line), 75);
        // Over the allocatable amount is 100 percent.
        let of = uses(&[(0, 200, 100)]);
        assert_eq!(requested_to_capacity_ratio(&of, &line), 100);
        let broken = shape(&[(20, 2), (40, 8), (90, 4)]);
        let at = |percent| requested_to_capacity_ratio(&uses(&[(0, percent, 100)]), &broken);
        assert_eq!(
            [at(0), at(20), at(21), at(40), at(41), at(90), at(100)],
            [20, 20, 23, 80, 80, 40, 40]
        );
    }

    #[test]
    fn a_shape_has_rising_points_in_their_ranges() {
        let point = |utilization, score| ShapePoint { utilization, score };
        assert_eq!(Shape::new(&[]), Err(ShapeError::Empty));
        assert_eq!(
            Shape::new(&[point(101, 0)]),
            Err(ShapeError::Utilization(101))
        );
        assert_eq!(Shape::new(&[point(0, 11)]), Err(ShapeError::Score(11)));
        let level = Shape::new(&[point(5, 0), point(5, 1)]);
        assert_eq!(level, Err(ShapeError::Order(5, 5)));
    }

    #[test]
    fn balance_is_the_deviation_of_the_shares() {
        // Shares 0.5 and 0.25 with the pod, 0 and 0 without.
        let of = uses(&[(0, 500, 1000), (0, GIB, 4 * GIB)]);
        assert_eq!(balanced_allocation_1_34(&of), 87);
        assert_eq!(balanced_allocation(&of), 50 + (50 + 87 - 100) / 2);
        // Three resources: 0, 0.5 and 1 deviate by the root of 1/6.
        let of = uses(&[(0, 0, 10), (0, 5, 10), (0, 20, 10)]);
        assert_eq!(balanced_allocation_1_34(&of), 59);
    }

    #[test]
    fn absurd_amounts_do_not_overflow() {
        let of = uses(&[(i64::MAX, i64::MAX, i64::MAX), (i64::MAX / 2, 0, i64::MAX)]);
        assert_eq!((least_allocated(&of), most_allocated(&of)), (25, 74));
        let of = uses(&[(i64::MIN, -1, 1), (0, i64::MIN, i64::MIN)]);
        let _ = (
            least_allocated(&of),
            most_allocated(&of),
            balanced_allocation(&of),
        );
    }
}
