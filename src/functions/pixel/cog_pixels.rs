//! `FROM cog_pixels(href, geometry, …)`: one row per pixel.

use std::sync::Arc;

use rasteret_io::OnError;
use rasteret_io::query::{BesideTarget, LevelChoice, MaskSource, ReadRequest, Target};
use rasteret_io::{Location, RasterFile, Session};

use super::pixel_scan::{Column, Cursor, Rasters, Scan};
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::{masks, params};
use crate::geometry::{ConstantGeometry, GeometryArgument, geometry_type};
use crate::options::OptionValues;
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction, TypeId, Value};

static DOC: Documentation = Documentation {
    name: "cog_pixels",
    kind: Kind::Table,
    signatures: &[
        "FROM cog_pixels(href VARCHAR, geometry ANY, …)",
        "FROM cog_pixels(sources STRUCT(…), geometry ANY, …)",
    ],
    description: "Reads the pixels covered by a geometry, with one row per pixel. The values are those of one band, \
        of several bands as a list, or of several rasters as columns, so that band math is plain SQL. Tiles are \
        fetched concurrently and decoded on all of DuckDB's threads when their rows are needed, so that an aggregate \
        over a large image holds only a few tiles in memory. The order of the rows is undefined. A query that does \
        not use `value` reads only the header. Arguments must be constants, prepared parameters or \
        `getvariable('…')`; columns of other tables cannot be passed, as for all table functions of DuckDB's C API.",
    parameters: &[
        params::HREF,
        Parameter {
            name: "sources",
            value: ValueType::Other("STRUCT(name VARCHAR, …)"),
            default: None,
            description: "Named rasters: hrefs, or STRUCTs of `href`, `band_index` and `scaled`. The rows are the \
                pixels of the first raster. The others must have the same grid, or a coarser one aligned with it, \
                such as 20 m with 10 m.",
        },
        Parameter {
            name: "geometry",
            value: params::GEOMETRY_VALUE,
            default: None,
            description: "A geometry or a box; see [geometry](parameters.md#geometry). An untyped `NULL` reads the \
                whole image (DuckDB does not let extensions declare optional arguments of table functions); a [typed \
                NULL](parameters.md#null-geometries) has no rows.",
        },
    ],
    options: &[
        params::CONSTANT_GEOMETRY_CRS,
        Parameter { description: "The band, counted from 0.", ..params::BAND_INDEX },
        Parameter {
            description: "Several bands, counted from 0, instead of `band_index`; they form the column \
            `values`.",
            ..params::BANDS
        },
        params::LEVEL,
        params::RESOLUTION,
        params::MASKED,
        Parameter {
            description: "A second raster that excludes pixels: `href`, `band_index`, and one of `keep`, `drop` and \
                `bits`. See [masks](parameters.md#masks).",
            ..params::MASK
        },
        Parameter {
            description: "Whether the scale and offset of the file are applied: `value * scale + offset`. Those of a \
                STAC Item are not available, because this function takes no metadata.",
            ..params::SCALED
        },
        params::METHOD,
    ],
    returns: "`level`, `band_index`, `col`, `row`, `x` and `y` (the centre of the pixel in the raster's CRS), `value` \
        (NULL if nodata or masked) and `coverage`, the weight of the pixel, from which medians, histograms and \
        weighted quantiles can be computed in SQL. With `bands`, `values` DOUBLE[] replaces `band_index` and `value`. \
        With named sources, there is one column per source. No rows for a typed NULL geometry.",
    examples: &[
        Example {
            sql: "SELECT col, row, x, y, value, coverage FROM cog_pixels('test/data/cog.tif', \
                  'POLYGON((500000 4599985, 500015 4599985, 500015 4600000, 500000 4600000, 500000 4599985))', \
                  geometry_crs := 'native') ORDER BY row, col",
            result: "0\t0\t500005.0\t4599995.0\tNULL\t1.0\n1\t0\t500015.0\t4599995.0\t1.0\t0.5\n\
                     0\t1\t500005.0\t4599985.0\t64.0\t0.5\n1\t1\t500015.0\t4599985.0\t65.0\t0.25",
        },
        Example {
            sql: "SELECT count(*) AS pixels, count(value) AS valid, median(value) AS median FROM cog_pixels('test/data/cog.tif', NULL)",
            result: "4096\t4095\t2048.0",
        },
        Example {
            sql: "SELECT values FROM cog_pixels('test/data/rgba.tif', 'POINT(500015 4599985)', geometry_crs := 'native', bands := [2, 0])",
            result: "[20.0, 17.0]",
        },
        Example {
            sql: "SELECT avg((b - a) / (b + a)) AS index, count(*) AS pixels FROM cog_pixels({a: 'test/data/cog.tif', b: 'test/data/cog_b.tif', \
                  class: 'test/data/classes.tif'}, NULL) WHERE class IN (4, 5)",
            result: "0.5\t512",
        },
    ],
};

/// The table function.
pub(crate) struct CogPixels;

impl TableFunction for CogPixels {
    /// None for a NULL geometry, which has no pixels.
    type Bind = Option<Rasters>;
    type Global = Scan;
    type Local = Cursor;

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        // ANY: an href, or a STRUCT of hrefs.
        vec![LogicalType::of(TypeId::Any), geometry_type()]
    }

    fn bind(session: &Session, info: &BindInfo) -> Result<Bind<Option<Rasters>>> {
        let sources = Sources::of(info)?;
        let geometry = GeometryArgument::of(info.argument(1))?;
        let (level, method) = (params::level(info)?, params::method(info)?);
        let crs = info.text(&params::GEOMETRY_CRS);
        let mask = masks::constant(session, info.named(params::MASK.name))?;
        let columns = sources.columns()?;
        let types = columns.iter().map(|(name, column)| (name.clone(), column.logical_type())).collect();
        let geometry = match geometry {
            GeometryArgument::Null => return Ok(Bind { state: None, columns: types, rows: Some(0) }),
            GeometryArgument::Absent => None,
            GeometryArgument::Given(geometry) => Some(geometry),
        };
        let requests = sources.requests(session, level, params::masked(info), mask.as_ref())?;
        let requests = requests.into_iter().map(|request| {
            Some(ReadRequest {
                geometry: geometry.as_ref().map(ConstantGeometry::encoded),
                geometry_crs: crs.as_deref(),
                type_crs: geometry.as_ref().and_then(ConstantGeometry::type_crs),
                ..request
            })
        });
        let resolved = session.prepare(requests.collect())?.into_iter().flatten();
        let resolved: Vec<_> = resolved.collect();
        let first = resolved.first().ok_or_else(|| Error::Internal("no raster".to_owned()))?;
        first.target.band.check_real()?;
        let coverage = first.coverage(session, method)?;
        let beside = |target: &Arc<Target>| BesideTarget::new(session, &first.target, Arc::clone(target));
        let scaling = |target: &Target, scaled: bool| if scaled { target.band.scale_and_offset() } else { (1.0, 0.0) };
        let state = Rasters {
            session: session.clone(),
            tiles: coverage.tiles(&first.target.band.tiling()),
            coverage,
            beside: resolved.iter().skip(1).map(|resolved| beside(&resolved.target)).collect::<Result<_, _>>()?,
            scaling: resolved
                .iter()
                .zip(sources.scaled())
                .map(|(resolved, is)| scaling(&resolved.target, is))
                .collect(),
            columns: columns.into_iter().map(|(_, column)| column).collect(),
            first: Arc::clone(&first.target),
        };
        Ok(Bind { state: Some(state), columns: types, rows: None })
    }

    fn init(rasters: &Option<Rasters>, columns: &[usize]) -> Result<Init<Scan>> {
        Ok(match rasters {
            Some(rasters) => Init { state: Scan::new(rasters, columns), max_threads: rasters.tiles.len() },
            None => Init { state: Scan::default(), max_threads: 1 },
        })
    }

    fn next(rasters: &Option<Rasters>, scan: &Scan, cursor: &mut Cursor, output: &mut OutputChunk<'_>) -> Result<()> {
        match rasters {
            Some(rasters) => cursor.next(rasters, scan, output),
            None => output.set_rows(0),
        }
    }
}

/// The rasters of a call.
enum Sources {
    /// One band of a file.
    Band(Source),
    /// Several bands of a file.
    Bands(Source, Vec<u32>),
    /// Several rasters by name.
    Named(Vec<(String, Source)>),
}

/// One raster.
struct Source {
    href: String,
    band_index: Option<u32>,
    scaled: bool,
}

/// The fields of a named source.
const FIELDS: [&Parameter; 3] = [&params::HREF, &params::BAND_INDEX, &params::SCALED];

impl Sources {
    fn of(info: &BindInfo) -> Result<Self> {
        let null = || Error::argument("href: expected a path or a URL, found NULL");
        let value = info.argument(0).filter(|value| !value.is_null()).ok_or_else(null)?;
        let (band_index, bands, scaled) = (params::band_index(info)?, params::bands(info)?, params::scaled(info));
        if band_index.is_some() && bands.is_some() {
            return Err(Error::argument("band_index, bands: expected one of them, found both"));
        }
        if value.id() == TypeId::Struct {
            if bands.is_some() {
                return Err(Error::argument(
                    "bands: not supported with named sources: use the band_index of each source",
                ));
            }
            let names = value.with_kind(LogicalType::fields);
            let named = names.into_iter().enumerate().map(|(at, (name, _))| {
                let source = value.field(at).map(|field| Source::of(&name, &field, band_index, scaled));
                Ok((name.clone(), source.unwrap_or_else(|| Err(Source::wrong(&name, "NULL")))?))
            });
            return Ok(Self::Named(named.collect::<Result<_>>()?));
        }
        let found =
            || Error::argument(format!("href: expected VARCHAR or a STRUCT of sources, found {}", value.type_name()));
        let source = Source { href: value.text().ok_or_else(found)?, band_index, scaled };
        Ok(match bands {
            Some(bands) => Self::Bands(source, bands),
            None => Self::Band(source),
        })
    }

    /// The columns of the result.
    fn columns(&self) -> Result<Vec<(String, Column)>> {
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

    /// Whether the values of each raster are scaled.
    fn scaled(&self) -> impl Iterator<Item = bool> {
        self.rasters().into_iter().map(|(source, _)| source.scaled).collect::<Vec<_>>().into_iter()
    }

    /// The requests of all rasters, without a geometry.
    fn requests(
        &self,
        session: &Session,
        level: LevelChoice,
        masked: bool,
        mask: Option<&Arc<MaskSource>>,
    ) -> Result<Vec<ReadRequest<'static>>> {
        let rasters = self.rasters();
        let hrefs: Vec<&str> = rasters.iter().map(|(source, _)| source.href.as_str()).collect();
        let mut files: Vec<(&str, Arc<RasterFile>)> = Vec::new();
        let requests = hrefs.iter().zip(session.headers(&hrefs)).zip(&rasters).map(|((href, cog), (_, band_index))| {
            let file = match files.iter().find(|(known, _)| known == href) {
                Some((_, file)) => Arc::clone(file),
                None => {
                    let file = Arc::new(RasterFile::new(Location::parse(href)?, &cog?));
                    files.push((href, Arc::clone(&file)));
                    file
                }
            };
            Ok(ReadRequest {
                file,
                level,
                band_index: *band_index,
                masked,
                mask: mask.map(Arc::clone),
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
    /// A named source: an href, or a STRUCT.
    fn of(name: &str, value: &Value, band_index: Option<u32>, scaled: bool) -> Result<Self> {
        if value.id() != TypeId::Struct {
            let href = value.text().filter(|_| !value.is_null());
            let href = href.ok_or_else(|| Self::wrong(name, &value.type_name()))?;
            return Ok(Self { href, band_index, scaled });
        }
        let (mut href, mut source) = (None, Self { href: String::new(), band_index, scaled });
        for (at, (field, kind)) in value.with_kind(LogicalType::fields).into_iter().enumerate() {
            let known = FIELDS.iter().find(|known| known.name.eq_ignore_ascii_case(&field));
            let Some(known) = known.filter(|known| known.value.accepts(&kind)) else {
                return Err(Self::wrong(name, &format!("the field {field} {kind}")));
            };
            let Some(found) = value.field(at).filter(|found| !found.is_null()) else { continue };
            if known.name == params::HREF.name {
                href = found.text();
            } else if known.name == params::SCALED.name {
                source.scaled = found.boolean().unwrap_or(scaled);
            } else {
                let band = found.integer().unwrap_or(-1);
                let wrong = |_| Self::wrong(name, &format!("band_index {band}"));
                source.band_index = Some(u32::try_from(band).map_err(wrong)?);
            }
        }
        Ok(Self { href: href.ok_or_else(|| Self::wrong(name, "no href"))?, ..source })
    }

    fn wrong(name: &str, found: &str) -> Error {
        Error::argument(format!(
            "sources: {name}: expected an href, or a STRUCT of href, band_index and scaled, found {found}"
        ))
    }
}
