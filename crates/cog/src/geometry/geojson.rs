//! GeoJSON (RFC 7946): a geometry, a Feature or a FeatureCollection.
//!
//! The text is parsed directly to coordinates: a tree of all its numbers would take some 70 times the memory of the text. Members that
//! are not needed are skipped.

use std::cell::Cell;
use std::fmt;

use geo_types::Coord;
use geozero::GeomProcessor as _;
use geozero::error::Result as Visit;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::collector::{Collector, MAX_VERTICES};
use super::flat::{Geometry, invalid, start};
use crate::Result as Parsed;

/// Nesting of the coordinates of a `MultiPolygon`: polygons, rings, positions, numbers.
const MAX_NESTING: u32 = 4;

/// Where the obsolete member `crs` has its name.
const CRS_NAME: [&str; 2] = ["properties", "name"];

/// Parses a text to a geometry and the name in the `crs` member of GeoJSON 2008. RFC 7946 removed it, but files that have it rely on it:
/// read as longitudes and latitudes, their coordinates would be elsewhere.
///
/// # Errors
///
/// [`crate::Error::InvalidArgument`] for any other text, and for a geometry with too many vertices or invalid parts.
pub(super) fn parse(text: &str) -> Parsed<(Geometry, Option<String>)> {
    let wrong = |error: serde_json::Error| invalid(format!("expected GeoJSON: {error}"));
    let left = Cell::new(MAX_VERTICES);
    let mut json = serde_json::Deserializer::from_str(text);
    let object = Object::seed(&left).deserialize(&mut json).map_err(wrong)?;
    json.end().map_err(wrong)?;
    let crs = match object.crs {
        None | Some(CrsMember::Null) => None,
        Some(CrsMember::Named(name)) => Some(name),
        Some(CrsMember::Unnamed) => return Err(invalid("expected a name in the GeoJSON member crs, found none")),
    };
    let mut collector = Collector::default();
    let outcome = object.members.collect(&mut collector, 0);
    let (geometry, _) = collector.finish("GeoJSON", outcome)?;
    Ok((geometry, crs))
}

/// Coordinates of any geometry.
enum Coordinates {
    Empty,
    Position(Coord<f64>),
    Positions(Vec<Coord<f64>>),
    Lists(Vec<Self>),
}

/// The geometry of an object.
enum Members {
    Point(Coord<f64>),
    MultiPoint(Vec<Coord<f64>>),
    Line(Vec<Coord<f64>>),
    Lines(Vec<Vec<Coord<f64>>>),
    Polygons(Vec<Vec<Vec<Coord<f64>>>>),
    Collection(Vec<Self>),
    /// A Feature, whose geometry may be null.
    Feature(Option<Box<Self>>),
    Features(Vec<Self>),
}

impl Members {
    /// Whether they are those of a geometry.
    fn is_geometry(&self) -> bool {
        !matches!(self, Self::Feature(_) | Self::Features(_))
    }

    /// Passes the parts on, as the readers of other formats do.
    fn collect(self, collector: &mut Collector, index: usize) -> Visit<()> {
        match self {
            Self::Point(Coord { x, y }) => collector.xy(x, y, index),
            Self::MultiPoint(points) => {
                points.into_iter().enumerate().try_for_each(|(index, Coord { x, y })| collector.xy(x, y, index))
            }
            Self::Line(line) => collector.add_line(line),
            Self::Lines(lines) => lines.into_iter().try_for_each(|line| collector.add_line(line)),
            Self::Polygons(polygons) => polygons.into_iter().try_for_each(|rings| {
                collector.polygon_begin(true, rings.len(), index)?;
                rings.into_iter().try_for_each(|ring| collector.add_line(ring))?;
                collector.polygon_end(true, index)
            }),
            Self::Collection(parts) => {
                collector.geometrycollection_begin(parts.len(), index)?;
                parts.into_iter().enumerate().try_for_each(|(index, part)| part.collect(collector, index))?;
                collector.geometrycollection_end(index)
            }
            Self::Feature(geometry) => geometry.map_or(Ok(()), |geometry| geometry.collect(collector, index)),
            Self::Features(features) => {
                features.into_iter().enumerate().try_for_each(|(index, feature)| feature.collect(collector, index))
            }
        }
    }
}

/// An object with its members.
struct Object {
    members: Members,
    crs: Option<CrsMember>,
}

impl Object {
    /// Parses an object; each object, list and position counts as one of the vertices that are `left`.
    fn seed(left: &Cell<usize>) -> ObjectSeed<'_> {
        ObjectSeed { left }
    }
}

/// Counts one of the vertices that a geometry may have.
fn spend<E: serde::de::Error>(left: &Cell<usize>) -> Result<(), E> {
    match left.get().checked_sub(1) {
        Some(less) => {
            left.set(less);
            Ok(())
        }
        None => Err(E::custom(format_args!("expected at most {MAX_VERTICES} vertices, found more"))),
    }
}

#[derive(Clone, Copy)]
struct ObjectSeed<'a> {
    left: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_> {
    type Value = Object;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Object, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_> {
    type Value = Object;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with a type")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        spend(self.left)?;
        let mut found = Found::default();
        while let Some(key) = map.next_key_seed(KeySeed)? {
            let is_of_feature = found.kind.as_deref().is_some_and(|kind| kind.starts_with("Feature"));
            match key {
                Key::Type => found.kind = Some(map.next_value()?),
                Key::Coordinates if !is_of_feature => {
                    found.coordinates = Some(map.next_value_seed(CoordinatesSeed { left: self.left, nesting: 1 })?);
                }
                Key::Geometries if !is_of_feature => found.geometries = Some(map.next_value_seed(ListSeed(self))?),
                Key::Geometry => found.geometry = Some(map.next_value_seed(OptionalSeed(self))?),
                Key::Features => found.features = Some(map.next_value_seed(ListSeed(self))?),
                Key::Crs => found.crs = Some(map.next_value_seed(NameSeed(&CRS_NAME))?),
                Key::Coordinates | Key::Geometries | Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let crs = found.crs.take();
        found.members().map(|members| Object { members, crs }).map_err(A::Error::custom)
    }
}

/// The members of an object, in any order.
#[derive(Default)]
struct Found {
    kind: Option<String>,
    coordinates: Option<Coordinates>,
    geometries: Option<Vec<Members>>,
    geometry: Option<Option<Members>>,
    features: Option<Vec<Members>>,
    crs: Option<CrsMember>,
}

impl Found {
    fn members(self) -> Result<Members, String> {
        let Some(kind) = self.kind else { return Err("expected the member type, found none".to_owned()) };
        let missing = |name: &str| format!("expected the member {name} of a {kind}, found none");
        match kind.as_str() {
            "GeometryCollection" => {
                let parts = self.geometries.ok_or_else(|| missing("geometries"))?;
                match parts.iter().all(Members::is_geometry) {
                    true => Ok(Members::Collection(parts)),
                    false => Err("expected geometries in a GeometryCollection, found a Feature".to_owned()),
                }
            }
            "Feature" => match self.geometry.ok_or_else(|| missing("geometry"))? {
                Some(geometry) if !geometry.is_geometry() => {
                    Err("expected the geometry of a Feature, found a Feature".to_owned())
                }
                geometry => Ok(Members::Feature(geometry.map(Box::new))),
            },
            "FeatureCollection" => {
                let features = self.features.ok_or_else(|| missing("features"))?;
                match features.iter().all(|feature| matches!(feature, Members::Feature(_))) {
                    true => Ok(Members::Features(features)),
                    false => Err("expected Features in a FeatureCollection, found another object".to_owned()),
                }
            }
            "Point" | "MultiPoint" | "LineString" | "MultiLineString" | "Polygon" | "MultiPolygon" => {
                let coordinates = self.coordinates.ok_or_else(|| missing("coordinates"))?;
                shaped(&kind, coordinates).ok_or_else(|| format!("expected the coordinates of a {kind}, found others"))
            }
            _ => Err(format!("expected a type of GeoJSON, found '{}'", start(&kind))),
        }
    }
}

/// The geometry of a type; None if its coordinates are nested otherwise.
fn shaped(kind: &str, coordinates: Coordinates) -> Option<Members> {
    Some(match kind {
        "Point" => match coordinates {
            Coordinates::Position(position) => Members::Point(position),
            // Writers of GeoJSON have no other form of POINT EMPTY.
            Coordinates::Empty => Members::MultiPoint(Vec::new()),
            _ => return None,
        },
        "MultiPoint" => Members::MultiPoint(coordinates.positions()?),
        "LineString" => Members::Line(coordinates.positions()?),
        "MultiLineString" => Members::Lines(coordinates.lists()?),
        "Polygon" => Members::Polygons(vec![coordinates.lists()?]),
        _ => Members::Polygons(coordinates.parts()?.into_iter().map(Coordinates::lists).collect::<Option<_>>()?),
    })
}

impl Coordinates {
    fn positions(self) -> Option<Vec<Coord<f64>>> {
        match self {
            Self::Empty => Some(Vec::new()),
            Self::Positions(positions) => Some(positions),
            Self::Position(_) | Self::Lists(_) => None,
        }
    }

    fn parts(self) -> Option<Vec<Self>> {
        match self {
            Self::Empty => Some(Vec::new()),
            Self::Lists(lists) => Some(lists),
            Self::Position(_) | Self::Positions(_) => None,
        }
    }

    fn lists(self) -> Option<Vec<Vec<Coord<f64>>>> {
        self.parts()?.into_iter().map(Self::positions).collect()
    }
}

/// A list of objects.
struct ListSeed<'a>(ObjectSeed<'a>);

impl<'de> DeserializeSeed<'de> for ListSeed<'_> {
    type Value = Vec<Members>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ListSeed<'_> {
    type Value = Vec<Members>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut objects = Vec::new();
        while let Some(object) = list.next_element_seed(self.0)? {
            objects.push(object.members);
        }
        Ok(objects)
    }
}

/// An object or null.
struct OptionalSeed<'a>(ObjectSeed<'a>);

impl<'de> DeserializeSeed<'de> for OptionalSeed<'_> {
    type Value = Option<Members>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for OptionalSeed<'_> {
    type Value = Option<Members>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or null")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(|object| Some(object.members))
    }
}

/// A list of coordinates at some depth of nesting.
#[derive(Clone, Copy)]
struct CoordinatesSeed<'a> {
    left: &'a Cell<usize>,
    nesting: u32,
}

impl<'de> DeserializeSeed<'de> for CoordinatesSeed<'_> {
    type Value = Coordinates;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Coordinates, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for CoordinatesSeed<'_> {
    type Value = Coordinates;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of coordinates")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Coordinates, A::Error> {
        spend(self.left)?;
        let unlike = || A::Error::custom("expected coordinates of one kind in a list, found others");
        let element = ElementSeed(Self { nesting: self.nesting + 1, ..self });
        match list.next_element_seed(element)? {
            None => Ok(Coordinates::Empty),
            Some(Element::Number(x)) => {
                let y = list.next_element()?;
                let y = y.ok_or_else(|| A::Error::custom("expected a position of two numbers, found one"))?;
                // Z and more are numbers, which are left out.
                while list.next_element::<f64>()?.is_some() {}
                Ok(Coordinates::Position(Coord { x, y }))
            }
            Some(Element::List(Coordinates::Position(first))) => {
                let mut positions = vec![first];
                while let Some(next) = list.next_element_seed(element)? {
                    match next {
                        Element::List(Coordinates::Position(position)) => positions.push(position),
                        Element::List(_) | Element::Number(_) => return Err(unlike()),
                    }
                }
                Ok(Coordinates::Positions(positions))
            }
            Some(Element::List(first)) => {
                let mut lists = vec![first];
                while let Some(next) = list.next_element_seed(element)? {
                    match next {
                        Element::Number(_) | Element::List(Coordinates::Position(_)) => return Err(unlike()),
                        Element::List(next) => lists.push(next),
                    }
                }
                Ok(Coordinates::Lists(lists))
            }
        }
    }
}

/// An element of a list of coordinates.
enum Element {
    Number(f64),
    List(Coordinates),
}

#[derive(Clone, Copy)]
struct ElementSeed<'a>(CoordinatesSeed<'a>);

impl<'de> DeserializeSeed<'de> for ElementSeed<'_> {
    type Value = Element;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Element, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ElementSeed<'_> {
    type Value = Element;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number or a list of coordinates")
    }

    fn visit_f64<E>(self, number: f64) -> Result<Element, E> {
        Ok(Element::Number(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "coordinates are doubles")]
    fn visit_i64<E>(self, number: i64) -> Result<Element, E> {
        Ok(Element::Number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "coordinates are doubles")]
    fn visit_u64<E>(self, number: u64) -> Result<Element, E> {
        Ok(Element::Number(number as f64))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Element, A::Error> {
        match self.0.nesting > MAX_NESTING {
            true => Err(A::Error::custom(format_args!("expected coordinates nested up to {MAX_NESTING} times"))),
            false => self.0.visit_seq(list).map(Element::List),
        }
    }
}

/// The member `crs` of GeoJSON 2008.
enum CrsMember {
    Null,
    Named(String),
    Unnamed,
}

/// Finds the text below these members.
struct NameSeed<'a>(&'a [&'a str]);

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = CrsMember;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<CrsMember, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NameSeed<'_> {
    type Value = CrsMember;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a CRS with a name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CrsMember, A::Error> {
        let mut found = CrsMember::Unnamed;
        while let Some(key) = map.next_key::<String>()? {
            match self.0.split_first() {
                Some((name, rest)) if *name == key => found = map.next_value_seed(NameSeed(rest))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match found {
            CrsMember::Null => Ok(CrsMember::Unnamed),
            found => Ok(found),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<CrsMember, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(CrsMember::Unnamed)
    }

    fn visit_str<E>(self, text: &str) -> Result<CrsMember, E> {
        Ok(if self.0.is_empty() { CrsMember::Named(text.to_owned()) } else { CrsMember::Unnamed })
    }

    fn visit_unit<E>(self) -> Result<CrsMember, E> {
        Ok(CrsMember::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<CrsMember, E> {
        Ok(CrsMember::Unnamed)
    }

    fn visit_f64<E>(self, _: f64) -> Result<CrsMember, E> {
        Ok(CrsMember::Unnamed)
    }

    fn visit_i64<E>(self, _: i64) -> Result<CrsMember, E> {
        Ok(CrsMember::Unnamed)
    }

    fn visit_u64<E>(self, _: u64) -> Result<CrsMember, E> {
        Ok(CrsMember::Unnamed)
    }
}

/// The members that are read.
#[derive(Clone, Copy)]
enum Key {
    Type,
    Coordinates,
    Geometries,
    Geometry,
    Features,
    Crs,
    Other,
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(match name {
            "type" => Key::Type,
            "coordinates" => Key::Coordinates,
            "geometries" => Key::Geometries,
            "geometry" => Key::Geometry,
            "features" => Key::Features,
            "crs" => Key::Crs,
            _ => Key::Other,
        })
    }
}

#[cfg(test)]
mod tests;
