//! Domain of the projection: the region near the raster where it is smooth.

use geo_types::Coord;

use super::mapping::{Mapping, distance};
use super::outline::{Outline, PADDING, outline};
use super::smooth::is_smooth;
use crate::geo::BBox;
use crate::{Error, Result};

/// Samples along each axis of the raster to find a defined pixel.
const TRIED: u32 = 32;

/// Region in which geometries are projected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Domain {
    /// Everything: there is no projection, or only one between longitudes.
    All,
    /// A box; the projection is smooth in and around it.
    Box(BBox),
    /// Decided per geometry: poles, cuts or folds lie in or near the raster.
    Hard,
    /// Nothing: the CRS of geometries does not reach the raster.
    Nowhere,
}

impl Domain {
    /// Returns the domain for a raster.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if the whole raster lies outside the domain of its own CRS.
    pub(super) fn new(mapping: &Mapping) -> Result<Self> {
        let Some(transform) = mapping.transform.as_deref().filter(|transform| !transform.is_identity()) else {
            return Ok(Self::All);
        };
        if transform.from_degrees() && transform.to_degrees() {
            return Ok(Self::All);
        }
        if let Some(window) = smooth_box(mapping) {
            return Ok(Self::Box(window));
        }
        if is_anywhere(mapping) {
            return Ok(Self::Hard);
        }
        if let Some(longitudes) = transform.to_target_from_degrees()
            && is_anywhere(&Mapping { transform: Some(longitudes.clone()), ..mapping.clone() })
        {
            return Ok(Self::Nowhere);
        }
        Err(Error::InvalidArgument {
            what: "the raster lies outside the domain of its CRS: only 'native' coordinates can be used".to_owned(),
        })
    }
}

/// Whether any pixel of the raster is defined in the CRS of geometries.
fn is_anywhere(mapping: &Mapping) -> bool {
    let at = |size: f64, step: u32| size * f64::from(step) / f64::from(TRIED);
    let places = (0..=TRIED).flat_map(|v| (0..=TRIED).map(move |u| (u, v)));
    places.into_iter().any(|(u, v)| {
        let pixel = Coord { x: at(mapping.width, u), y: at(mapping.height, v) };
        mapping.locate(pixel).is_some()
    })
}

/// Returns the bounding box of the raster in the CRS of geometries, if the mapping is smooth over the raster and back
/// over the box.
fn smooth_box(mapping: &Mapping) -> Option<BBox> {
    let degrees = mapping.is_from_degrees();
    let bounds = mapping.world_bounds();
    if mapping.is_to_degrees() && bounds.xmax - bounds.xmin > 360.0 {
        return None;
    }
    if !degrees && has_pole(mapping) {
        return None;
    }
    let locate = |pixel: Coord<f64>| mapping.locate(pixel);
    let outline = outline(mapping.width, mapping.height, degrees, &locate)?;
    let is_closed = match (outline.points.first(), outline.points.last()) {
        (Some((_, first)), Some((_, last))) => (first.x - last.x).abs() < 1.0 || !degrees,
        _ => false,
    };
    if !is_closed || !is_smooth(mapping.image(), degrees, locate) {
        return None;
    }
    let window = padded(mapping, &outline);
    let longitude = mapping.world(mapping.centre()).x;
    let project = |point: Coord<f64>| mapping.project_checked(point, longitude);
    is_smooth(window, false, project).then_some(window)
}

/// Whether a pole is inside the raster or within one raster size of it: samples may miss the distortion around it.
fn has_pole(mapping: &Mapping) -> bool {
    let longitudes = mapping.transform.as_ref().and_then(|transform| transform.to_target_from_degrees());
    let is_near = |at: f64, size: f64| (-size..=2.0 * size).contains(&at);
    [-90.0, 90.0].into_iter().filter_map(|y| longitudes?.forward(Coord { x: 0.0, y })).any(|world| {
        let pixel = mapping.pixel(world);
        is_near(pixel.x, mapping.width) && is_near(pixel.y, mapping.height)
    })
}

/// The bounds of the outline, padded for the curve between its points.
fn padded(mapping: &Mapping, outline: &Outline) -> BBox {
    let mut window = outline.bbox;
    let (x, y) = (PADDING * (window.xmax - window.xmin), PADDING * (window.ymax - window.ymin));
    (window.ymin, window.ymax) = (window.ymin - y, window.ymax + y);
    if mapping.is_from_degrees() {
        (window.ymin, window.ymax) = (window.ymin.max(-90.0), window.ymax.min(90.0));
    }
    let latitude = f64::midpoint(outline.bbox.ymin, outline.bbox.ymax);
    window.xmin = padded_edge(mapping, latitude, window.xmin, -x);
    window.xmax = padded_edge(mapping, latitude, window.xmax, x);
    window
}

/// Moves an edge outwards by up to `padding`, but not across a cut of the projection, beyond which the other side of
/// the map begins.
fn padded_edge(mapping: &Mapping, y: f64, edge: f64, padding: f64) -> f64 {
    const HALVINGS: u32 = 30;
    let longitude = mapping.world(mapping.centre()).x;
    let at = |x: f64| mapping.project(Coord { x, y }, longitude);
    let (Some(inner), Some(start)) = (at(edge - padding), at(edge)) else {
        return edge;
    };
    let usual = distance(inner, start).max(1.0);
    (0..HALVINGS)
        .map(|halving| edge + padding / 2f64.powi(i32::try_from(halving).unwrap_or(0)))
        .find(|x| at(*x).is_some_and(|pixel| distance(start, pixel) < 10.0 * usual))
        .unwrap_or(edge)
}
