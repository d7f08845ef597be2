//! `cog_read(href, metadata, geometry [, options])`: the pixels of a window.

use std::borrow::Cow;

use rasteret_cog::pixel::{WindowBuffers, WindowOptions, WindowProfile};
use rasteret_io::Session;
use rasteret_io::reads::PlannedWindow;

use super::asks::{self, NullGeometry};
use super::documentation::{Documentation, Example, Kind, Parameter};
use crate::error::{Error, Result};
use crate::geometry::GeometryReader;
use crate::options::{OptionKey, OptionKind, Options};
use crate::schema::{Cell, Field, plain};
use crate::vector::{Arguments, ScalarFunction, Signature, Writer};

pub(super) static DOC: Documentation = Documentation {
    name: "cog_read",
    kind: Kind::Scalar,
    signatures: &[
        "cog_read(href VARCHAR, metadata STRUCT(…), geometry ANY) -> STRUCT(…)",
        "cog_read(href VARCHAR, metadata STRUCT(…), geometry ANY, options STRUCT(…)) -> STRUCT(…)",
    ],
    description: "The pixels of the window around a geometry, as `rasterio.mask(crop=True)` has them: what lies outside the \
        geometry is filled with nodata, or 0 where the file has none. A geometry that is NULL asks for the whole image, unfilled. \
        Rows of one query share tiles: each is fetched and decoded once.",
    parameters: &[
        asks::HREF,
        asks::METADATA,
        Parameter {
            name: "geometry",
            kind: "GEOMETRY, BLOB or VARCHAR",
            default: None,
            description: "A geometry, as of `cog_tiles_for_geometry`. NULL: the whole image.",
        },
        asks::GEOMETRY_CRS_OPTION,
        asks::BAND_INDEX_OPTION,
        asks::LEVEL_OPTION,
        asks::RESOLUTION_OPTION,
        asks::MASKED_OPTION,
        Parameter {
            description: "Whether the band's scale and offset are applied: values are then DOUBLE, and NaN where they are nodata.",
            ..asks::SCALED_OPTION
        },
        Parameter {
            name: ALL_TOUCHED,
            kind: "option, BOOLEAN",
            default: Some("false"),
            description: "Whether pixels count that the geometry merely touches; otherwise those whose centre is inside.",
        },
    ],
    returns: "`width`, `height`, `col_off`, `row_off` (in pixels of the level), `transform` (of the window), `crs`, `dtype`, `nodata`, \
        `data` (row by row, little-endian, in `dtype`: `np.frombuffer(data, dtype).reshape(height, width)`) and `mask` (a byte a \
        pixel: 255 valid, 0 not). NULL where the geometry lies outside the image.",
    examples: &[
        Example {
            sql: "SELECT r.width, r.height, r.col_off, r.row_off, r.dtype, hex(r.data) AS data, hex(r.mask) AS mask FROM (SELECT \
                  cog_read('test/data/cog.tif', NULL, 'POLYGON((500010 4599980, 500030 4599980, 500030 4599990, 500010 4599980))', \
                  {geometry_crs: 'native', all_touched: true}) AS r)",
            result: "2\t1\t1\t1\tuint16\t41004200\tFFFF",
        },
        Example {
            sql: "SELECT r.width, r.height, octet_length(r.data) AS bytes FROM (SELECT cog_read('test/data/cog.tif', \
                  cog_metadata('test/data/cog.tif'), NULL, {level: 'auto', resolution: 40}) AS r)",
            result: "16\t16\t512",
        },
    ],
};

const ALL_TOUCHED: &str = "all_touched";

/// The options.
const OPTIONS: &[OptionKey] = &[
    asks::GEOMETRY_CRS,
    asks::BAND_INDEX,
    asks::LEVEL,
    asks::RESOLUTION,
    asks::MASKED,
    asks::SCALED,
    OptionKey { name: ALL_TOUCHED, kind: OptionKind::Boolean },
];

/// The fields of the answer.
const WINDOW: &[Field<PlannedWindow>] = &[
    Field { name: "width", cell: plain!(Integer, |window| i32::try_from(window.profile().window.width).ok()) },
    Field { name: "height", cell: plain!(Integer, |window| i32::try_from(window.profile().window.height).ok()) },
    Field { name: "col_off", cell: plain!(Integer, |window| i32::try_from(window.profile().window.col_off).ok()) },
    Field { name: "row_off", cell: plain!(Integer, |window| i32::try_from(window.profile().window.row_off).ok()) },
    Field {
        name: "transform",
        cell: Cell::Doubles(|window| Some(Cow::Owned(window.profile().transform.to_array().to_vec()))),
    },
    Field { name: "crs", cell: Cell::Text(|window| Some(Cow::Owned(window.header().crs.as_ref()?.to_string()))) },
    Field { name: "dtype", cell: Cell::Text(|window| Some(Cow::Borrowed(window.profile().data_type.name()))) },
    Field { name: "nodata", cell: plain!(Double, |window| window.profile().nodata) },
    Field { name: "data", cell: Cell::InPlace },
    Field { name: "mask", cell: Cell::InPlace },
];

/// The scalar function.
pub(super) struct CogRead;

impl ScalarFunction for CogRead {
    const NAME: &'static str = "cog_read";

    fn signatures() -> Vec<Signature> {
        asks::signatures(|| Field::struct_of(WINDOW))
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let geometries = GeometryReader::new(arguments.required(2)?)?;
        let options = Options::new(arguments.optional(3), OPTIONS)?;
        let asked = asks::read(session, arguments, &geometries, &options, NullGeometry::WholeImage, |row| {
            let flag = |name| options.boolean(name, row).unwrap_or(false);
            Ok(WindowOptions { all_touched: flag(ALL_TOUCHED), scaled: flag(asks::SCALED.name) })
        })?;
        let windows = session.plan_windows(&asked)?;
        let started = session.start_windows(windows.iter().flatten());
        Field::write_struct(WINDOW, &mut output, &windows.iter().map(Option::as_ref).collect::<Vec<_>>())?;
        let lengths = |length: fn(&WindowProfile) -> usize| {
            windows.iter().map(|window| Some(length(window.as_ref()?.profile()))).collect()
        };
        let mut fields = output.into_fields()?;
        let [.., data, mask] = fields.as_mut_slice() else {
            return Err(Error::Internal("a window without data and mask".to_owned()));
        };
        let mut data = data.blobs(lengths(WindowProfile::data_len))?;
        let mut mask = mask.blobs(lengths(WindowProfile::mask_len))?;
        let rows = data.rows().zip(mask.rows());
        Ok(started.fill(rows.filter_map(|(data, mask)| Some(WindowBuffers { data: data?, mask: mask? })))?)
    }
}
