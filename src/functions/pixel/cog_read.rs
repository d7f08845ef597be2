//! `cog_read(href [, metadata [, geometry] [, options]])`: the pixels of a window.
//!
//! An argument after the metadata is the options where it is a STRUCT of nothing but option keys: no geometry is.

use std::borrow::Cow;

use rasteret_cog::pixel::{WindowBuffers, WindowOptions, WindowProfile};
use rasteret_io::Session;
use rasteret_io::reads::{PlannedWindow, StartedWindows};

use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::params;
use crate::functions::sources::{self, Geometries, SourceArguments};
use crate::geometry::GeometryReader;
use crate::options::{OptionValues, Options};
use crate::schema::{Cell, Field, plain};
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
    description: "The pixels of the window around a geometry, as `rasterio.mask(crop=True)` has them: what lies outside the \
        geometry is filled with nodata, or 0 where the file has none. Without a geometry: the whole image, unfilled. Rows of one query share tiles: each is fetched and decoded once.",
    parameters: &[params::HREF, params::METADATA, params::OPTIONAL_GEOMETRY],
    options: &[
        params::GEOMETRY_CRS,
        params::BAND_INDEX,
        params::LEVEL,
        params::RESOLUTION,
        params::MASKED,
        params::MASK,
        Parameter {
            description: "As of `cog_value`; `data` is then DOUBLE, and NaN where a pixel is nodata.",
            ..params::SCALED
        },
        params::ON_ERROR,
        ALL_TOUCHED,
    ],
    returns: "`width`, `height`, `col_off`, `row_off` (in pixels of the level), `transform` (of the window), `crs`, `dtype`, `nodata`, \
        `data` (row by row, little-endian, in `dtype`: `np.frombuffer(data, dtype).reshape(height, width)`) and `mask` (a byte a \
        pixel: 255 valid, 0 not). NULL where the geometry lies outside the image, and for a geometry that is a NULL of a type.",
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
    ],
};

const ALL_TOUCHED: Parameter = Parameter {
    name: "all_touched",
    value: ValueType::Boolean,
    default: Some("false"),
    description: "Whether pixels count that the geometry merely touches; otherwise those whose centre is inside.",
};

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
pub(crate) struct CogRead;

impl ScalarFunction for CogRead {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        let any = || LogicalType::of(TypeId::Any);
        let fewer = [vec![LogicalType::varchar()], vec![LogicalType::varchar(), any()]];
        let fewer = fewer.map(|parameters| Signature { parameters, returns: Field::struct_of(WINDOW) });
        fewer.into_iter().chain(sources::row_signatures(|| Field::struct_of(WINDOW))).collect()
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let (geometry, options) = match (arguments.optional(2), arguments.optional(3)) {
            (Some(options), None) if Options::are_options(options.kind(), DOC.options) => (None, Some(options)),
            given => given,
        };
        let geometries = match geometry.map(GeometryReader::new).transpose()? {
            Some(geometries) if !geometries.is_untyped() => Geometries::Each(geometries),
            _ => Geometries::Whole,
        };
        let options = Options::new(options, DOC.options)?;
        let call = SourceArguments::of_rows(arguments, 3, geometries, options)?;
        let asked = call.resolve(session, |source| {
            let all_touched = source.options.boolean(&ALL_TOUCHED).unwrap_or(false);
            Ok(WindowOptions { all_touched, scaled: source.scaled() })
        })?;
        let windows = session.plan_windows(&asked)?;
        let started = session.start_windows(windows.iter().flatten());
        Field::write_struct(WINDOW, &mut output, &windows.iter().map(Option::as_ref).collect::<Vec<_>>())?;
        let is_read = read(started, &windows, &mut output)?;
        let rows = windows.iter().enumerate().filter(|(_, window)| window.is_some());
        for ((row, _), _) in rows.zip(is_read).filter(|(_, is_read)| !is_read) {
            output.set_null(row)?;
        }
        Ok(())
    }
}

/// Reads the pixels of windows into the last two fields of the result. False for each window whose file cannot be read.
fn read(started: StartedWindows<'_>, windows: &[Option<PlannedWindow>], output: &mut Writer<'_>) -> Result<Vec<bool>> {
    let lengths = |length: fn(&WindowProfile) -> usize| {
        windows.iter().map(|window| Some(length(window.as_ref()?.profile()))).collect()
    };
    let mut fields = output.fields()?;
    let [.., data, mask] = fields.as_mut_slice() else {
        return Err(Error::Internal("a window without data and mask".to_owned()));
    };
    let mut data = data.blobs(lengths(WindowProfile::data_len))?;
    let mut mask = mask.blobs(lengths(WindowProfile::mask_len))?;
    let rows = data.rows().zip(mask.rows());
    Ok(started.fill(rows.filter_map(|(data, mask)| Some(WindowBuffers { data: data?, mask: mask? })))?)
}
