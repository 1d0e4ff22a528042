//! Nodes of several shapes at the least cost.

use std::cmp::Reverse;

use crate::packing::Problem;

/// Shape as the search sees it.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Amounts of a node in each dimension.
    pub bin: Vec<i64>,
    /// Price of a node, above 0.
    pub price: i128,
    /// Whether a node takes each item by labels and taints.
    pub takes: Vec<bool>,
}

/// Nodes of several shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    /// Number of nodes of each shape.
    pub counts: Vec<usize>,
    /// Sum of the prices.
    pub cost: i128,
    /// Cost below which no mixture has room for the sums of all items.
    pub lower: i128,
}

/// Finds a cheap mixture of shapes for items; `None` if an item fits on no shape.
///
/// Of several mixtures the cheapest is taken: nodes of each shape alone, and nodes chosen one
/// after the other by the most worth of items for their price. Then each node becomes the cheapest
/// shape that holds its items, and nodes whose items fit elsewhere go. No draw is involved.
pub fn mix(items: &[Vec<i64>], offers: &[Offer]) -> Option<Mix> {
    let fits = |item: usize, offer: &Offer| offer.takes[item] && fits(&items[item], &offer.bin);
    if (0..items.len()).any(|item| !offers.iter().any(|offer| fits(item, offer))) {
        return None;
    }
    let search = Search {
        items,
        offers,
        worth: items.iter().map(|item| worth(item, offers)).collect(),
    };
    let all: Vec<usize> = (0..offers.len()).collect();
    let alone = all.iter().map(std::slice::from_ref);
    let choices = alone.chain([all.as_slice()]);
    let mixtures = choices.filter_map(|choice| search.fill(choice));
    let best = mixtures
        .map(|nodes| search.improved(nodes))
        .min_by_key(|nodes| search.cost(nodes))?;
    let mut counts = vec![0; offers.len()];
    for node in &best {
        counts[node.offer] += 1;
    }
    Some(Mix {
        counts,
        cost: search.cost(&best),
        lower: lower_cost(items, offers),
    })
}

#[derive(Debug, Clone)]
struct Node {
    offer: usize,
    items: Vec<usize>,
    room: Vec<i64>,
}

struct Search<'a> {
    items: &'a [Vec<i64>],
    offers: &'a [Offer],
    /// Least cost of the largest share of each item.
    worth: Vec<i128>,
}

impl Search<'_> {
    fn cost(&self, nodes: &[Node]) -> i128 {
        nodes.iter().map(|node| self.offers[node.offer].price).sum()
    }

    /// Fills nodes of some shapes one after the other; `None` if an item fits on none of these.
    fn fill(&self, choice: &[usize]) -> Option<Vec<Node>> {
        let mut left: Vec<usize> = (0..self.items.len()).collect();
        left.sort_by_key(|item| (Reverse(self.worth[*item]), *item));
        let mut nodes = Vec::new();
        while !left.is_empty() {
            let filled = choice.iter().map(|offer| self.node(*offer, &left));
            // Compares worth by price: a / b > c / d if a * d > c * b.
            let best = filled
                .filter(|node| !node.items.is_empty())
                .reduce(|best, next| {
                    let (gain, price) = (self.gain(&next), self.offers[next.offer].price);
                    let (of_best, best_price) = (self.gain(&best), self.offers[best.offer].price);
                    let is_better = gain.saturating_mul(best_price) > of_best.saturating_mul(price);
                    if is_better { next } else { best }
                })?;
            let mut taken = vec![false; self.items.len()];
            for item in &best.items {
                taken[*item] = true;
            }
            left.retain(|item| !taken[*item]);
            nodes.push(best);
        }
        Some(nodes)
    }

    fn gain(&self, node: &Node) -> i128 {
        node.items.iter().map(|item| self.worth[*item]).sum()
    }

    /// Fills one node with the dearest items that fit.
    fn node(&self, offer: usize, left: &[usize]) -> Node {
        let mut node = Node {
            offer,
            items: Vec::new(),
            room: self.offers[offer].bin.clone(),
        };
        for &item in left {
            self.put(&mut node, item);
        }
        node
    }

    /// Puts an item on a node, if it fits.
    fn put(&self, node: &mut Node, item: usize) -> bool {
        let does_fit = self.offers[node.offer].takes[item] && fits(&self.items[item], &node.room);
        if does_fit {
            for (room, size) in node.room.iter_mut().zip(&self.items[item]) {
                *room -= size;
            }
            node.items.push(item);
        }
        does_fit
    }

    fn improved(&self, mut nodes: Vec<Node>) -> Vec<Node> {
        loop {
            let before = self.cost(&nodes);
            self.shrink(&mut nodes);
            self.dissolve(&mut nodes);
            if self.cost(&nodes) >= before {
                return nodes;
            }
        }
    }

    /// Turns each node into the cheapest shape that holds its items.
    fn shrink(&self, nodes: &mut [Node]) {
        for node in nodes {
            let cheaper = (0..self.offers.len()).filter_map(|offer| {
                let mut other = self.node(offer, &node.items);
                other.offer = offer;
                (other.items.len() == node.items.len()).then_some(other)
            });
            let cheapest = cheaper.min_by_key(|other| self.offers[other.offer].price);
            if let Some(other) = cheapest
                && self.offers[other.offer].price < self.offers[node.offer].price
            {
                *node = other;
            }
        }
    }

    /// Drops nodes whose items fit on the others, those with the least worth first.
    fn dissolve(&self, nodes: &mut Vec<Node>) {
        let mut order: Vec<usize> = (0..nodes.len()).collect();
        order.sort_by_key(|node| (self.gain(&nodes[*node]), *node));
        let mut dropped = vec![false; nodes.len()];
        for &node in order.iter().take(MOST_DISSOLVED) {
            let mut items = nodes[node].items.clone();
            items.sort_by_key(|item| Reverse(self.worth[*item]));
            let mut moves: Vec<(usize, usize)> = Vec::new();
            for item in items {
                let place = (0..nodes.len()).find(|&other| {
                    other != node && !dropped[other] && self.put(&mut nodes[other], item)
                });
                match place {
                    Some(other) => moves.push((other, item)),
                    None => break,
                }
            }
            if moves.len() == nodes[node].items.len() {
                dropped[node] = true;
                continue;
            }
            for (other, item) in moves {
                nodes[other].items.pop();
                for (room, size) in nodes[other].room.iter_mut().zip(&self.items[item]) {
                    *room += size;
                }
            }
        }
        let mut dropped = dropped.into_iter();
        nodes.retain(|_| !dropped.next().unwrap_or(false));
    }
}

/// Largest number of nodes that are tried to be dropped in a round.
const MOST_DISSOLVED: usize = 200;

fn fits(item: &[i64], room: &[i64]) -> bool {
    item.iter().zip(room).all(|(size, room)| size <= room)
}

/// Returns the least cost, over the shapes, of the largest share of an item.
fn worth(item: &[i64], offers: &[Offer]) -> i128 {
    let costs = offers.iter().filter_map(|offer| {
        let parts = item.iter().zip(&offer.bin).map(|(size, bin)| {
            offer
                .price
                .saturating_mul(i128::from(*size))
                .checked_div(i128::from(*bin))
        });
        parts.map(|part| part.unwrap_or(0)).max()
    });
    costs.min().unwrap_or(0).max(1)
}

/// Returns a cost that every mixture reaches: the highest value of the dual of the linear program
/// "least cost with room for the sums", over solutions that price one or two dimensions.
pub fn lower_cost(items: &[Vec<i64>], offers: &[Offer]) -> i128 {
    let dimensions = offers.first().map_or(0, |offer| offer.bin.len());
    let sums: Vec<f64> = (0..dimensions)
        .map(|dimension| {
            items
                .iter()
                .map(|item| i128::from(item[dimension]))
                .sum::<i128>() as f64
        })
        .collect();
    // A dual solution prices each dimension so that no node costs less than its amounts are worth.
    let holds = |prices: &[(usize, f64)]| {
        prices.iter().all(|(_, price)| *price >= 0.0)
            && offers.iter().all(|offer| {
                let worth: f64 = prices
                    .iter()
                    .map(|(at, price)| offer.bin[*at] as f64 * price)
                    .sum();
                worth <= offer.price as f64 * (1.0 + 1e-12)
            })
    };
    let value = |prices: &[(usize, f64)]| -> f64 {
        prices.iter().map(|(at, price)| sums[*at] * price).sum()
    };
    let mut best = 0.0_f64;
    for first in 0..dimensions {
        let cheapest = offers
            .iter()
            .filter(|offer| offer.bin[first] > 0)
            .map(|offer| offer.price as f64 / offer.bin[first] as f64)
            .fold(f64::INFINITY, f64::min);
        if cheapest.is_finite() && holds(&[(first, cheapest)]) {
            best = best.max(value(&[(first, cheapest)]));
        }
        for second in first + 1..dimensions {
            for (place, one) in offers.iter().enumerate() {
                for other in &offers[place + 1..] {
                    let Some(prices) = dual(one, other, [first, second]) else {
                        continue;
                    };
                    if holds(&prices) {
                        best = best.max(value(&prices));
                    }
                }
            }
        }
    }
    // Doubles have 15 digits; the bound must not exceed the true one.
    #[expect(clippy::cast_possible_truncation, reason = "such a cast saturates")]
    let bound = (best * (1.0 - 1e-9)).floor() as i128;
    bound.max(0)
}

/// Returns the prices of two dimensions with which nodes of both shapes cost what their amounts
/// are worth (Cramer's rule).
fn dual(one: &Offer, other: &Offer, at: [usize; 2]) -> Option<[(usize, f64); 2]> {
    let row = |offer: &Offer| {
        let [first, second] = at.map(|dimension| offer.bin[dimension] as f64);
        (first, second, offer.price as f64)
    };
    let (one, other) = (row(one), row(other));
    let determinant = one.0 * other.1 - one.1 * other.0;
    let prices = [
        (at[0], (one.2 * other.1 - one.1 * other.2) / determinant),
        (at[1], (one.0 * other.2 - one.2 * other.0) / determinant),
    ];
    (determinant != 0.0).then_some(prices)
}

/// Returns the offer of a shape for items of a packing.
pub fn offer(problem: &Problem, price: i128, takes: Vec<bool>) -> Offer {
    Offer {
        bin: problem.bin.clone(),
        price,
        takes,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offers(of: &[(i64, i64, i128)], items: usize) -> Vec<Offer> {
        of.iter()
            .map(|&(cpu, memory, price)| Offer {
                bin: vec![cpu, memory],
                price,
                takes: vec![true; items],
            })
            .collect()
    }

    #[test]
    fn the_shape_that_goes_with_the_items_is_chosen() {
        let items = vec![vec![2, 8]; 4];
        let of = offers(&[(8, 16, 10), (4, 32, 11)], 4);
        let mix = mix(&items, &of).expect("every item fits");
        // Two of the second shape hold two each; of the first, two are needed, too, but cheaper.
        assert_eq!((mix.counts, mix.cost), (vec![2, 0], 20));
        assert!(mix.lower <= 20);
    }

    #[test]
    fn a_rest_gets_a_small_node() {
        let items = vec![vec![4, 4], vec![4, 4], vec![1, 1]];
        let of = offers(&[(8, 8, 10), (1, 1, 2)], 3);
        let mix = mix(&items, &of).expect("every item fits");
        assert_eq!((mix.counts, mix.cost), (vec![1, 1], 12));
    }

    #[test]
    fn labels_decide_too() {
        let items = vec![vec![1, 1]];
        let mut of = offers(&[(8, 8, 1), (8, 8, 5)], 1);
        of[0].takes[0] = false;
        assert_eq!(mix(&items, &of).map(|mix| mix.cost), Some(5));
        of[1].takes[0] = false;
        assert_eq!(mix(&items, &of), None);
    }

    proptest! {
        #[test]
        fn the_bound_is_below_the_mixture(
            items in prop::collection::vec((1_i64..8, 1_i64..8), 1..40),
            shapes in prop::collection::vec((8_i64..40, 8_i64..40, 1_i128..50), 1..4),
        ) {
            let items: Vec<_> = items.iter().map(|&(cpu, memory)| vec![cpu, memory]).collect();
            let of = offers(&shapes, items.len());
            let mix = mix(&items, &of).expect("every item fits");
            prop_assert!(mix.lower <= mix.cost, "{mix:?}");
            let room = |dimension: usize| -> i64 {
                let rooms = mix.counts.iter().zip(&of);
                rooms.map(|(count, offer)| i64::try_from(*count).unwrap() * offer.bin[dimension]).sum()
            };
            for dimension in 0..2 {
                prop_assert!(items.iter().map(|item| item[dimension]).sum::<i64>() <= room(dimension));
            }
        }
    }
}
