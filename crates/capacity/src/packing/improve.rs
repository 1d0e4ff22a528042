//! Search for a packing into fewer bins by moves, without proof.

use super::{Problem, fits, largest_first, shares};

/// Returns a packing into this number of bins, if the search finds one within its steps.
///
/// A packing may leave items out. One of these is put into the bin where that throws out the
/// least, and its number of moves makes it dearer to throw out again, so that the search does
/// not go round in a circle. The draws that break ties are those of a generator with a fixed
/// seed.
pub(super) fn into(problem: &Problem, bins: usize, steps: u64) -> Option<Vec<usize>> {
    if bins == 0 {
        return None;
    }
    let mut state = State::new(problem, bins);
    let mut left = steps;
    while let Some(item) = state.next() {
        let looked_at = (state.rooms.len() + problem.items.len()) as u64;
        left = left.checked_sub(looked_at)?;
        state.put(item);
    }
    state.places.into_iter().collect()
}

struct State<'a> {
    problem: &'a Problem,
    /// Size of each item: the sum of its shares.
    weights: Vec<u64>,
    /// Number of times that each item was left out.
    moves: Vec<u64>,
    rooms: Vec<Vec<i64>>,
    members: Vec<Vec<usize>>,
    places: Vec<Option<usize>>,
    left_out: Vec<usize>,
    draws: u64,
}

impl<'a> State<'a> {
    fn new(problem: &'a Problem, bins: usize) -> Self {
        let weight = |item: &Vec<i64>| {
            let shares = shares(item, &problem.bin);
            shares
                .iter()
                .fold(1, |sum: u64, share| sum.saturating_add(*share))
        };
        let mut left_out = largest_first(problem);
        left_out.reverse();
        Self {
            problem,
            weights: problem.items.iter().map(weight).collect(),
            moves: vec![0; problem.items.len()],
            rooms: vec![problem.bin.clone(); bins],
            members: vec![Vec::new(); bins],
            places: vec![None; problem.items.len()],
            left_out,
            draws: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Takes an item out of those that are left out.
    fn next(&mut self) -> Option<usize> {
        self.left_out.pop()
    }

    /// Puts an item into a bin and throws others out to make room.
    fn put(&mut self, item: usize) {
        let mut best: Option<(u128, u64, usize, Vec<usize>)> = None;
        for bin in 0..self.rooms.len() {
            let Some(out) = self.thrown_out(item, bin) else {
                continue;
            };
            let price = out
                .iter()
                .map(|other| u128::from(self.weights[*other]) * u128::from(1 + self.moves[*other]))
                .sum();
            let draw = self.draw();
            let better = match &best {
                None => true,
                Some((least, drawn, ..)) => (price, draw) < (*least, *drawn),
            };
            if better {
                best = Some((price, draw, bin, out));
            }
        }
        let Some((_, _, bin, out)) = best else {
            return;
        };
        for other in out {
            self.members[bin].retain(|member| *member != other);
            self.add(bin, other, -1);
            self.places[other] = None;
            self.moves[other] += 1;
            self.left_out.push(other);
        }
        self.members[bin].push(item);
        self.add(bin, item, 1);
        self.places[item] = Some(bin);
        // The dearest item that is left out comes next.
        let weights = &self.weights;
        self.left_out.sort_by_key(|item| weights[*item]);
    }

    /// Returns a cheap set of items without which a bin has room for another one.
    fn thrown_out(&self, item: usize, bin: usize) -> Option<Vec<usize>> {
        let size = &self.problem.items[item];
        let mut room = self.rooms[bin].clone();
        let mut out = Vec::new();
        if fits(size, &room) {
            return Some(out);
        }
        let mut members = self.members[bin].clone();
        let price =
            |item: &usize| u128::from(self.weights[*item]) * u128::from(1 + self.moves[*item]);
        members.sort_by_key(price);
        // One item that is enough, the cheapest of these.
        let enough = members.iter().find(|member| {
            let freed = self.problem.items[**member].iter().zip(&room);
            let with: Vec<_> = freed.map(|(size, room)| size + room).collect();
            fits(size, &with)
        });
        if let Some(member) = enough {
            return Some(vec![*member]);
        }
        for member in members {
            if fits(size, &room) {
                break;
            }
            let frees = self.problem.items[member].iter().zip(&room).zip(size);
            let helps = frees
                .clone()
                .any(|((of_member, room), size)| size > room && *of_member > 0);
            if helps {
                for (room, size) in room.iter_mut().zip(&self.problem.items[member]) {
                    *room += size;
                }
                out.push(member);
            }
        }
        fits(size, &room).then_some(out)
    }

    fn add(&mut self, bin: usize, item: usize, sign: i64) {
        for (room, size) in self.rooms[bin].iter_mut().zip(&self.problem.items[item]) {
            *room -= sign * size;
        }
    }

    fn draw(&mut self) -> u64 {
        self.draws ^= self.draws << 13;
        self.draws ^= self.draws >> 7;
        self.draws ^= self.draws << 17;
        self.draws
    }
}
