//! Readers of WKB (also hex-encoded), WKT, GeoJSON and boxes, with the CRS that they declare.

use geo_types::{Coord, LineString, Polygon};
use geozero::GeozeroGeometry as _;
use geozero::wkb::{Ewkb, Wkb};
use geozero::wkt::Wkt;

use super::collector::{Collector, MAX_VERTICES};
use super::corners::{Corners, Crossing};
use super::flat::{Geometry, invalid, start};
use super::{geojson, hex, validity};
use crate::Result;

/// Maximum nesting of parentheses in WKT: more than real geometries have, and safe for the stack.
const MAX_DEPTH: usize = 64;

/// Flags of an EWKB type code: Z, M and SRID. ISO WKB adds thousands instead.
const EWKB_FLAGS: u32 = 0xE000_0000;

/// A parsed geometry with the CRS that its encoding declares.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParsedGeometry {
    /// The geometry, which is valid.
    pub geometry: Geometry,
    /// The SRID of EWKT or EWKB as `EPSG:n`, or the name in GeoJSON's obsolete `crs` member; None if unspecified.
    pub crs: Option<String>,
    /// A box across the antimeridian, which requires longitudes: see [`ParsedGeometry::check_crs`].
    pub(super) crossing: Option<Crossing>,
}

/// An encoded geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EncodedGeometry<'a> {
    /// WKT, EWKT, GeoJSON, or WKB in hexadecimal digits.
    Text(&'a str),
    /// WKB: ISO or EWKB.
    Wkb(&'a [u8]),
    /// A box.
    Box(Corners),
}

impl EncodedGeometry<'_> {
    /// Parses and validates the geometry.
    ///
    /// # Errors
    ///
    /// [`crate::Error::InvalidArgument`] for an invalid encoding or geometry.
    pub fn parse(self) -> Result<ParsedGeometry> {
        let mut parsed = ParsedGeometry::default();
        self.parse_into(&mut parsed)?;
        Ok(parsed)
    }

    /// Like [`parse`](Self::parse), reusing the memory of `parsed`: for small geometries, allocations are half of the
    /// cost. After an error, `parsed` is unspecified.
    ///
    /// # Errors
    ///
    /// See [`parse`](Self::parse).
    pub fn parse_into(self, parsed: &mut ParsedGeometry) -> Result<()> {
        *parsed = match self {
            Self::Wkb(bytes) if parsed.take_one_ring(bytes) => return validity::check(&parsed.geometry),
            Self::Wkb(bytes) => ParsedGeometry::from_any_wkb(bytes)?,
            Self::Text(text) => ParsedGeometry::from_text(text)?,
            Self::Box(corners) => return parsed.take_box(corners),
        };
        Ok(())
    }
}

impl ParsedGeometry {
    /// Parses ISO WKB or EWKB, in either byte order.
    ///
    /// # Errors
    ///
    /// [`crate::Error::InvalidArgument`] for an invalid encoding or geometry.
    pub fn from_wkb(bytes: &[u8]) -> Result<Self> {
        EncodedGeometry::Wkb(bytes).parse()
    }

    fn from_any_wkb(bytes: &[u8]) -> Result<Self> {
        let code = match bytes {
            [0, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]),
            [1, a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]),
            [order, ..] if *order > 1 => {
                return Err(invalid(format!("expected WKB, which starts with byte 0 or 1, found {order}")));
            }
            _ => return Err(invalid(format!("expected WKB of at least 5 bytes, found {}", bytes.len()))),
        };
        let mut collector = Collector::default();
        let outcome = if code & EWKB_FLAGS == 0 {
            Wkb(bytes).process_geom(&mut collector)
        } else {
            Ewkb(bytes).process_geom(&mut collector)
        };
        let (geometry, srid) = collector.finish("WKB", outcome)?;
        Self::checked(geometry, srid.and_then(|srid| crs_of_srid(srid.into())))
    }

    /// Parses WKT, EWKT, GeoJSON (a geometry, a Feature or a FeatureCollection), or WKB in hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`crate::Error::InvalidArgument`] for an invalid encoding or geometry.
    pub fn from_text(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.starts_with('{') {
            return Self::from_geojson(text);
        }
        if let Some(digits) = hex::digits(text) {
            return Self::from_wkb(&hex::decode(digits)?);
        }
        match text.split_once(';') {
            Some((srid, wkt)) => {
                let number = srid.trim().get(..5).filter(|word| word.eq_ignore_ascii_case("SRID="));
                let number = number.and_then(|_| srid.trim()[5..].trim().parse().ok());
                let number = number
                    .ok_or_else(|| invalid(format!("expected SRID=number before ';', found '{}'", start(srid))))?;
                Self::from_wkt(wkt.trim(), crs_of_srid(number))
            }
            None => Self::from_wkt(text, None),
        }
    }

    fn from_wkt(text: &str, crs: Option<String>) -> Result<Self> {
        check_parentheses(text)?;
        let mut collector = Collector::default();
        let outcome = Wkt(text).process_geom(&mut collector);
        let (geometry, _) = collector.finish(&format!("WKT or GeoJSON, found '{}'", start(text)), outcome)?;
        Self::checked(geometry, crs)
    }

    fn from_geojson(text: &str) -> Result<Self> {
        let (geometry, crs) = geojson::parse(text)?;
        Self::checked(geometry, crs)
    }

    /// Checks that the geometry is valid in the CRS of its coordinates: a box with `xmin` greater than `xmax` crosses
    /// the antimeridian (RFC 7946, section 5.2), which requires longitudes.
    ///
    /// # Errors
    ///
    /// [`crate::Error::InvalidArgument`] for such a box in another CRS, and for an invalid `crs`.
    pub fn check_crs(&self, crs: &str) -> Result<()> {
        self.crossing.map_or(Ok(()), |crossing| crossing.check(crs))
    }

    /// Clears the geometry and returns the memory of one of its rings.
    fn clear(&mut self) -> Vec<Coord<f64>> {
        let Geometry { points, lines, polygons } = &mut self.geometry;
        let used = polygons.pop().map(Polygon::into_inner);
        points.clear();
        lines.clear();
        polygons.clear();
        self.crs = None;
        self.crossing = None;
        let mut ring = used.map_or_else(Vec::new, |(LineString(ring), _)| ring);
        ring.clear();
        ring
    }

    /// Replaces the geometry by a box.
    fn take_box(&mut self, corners: Corners) -> Result<()> {
        let ring = self.clear();
        self.crossing = corners.add_to(&mut self.geometry, ring)?;
        Ok(())
    }

    /// Fast path: replaces the geometry by a WKB polygon with a single ring. Returns false for any other or invalid
    /// WKB.
    fn take_one_ring(&mut self, bytes: &[u8]) -> bool {
        let mut ring = self.clear();
        let Some(coords) = one_ring(bytes) else {
            return false;
        };
        ring.extend(coords.iter().map(|coord| {
            let [low @ .., _, _, _, _, _, _, _, _] = *coord;
            let [_, _, _, _, _, _, _, _, high @ ..] = *coord;
            Coord { x: f64::from_le_bytes(low), y: f64::from_le_bytes(high) }
        }));
        let is_ring = ring.len() >= 4
            && ring.first() == ring.last()
            && ring.iter().all(|Coord { x, y }| x.is_finite() && y.is_finite());
        if is_ring {
            self.geometry.polygons.push(Polygon::new(LineString(ring), Vec::new()));
        }
        is_ring
    }

    fn checked(geometry: Geometry, crs: Option<String>) -> Result<Self> {
        validity::check(&geometry)?;
        Ok(Self { geometry, crs, crossing: None })
    }
}

/// Coordinates of a polygon with a single ring in little-endian 2D WKB, as DuckDB writes it. Most polygons are of this
/// form, and the general reader would cost more than everything after it. None for any other bytes.
fn one_ring(bytes: &[u8]) -> Option<&[[u8; 16]]> {
    // Byte order, type and number of rings (OGC Simple Features 1.2.1, 8.2.9).
    const HEADER: [u8; 9] = [1, 3, 0, 0, 0, 1, 0, 0, 0];
    let (header, rest) = bytes.split_first_chunk()?;
    let (count, coords) = rest.split_first_chunk()?;
    let (coords, rest) = coords.as_chunks::<16>();
    if coords.len() > MAX_VERTICES {
        return None;
    }
    let is_whole = coords.len() == usize::try_from(u32::from_le_bytes(*count)).ok()? && rest.is_empty();
    (*header == HEADER && is_whole).then_some(coords)
}

/// SRIDs are EPSG codes by convention; 0 and negative ones mean unknown.
fn crs_of_srid(srid: i64) -> Option<String> {
    (srid > 0).then(|| format!("EPSG:{srid}"))
}

/// Rejects nesting that would overflow a recursive reader, more vertices than there may be, which it would hold several times, and text
/// after the end of the geometry, which it would ignore.
fn check_parentheses(text: &str) -> Result<()> {
    let (mut depth, mut commas) = (0usize, 0usize);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth <= 1 => {
                let rest = text[at + 1..].trim();
                let fault = match (depth, rest) {
                    (0, _) => format!("expected WKT, found ')' without '(' at character {at}"),
                    (_, "") => return Ok(()),
                    _ => format!("expected the end of the WKT, found '{}'", start(rest)),
                };
                return Err(invalid(fault));
            }
            ')' => depth -= 1,
            ',' => commas += 1,
            _ => {}
        }
        if commas >= MAX_VERTICES {
            return Err(invalid(format!("expected at most {MAX_VERTICES} vertices, found more")));
        }
        if depth > MAX_DEPTH {
            return Err(invalid(format!("expected at most {MAX_DEPTH} nested parentheses, found more")));
        }
    }
    if depth > 0 {
        return Err(invalid(format!("expected WKT, found its end with {depth} '(' open")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
