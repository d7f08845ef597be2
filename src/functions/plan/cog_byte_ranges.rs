//! `cog_byte_ranges(tiles [, options])`: the byte ranges requested to fetch tiles.

use std::ops::Range;

use rasteret_cog::CoalesceConfig;
use rasteret_io::Session;

use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::options::{OptionValues, Options};
use crate::schema::{Field, field, plain};
use crate::vector::{Arguments, LogicalType, Reader, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_byte_ranges",
    kind: Kind::Scalar,
    signatures: &[
        "cog_byte_ranges(tiles STRUCT(…)[]) -> STRUCT(range_offset BIGINT, range_length BIGINT, tile_count INTEGER)[]",
        "cog_byte_ranges(tiles STRUCT(…)[], options STRUCT(…)) -> STRUCT(…)[]",
    ],
    description: "Returns the byte ranges requested to fetch tiles of one file. Tiles that are close to each other \
        are fetched in one request, and large ranges are split. Use it to compute the requests and bytes of a query \
        in advance.",
    parameters: &[Parameter {
        name: "tiles",
        value: ValueType::Other("STRUCT(…)[]"),
        default: None,
        description: "The result of `cog_tiles_for_geometry`, or any list of STRUCTs with `tile_offset` and \
            `tile_byte_count`. Use `flatten(list(tiles))` for several geometries: tiles that they share are counted \
            once. Sparse tiles need no request.",
    }],
    options: &[MAX_GAP, MAX_SIZE],
    returns: "A list of `range_offset`, `range_length` and `tile_count`, the number of distinct tiles that begin in \
        the range, ordered by offset; NULL for NULL.",
    examples: &[Example {
        sql: "SELECT r.range_offset, r.range_length, r.tile_count FROM (SELECT unnest(cog_byte_ranges([{tile_offset: 1000, \
              tile_byte_count: 500}, {tile_offset: 1600, tile_byte_count: 400}])) AS r)",
        result: "1000\t1000\t2",
    }],
};

const MAX_GAP: Parameter = Parameter {
    name: "max_gap",
    value: ValueType::Integer,
    default: Some("262144"),
    description: "The maximum gap between two tiles of a request in bytes. A round trip to an object store takes as \
        long as a megabyte on one connection, but every byte costs money.",
};

const MAX_SIZE: Parameter = Parameter {
    name: "max_size",
    value: ValueType::Integer,
    default: Some("8388608"),
    description: "The maximum size of a request in bytes. A single connection does not use the full bandwidth, so \
        larger ranges are faster in parallel parts.",
};

/// A request.
struct Request {
    range: Range<u64>,
    tiles: usize,
}

const REQUEST: &[Field<Request>] = &[
    field("range_offset", plain!(Bigint, |request| i64::try_from(request.range.start).ok())),
    field("range_length", plain!(Bigint, |request| i64::try_from(request.range.end - request.range.start).ok())),
    field("tile_count", plain!(Integer, |request| i32::try_from(request.tiles).ok())),
];

/// The scalar function.
pub(crate) struct CogByteRanges;

impl ScalarFunction for CogByteRanges {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        let signature = |parameters: usize| Signature {
            parameters: (0..parameters).map(|_| LogicalType::of(TypeId::Any)).collect(),
            returns: LogicalType::list(&Field::struct_of(REQUEST)),
        };
        vec![signature(1), signature(2)]
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let tiles = arguments.required(0)?;
        let options = Options::new(arguments.optional(1), DOC.options)?;
        check(tiles)?;
        let default = CoalesceConfig::default();
        let mut requests: Vec<Request> = Vec::new();
        let mut lengths = Vec::with_capacity(arguments.rows());
        for row in 0..arguments.rows() {
            let Some(ranges) = ranges(tiles, row)? else {
                lengths.push(None);
                continue;
            };
            let options = options.row(row);
            let max_gap = options.integer(&MAX_GAP, "bytes, 0 or more")?.unwrap_or(default.max_gap);
            let max_size = options.integer(&MAX_SIZE, "bytes, 1 or more")?.unwrap_or(default.max_size);
            if max_size == 0 {
                return Err(Error::argument("max_size: expected at least 1 byte, found 0"));
            }
            let before = requests.len();
            let coalesce = CoalesceConfig { max_gap, max_size };
            let count = coalesce.request_count(&ranges).max(ranges.len() as u64);
            session.check_memory(count.saturating_mul(2 * size_of::<Request>() as u64), || {
                format!("{count} requests of at most {max_size} bytes (max_size)")
            })?;
            let served = coalesce.serve(&ranges);
            requests.extend(served.into_iter().map(|(range, tiles)| Request { range, tiles }));
            lengths.push(Some(requests.len() - before));
        }
        Field::write_struct(REQUEST, &mut output.lists(&lengths)?, &requests.iter().map(Some).collect::<Vec<_>>())
    }
}

/// Checks that the argument is a list of tiles.
fn check(tiles: &Reader<'_>) -> Result<()> {
    let kind = tiles.kind();
    let element = kind.element().filter(|_| kind.id() == TypeId::List);
    let fits = match element {
        Some(element) if element.id() == TypeId::Struct => {
            let has = |name: &str| element.fields().iter().any(|(field, _)| field.eq_ignore_ascii_case(name));
            has("tile_offset") && has("tile_byte_count")
        }
        Some(element) => element.id() == TypeId::SqlNull,
        None => kind.id() == TypeId::SqlNull,
    };
    if fits {
        return Ok(());
    }
    Err(Error::argument(format!(
        "tiles: expected a list of STRUCTs with tile_offset and tile_byte_count, as cog_tiles_for_geometry gives, found {kind}"
    )))
}

/// The byte ranges of the tiles of a row; None for NULL.
fn ranges(tiles: &Reader<'_>, row: usize) -> Result<Option<Vec<Range<u64>>>> {
    let Some((range, elements)) = tiles.list(row) else {
        return Ok(None);
    };
    let (Some(offsets), Some(counts)) = (elements.field("tile_offset"), elements.field("tile_byte_count")) else {
        return Ok(Some(Vec::new()));
    };
    // A tile without an offset or without bytes is sparse.
    let found = range.filter_map(|at| Some((offsets.integer(at)?, counts.integer(at)?))).map(|(offset, count)| {
        let start = u64::try_from(offset).ok();
        let end = start.and_then(|start| start.checked_add(u64::try_from(count).ok()?));
        let bytes = start.zip(end).filter(|(_, end)| i64::try_from(*end).is_ok());
        let bytes = bytes.ok_or_else(|| {
            Error::argument(format!(
                "tiles: expected bytes of a file, found tile_offset {offset}, tile_byte_count {count}"
            ))
        });
        bytes.map(|(start, end)| start..end)
    });
    found.collect::<Result<Vec<_>>>().map(Some)
}
