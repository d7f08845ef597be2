//! `cog_values(href, metadata, point [, options])`: the values of several bands at a point.

use rasteret_cog::pixel::ValueOptions;
use rasteret_io::Session;
use rasteret_io::reads::Ask;

use super::asks::{self, Geometries};
use super::cog_value::{self, POINT};
use super::documentation::{Documentation, Example, Kind, Parameter};
use crate::error::{Error, Result};
use crate::geometry::GeometryReader;
use crate::options::{OptionKey, OptionKind, Options};
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

pub(super) static DOC: Documentation = Documentation {
    name: "cog_values",
    kind: Kind::Scalar,
    signatures: &[
        "cog_values(href VARCHAR, metadata STRUCT(…), point ANY) -> DOUBLE[]",
        "cog_values(href VARCHAR, metadata STRUCT(…), point ANY, options STRUCT(…)) -> DOUBLE[]",
    ],
    description: "The values of several bands at a point, as `rasterio.sample` gives them: a pixel of embeddings becomes a vector. Each value is \
        that of `cog_value` for its band. Tiles that hold all bands are fetched and decoded once.",
    parameters: &[
        asks::HREF,
        asks::METADATA,
        POINT,
        asks::GEOMETRY_CRS_OPTION,
        Parameter {
            name: BANDS.name,
            kind: "option, INTEGER[]",
            default: None,
            description: "The bands, counted from 0, in the order of the result; by default all bands of the file.",
        },
        asks::LEVEL_OPTION,
        asks::RESOLUTION_OPTION,
        asks::MASKED_OPTION,
        asks::SCALED_OPTION,
        asks::ON_ERROR_OPTION,
        cog_value::RESAMPLING_OPTION,
        cog_value::MAX_DISTANCE_OPTION,
    ],
    returns: "One value for each band, NULL where `cog_value` is NULL: outside the image, on nodata and where masked. NULL for NULL, and where \
        `on_error` leaves out the file.",
    examples: &[
        Example {
            sql: "SELECT cog_values('test/data/rgba.tif', NULL, 'POINT(500015 4599985)', {geometry_crs: 'native'}) AS values",
            result: "[17.0, 10.0, 20.0, 255.0]",
        },
        Example {
            sql: "SELECT cog_values('test/data/rgba.tif', NULL, 'POINT(500015 4599985)', {geometry_crs: 'native', bands: [2, 0]}) AS values",
            result: "[20.0, 17.0]",
        },
    ],
};

const BANDS: OptionKey = OptionKey { name: "bands", kind: OptionKind::Integers };

/// The options.
const OPTIONS: &[OptionKey] = &[
    asks::GEOMETRY_CRS,
    BANDS,
    asks::LEVEL,
    asks::RESOLUTION,
    asks::MASKED,
    asks::SCALED,
    asks::ON_ERROR,
    cog_value::RESAMPLING,
    cog_value::MAX_DISTANCE,
];

/// The scalar function.
pub(super) struct CogValues;

impl ScalarFunction for CogValues {
    const NAME: &'static str = "cog_values";

    fn signatures() -> Vec<Signature> {
        asks::signatures(|| LogicalType::list(&LogicalType::of(TypeId::Double)))
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let geometries = Geometries::Each(GeometryReader::new(arguments.required(2)?)?);
        let options = Options::new(arguments.optional(3), OPTIONS)?;
        let rows = asks::read(session, arguments, &geometries, &options, |row| {
            Ok((cog_value::value_options(&options, row, None)?, bands(&options, row)?))
        })?;
        let mut lengths = Vec::with_capacity(rows.len());
        let mut asks: Vec<Option<Ask<'_>>> = Vec::new();
        let mut beside: Vec<ValueOptions> = Vec::new();
        for row in rows {
            lengths.push(row.as_ref().map(|(asked, (_, bands))| match bands {
                Some(bands) => bands.len(),
                None => asked.ask.file.header().bands().count.into(),
            }));
            let Some((asked, (of_row, bands))) = row else {
                continue;
            };
            let bands = bands.unwrap_or_else(|| (0..asked.ask.file.header().bands().count.into()).collect());
            for band in bands {
                asks.push(Some(Ask { band_index: Some(band), ..asked.ask.clone() }));
                beside.push(of_row);
            }
        }
        let asked = session.prepare(asks)?.into_iter().zip(beside);
        let asked: Vec<_> = asked.map(|(asked, of_row)| Some((asked?, of_row))).collect();
        output.lists(&lengths)?.values(session.values(&asked)?)
    }
}

/// The bands that a row names; None for all.
fn bands(options: &Options<'_>, row: usize) -> Result<Option<Vec<u32>>> {
    let bands = options.integers(BANDS.name, "bands counted from 0", row)?;
    match bands {
        Some(bands) if bands.is_empty() => Err(Error::argument("bands: expected one band at least, found none")),
        bands => Ok(bands),
    }
}
