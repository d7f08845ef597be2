//! The bounding box of a geometry in ISO WKB (1000, 2000, 3000 added to types for Z, M, ZM) or EWKB (flag bits, SRID).
//!
//! # Untrusted input
//!
//! Counts are limited by the number of bytes, nesting by a constant. An unreadable geometry has no bounding box.

/// xmin, ymin, xmax, ymax.
pub(crate) type Envelope = [f64; 4];

/// Collections in collections: deeper than any real geometry, shallow enough for the stack.
const MAX_DEPTH: u32 = 32;

/// The box; None for an empty geometry and for bytes that are not WKB.
pub(crate) fn of_wkb(wkb: &[u8]) -> Option<Envelope> {
    let mut reader = Reader { bytes: wkb, little: true };
    let mut envelope = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    geometry(&mut reader, &mut envelope, 0)?;
    (envelope[0] <= envelope[2]).then_some(envelope)
}

struct Reader<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*taken)
    }

    fn u32(&mut self) -> Option<u32> {
        let four = self.take()?;
        Some(if self.little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
    }

    fn f64(&mut self) -> Option<f64> {
        let eight = self.take()?;
        Some(if self.little { f64::from_le_bytes(eight) } else { f64::from_be_bytes(eight) })
    }
}

fn geometry(reader: &mut Reader<'_>, envelope: &mut Envelope, depth: u32) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    let [order] = reader.take::<1>()?;
    reader.little = order == 1;
    let code = reader.u32()?;
    const Z: u32 = 0x8000_0000;
    const M: u32 = 0x4000_0000;
    const SRID: u32 = 0x2000_0000;
    if code & SRID != 0 {
        reader.u32()?;
    }
    let iso = code & !(Z | M | SRID);
    let flags = u32::from(code & Z != 0) + u32::from(code & M != 0);
    let more = match iso / 1000 {
        0 => flags,
        1 | 2 => 1,
        3 => 2,
        _ => return None,
    };
    match iso % 1000 {
        1 => point(reader, more, envelope),
        2 => points(reader, more, envelope),
        3 => {
            for _ in 0..reader.u32()? {
                points(reader, more, envelope)?;
            }
            Some(())
        }
        4..=7 => {
            for _ in 0..reader.u32()? {
                geometry(reader, envelope, depth + 1)?;
            }
            Some(())
        }
        _ => None,
    }
}

fn points(reader: &mut Reader<'_>, more: u32, envelope: &mut Envelope) -> Option<()> {
    for _ in 0..reader.u32()? {
        point(reader, more, envelope)?;
    }
    Some(())
}

fn point(reader: &mut Reader<'_>, more: u32, envelope: &mut Envelope) -> Option<()> {
    let (x, y) = (reader.f64()?, reader.f64()?);
    for _ in 0..more {
        reader.f64()?;
    }
    // An empty point is NaN NaN; `min` and `max` leave NaN out.
    let [xmin, ymin, xmax, ymax] = *envelope;
    *envelope = [xmin.min(x), ymin.min(y), xmax.max(x), ymax.max(y)];
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wkb(code: u32, body: &[f64]) -> Vec<u8> {
        let mut bytes = vec![1];
        bytes.extend(code.to_le_bytes());
        body.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        bytes
    }

    #[test]
    fn points_of_all_dialects() {
        assert_eq!(of_wkb(&wkb(1, &[1.0, 2.0])), Some([1.0, 2.0, 1.0, 2.0]));
        assert_eq!(of_wkb(&wkb(1001, &[1.0, 2.0, 9.0])), Some([1.0, 2.0, 1.0, 2.0]));
        assert_eq!(of_wkb(&wkb(3001, &[1.0, 2.0, 9.0, 9.0])), Some([1.0, 2.0, 1.0, 2.0]));
        assert_eq!(of_wkb(&wkb(0x8000_0001, &[1.0, 2.0, 9.0])), Some([1.0, 2.0, 1.0, 2.0]));
        assert_eq!(of_wkb(&wkb(1, &[f64::NAN, f64::NAN])), None);
        let mut big = vec![0, 0, 0, 0, 1];
        big.extend(1f64.to_be_bytes());
        big.extend(2f64.to_be_bytes());
        assert_eq!(of_wkb(&big), Some([1.0, 2.0, 1.0, 2.0]));
    }

    #[test]
    fn collections_and_polygons() {
        let mut multi = vec![1];
        multi.extend(7u32.to_le_bytes());
        multi.extend(2u32.to_le_bytes());
        multi.extend(wkb(1, &[-3.0, 4.0]));
        multi.push(1);
        multi.extend(3u32.to_le_bytes());
        multi.extend(1u32.to_le_bytes());
        multi.extend(3u32.to_le_bytes());
        [0.0, 0.0, 5.0, 0.0, 5.0, 7.0f64].iter().for_each(|value| multi.extend(value.to_le_bytes()));
        assert_eq!(of_wkb(&multi), Some([-3.0, 0.0, 5.0, 7.0]));
    }

    #[test]
    fn hostile_bytes_have_no_envelope() {
        assert_eq!(of_wkb(&[]), None);
        assert_eq!(of_wkb(&[1, 2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]), None);
        // Nested collections.
        let nested: Vec<u8> = [1, 7, 0, 0, 0, 1, 0, 0, 0].repeat(10_000);
        assert_eq!(of_wkb(&nested), None);
        assert_eq!(of_wkb(&wkb(99, &[1.0, 2.0])), None);
    }
}
