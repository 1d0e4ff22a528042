//! Draws a chart as SVG: axes, lines, marks, and a key below it.

use std::fmt::Write;

use maud::{Markup, html};

use crate::scale::Scale;

/// Size of all charts, in units of the drawing.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 276.0;

/// Margins for the labels around the plot.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 32.0;
const BOTTOM: f64 = 38.0;

/// Colour and dashes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style(pub usize);

impl Style {
    /// Style of a line for comparison.
    pub const MUTED: Self = Self(6);
    /// Style for errors.
    pub const BAD: Self = Self(4);

    fn class(self) -> String {
        format!("s{}", self.0 % 7)
    }
}

/// One axis.
#[derive(Debug, Clone)]
pub struct Axis {
    /// Name of the shown quantity, with the unit.
    pub name: String,
    /// Mapping from values to positions.
    pub scale: Scale,
    /// Marked values, and their labels.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Creates an axis with up to about `most` ticks, with labels from `write`.
    pub fn new(name: &str, scale: Scale, most: u32, write: impl Fn(f64) -> String) -> Self {
        let ticks = scale.ticks(most).into_iter();
        Self {
            name: name.to_owned(),
            scale,
            ticks: ticks.map(|tick| (tick, write(tick))).collect(),
        }
    }

    /// Creates an axis of seconds since the beginning.
    pub fn time(end_s: f64) -> Self {
        let end = if end_s > 0.0 && end_s < 1e30 {
            end_s
        } else {
            1.0
        };
        Self::new("seconds", Scale::Linear(end), 6, |tick| plain(tick, ""))
    }
}

/// A chart under construction.
#[derive(Debug)]
pub struct Chart {
    caption: String,
    summary: String,
    x: Axis,
    y: Axis,
    layers: Vec<Markup>,
    key: Vec<(Style, String)>,
}

impl Chart {
    /// Creates an empty chart. `summary` describes its contents for readers who cannot
    /// see it.
    pub fn new(caption: &str, summary: String, x: Axis, y: Axis) -> Self {
        Self {
            caption: caption.to_owned(),
            summary,
            x,
            y,
            layers: Vec::new(),
            key: Vec::new(),
        }
    }

    /// Returns the coordinates of a point; `None` if it has no position on the chart.
    pub fn at(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let x = LEFT + self.x.scale.place(x)? * (WIDTH - LEFT - RIGHT);
        let y = HEIGHT - BOTTOM - self.y.scale.place(y)? * (HEIGHT - TOP - BOTTOM);
        Some((x, y))
    }

    /// Adds markup at coordinates from [`Chart::at`].
    pub fn layer(&mut self, markup: Markup) {
        self.layers.push(markup);
    }

    /// Adds an entry to the key below the chart.
    pub fn explain(&mut self, style: Style, name: &str) {
        self.key.push((style, name.to_owned()));
    }

    /// Shades the range between two values on the x axis.
    pub fn band(&mut self, from: f64, to: f64, name: &str) {
        let (Some(from), Some(to)) = (self.x.scale.place(from), self.x.scale.place(to)) else {
            return;
        };
        let plot = WIDTH - LEFT - RIGHT;
        let (x, width) = (LEFT + from * plot, (to - from).max(0.0) * plot);
        self.layers.push(html! {
            rect.band x=(number(x)) y=(number(TOP)) width=(number(width)) height=(number(HEIGHT - TOP - BOTTOM)) {}
            text.note x=(number(x + 2.0)) y=(number(TOP - 4.0)) { (name) }
        });
    }

    /// Adds a line through points. Points without a value interrupt the line.
    pub fn line(
        &mut self,
        style: Style,
        name: &str,
        points: impl IntoIterator<Item = (f64, Option<f64>)>,
    ) {
        let (mut path, mut dots) = (String::new(), Vec::new());
        let mut run = 0;
        let mut last = None;
        for (x, y) in points {
            let Some((x, y)) = y.and_then(|y| self.at(x, y)) else {
                dots.extend(last.take().filter(|_| run == 1));
                run = 0;
                continue;
            };
            let command = if run == 0 { 'M' } else { 'L' };
            // Writing to a string cannot fail.
            let _ = write!(path, "{command}{} {}", number(x), number(y));
            (run, last) = (run + 1, Some((x, y)));
        }
        // A single point makes no line, so it is drawn as a dot.
        dots.extend(last.filter(|_| run == 1));
        self.layers.push(html! {
            path class={ "line " (style.class()) } d=(path) {}
            @for (x, y) in dots {
                circle class={ "dot " (style.class()) } cx=(number(x)) cy=(number(y)) r="2.5" {}
            }
        });
        self.explain(style, name);
    }

    /// Adds a dot, if the point has a value.
    pub fn dot(&mut self, style: Style, x: f64, y: Option<f64>) {
        if let Some((x, y)) = y.and_then(|y| self.at(x, y)) {
            self.layers.push(html! {
                circle class={ "dot " (style.class()) } cx=(number(x)) cy=(number(y)) r="2.5" {}
            });
        }
    }

    /// Marks a point with a text above it.
    pub fn mark(&mut self, style: Style, x: f64, y: f64, text: &str) {
        let Some((x, y)) = self.at(x, y) else {
            return;
        };
        let anchor = if x > WIDTH - 90.0 { "end" } else { "middle" };
        self.layers.push(html! {
            circle class={ "dot " (style.class()) } cx=(number(x)) cy=(number(y)) r="3" {}
            text.mark x=(number(x)) y=(number((y - 8.0).max(TOP - 2.0))) text-anchor=(anchor) { (text) }
        });
    }

    /// Renders the figure.
    pub fn render(self) -> Markup {
        let label = format!("{}. {}", self.caption, self.summary);
        html! {
            figure {
                figcaption { (self.caption) }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
                    (self.axes())
                    @for layer in &self.layers { (layer) }
                }
                @if !self.key.is_empty() {
                    ul.key {
                        @for (style, name) in &self.key {
                            li {
                                svg.swatch viewBox="0 0 24 10" aria-hidden="true" {
                                    path class={ "line " (style.class()) } d="M0 5L24 5" {}
                                }
                                (name)
                            }
                        }
                    }
                }
            }
        }
    }

    fn axes(&self) -> Markup {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        html! {
            @for (value, text) in &self.y.ticks {
                @if let Some((_, y)) = self.at(f64::MAX, *value) {
                    path.grid d={ "M" (number(LEFT)) " " (number(y)) "H" (number(right)) } {}
                    text.tick x=(number(LEFT - 6.0)) y=(number(y + 4.0)) text-anchor="end" { (text) }
                }
            }
            @for (value, text) in &self.x.ticks {
                @if let Some((x, _)) = self.at(*value, 0.0) {
                    path.grid d={ "M" (number(x)) " " (number(TOP)) "V" (number(bottom)) } {}
                    text.tick x=(number(x)) y=(number(bottom + 15.0)) text-anchor="middle" { (text) }
                }
            }
            path.axis d={ "M" (number(LEFT)) " " (number(bottom)) "H" (number(right)) } {}
            text.name x=(number(LEFT - 6.0)) y="11" text-anchor="start" { (self.y.name) }
            text.name x=(number(right)) y=(number(HEIGHT - 6.0)) text-anchor="end" { (self.x.name) }
        }
    }
}

/// Formats a coordinate with one digit after the point.
pub fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// Formats a tick with a unit: `0`, `0.5`, `20 MiB`.
pub fn plain(value: f64, unit: &str) -> String {
    let text = if value != 0.0 && value.abs() < 0.01 {
        format!("{value:.0e}")
    } else if value.abs() < 10.0 {
        let text = format!("{value:.2}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        text.to_owned()
    } else {
        format!("{value:.0}")
    };
    if unit.is_empty() || value == 0.0 {
        text
    } else {
        format!("{text} {unit}")
    }
}

/// Formats a tick in nanoseconds: `200 µs`, `1 ms`.
pub fn time(ns: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
    let unit = UNITS.iter().find(|(size, _)| ns >= size * 0.9999);
    let (size, unit) = unit.unwrap_or(&UNITS[3]);
    plain(ns / size, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        let y = Axis::new("latency", Scale::Log(1e3, 1e9), 6, time);
        Chart::new("Latency", "Steady.".to_owned(), Axis::time(60.0), y)
    }

    #[test]
    fn a_line_is_interrupted_where_there_is_no_point() {
        let mut chart = chart();
        let points = [Some(1e6), Some(2e6), None, Some(1e6), None, Some(f64::NAN)];
        let points = points.into_iter().zip(0..).map(|(y, x)| (f64::from(x), y));
        chart.line(Style(0), "p50", points);
        let svg = chart.render().into_string();
        let path = svg.split("class=\"line s0\" d=\"").nth(1).unwrap();
        let path = path.split('"').next().unwrap();
        assert_eq!(
            (path.matches('M').count(), path.matches('L').count()),
            (2, 1)
        );
        assert_eq!(svg.matches("class=\"dot s0\"").count(), 1);
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let svg = chart().render().into_string();
        assert!(
            svg.contains("role=\"img\" aria-label=\"Latency. Steady.\""),
            "{svg}"
        );
    }

    #[test]
    fn ticks_are_written_in_the_unit_that_fits() {
        for (ns, shown) in [(1.0, "1 ns"), (2e5, "200 µs"), (1e6, "1 ms"), (5e9, "5 s")] {
            assert_eq!(time(ns), shown);
        }
        assert_eq!(
            (&*plain(0.5, "cores"), &*plain(0.0, "cores")),
            ("0.5 cores", "0")
        );
        assert_eq!(plain(120.0, ""), "120");
    }
}
