//! `cog_pixels(sources, geometry [, options])`: the pixels covered by the geometry of a row, as a list.

use rasteret_cog::zonal;
use rasteret_io::Session;
use rasteret_io::query::{PixelRow, PixelTable, SourceBand};

use crate::documentation::{Documentation, Example, Kind, Parameter};
use crate::error::Result;
use crate::functions::grids::Grids;
use crate::functions::params;
use crate::functions::sources::SourceArguments;
use crate::options::Options;
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_pixels",
    kind: Kind::Scalar,
    signatures: &[
        "cog_pixels(sources ANY, geometry ANY) -> STRUCT(col INTEGER, row INTEGER, x DOUBLE, y DOUBLE, coverage DOUBLE, values DOUBLE[])[]",
        "cog_pixels(sources ANY, geometry ANY, options STRUCT(…)) -> STRUCT(…)[]",
    ],
    description: "Returns the pixels covered by a geometry as a list, with the values of several rasters. Use it with \
        `unnest` to read the pixels of each row of a table; for a single geometry, use the table function of the same \
        name.",
    parameters: &[params::SOURCES, params::GEOMETRY],
    options: &[
        params::GEOMETRY_CRS,
        params::BAND_INDEX,
        params::GRID_LEVEL,
        params::RESOLUTION,
        params::MASKED,
        params::MASK,
        params::SCALED,
        params::METHOD,
        Parameter {
            description: "The grid of the pixels: `{crs, resolution}`, `{match: metadata}` or `{crs, transform, width, \
                height}`; without it, that of the first source. See [grids](parameters.md#grids).",
            ..params::GRID
        },
        params::TABLE_RESAMPLING,
        params::ON_ERROR,
    ],
    returns: "A list of STRUCTs in row-major order: `col` and `row` in the grid, which is that of the first \
        source unless `grid` names another, `x` and `y`, the centre of the pixel in its CRS, `coverage`, and `values`, \
        one per source in their order, NULL if nodata or masked, and for a NULL source. Empty if the geometry covers \
        no pixels; NULL for NULL.",
    examples: &[Example {
        sql: "SELECT p.col, p.row, p.coverage, p.values FROM (SELECT unnest(cog_pixels(['test/data/cog.tif', 'test/data/classes.tif'], \
                  {xmin: 500010, ymin: 4599980, xmax: 500025, ymax: 4599990}, {geometry_crs: 'native'})) AS p)",
        result: "1\t1\t1.0\t[65.0, NULL]\n2\t1\t0.5\t[66.0, 1.0]",
    }],
};

/// The scalar function.
pub(crate) struct CogPixelsScalar;

impl ScalarFunction for CogPixelsScalar {
    const DOC: &'static Documentation = &DOC;
    // DuckDB would evaluate constant calls while it plans a query, several times, keep the pixels in the plan and write them out as text.
    const VOLATILE: bool = true;

    fn signatures() -> Vec<Signature> {
        let anys = |count: usize| (0..count).map(|_| LogicalType::of(TypeId::Any)).collect();
        [2, 3].map(|count| Signature { parameters: anys(count), returns: returned() }).into()
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let options = Options::new(arguments.optional(2), DOC.options)?;
        let grids = Grids::new(options.column(&params::GRID), arguments.rows())?;
        let call = SourceArguments::of_lists(arguments, options)?;
        let resolved = call.resolve(session, |source| {
            let method = params::method(&source.options)?;
            Ok((source.resampling()?, params::is_grid_level(&source.options)?, source.scaled(), method))
        })?;
        let mut resolved = resolved.into_iter();
        let mut rows = Vec::new();
        for (row, length) in call.lengths().iter().enumerate() {
            let Some(length) = length else { continue };
            let mut weights = zonal::Method::Fraction;
            let rasters = resolved.by_ref().take(*length).map(|source| {
                let (resolved, (resampling, auto_level, scaled, of_row)) = source?;
                weights = of_row;
                Some(SourceBand { resolved, resampling, auto_level, scaled })
            });
            let rasters = rasters.collect();
            rows.push(PixelRow { rasters, grid: grids.of_row(row).cloned(), method: weights });
        }
        let tables = session.pixel_tables(rows)?;
        write(call.lengths(), &tables, &mut output)
    }
}

fn returned() -> LogicalType {
    let double = || LogicalType::of(TypeId::Double);
    LogicalType::list(&LogicalType::structure([
        ("col", LogicalType::of(TypeId::Integer)),
        ("row", LogicalType::of(TypeId::Integer)),
        ("x", double()),
        ("y", double()),
        ("coverage", double()),
        ("values", LogicalType::list(&double())),
    ]))
}

/// Writes the pixel tables of rows, in order; None is NULL.
fn write(lengths: &[Option<usize>], tables: &[PixelTable], output: &mut Writer<'_>) -> Result<()> {
    let pixels_of = |table: &PixelTable| table.runs.iter().map(|run| (run.end - run.start) as usize).sum::<usize>();
    let mut counts = tables.iter().map(pixels_of);
    let counts: Vec<Option<usize>> = lengths.iter().map(|length| length.and_then(|_| counts.next())).collect();
    let mut pixels = output.lists(&counts)?;
    let runs = || tables.iter().flat_map(|table| table.runs.iter().map(move |run| (table, run)));
    let places = || runs().flat_map(|(table, run)| (run.start..run.end).map(move |col| (table, run, col)));
    let centre = |table: &PixelTable, col: u32, row: u32| {
        Some(table.transform?.forward(f64::from(col) + 0.5, f64::from(row) + 0.5))
    };
    pixels.field(0)?.values(places().map(|(_, _, col)| i32::try_from(col).ok()))?;
    pixels.field(1)?.values(places().map(|(_, run, _)| i32::try_from(run.row).ok()))?;
    pixels.field(2)?.values(places().map(|(table, run, col)| Some(centre(table, col, run.row)?.0)))?;
    pixels.field(3)?.values(places().map(|(table, run, col)| Some(centre(table, col, run.row)?.1)))?;
    pixels.field(4)?.values(places().map(|(_, run, _)| Some(run.weight)))?;
    let values = tables.iter().flat_map(|table| {
        (0..pixels_of(table)).flat_map(move |at| table.values.iter().map(move |values| *values.as_ref()?.get(at)?))
    });
    let of_pixels: Vec<_> = tables.iter().flat_map(|table| vec![Some(table.values.len()); pixels_of(table)]).collect();
    pixels.field(5)?.lists(&of_pixels)?.values(values)
}
