//! `cog_mosaic(sources [, geometry] [, options])`: one image of several rasters.

use rasteret_cog::warp::Composite;
use rasteret_io::Session;
use rasteret_io::query::{MosaicRow, ReadRequest, ResolvedRead, SourceBand};

use super::cog_read::ALL_TOUCHED;
use super::windows::{self, RowWindows, WINDOW};
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::grids::Grids;
use crate::functions::params;
use crate::functions::sources::{Geometries, SourceArguments};
use crate::options::{OptionValues, Options, RowOptions};
use crate::schema::Field;
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_mosaic",
    kind: Kind::Scalar,
    signatures: &[
        "cog_mosaic(sources ANY) -> STRUCT(…)",
        "cog_mosaic(sources ANY, options STRUCT(…)) -> STRUCT(…)",
        "cog_mosaic(sources ANY, geometry ANY) -> STRUCT(…)",
        "cog_mosaic(sources ANY, geometry ANY, options STRUCT(…)) -> STRUCT(…)",
    ],
    description: "Combines several rasters to one image, for example the median of the scenes of a season without their \
        clouds. The grid is that of the first source, in all directions, unless `grid` names another; other sources are \
        resampled to it. The image is made block by block, with all sources of a block in flight together, in bounded \
        memory. Sources that do not meet a block are not read for it. `COPY … (FORMAT cog)` writes the result to a file.",
    parameters: &[
        Parameter {
            value: ValueType::Other("VARCHAR, STRUCT(href, metadata, …) or a list of them"),
            description: "The rasters: hrefs, or STRUCTs with `href` and optionally `metadata`, `band_index` or `bands`, \
                `mask`, `resampling` and `scaled`, which override the options. NULL sources are skipped. See \
                [sources](parameters.md#sources).",
            ..params::SOURCES
        },
        Parameter {
            default: Some("all sources"),
            description: "A geometry or a box; see [geometry](parameters.md#geometry). Pixels outside of it are \
                invalid. If omitted or an untyped `NULL`, the image covers all sources, or the whole `grid` if that has \
                a size; a [typed NULL](parameters.md#null-geometries) has a NULL result.",
            ..params::GEOMETRY
        },
    ],
    options: &[
        params::COMPOSITE,
        params::GEOMETRY_CRS,
        Parameter {
            description: "The grid of the image: `{crs, resolution}`, `{match: metadata}` or `{crs, transform, width, \
                height}`. By default that of the first source, in all directions. See [grids](parameters.md#grids).",
            ..params::GRID
        },
        params::GRID_RESAMPLING,
        params::BAND_INDEX,
        Parameter {
            default: None,
            description: "Several bands of the image, each combined from this band of all sources.",
            ..params::BANDS
        },
        params::IMAGE_LEVEL,
        params::MASKED,
        params::MASK,
        params::SCALED,
        Parameter {
            description: "`'fail'`: a file that cannot be read fails the query. `'null'`: it is skipped. See \
                [errors](parameters.md#errors).",
            ..params::ON_ERROR
        },
        ALL_TOUCHED,
    ],
    returns: "The STRUCT of `cog_read`. For `'first'`, `'last'`, `'min'` and `'max'`, `dtype` and `nodata` are those of \
        the sources, which must have one type. Other results are FLOAT, or DOUBLE for doubles and integers of 32 bits \
        and more; invalid pixels are then NaN. `'count'` is valid everywhere inside the geometry. NaN is never a value. \
        Without a `grid`, `col_off` and `row_off` refer to the first source, and may be negative. NULL without sources, \
        for an empty geometry, and outside of a grid with a size.",
    examples: &[
        Example {
            sql: "SELECT m.width, m.height, m.dtype, hex(m.data) AS data FROM (SELECT cog_mosaic(['test/data/cog.tif', \
                  'test/data/cog_b.tif'], {xmin: 500000, ymin: 4599980, xmax: 500020, ymax: 4600000}, {geometry_crs: 'native', \
                  method: 'max'}) AS m)",
            result: "2\t2\tuint16\t00000300C000C300",
        },
        Example {
            sql: "SELECT m.width, m.height, m.dtype, m.transform FROM (SELECT cog_mosaic(['test/data/cog.tif', 'test/data/classes.tif'], \
                  {method: 'median', grid: {crs: 'EPSG:3857', resolution: 100}, scaled: true}) AS m)",
            result: "10\t10\tfloat64\t[100.0, 0.0, 333900.0, 0.0, -100.0, 5094100.0]",
        },
    ],
};

/// The options of a row that concern the whole image.
struct ImageOptions {
    composite: Composite,
    all_touched: bool,
}

impl ImageOptions {
    fn of(options: &RowOptions<'_>) -> Result<Self> {
        let composite = params::composite(options)?.unwrap_or(Composite::First);
        Ok(Self { composite, all_touched: options.boolean(&ALL_TOUCHED).unwrap_or(false) })
    }
}

/// The scalar function.
pub(crate) struct CogMosaic;

impl ScalarFunction for CogMosaic {
    const DOC: &'static Documentation = &DOC;
    // DuckDB would evaluate constant calls while it plans a query, several times, keep the pixels in the plan and write them out as text.
    const VOLATILE: bool = true;

    fn signatures() -> Vec<Signature> {
        let anys = |count: usize| (0..count).map(|_| LogicalType::of(TypeId::Any)).collect();
        [1, 2, 3].map(|count| Signature { parameters: anys(count), returns: Field::struct_of(WINDOW) }).into()
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let given = [arguments.optional(1), arguments.optional(2)];
        let (geometry, options) = Options::with_geometry(given, DOC.options);
        let geometries = Geometries::or_whole(geometry)?;
        let options = Options::new(options, DOC.options)?;
        let grids = Grids::new(options.column(&params::GRID), arguments.rows())?;
        let of_rows =
            (0..arguments.rows()).map(|row| ImageOptions::of(&options.row(row))).collect::<Result<Vec<_>>>()?;
        let call = SourceArguments::of_images(arguments, geometries, options)?;
        let mosaics = session.plan_mosaics(rows(session, &call, &of_rows, &grids)?)?;
        let rows = mosaics.into_iter().map(|mosaic| mosaic.map(RowWindows::of_mosaic));
        windows::write_rows(session, &rows.collect::<Vec<_>>(), &mut output)
    }
}

/// The rows of a call, each with the sources of its bands.
fn rows<'a>(
    session: &Session,
    call: &'a SourceArguments<'a>,
    of_rows: &[ImageOptions],
    grids: &Grids,
) -> Result<Vec<Option<MosaicRow<'a>>>> {
    let resolved = call.resolve(session, |source| {
        Ok((source.bands()?, source.resampling()?, params::is_grid_level(&source.options)?, source.scaled()))
    })?;
    let mut resolved = resolved.into_iter();
    let mut rows = Vec::with_capacity(of_rows.len());
    for (row, (length, options)) in call.lengths().iter().zip(of_rows).enumerate() {
        let mut bands: Vec<Vec<SourceBand<'a>>> = Vec::new();
        for source in resolved.by_ref().take(length.unwrap_or(0)) {
            let Some((read, (of_source, resampling, auto_level, scaled))) = source else { continue };
            if bands.is_empty() {
                bands.resize_with(of_source.len(), Vec::new);
            }
            if bands.len() != of_source.len() {
                let (expected, found) = (bands.len(), of_source.len());
                return Err(Error::argument(format!(
                    "bands: expected as many bands of each source as of the first, {expected}, found {found}"
                )));
            }
            for (band, band_index) in bands.iter_mut().zip(of_source) {
                let request = ReadRequest { band_index, ..read.request.clone() };
                let resolved = ResolvedRead { request, target: read.target.clone() };
                band.push(SourceBand { resolved, resampling, auto_level, scaled });
            }
        }
        let ImageOptions { composite, all_touched } = *options;
        let grid = grids.of_row(row).cloned();
        rows.push(length.map(|_| MosaicRow { bands, grid, composite, all_touched }));
    }
    Ok(rows)
}
