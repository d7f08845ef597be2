//! `cog_map_tile(href, metadata, z, x, y [, options])`: a tile of a web map, of one raster or of a list of them.

use rasteret_cog::render::{MAX_TILE_SIZE, MapTile};
use rasteret_cog::warp::Composite;
use rasteret_io::Session;
use rasteret_io::query::{Frame, PictureOptions, PictureRow};

use super::options::{self, BANDS, COLORMAP, PERCENTILES, RANGE, RESAMPLING, SCALED, SourceOptions};
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
        "cog_map_tile(sources ANY, z INTEGER, x INTEGER, y INTEGER) -> BLOB",
        "cog_map_tile(sources ANY, z INTEGER, x INTEGER, y INTEGER, options STRUCT(…)) -> BLOB",
    ],
    description: "Draws a tile of a web map (web mercator, EPSG:3857) as PNG, from the coarsest level that suffices. Pixels are \
        transparent outside of the raster, and where a band is invalid (nodata, mask or alpha) or NaN. Options are those of \
        `cog_preview`. Of a list of sources, the first one with a valid value counts in each pixel, or their values are combined by \
        `method` as in `cog_mosaic`; sources that do not meet the tile are not read. Percentiles are those of a small preview of the \
        whole raster, of a list its first source that can be read, so that all tiles have the same range; `range` avoids reading it.",
    parameters: &[params::HREF, params::METADATA, SOURCES, ZOOM, COLUMN, ROW],
    options: &[
        BANDS,
        SIZE,
        RANGE,
        PERCENTILES,
        COLORMAP,
        params::COMPOSITE,
        RESAMPLING,
        params::MASKED,
        params::MASK,
        SCALED,
        Parameter {
            description: "`'fail'`: a file that cannot be read fails the query. `'null'`: its tile is NULL; of a list, \
                it is skipped. See [errors](parameters.md#errors).",
            ..params::ON_ERROR
        },
    ],
    returns: "A PNG of `size` x `size` pixels. NULL if no pixel of the tile is valid, including tiles outside of the rasters: a web \
        server responds to these with status 204.",
    examples: &[
        Example {
            sql: "SELECT hex(tile[2:4]) = hex('PNG'::BLOB) AS is_png FROM (SELECT cog_map_tile('test/data/cog.tif', \
                  cog_metadata('test/data/cog.tif'), 14, 8328, 6109, {range: [0, 5000]}) AS tile)",
            result: "true",
        },
        Example {
            sql: "SELECT octet_length(cog_map_tile(['test/data/cog.tif', 'test/data/cog_b.tif'], 14, 8328, 6109, {range: [0, 5000], \
                  method: 'max'})) > 0 AS is_drawn",
            result: "true",
        },
        Example { sql: "SELECT cog_map_tile('test/data/cog.tif', NULL, 14, 0, 0) AS tile", result: "NULL" },
    ],
};

const SOURCES: Parameter = Parameter {
    value: ValueType::Other("VARCHAR[], STRUCT(href, metadata, …) or a list of them"),
    description: "The rasters of a tile, in the order in which they are drawn: hrefs, or STRUCTs with `href` and \
        optionally `metadata`, `band_index` or `bands`, `mask`, `resampling` and `scaled`, which override the options. \
        NULL sources are skipped. See [sources](parameters.md#sources).",
    ..params::SOURCES
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
        let of = |types: &[TypeId]| Signature {
            parameters: types.iter().copied().map(LogicalType::of).collect(),
            returns: LogicalType::of(TypeId::Blob),
        };
        use TypeId::{Any, Bigint, Varchar};
        vec![
            of(&[Varchar, Any, Bigint, Bigint, Bigint, Any]),
            // With and without options: with a specific type, DuckDB would prefer one of both for a NULL.
            of(&[Varchar, Any, Any, Any, Any]),
            of(&[Any, Any, Any, Any, Any]),
            of(&[Any, Bigint, Bigint, Bigint]),
        ]
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let first = match arguments.required(0)?.kind().id() {
            TypeId::SqlNull => return output.texts(vec![None::<Vec<u8>>; arguments.rows()]),
            TypeId::Varchar | TypeId::StringLiteral => 2,
            _ => 1,
        };
        if arguments.count() < first + 3 {
            return Err(Error::argument(
                "expected href, metadata, z, x and y, or a LIST of sources, z, x and y, found a VARCHAR and 3 further arguments",
            ));
        }
        let options = Options::new(arguments.optional(first + 3), DOC.options)?;
        let numbers = [
            number(arguments, first, &ZOOM)?,
            number(arguments, first + 1, &COLUMN)?,
            number(arguments, first + 2, &ROW)?,
        ];
        let of_rows = (0..arguments.rows()).map(|row| {
            let options = options.row(row);
            let size = options::size(&options, &SIZE, USUAL_SIZE, MAX_TILE_SIZE)?;
            // A row with a NULL among its numbers has no tile.
            let Some(tile) = tile(numbers, row, size)? else { return Ok(None) };
            let options = options::picture_options(&options, Frame::Tile(tile))?;
            // Several sources are combined also by the default method.
            let composite = options.composite.or((first == 1).then_some(Composite::First));
            Ok(Some(PictureOptions { composite, ..options }))
        });
        let of_rows = of_rows.collect::<Result<Vec<_>>>()?;
        let call = match first {
            1 => SourceArguments::of_images(arguments, Geometries::Whole, options)?,
            _ => SourceArguments::of_rows(arguments, first, Geometries::Whole, options)?,
        };
        let mut resolved = call.resolve(session, SourceOptions::of)?.into_iter();
        let rows = of_rows.into_iter().enumerate().map(|(row, options)| {
            let length = if first == 1 { call.lengths().get(row).copied().flatten().unwrap_or(0) } else { 1 };
            let sources = resolved.by_ref().take(length).flatten().map(|(resolved, source)| source.picture(resolved));
            let sources: Vec<_> = sources.collect();
            Some(PictureRow { sources, options: options? })
        });
        output.texts(session.pictures(&rows.collect::<Vec<_>>())?)
    }
}

/// An argument that is an integer.
fn number<'a>(arguments: &'a Arguments<'a>, at: usize, parameter: &Parameter) -> Result<&'a Reader<'a>> {
    let reader = arguments.required(at)?;
    let kind = reader.kind();
    if kind.id() != TypeId::SqlNull && !parameter.value.accepts(kind) {
        return Err(Error::argument(format!("{}: expected an integer, found {kind}", parameter.name)));
    }
    Ok(reader)
}

/// The tile of a row; None if one of its numbers is NULL.
fn tile(numbers: [&Reader<'_>; 3], row: usize, size: u32) -> Result<Option<MapTile>> {
    let [zoom, x, y] = numbers.map(|reader| if reader.is_null(row) { None } else { reader.integer(row) });
    let (Some(zoom), Some(x), Some(y)) = (zoom, x, y) else { return Ok(None) };
    MapTile::new(zoom, x, y, size).map(Some).map_err(Error::from)
}
