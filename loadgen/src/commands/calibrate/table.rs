//! Printed calibration.

use std::fmt::{self, Write};

use crate::commands::gate::table::finds;
use crate::result::calibration::Calibration;
use crate::result::machine_spread::FigureSpread;
use crate::show::repeated::percent;
use display::output::{Form, Output};

/// Returns the spread of each figure, and the slowdowns that are found with it.
pub fn render(calibration: &Calibration, form: Form) -> String {
    let mut out = Output::new(form);
    // Writing to a string cannot fail.
    let _ = write(&mut out, calibration);
    out.finish()
}

fn write(out: &mut Output, calibration: &Calibration) -> fmt::Result {
    let head = ["figure", "median", "run-to-run spread"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(calibration.figures.iter().map(row));
    out.table(&rows)?;
    writeln!(
        out,
        "\nThe spread is the standard deviation of {} runs of one program in {:.0} s.",
        calibration.runs, calibration.wall_s
    )?;
    write_compare(out, calibration)?;
    if let Some(gate) = &calibration.gate {
        writeln!(
            out,
            "\nFirst blocks of loadgen gate, of one program with itself:\n"
        )?;
        writeln!(out, "{}", finds(gate))?;
    }
    Ok(())
}

fn row(known: &FigureSpread) -> Vec<String> {
    let name = &known.figure;
    vec![
        name.words(),
        name.shown(known.median),
        percent(known.spread),
    ]
}

/// Writes what `loadgen compare` finds here.
fn write_compare(out: &mut Output, calibration: &Calibration) -> fmt::Result {
    writeln!(
        out,
        "\nSmallest slowdown that loadgen compare finds here in 4 of 5 comparisons:\n"
    )?;
    let mut head = vec!["runs a side".to_owned()];
    let names = calibration
        .compare
        .first()
        .map_or(&[][..], |first| &first.figures);
    head.extend(names.iter().map(|found| found.figure.clone()));
    let mut rows = vec![head];
    for finds in &calibration.compare {
        let mut row = vec![match finds.runs {
            1 => "1, with --calibration".to_owned(),
            runs => runs.to_string(),
        }];
        row.extend(finds.figures.iter().map(|found| match found.slowdown {
            Some(slowdown) => percent(slowdown),
            None => "none".to_owned(),
        }));
        rows.push(row);
    }
    out.table(&rows)
}
