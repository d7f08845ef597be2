//! `FROM cog_pixels(href, geometry, …)`: one row per pixel.

use rasteret_io::Session;
use rasteret_io::query::{PixelRow, ReadRequest};

use super::pixel_scan::{Cursor, Rasters, Scan};
use super::pixel_sources::Sources;
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::Result;
use crate::functions::{grids, params};
use crate::geometry::{ConstantGeometry, GeometryArgument, geometry_type};
use crate::options::OptionValues;
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction, TypeId};

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
            description: "Named rasters: hrefs, or STRUCTs of `href`, `band_index`, `scaled`, `mask`, `resampling` and `name`. \
                `band_index`, `scaled` and `mask` override the options of the same names, and `name` the name of the \
                column, and `resampling`, which overrides the option. The rows are the pixels of the first raster, \
                or those of `grid`.",
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
        params::GEOMETRY_CRS,
        Parameter { description: "The band, counted from 0.", ..params::BAND_INDEX },
        Parameter {
            description: "Several bands, counted from 0, instead of `band_index`; they form the column \
            `values`.",
            ..params::BANDS
        },
        params::GRID_LEVEL,
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
        Parameter {
            description: "The grid whose pixels are the rows: `{crs, resolution}`, `{match: metadata}` or `{crs, \
                transform, width, height}`; without it, the pixels of the first raster. See \
                [grids](parameters.md#grids).",
            ..params::GRID
        },
        params::TABLE_RESAMPLING,
    ],
    returns: "`level`, `band_index`, `col`, `row`, `x` and `y` (the centre of the pixel in the CRS of the grid), `value` \
        (NULL if nodata or masked) and `coverage`, the weight of the pixel, from which medians, histograms and \
        weighted quantiles can be computed in SQL. With `bands`, `values` DOUBLE[] replaces `band_index` and `value`. \
        With named sources, there is one column per source. With `grid`, `col` and \
        `row` are those of the grid, as in `cog_read`, and `level` is the one that is read of the first raster. No \
        rows for a typed NULL geometry, and for a geometry outside the image or the grid.",
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
        Example {
            sql: "SELECT count(a) AS valid, count(*) AS pixels FROM cog_pixels({a: {href: 'test/data/cog.tif', \
                  mask: {href: 'test/data/classes.tif', keep: [4, 5]}}}, NULL)",
            result: "512\t4096",
        },
    ],
};

/// The table function.
pub(crate) struct CogPixels;

impl TableFunction for CogPixels {
    /// None for a NULL geometry, and for one outside of the grid: without pixels.
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
        let grid = grids::constant(info.named(params::GRID.name))?;
        let crs = info.text(&params::GEOMETRY_CRS);
        let columns = sources.columns()?;
        let types = columns.iter().map(|(name, column)| (name.clone(), column.logical_type())).collect();
        let geometry = match geometry {
            GeometryArgument::Null => return Ok(Bind { state: None, columns: types, rows: Some(0) }),
            GeometryArgument::Absent => None,
            GeometryArgument::Given(geometry) => Some(geometry),
        };
        let requests = sources.requests(session, level, params::masked(info))?;
        let requests = requests.into_iter().map(|request| {
            Some(ReadRequest {
                geometry: geometry.as_ref().map(ConstantGeometry::encoded),
                geometry_crs: crs.as_deref(),
                type_crs: geometry.as_ref().and_then(ConstantGeometry::type_crs),
                ..request
            })
        });
        let resolved = session.prepare(requests.collect())?.into_iter().flatten();
        let rasters = sources.bands(resolved, params::is_grid_level(info)?);
        let mut plans = session.plan_pixels(vec![PixelRow { rasters, grid, method }])?;
        let Some(plan) = plans.pop().flatten() else {
            return Ok(Bind { state: None, columns: types, rows: Some(0) });
        };
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        let state = Rasters { session: session.clone(), tiles: plan.tiles(session)?, plan, columns };
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
