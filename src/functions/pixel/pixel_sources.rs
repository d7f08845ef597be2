//! The rasters that a call of `FROM cog_pixels` names: one, several bands of one, or several by name.

use rasteret_cog::warp::Resampling;
use rasteret_io::query::{LevelChoice, ReadRequest, ResolvedRead, SourceBand};
use rasteret_io::{OnError, Session};

use super::pixel_scan::Column;
use crate::documentation::{Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::masks::ConstantMask;
use crate::functions::params;
use crate::functions::raster_files::fetched;
use crate::options::OptionValues;
use crate::vector::{BindInfo, LogicalType, TypeId, Value};

/// The rasters of a call.
pub(super) enum Sources {
    /// One band of a file.
    Band(Source),
    /// Several bands of a file.
    Bands(Source, Vec<u32>),
    /// Several rasters by name.
    Named(Vec<(String, Source)>),
}

/// One raster.
#[derive(Clone)]
pub(super) struct Source {
    href: String,
    band_index: Option<u32>,
    scaled: bool,
    mask: Option<ConstantMask>,
    /// The resampling method; None for the default of the raster.
    resampling: Option<Resampling>,
}

const NAME: Parameter =
    Parameter { name: "name", value: ValueType::Text, default: None, description: "The name of the column." };

/// The fields of a named source.
const FIELDS: [&Parameter; 6] =
    [&params::HREF, &params::BAND_INDEX, &params::SCALED, &params::MASK, &params::GRID_RESAMPLING, &NAME];

impl Sources {
    pub(super) fn of(info: &BindInfo) -> Result<Self> {
        let null = || Error::argument("href: expected a path or a URL, found NULL");
        let value = info.argument(0).filter(|value| !value.is_null()).ok_or_else(null)?;
        let (band_index, bands, scaled) = (params::band_index(info)?, params::bands(info)?, params::scaled(info));
        if band_index.is_some() && bands.is_some() {
            return Err(Error::argument("band_index, bands: expected one of them, found both"));
        }
        let mask = ConstantMask::of(info.named(params::MASK.name))?;
        let resampling = params::grid_resampling(info)?;
        let defaults = Source { href: String::new(), band_index, scaled, mask, resampling };
        if value.id() == TypeId::Struct {
            if bands.is_some() {
                return Err(Error::argument(
                    "bands: not supported with named sources: use the band_index of each source",
                ));
            }
            let names = value.with_kind(LogicalType::fields);
            if names.is_empty() {
                return Err(Error::argument("sources: expected at least one raster, found none"));
            }
            let named = names.into_iter().enumerate().map(|(at, (name, _))| match value.field(at) {
                Some(field) => defaults.named(name, &field),
                None => Err(Source::wrong(&name, "NULL")),
            });
            return Ok(Self::Named(named.collect::<Result<_>>()?));
        }
        let found =
            || Error::argument(format!("href: expected VARCHAR or a STRUCT of sources, found {}", value.type_name()));
        let source = Source { href: value.text().ok_or_else(found)?, ..defaults };
        if source.resampling.is_some() && !info.has(&params::GRID) {
            return Err(Error::argument("resampling: expected a grid or named sources with it, found neither"));
        }
        Ok(match bands {
            Some(bands) => Self::Bands(source, bands),
            None => Self::Band(source),
        })
    }

    /// The columns of the result.
    pub(super) fn columns(&self) -> Result<Vec<(String, Column)>> {
        let fixed = |name: &str, column| (name.to_owned(), column);
        let mut columns = vec![fixed("level", Column::Level), fixed("col", Column::Col), fixed("row", Column::Row)];
        columns.extend([fixed("x", Column::X), fixed("y", Column::Y)]);
        match self {
            Self::Band(_) => {
                columns.insert(1, fixed("band_index", Column::BandIndex));
                columns.push(fixed("value", Column::Value(0)));
            }
            Self::Bands(_, bands) => columns.push(fixed("values", Column::Values(bands.len()))),
            Self::Named(sources) => {
                for (at, (name, _)) in sources.iter().enumerate() {
                    let is_taken = |known: &str| known.eq_ignore_ascii_case(name);
                    if columns.iter().any(|(known, _)| is_taken(known)) || is_taken("coverage") {
                        return Err(Error::argument(format!("sources: expected a unique column name, found {name}")));
                    }
                    columns.push((name.clone(), Column::Value(at)));
                }
            }
        }
        columns.push(fixed("coverage", Column::Coverage));
        Ok(columns)
    }

    /// Each raster, with its band.
    fn rasters(&self) -> Vec<(&Source, Option<u32>)> {
        match self {
            Self::Band(source) => vec![(source, source.band_index)],
            Self::Bands(source, bands) => bands.iter().map(|band| (source, Some(*band))).collect(),
            Self::Named(sources) => sources.iter().map(|(_, source)| (source, source.band_index)).collect(),
        }
    }

    /// The resolved rasters with their options. `auto_level`: whether the level is that of a grid's pixels.
    pub(super) fn bands<'a>(
        &self,
        resolved: impl Iterator<Item = ResolvedRead<'a>>,
        auto_level: bool,
    ) -> Vec<Option<SourceBand<'a>>> {
        let band = |(resolved, (source, _)): (ResolvedRead<'a>, (&Source, Option<u32>))| {
            Some(SourceBand { resolved, resampling: source.resampling, auto_level, scaled: source.scaled })
        };
        resolved.zip(self.rasters()).map(band).collect()
    }

    /// The requests of all rasters, without a geometry.
    pub(super) fn requests(
        &self,
        session: &Session,
        level: LevelChoice,
        masked: bool,
    ) -> Result<Vec<ReadRequest<'static>>> {
        let rasters = self.rasters();
        let masks: Vec<_> = rasters.iter().map(|(source, _)| source.mask.clone()).collect();
        let of_rasters = rasters.iter().map(|(source, _)| source.href.as_str());
        let hrefs: Vec<&str> = of_rasters.chain(masks.iter().flatten().map(ConstantMask::href)).collect();
        // Headers of rasters and masks in one round.
        let mut files = fetched(session, &hrefs);
        let masks = ConstantMask::resolve(&masks, files.drain(rasters.len()..))?;
        let requests = rasters.iter().zip(files).zip(masks).map(|(((_, band_index), file), mask)| {
            Ok(ReadRequest {
                file: file?,
                level,
                band_index: *band_index,
                masked,
                mask,
                weights: None,
                geometry: None,
                geometry_crs: None,
                type_crs: None,
                on_error: OnError::Fail,
            })
        });
        requests.collect()
    }
}

impl Source {
    /// A named source, with its name: an href, or a STRUCT, whose fields replace the options of the call (`self`).
    fn named(&self, name: String, value: &Value) -> Result<(String, Self)> {
        if value.id() != TypeId::Struct {
            let found = || if value.is_null() { "NULL".to_owned() } else { value.type_name() };
            let href = value.text().ok_or_else(|| Self::wrong(&name, &found()))?;
            return Ok((name, Self { href, ..self.clone() }));
        }
        let (mut href, mut source, mut column) = (None, self.clone(), None);
        for (at, (field, kind)) in value.with_kind(LogicalType::fields).into_iter().enumerate() {
            let known = FIELDS.iter().find(|known| known.name.eq_ignore_ascii_case(&field));
            let found = value.field(at).filter(|found| !found.is_null());
            // A NULL without a type arrives as an INTEGER.
            let Some(known) = known.filter(|known| found.is_none() || known.value.accepts(&kind)) else {
                return Err(Self::wrong(&name, &format!("the field {field} {kind}")));
            };
            let Some(found) = found else { continue };
            match known.name {
                field if field == params::HREF.name => href = found.text(),
                field if field == params::SCALED.name => source.scaled = found.boolean().unwrap_or(self.scaled),
                field if field == params::GRID_RESAMPLING.name => {
                    source.resampling = found.text().map(|name| params::resampling_named(&name)).transpose()?;
                }
                field if field == params::MASK.name => source.mask = ConstantMask::of(Some(&found))?,
                field if field == NAME.name => column = found.text(),
                _ => {
                    let band = found.integer().unwrap_or(-1);
                    let wrong = |_| Self::wrong(&name, &format!("band_index {band}"));
                    source.band_index = Some(u32::try_from(band).map_err(wrong)?);
                }
            }
        }
        source.href = href.ok_or_else(|| Self::wrong(&name, "no href"))?;
        Ok((column.unwrap_or(name), source))
    }

    fn wrong(name: &str, found: &str) -> Error {
        let fields = FIELDS.map(|field| field.name).join(", ");
        Error::argument(format!("sources: {name}: expected an href, or a STRUCT of {fields}, found {found}"))
    }
}
