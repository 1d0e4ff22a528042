//! The frame of a self-contained page: style, header, main part.
//!
//! The page has no script, no network access and no fonts of its own. The template escapes text
//! from outside. The page is both HTML and well-formed XML, so that any tool can read it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");

/// Elements without an end tag in HTML, in a form that XML accepts, too.
const META: &str = "<meta charset=\"utf-8\"/>\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
    <meta name=\"color-scheme\" content=\"light dark\"/>";

/// Renders a page. `style` is added to the style sheet of all pages.
pub fn shell(title: &str, style: &str, header: &Markup, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (PreEscaped(META))
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body {
                header { (header) }
                main { (main) }
            }
        }
    }
}

/// Renders a table that a narrow window can scroll. The first row is its head, the first column
/// names the rows, and the other columns are to the right. `label` describes it for readers who
/// cannot see it.
pub fn table(label: &str, rows: &[impl AsRef<[String]>]) -> Markup {
    let (head, body) = match rows.split_first() {
        Some((head, body)) => (head.as_ref(), body),
        None => (&[][..], rows),
    };
    html! {
        div.wide role="region" aria-label=(label) tabindex="0" {
            table {
                thead {
                    tr {
                        @for (place, name) in head.iter().enumerate() {
                            th.n[place > 0] scope="col" { (name) }
                        }
                    }
                }
                tbody {
                    @for row in body {
                        tr {
                            @for (place, cell) in row.as_ref().iter().enumerate() {
                                @if place == 0 { th scope="row" { (cell) } } @else { td.n { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Removes the characters that neither HTML nor XML may contain, even in escaped form.
pub fn readable(page: &str) -> String {
    let allowed = |c: char| match c {
        '\n' | '\t' => true,
        '\u{fffe}' | '\u{ffff}' | '\u{fdd0}'..='\u{fdef}' => false,
        // The last two code points of each plane are no characters.
        c => !c.is_control() && u32::from(c) & 0xfffe != 0xfffe,
    };
    let replaced = |c| {
        if allowed(c) {
            c
        } else {
            char::REPLACEMENT_CHARACTER
        }
    };
    page.chars().map(replaced).collect()
}
