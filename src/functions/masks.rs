//! Additional rasters of a call: the option `mask`, also a field of sources, which has a rule, and the option
//! `weights`.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use rasteret_cog::pixel::MaskRule;
use rasteret_io::query::{MaskSource, WeightSource};
use rasteret_io::{RasterFile, Session};

use super::params;
use super::raster_files::{File, files};
use crate::documentation::{Parameter, ValueType};
use crate::error::{Error, Result};
use crate::vector::{LogicalType, Reader, TypeId, Value};

const KEEP: Parameter = rule("keep");
const DROP: Parameter = rule("drop");
const BITS: Parameter = rule("bits");

/// The rules, of which a mask has exactly one.
const RULES: [&Parameter; 3] = [&KEEP, &DROP, &BITS];

/// The fields of a constant mask.
const CONSTANT_FIELDS: [&Parameter; 5] = [&params::HREF, &params::BAND_INDEX, &KEEP, &DROP, &BITS];

/// The fields of a mask.
const FIELDS: [&Parameter; 6] = [&params::HREF, &params::METADATA, &params::BAND_INDEX, &KEEP, &DROP, &BITS];

const fn rule(name: &'static str) -> Parameter {
    Parameter { name, value: ValueType::Integers, default: None, description: "Values, or positions of bits." }
}

/// The fields of weights.
const WEIGHT_FIELDS: [&Parameter; 3] = [&params::HREF, &params::METADATA, &params::BAND_INDEX];

/// The masks or weights of a vector (`S`) with their rules (`R`), without duplicates.
pub(super) struct BesideRasters<'a, R, S> {
    name: &'static str,
    /// The STRUCTs.
    reader: &'a Reader<'a>,
    rule: fn(&Reader<'a>, usize) -> Result<R>,
    make: fn(Arc<RasterFile>, Option<u32>, R) -> S,
    known: HashMap<(*const RasterFile, Option<u32>, R), Arc<S>>,
}

/// The masks of a vector.
pub(super) type Masks<'a> = BesideRasters<'a, MaskRule, MaskSource>;

/// The weights of a vector.
pub(super) type Weights<'a> = BesideRasters<'a, (), WeightSource>;

/// A raster whose file is not resolved yet.
pub(super) struct Unresolved<R> {
    /// The row of the STRUCT.
    place: usize,
    band_index: Option<u32>,
    rule: R,
}

impl<'a> Masks<'a> {
    /// Checks the type of a vector of masks; None if all of them are NULL.
    pub(super) fn masks(reader: &'a Reader<'a>) -> Result<Option<Self>> {
        let make = |file, band_index, rule| MaskSource { file, band_index, rule };
        Self::new(&params::MASK, &FIELDS, reader, rule_of_row, make)
    }
}

impl<'a> Weights<'a> {
    /// Checks the type of a vector of weights; None if all of them are NULL.
    pub(super) fn weights(reader: &'a Reader<'a>) -> Result<Option<Self>> {
        let make = |file, band_index, ()| WeightSource { file, band_index };
        Self::new(&params::WEIGHTS, &WEIGHT_FIELDS, reader, |_, _| Ok(()), make)
    }
}

impl<'a, R: Clone + Eq + Hash, S> BesideRasters<'a, R, S> {
    fn new(
        option: &Parameter,
        fields: &[&Parameter],
        reader: &'a Reader<'a>,
        rule: fn(&Reader<'a>, usize) -> Result<R>,
        make: fn(Arc<RasterFile>, Option<u32>, R) -> S,
    ) -> Result<Option<Self>> {
        let kind = reader.kind();
        let wrong = |found: &str| wrong(option, found);
        match kind.id() {
            TypeId::SqlNull => return Ok(None),
            TypeId::Struct => {}
            _ => return Err(wrong(&kind.to_string())),
        }
        let found = kind.fields();
        for (name, kind) in &found {
            let known = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name));
            if !known.is_some_and(|field| field.value.accepts(kind)) {
                return Err(wrong(&format!("the field {name} {kind}")));
            }
        }
        match found.iter().any(|(name, _)| name.eq_ignore_ascii_case(params::HREF.name)) {
            true => Ok(Some(Self { name: option.name, reader, rule, make, known: HashMap::new() })),
            false => Err(wrong("no href")),
        }
    }

    /// The unresolved raster of a row; None for NULL.
    pub(super) fn of_row(&self, place: usize) -> Result<Option<Unresolved<R>>> {
        if self.reader.is_null(place) {
            return Ok(None);
        }
        let field = |field: &Parameter| self.reader.field(field.name).filter(|field| !field.is_null(place));
        if field(&params::HREF).is_none() {
            return Err(Error::argument(format!("{}: expected an href, found NULL", self.name)));
        }
        let band_index = field(&params::BAND_INDEX).and_then(|field| field.integer(place));
        let band_index = band(self.name, band_index)?;
        Ok(Some(Unresolved { place, band_index, rule: (self.rule)(self.reader, place)? }))
    }

    /// Resolves the files of the rasters; an error if a file cannot be read.
    pub(super) fn resolve(
        &mut self,
        session: &Session,
        unresolved: Vec<Unresolved<R>>,
    ) -> Result<Vec<Result<Arc<S>, rasteret_io::Error>>> {
        let places: Vec<usize> = unresolved.iter().map(|raster| raster.place).collect();
        let missing = || Error::Internal("a raster without an href".to_owned());
        let hrefs = self.reader.field(params::HREF.name).ok_or_else(missing)?;
        let files = files(session, hrefs, self.reader.field(params::METADATA.name), &places)?;
        let (known, make) = (&mut self.known, self.make);
        let resolved = unresolved.into_iter().zip(files).map(|(raster, file)| {
            let Unresolved { band_index, rule, .. } = raster;
            let file = file?;
            let key = (Arc::as_ptr(&file), band_index, rule.clone());
            Ok(known.entry(key).or_insert_with(|| Arc::new(make(file, band_index, rule))).clone())
        });
        Ok(resolved.collect())
    }
}

fn rule_of_row(reader: &Reader<'_>, place: usize) -> Result<MaskRule> {
    let integers = |rule: &Parameter| -> Option<Vec<Option<i128>>> {
        let (range, numbers) = reader.field(rule.name).filter(|field| !field.is_null(place))?.list(place)?;
        Some(range.map(|at| numbers.integer(at).filter(|_| !numbers.is_null(at))).collect())
    };
    the_rule(RULES.map(|rule| (rule.name, integers(rule))))
}

/// A mask of a table function: a constant whose file has not been resolved yet.
#[derive(Clone, PartialEq)]
pub(super) struct ConstantMask {
    href: String,
    band_index: Option<u32>,
    rule: MaskRule,
}

impl ConstantMask {
    /// Reads a constant; None for NULL.
    pub(super) fn of(value: Option<&Value>) -> Result<Option<Self>> {
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        if value.id() != TypeId::Struct {
            return Err(wrong(&params::MASK, &value.type_name()));
        }
        let mut href = None;
        let mut band_index = None;
        let mut rules = RULES.map(|rule| (rule.name, None));
        for (at, (name, kind)) in value.with_kind(LogicalType::fields).into_iter().enumerate() {
            let known = CONSTANT_FIELDS.iter().find(|field| field.name.eq_ignore_ascii_case(&name));
            let field = value.field(at).filter(|field| !field.is_null());
            // A NULL without a type arrives as an INTEGER.
            let Some(known) = known.filter(|known| field.is_none() || known.value.accepts(&kind)) else {
                return Err(wrong(&params::MASK, &format!("the field {name} {kind}")));
            };
            let Some(field) = field else { continue };
            match known.name {
                name if name == params::HREF.name => href = field.text(),
                name if name == params::BAND_INDEX.name => {
                    band_index = band(params::MASK.name, field.integer().map(i128::from))?;
                }
                name => {
                    let values = field.list().unwrap_or_default();
                    let values: Vec<_> = values.iter().map(|value| value.integer().map(i128::from)).collect();
                    rules
                        .iter_mut()
                        .filter(|(rule, _)| *rule == name)
                        .for_each(|(_, found)| *found = Some(values.clone()));
                }
            }
        }
        let href = href.ok_or_else(|| Error::argument("mask: expected an href, found NULL"))?;
        Ok(Some(Self { href, band_index, rule: the_rule(rules)? }))
    }

    pub(super) fn href(&self) -> &str {
        &self.href
    }

    /// Masks with their files, which are given for those that are there; equal masks share one.
    pub(super) fn resolve(
        masks: &[Option<Self>],
        mut files: impl Iterator<Item = File>,
    ) -> Result<Vec<Option<Arc<MaskSource>>>> {
        let mut known: Vec<(&Self, Arc<MaskSource>)> = Vec::new();
        let resolved = masks.iter().map(|mask| {
            let Some((mask, file)) = mask.as_ref().zip(mask.as_ref().and_then(|_| files.next())) else {
                return Ok(None);
            };
            if let Some((_, source)) = known.iter().find(|(other, _)| *other == mask) {
                return Ok(Some(Arc::clone(source)));
            }
            let Self { band_index, rule, .. } = mask.clone();
            let source = Arc::new(MaskSource { file: file?, band_index, rule });
            known.push((mask, Arc::clone(&source)));
            Ok(Some(source))
        });
        resolved.collect()
    }
}

fn band(name: &str, band: Option<i128>) -> Result<Option<u32>> {
    let number = |band: i128| {
        let wrong = |_| Error::argument(format!("{name}: band_index: expected {}, found {band}", params::A_BAND));
        u32::try_from(band).map_err(wrong)
    };
    band.map(number).transpose()
}

/// The only given rule; an error if there are none or several.
fn the_rule(found: [(&str, Option<Vec<Option<i128>>>); 3]) -> Result<MaskRule> {
    let found: Vec<_> = found.into_iter().filter_map(|(name, values)| Some((name, values?))).collect();
    let [(name, values)] = found.as_slice() else {
        let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(" and ") };
        return Err(Error::argument(format!("mask: expected one of keep, drop and bits, found {names}")));
    };
    let wrong = |found: &str| Error::argument(format!("mask: {name}: expected integers, found {found}"));
    let integer = |value: &Option<i128>| {
        let value = value.ok_or_else(|| wrong("NULL"))?;
        i64::try_from(value).map_err(|_| wrong(&value.to_string()))
    };
    let values = values.iter().map(integer).collect::<Result<Vec<i64>>>()?;
    match *name {
        name if name == KEEP.name => Ok(MaskRule::Keep(values)),
        name if name == DROP.name => Ok(MaskRule::Drop(values)),
        _ => MaskRule::bits(&values).map_err(|error| Error::argument(format!("mask: {error}"))),
    }
}

fn wrong(option: &Parameter, found: &str) -> Error {
    Error::argument(format!("{}: expected {}, found {found}", option.name, option.value.sql()))
}
