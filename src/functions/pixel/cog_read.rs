//! `cog_read(href [, metadata [, geometry] [, options]])`: the pixels of a window.
//!
//! An argument after the metadata is interpreted as the options if it is a STRUCT with only option names as fields,
//! which no geometry is.

use rasteret_cog::pixel::WindowOptions;
use rasteret_io::Session;

use super::windows::{self, WINDOW, WindowRequest};
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::Result;
use crate::functions::grids::Grids;
use crate::functions::params;
use crate::functions::sources::{self, Geometries, SourceArguments};
use crate::options::{OptionValues, Options};
use crate::schema::Field;
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_read",
    kind: Kind::Scalar,
    signatures: &[
        "cog_read(href VARCHAR) -> STRUCT(…)",
        "cog_read(href VARCHAR, metadata STRUCT(…)) -> STRUCT(…)",
        "cog_read(href VARCHAR, metadata STRUCT(…), options STRUCT(…)) -> STRUCT(…)",
        "cog_read(href VARCHAR, metadata STRUCT(…), geometry ANY) -> STRUCT(…)",
        "cog_read(href VARCHAR, metadata STRUCT(…), geometry ANY, options STRUCT(…)) -> STRUCT(…)",
    ],
    description: "Reads the pixels of the window around a geometry, like `rasterio.mask(crop=True)`. Pixels outside \
        the geometry are filled with nodata, or with 0 if the file has no nodata value. Without a geometry, the whole \
        image is read unchanged. Rows of a query share tiles: each tile is fetched and decoded once.",
    parameters: &[params::HREF, params::METADATA, params::OPTIONAL_GEOMETRY],
    options: &[
        params::GEOMETRY_CRS,
        params::BAND_INDEX,
        Parameter {
            description: "Several bands, counted from 0, instead of `band_index`; `data` contains them one after the \
                other.",
            ..params::BANDS
        },
        params::GRID_LEVEL,
        params::RESOLUTION,
        params::MASKED,
        params::MASK,
        params::GRID,
        params::GRID_RESAMPLING,
        Parameter {
            description: "Whether the [scale and offset](parameters.md#scale-and-offset) in the metadata are applied; \
                `data` is then DOUBLE, and NaN where a pixel is nodata.",
            ..params::SCALED
        },
        params::ON_ERROR,
        ALL_TOUCHED,
    ],
    returns: "`width`, `height`, `col_off`, `row_off` (in pixels of the level), `transform` (of the window), `crs`, \
        `dtype`, `nodata`, `data` (row-major, little-endian, in `dtype`: `np.frombuffer(data, dtype).reshape(height, \
        width)`), `mask` (one byte per pixel: 255 for valid, 0 for invalid) and `bands`, the number of bands. With \
        the option `bands`, `data` contains the bands one after the other (`reshape(bands, height, width)`), and a \
        pixel is valid if it is valid in all of them. With the option `grid`, the window is one of that grid: its box \
        around the geometry, or the whole grid. NULL if the geometry is outside the image or the grid, and for a \
        typed NULL geometry.",
    examples: &[
        Example {
            sql: "SELECT r.width, r.height, r.col_off, r.row_off, r.dtype, hex(r.data) AS data, hex(r.mask) AS mask FROM (SELECT \
                  cog_read('test/data/cog.tif', NULL, 'POLYGON((500010 4599980, 500030 4599980, 500030 4599990, 500010 4599980))', \
                  {geometry_crs: 'native', all_touched: true}) AS r)",
            result: "2\t1\t1\t1\tuint16\t41004200\tFFFF",
        },
        Example {
            sql: "SELECT r.width, r.height, octet_length(r.data) AS bytes FROM (SELECT cog_read('test/data/cog.tif', \
                  cog_metadata('test/data/cog.tif'), {level: 'auto', resolution: 40}) AS r)",
            result: "16\t16\t512",
        },
        Example {
            sql: "SELECT r.bands, r.width, r.height, octet_length(r.data) AS bytes, octet_length(r.mask) AS pixels \
                  FROM (SELECT cog_read('test/data/rgba.tif', NULL, {bands: [2, 0]}) AS r)",
            result: "2\t32\t32\t2048\t1024",
        },
    ],
};

pub(super) const ALL_TOUCHED: Parameter = Parameter {
    name: "all_touched",
    value: ValueType::Boolean,
    default: Some("false"),
    description: "If true, all pixels touched by the geometry are included, otherwise pixels whose centre is inside.",
};

/// The scalar function.
pub(crate) struct CogRead;

impl ScalarFunction for CogRead {
    const DOC: &'static Documentation = &DOC;
    // DuckDB would evaluate constant calls while it plans a query, several times, keep the pixels in the plan and write them out as text.
    const VOLATILE: bool = true;

    fn signatures() -> Vec<Signature> {
        let any = || LogicalType::of(TypeId::Any);
        let fewer = [vec![LogicalType::varchar()], vec![LogicalType::varchar(), any()]];
        let fewer = fewer.map(|parameters| Signature { parameters, returns: Field::struct_of(WINDOW) });
        fewer.into_iter().chain(sources::row_signatures(|| Field::struct_of(WINDOW))).collect()
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let given = [arguments.optional(2), arguments.optional(3)];
        let (geometry, options) = Options::with_geometry(given, DOC.options);
        let geometries = Geometries::or_whole(geometry)?;
        let options = Options::new(options, DOC.options)?;
        let grids = Grids::new(options.column(&params::GRID), arguments.rows())?;
        let call = SourceArguments::of_rows(arguments, 3, geometries, options)?;
        let resolved = call.resolve(session, |source| {
            let all_touched = source.options.boolean(&ALL_TOUCHED).unwrap_or(false);
            let options = WindowOptions { all_touched, scaled: source.scaled() };
            let warp = params::warp_options(&source.options, grids.of_row(source.row), options)?;
            Ok(WindowRequest { options, bands: params::bands(&source.options)?, warp })
        })?;
        windows::write(session, resolved, &mut output)
    }
}
