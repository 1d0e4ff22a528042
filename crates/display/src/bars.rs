//! Draws horizontal bars beside names and values, as lists that a narrow window can show.

use maud::{Markup, html};

/// Style of the bars, for pages that have some.
pub const STYLE: &str = "\
.bars { list-style: none; display: grid; grid-template-columns: minmax(0, 14rem) minmax(0, 1fr) minmax(5rem, max-content); gap: .35rem .75rem; align-items: center; margin: .5rem 0; padding: 0; font-size: .875rem; font-variant-numeric: tabular-nums; }
.bars li { display: contents; } .bars + .wide { margin-top: 1rem; }
.bars .name { overflow-wrap: anywhere; } .bars .value { text-align: right; }
.bars svg { display: block; width: 100%; height: .9rem; }
.bars .track { fill: var(--band); } .bars .zero { stroke: var(--soft); stroke-width: 1; vector-effect: non-scaling-stroke; }
.f0 { fill: var(--s0); } .f1 { fill: var(--s1); } .f2 { fill: var(--s2); } .f3 { fill: var(--s3); }
.f4 { fill: var(--s4); } .f5 { fill: var(--s5); } .f6 { fill: var(--s6); }
.key .chip { width: .8rem; height: .8rem; flex: none; }
@media (max-width: 40rem) {
  .bars { display: block; }
  .bars li { display: grid; grid-template-columns: minmax(0, 1fr) max-content; gap: .1rem .75rem; margin: .35rem 0; }
  .bars li svg { grid-column: 1 / -1; grid-row: 2; }
}
";

/// Width of a bar in units of the drawing.
const WIDTH: f64 = 1000.0;

/// Colour of a part, from 0 to 6: those of the lines of charts, of which 6 is muted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub u8);

impl Colour {
    /// Colour for amounts that were there before, or for comparison.
    pub const MUTED: Self = Self(6);

    fn class(self) -> String {
        format!("f{}", self.0 % 7)
    }
}

/// Part of a bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Colour.
    pub colour: Colour,
    /// Amount, in the unit of the bar; below zero it counts as zero.
    pub amount: f64,
    /// Name, shown for a pointer that rests on the part.
    pub name: String,
}

/// Bar with a name before it and a value behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Name.
    pub name: String,
    /// Parts, from the left.
    pub parts: Vec<Part>,
    /// Value as text.
    pub value: String,
}

impl Bar {
    /// Returns a bar of one part.
    pub fn new(name: impl Into<String>, colour: Colour, amount: f64, value: String) -> Self {
        let name = name.into();
        let part = Part {
            colour,
            amount,
            name: value.clone(),
        };
        Self {
            name,
            parts: vec![part],
            value,
        }
    }

    fn sum(&self) -> f64 {
        self.parts.iter().map(|part| drawable(part.amount)).sum()
    }
}

/// Returns an amount that can be drawn: nothing below zero, and no sum beyond the largest number.
fn drawable(amount: f64) -> f64 {
    if amount.is_finite() {
        amount.clamp(0.0, 1e200)
    } else {
        0.0
    }
}

/// Returns the largest of some amounts, or 1 if none is above zero.
fn largest(amounts: impl Iterator<Item = f64>) -> f64 {
    let largest = amounts.filter(|amount| amount.is_finite());
    match largest.fold(0.0, f64::max) {
        most if most > 0.0 => most,
        _ => 1.0,
    }
}

/// Renders bars of one scale, on which the longest fills the width.
pub fn list(bars: &[Bar]) -> Markup {
    let most = largest(bars.iter().map(Bar::sum));
    html! {
        ul.bars {
            @for bar in bars {
                li {
                    span.name { (bar.name) }
                    (track(&format!("{}: {}", bar.name, bar.value), &bar.parts, most))
                    span.value { (bar.value) }
                }
            }
        }
    }
}

/// Renders the parts of one bar, on whose scale `most` fills the width. `told` describes the bar
/// for readers who cannot see it.
pub fn track(told: &str, parts: &[Part], most: f64) -> Markup {
    let sum: f64 = parts.iter().map(|part| drawable(part.amount)).sum();
    let most = largest([most, sum].into_iter());
    let mut end = 0.0;
    let placed = parts.iter().map(|part| {
        let (start, width) = (end, drawable(part.amount) / most * WIDTH);
        end += width;
        (part, start, width)
    });
    html! {
        svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=(told) {
            rect.track x="0" y="0" width="1000" height="10" {}
            @for (part, start, width) in placed {
                @if width > 0.0 {
                    rect class=(part.colour.class()) x=(number(start)) y="0" width=(number(width)) height="10" {
                        title { (part.name) }
                    }
                }
            }
        }
    }
}

/// Change of an amount.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Name.
    pub name: String,
    /// Change; below zero for less than before.
    pub amount: f64,
    /// Change as text.
    pub value: String,
}

/// Renders changes as bars on both sides of zero: less to the left, more to the right.
pub fn diverging(changes: &[Change]) -> Markup {
    let most = largest(changes.iter().map(|change| drawable(change.amount.abs())));
    let middle = WIDTH / 2.0;
    let bar = |change: &Change| {
        let width = drawable(change.amount.abs()) / most * middle;
        let (colour, start) = if change.amount < 0.0 {
            (Colour(2), middle - width)
        } else {
            (Colour(1), middle)
        };
        html! {
            svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img"
                aria-label={ (change.name) ": " (change.value) } {
                rect.track x="0" y="0" width="1000" height="10" {}
                rect class=(colour.class()) x=(number(start)) y="0" width=(number(width)) height="10" {
                    title { (change.value) }
                }
                path.zero d="M500 0V10" {}
            }
        }
    };
    html! {
        ul.bars {
            @for change in changes {
                li {
                    span.name { (change.name) }
                    (bar(change))
                    span.value { (change.value) }
                }
            }
        }
    }
}

/// Renders the key of colours.
pub fn key(names: &[(Colour, &str)]) -> Markup {
    html! {
        ul.key {
            @for (colour, name) in names {
                li {
                    svg.chip viewBox="0 0 10 10" aria-hidden="true" {
                        rect class=(colour.class()) width="10" height="10" {}
                    }
                    (name)
                }
            }
        }
    }
}

fn number(value: f64) -> String {
    format!("{value:.2}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the left and right ends of the coloured rectangles.
    fn ends(drawing: &Markup) -> Vec<(f64, f64)> {
        let rectangles = drawing.0.split("<rect class=\"f").skip(1);
        let attribute = |text: &str, name: &str| -> f64 {
            let value = text.split(&format!("{name}=\"")).nth(1).unwrap();
            value.split('"').next().unwrap().parse().unwrap()
        };
        rectangles
            .map(|text| {
                let start = attribute(text, "x");
                (start, start + attribute(text, "width"))
            })
            .collect()
    }

    #[test]
    fn the_longest_bar_fills_the_width_and_parts_touch() {
        let part = |amount| Part {
            colour: Colour(0),
            amount,
            name: String::new(),
        };
        let bar = |amounts: &[f64]| Bar {
            name: "a".to_owned(),
            parts: amounts.iter().copied().map(part).collect(),
            value: String::new(),
        };
        let drawn = ends(&list(&[bar(&[1.0, 3.0]), bar(&[2.0, 0.0])]));
        assert_eq!(drawn, [(0.0, 250.0), (250.0, 1000.0), (0.0, 500.0)]);
    }

    #[test]
    fn changes_lie_on_their_side_of_zero() {
        let change = |amount: f64| Change {
            name: "a".to_owned(),
            amount,
            value: format!("{amount:+}"),
        };
        let drawn = diverging(&[change(-4.0), change(2.0), change(0.0)]);
        assert_eq!(ends(&drawn), [(0.0, 500.0), (500.0, 750.0), (500.0, 500.0)]);
        assert!(drawn.0.contains("aria-label=\"a: -4\""));
    }

    #[test]
    fn text_from_outside_is_escaped() {
        let bar = Bar::new("<b>", Colour(0), 1.0, "\"&".to_owned());
        let drawn = list(&[bar]).into_string();
        assert!(
            !drawn.contains("<b>") && drawn.contains("&quot;&amp;"),
            "{drawn}"
        );
    }

    proptest! {
        #[test]
        fn no_bar_leaves_its_track(amounts in proptest::collection::vec(any::<f64>(), 0..6)) {
            let part = |&amount: &f64| Part { colour: Colour(1), amount, name: String::new() };
            let parts: Vec<_> = amounts.iter().map(part).collect();
            let changes: Vec<_> = amounts
                .iter()
                .map(|&amount| Change { name: String::new(), amount, value: String::new() })
                .collect();
            for drawing in [track("", &parts, 1.0), diverging(&changes)] {
                for (start, end) in ends(&drawing) {
                    prop_assert!(start >= -0.01 && end <= 1000.1, "{} {}", start, end);
                }
            }
        }
    }
}
