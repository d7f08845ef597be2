//! The Major TOM grid: cells of nearly equal size on the Earth, named by row and column.
//!
//! Names are identical to those of the `majortom` package for latitudes from -90 to 90. Coordinates outside the Earth
//! are an error; the package returns the nearest edge cell.
//!
//! ```text
//!  1U_1L │ 1U_0R │ 1U_1R       rows k: N = ceil(pi R / d) of 180/N degrees each, 0U above the equator, 1D below
//! ───────┼───────┼───────      columns: n = ceil(2 pi R cos(lat) / d) of 360/n degrees, by the row's southern edge
//!  0U_1L │ 0U_0R │ 0U_1R       0R east of Greenwich, 1L west of it
//! ───────┼───────┼───────
//!  1D_1L │ 1D_0R │ 1D_1R       a cell holds its northern and eastern edges: edge(k) < place <= edge(k + 1)
//! ```
//!
//! Points on or below the lowest edge are in the last cell: the south pole is in the top row, and points west of a
//! row's first column are in its easternmost one. In the package, this results from an index of -1.
//!
//! Source: Francis and Czerkawski, "Major TOM: Expandable Datasets for Earth Observation", 2024; the package's `grid.py`.

use std::f64::consts::PI;
use std::fmt;

use crate::{Error, Result};

/// Equatorial radius of the Earth in kilometres, as the grid uses it.
const RADIUS: f64 = 6378.137;

/// Minimum grid spacing in kilometres, a metre. Below it, rounding of degrees affects the cells.
const MIN_SPACING: f64 = 0.001;

/// A cell of the grid. Displays as `543U_17R`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MajorTomCell {
    /// Row, counted from the equator; negative south of it.
    pub row: i64,
    /// Column, counted from Greenwich; negative west of it.
    pub col: i64,
}

impl MajorTomCell {
    /// Returns the cell of a point in degrees, in the grid with cells of about `spacing` kilometres.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a latitude beyond ±90, a longitude beyond ±180, a spacing below a metre, or NaN.
    pub fn of(lat: f64, lon: f64, spacing: f64) -> Result<Self> {
        let within = |name: &str, value: f64, limit: f64| match value.abs() <= limit {
            true => Ok(()),
            false => Err(wrong(format!("{name}: expected degrees from -{limit} to {limit}, found {value}"))),
        };
        if !(spacing >= MIN_SPACING && spacing.is_finite()) {
            return Err(wrong(format!("grid_km: expected kilometres, {MIN_SPACING} or more, found {spacing}")));
        }
        within("lat", lat, 90.0)?;
        within("lon", lon, 180.0)?;
        let rows = Axis::new(180.0, parts(PI * RADIUS / spacing));
        let row = rows.find(lat);
        let radius = RADIUS * (rows.edge(row) * PI / 180.0).cos();
        let columns = Axis::new(360.0, parts(2.0 * PI * radius / spacing));
        Ok(Self { row, col: columns.find(lon) })
    }
}

impl fmt::Display for MajorTomCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |at: i64, positive, negative| (at.unsigned_abs(), if at < 0 { negative } else { positive });
        let (row, up) = name(self.row, 'U', 'D');
        let (col, right) = name(self.col, 'R', 'L');
        write!(f, "{row}{up}_{col}{right}")
    }
}

/// A range of degrees around 0 divided into equal parts. The lower edge of part 0 is at 0 degrees.
#[derive(Debug, Clone, Copy)]
struct Axis {
    span: f64,
    step: f64,
    parts: i64,
    first: i64,
}

impl Axis {
    fn new(span: f64, parts: i64) -> Self {
        let axis = Self { span, step: span / parts as f64, parts, first: -(parts / 2) };
        // The edge opposite to 0 is at -span/2, unless rounding moves it to the other end: then its part is the last
        // one.
        let opposite_is_last = parts % 2 == 0 && axis.edge(axis.first) > 0.0;
        Self { first: axis.first + i64::from(opposite_is_last), ..axis }
    }

    /// The lower edge of a part, computed in the same order as numpy's `mod(linspace(-span/2, span/2), span) - span/2`.
    fn edge(&self, part: i64) -> f64 {
        let half = self.span / 2.0;
        let position = if part >= 0 { part } else { part + self.parts };
        floored_mod(position as f64 * self.step + -half, self.span) - half
    }

    /// The part with edge(part) < degrees <= edge(part + 1); the last part for values at or below the lowest edge.
    fn find(&self, degrees: f64) -> i64 {
        let last = self.first + self.parts - 1;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most as many parts as there are metres around the Earth"
        )]
        let near = (degrees / self.step).ceil() as i64 - 1;
        let mut part = near.clamp(self.first, last);
        // Rounding may be off by one part.
        while part < last && self.edge(part + 1) < degrees {
            part += 1;
        }
        while part >= self.first && self.edge(part) >= degrees {
            part -= 1;
        }
        if part < self.first { last } else { part }
    }
}

/// Number of parts, at least one: the circle around a pole has length 0.
fn parts(ratio: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "at most as many parts as there are metres around the Earth")]
    let parts = ratio.ceil() as i64;
    parts.max(1)
}

/// Python's `%` on floats: the result has the sign of the divisor.
fn floored_mod(value: f64, divisor: f64) -> f64 {
    let remainder = value % divisor;
    if remainder < 0.0 { remainder + divisor } else { remainder }
}

fn wrong(what: String) -> Error {
    Error::InvalidArgument { what }
}

#[cfg(test)]
mod tests;
