//! WKB in the encoding of DuckDB's GEOMETRY: little-endian, dimensions by ISO codes, no SRID, no bytes after the end.
//!
//! DuckDB trusts the bytes of a GEOMETRY, so that bytes which it would reject in a file must not reach one. This module
//! accepts the geometries that `read_parquet` accepts and returns the same bytes. Source: OGC 06-103r4, 8.2; PostGIS
//! for the flags of EWKB.
//!
//! ```text
//! order  code                        [SRID]  body
//! 1 byte 4 bytes                     4       POINT: 2 to 4 doubles; LINESTRING: count, points; POLYGON: count, rings;
//!        type + 1000 Z + 2000 M              MULTI*, GEOMETRYCOLLECTION: count, geometries
//!        | 2^31 Z | 2^30 M | 2^29 SRID
//! ```
//!
//! # Untrusted input
//!
//! Counts are limited by the number of bytes, nesting by a constant: no panic, no endless loop, no more memory than
//! bytes.

use std::borrow::Cow;

/// Levels of nesting that DuckDB reads.
const MAX_DEPTH: u32 = 16;

const Z: u32 = 1 << 31;
const M: u32 = 1 << 30;
const SRID: u32 = 1 << 29;

const COLLECTION: u32 = 7;

/// The bytes for a GEOMETRY, or the reason why they are not a geometry.
pub(super) fn canonical(wkb: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let mut reader = Reader { rest: wkb, size: wkb.len(), out: None };
    if reader.geometry(None, 0)? {
        return Ok(Cow::Borrowed(wkb));
    }
    let mut reader = Reader { rest: wkb, size: wkb.len(), out: Some(Vec::with_capacity(wkb.len())) };
    reader.geometry(None, 0)?;
    Ok(Cow::Owned(reader.out.unwrap_or_default()))
}

/// Constraints on a part of a geometry.
#[derive(Clone, Copy)]
struct Parent {
    kind: u32,
    dimensions: u32,
}

struct Reader<'a> {
    rest: &'a [u8],
    size: usize,
    /// The output; None as long as the input is canonical.
    out: Option<Vec<u8>>,
}

impl<'a> Reader<'a> {
    fn fault(&self, what: &str) -> String {
        format!("WKB at byte {}: {what}", self.size - self.rest.len())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.fault(&format!("expected {length} bytes more, found {}", self.rest.len()))),
        }
    }

    fn u32(&mut self, little: bool) -> Result<u32, String> {
        let bytes: [u8; 4] = self.take(4)?.try_into().map_err(|_| self.fault("expected 4 bytes"))?;
        Ok(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(out) = &mut self.out {
            out.extend_from_slice(bytes);
        }
    }

    /// One geometry; whether its bytes are as they should be.
    fn geometry(&mut self, parent: Option<Parent>, depth: u32) -> Result<bool, String> {
        if depth >= MAX_DEPTH {
            return Err(self.fault(&format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let little = match self.take(1)? {
            [1] => true,
            [0] => false,
            _ => return Err(self.fault("expected a byte order of 0 or 1")),
        };
        let code = self.u32(little)?;
        let iso = code & !(Z | M | SRID);
        let (kind, iso_dimensions) = (iso % 1000, iso / 1000);
        if !(1..=COLLECTION).contains(&kind) || iso_dimensions > 3 {
            return Err(self.fault(&format!("geometry type {code} is not supported")));
        }
        let has_z = code & Z != 0 || iso_dimensions & 1 != 0;
        let has_m = code & M != 0 || iso_dimensions & 2 != 0;
        let dimensions = u32::from(has_z) + 2 * u32::from(has_m);
        if let Some(parent) = parent {
            if parent.dimensions != dimensions {
                return Err(self.fault("a part has other Z and M dimensions than the whole"));
            }
            if parent.kind != COLLECTION && parent.kind != kind + 3 {
                return Err(self.fault(&format!("a part of type {kind} in a geometry of type {}", parent.kind)));
            }
        }
        if code & SRID != 0 {
            self.u32(little)?;
        }
        let written = kind + 1000 * dimensions;
        self.write(&[1]);
        self.write(&written.to_le_bytes());
        let mut same = little && code == written;
        let point = 8 * (2 + usize::from(has_z) + usize::from(has_m));
        match kind {
            1 => self.doubles(point, little)?,
            2 => self.points(point, little)?,
            3 => {
                for _ in 0..self.count(little)? {
                    self.points(point, little)?;
                }
            }
            _ => {
                for _ in 0..self.count(little)? {
                    same &= self.geometry(Some(Parent { kind, dimensions }), depth + 1)?;
                }
            }
        }
        if parent.is_none() && !self.rest.is_empty() {
            return Err(self.fault(&format!("{} bytes after the end of the geometry", self.rest.len())));
        }
        Ok(same)
    }

    fn count(&mut self, little: bool) -> Result<u32, String> {
        let count = self.u32(little)?;
        self.write(&count.to_le_bytes());
        Ok(count)
    }

    fn points(&mut self, point: usize, little: bool) -> Result<(), String> {
        let count = self.count(little)?;
        let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(point));
        match length {
            Some(length) => self.doubles(length, little),
            None => Err(self.fault(&format!("{count} points do not fit in memory"))),
        }
    }

    fn doubles(&mut self, length: usize, little: bool) -> Result<(), String> {
        let bytes = self.take(length)?;
        match &mut self.out {
            Some(out) if little => out.extend_from_slice(bytes),
            Some(out) => bytes.chunks_exact(8).for_each(|double| out.extend(double.iter().rev())),
            None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(little: bool, code: u32) -> Vec<u8> {
        if little { [&[1], &code.to_le_bytes()[..]].concat() } else { [&[0], &code.to_be_bytes()[..]].concat() }
    }

    fn point(little: bool, code: u32, srid: Option<u32>, values: &[f64]) -> Vec<u8> {
        let mut bytes = head(little, code);
        let number = |number: u32| if little { number.to_le_bytes() } else { number.to_be_bytes() };
        bytes.extend(srid.iter().flat_map(|srid| number(*srid)));
        bytes.extend(values.iter().flat_map(|value| if little { value.to_le_bytes() } else { value.to_be_bytes() }));
        bytes
    }

    fn collection(little: bool, code: u32, parts: &[Vec<u8>]) -> Vec<u8> {
        let count = u32::try_from(parts.len()).unwrap();
        let count = if little { count.to_le_bytes() } else { count.to_be_bytes() };
        [head(little, code), count.to_vec(), parts.concat()].concat()
    }

    #[test]
    fn canonical_wkb_is_not_copied() {
        let polygon = [head(true, 3), 1u32.to_le_bytes().to_vec(), 1u32.to_le_bytes().to_vec(), vec![7; 16]].concat();
        for wkb in [
            point(true, 1, None, &[1.0, 2.0]),
            point(true, 1, None, &[f64::NAN, f64::NAN]),
            point(true, 3001, None, &[1.0, 2.0, 3.0, 4.0]),
            collection(true, 7, &[point(true, 1, None, &[1.0, 2.0]), collection(true, 2, &[])]),
            polygon,
        ] {
            assert!(matches!(canonical(&wkb), Ok(Cow::Borrowed(same)) if same == wkb), "{wkb:02x?}");
        }
    }

    #[test]
    fn dialects_are_normalized() {
        let plain = point(true, 1, None, &[1.0, 2.0]);
        let z = point(true, 1001, None, &[1.0, 2.0, 3.0]);
        for (wkb, expected) in [
            (point(false, 1, None, &[1.0, 2.0]), &plain),
            (point(true, 1 | SRID, Some(4326), &[1.0, 2.0]), &plain),
            (point(true, 1 | Z, None, &[1.0, 2.0, 3.0]), &z),
            (point(true, 1001 | Z, None, &[1.0, 2.0, 3.0]), &z),
            (point(false, 1 | Z | SRID, Some(1), &[1.0, 2.0, 3.0]), &z),
            (point(true, 1 | M, None, &[1.0, 2.0, 3.0]), &point(true, 2001, None, &[1.0, 2.0, 3.0])),
            (point(true, 1001 | M, None, &[1.0, 2.0, 3.0, 4.0]), &point(true, 3001, None, &[1.0, 2.0, 3.0, 4.0])),
            (
                collection(true, 4, &[point(false, 1, None, &[1.0, 2.0])]),
                &collection(true, 4, std::slice::from_ref(&plain)),
            ),
            (collection(false, 4, std::slice::from_ref(&plain)), &collection(true, 4, std::slice::from_ref(&plain))),
        ] {
            assert_eq!(canonical(&wkb).unwrap(), expected.as_slice(), "{wkb:02x?}");
        }
    }

    #[test]
    fn wkb_rejected_by_duckdb_is_an_error() {
        let deep =
            |levels: usize| (0..levels).fold(point(true, 1, None, &[1.0, 2.0]), |part, _| collection(true, 7, &[part]));
        assert!(canonical(&deep(15)).is_ok());
        let huge = [head(true, 2), u32::MAX.to_le_bytes().to_vec()].concat();
        let good = point(true, 1, None, &[1.0, 2.0]);
        for (wkb, expected) in [
            (Vec::new(), "WKB at byte 0: expected 1 bytes more, found 0"),
            (good[..13].to_vec(), "WKB at byte 5: expected 16 bytes more, found 8"),
            ([good.clone(), vec![0]].concat(), "WKB at byte 21: 1 bytes after the end of the geometry"),
            (point(true, 8, None, &[]), "WKB at byte 5: geometry type 8 is not supported"),
            (point(true, 4001, None, &[1.0; 4]), "WKB at byte 5: geometry type 4001 is not supported"),
            (vec![2; 21], "WKB at byte 1: expected a byte order of 0 or 1"),
            (
                collection(true, 4, &[collection(true, 2, &[])]),
                "WKB at byte 14: a part of type 2 in a geometry of type 4",
            ),
            (
                collection(true, 1007, std::slice::from_ref(&good)),
                "WKB at byte 14: a part has other Z and M dimensions than the whole",
            ),
            (deep(16), "WKB at byte 144: nested deeper than 16 levels"),
            (deep(2_000), "WKB at byte 144: nested deeper than 16 levels"),
            (huge, "WKB at byte 9: expected 68719476720 bytes more, found 0"),
        ] {
            assert_eq!(canonical(&wkb).unwrap_err(), expected);
        }
    }
}
