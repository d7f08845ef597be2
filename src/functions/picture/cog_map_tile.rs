//! `cog_map_tile(href, metadata, z, x, y [, options])`: a tile of a web map.

use rasteret_cog::render::{MAX_TILE_SIZE, MapTile};
use rasteret_io::Session;
use rasteret_io::query::Frame;

use super::options::{self, BANDS, COLORMAP, PERCENTILES, RANGE, RESAMPLING, SCALED};
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::params;
use crate::functions::sources::{Geometries, SourceArguments};
use crate::options::Options;
use crate::vector::{Arguments, LogicalType, Reader, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_map_tile",
    kind: Kind::Scalar,
    signatures: &[
        "cog_map_tile(href VARCHAR, metadata STRUCT(…), z INTEGER, x INTEGER, y INTEGER) -> BLOB",
        "cog_map_tile(href VARCHAR, metadata STRUCT(…), z INTEGER, x INTEGER, y INTEGER, options STRUCT(…)) -> BLOB",
    ],
    description: "Draws a tile of a web map (web mercator, EPSG:3857) as PNG, from the coarsest level that suffices. Pixels are \
        transparent outside of the raster, and where a band is invalid (nodata, mask or alpha) or NaN. Options are those of \
        `cog_preview`. Percentiles are those of a small preview of the whole raster, so that all tiles of a raster have the same \
        range; `range` avoids reading it.",
    parameters: &[params::HREF, params::METADATA, ZOOM, COLUMN, ROW],
    options: &[
        BANDS,
        SIZE,
        RANGE,
        PERCENTILES,
        COLORMAP,
        RESAMPLING,
        params::MASKED,
        params::MASK,
        SCALED,
        params::ON_ERROR,
    ],
    returns: "A PNG of `size` x `size` pixels. NULL if no pixel of the tile is valid, including tiles outside of the raster: a web \
        server responds to these with status 204.",
    examples: &[
        Example {
            sql: "SELECT hex(tile[2:4]) = hex('PNG'::BLOB) AS is_png FROM (SELECT cog_map_tile('test/data/cog.tif', \
                  cog_metadata('test/data/cog.tif'), 14, 8328, 6109, {range: [0, 5000]}) AS tile)",
            result: "true",
        },
        Example { sql: "SELECT cog_map_tile('test/data/cog.tif', NULL, 14, 0, 0) AS tile", result: "NULL" },
    ],
};

const ZOOM: Parameter =
    Parameter { name: "z", value: ValueType::Integer, default: None, description: "The zoom, from 0 to 30." };

const COLUMN: Parameter = Parameter {
    name: "x",
    value: ValueType::Integer,
    default: None,
    description: "The column of the tile, from 0 at 180 degrees west.",
};

const ROW: Parameter = Parameter {
    name: "y",
    value: ValueType::Integer,
    default: None,
    description: "The row of the tile, from 0 in the north.",
};

const SIZE: Parameter = Parameter {
    name: "size",
    value: ValueType::Integer,
    default: Some("256"),
    description: "Width and height of the tile in pixels, for example 512 for displays of high resolution.",
};

/// The default of the option `size`.
const USUAL_SIZE: u32 = 256;

/// The scalar function.
pub(crate) struct CogMapTile;

impl ScalarFunction for CogMapTile {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        let of = LogicalType::of;
        let tile = || [TypeId::Bigint; 3].map(of);
        let overload = |options: Option<LogicalType>| Signature {
            parameters: [LogicalType::varchar(), of(TypeId::Any)].into_iter().chain(tile()).chain(options).collect(),
            returns: of(TypeId::Blob),
        };
        vec![overload(None), overload(Some(of(TypeId::Any)))]
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let options = Options::new(arguments.optional(5), DOC.options)?;
        let call = SourceArguments::of_rows(arguments, 2, Geometries::Whole, options)?;
        let numbers = [arguments.required(2)?, arguments.required(3)?, arguments.required(4)?];
        let rows = call.resolve(session, |source| {
            let size = options::size(&source.options, &SIZE, USUAL_SIZE, MAX_TILE_SIZE)?;
            let Some(tile) = tile(numbers, source.row, size)? else { return Ok(None) };
            options::picture_options(source, Frame::Tile(tile)).map(Some)
        })?;
        // A row with a NULL among its numbers has no tile.
        let rows: Vec<_> =
            rows.into_iter().map(|row| row.and_then(|(resolved, options)| Some((resolved, options?)))).collect();
        output.texts(session.pictures(&rows)?)
    }
}

/// The tile of a row; None if one of its numbers is NULL.
fn tile(numbers: [&Reader<'_>; 3], row: usize, size: u32) -> Result<Option<MapTile>> {
    let [zoom, x, y] = numbers.map(|reader| if reader.is_null(row) { None } else { reader.integer(row) });
    let (Some(zoom), Some(x), Some(y)) = (zoom, x, y) else { return Ok(None) };
    MapTile::new(zoom, x, y, size).map(Some).map_err(Error::from)
}
