//! `cog_preview(href, metadata [, options])`: a picture of a raster.

use rasteret_cog::render::MAX_PREVIEW_SIZE;
use rasteret_io::Session;
use rasteret_io::query::{Frame, PictureRow};

use super::options::{self, BANDS, COLORMAP, PERCENTILES, RANGE, RESAMPLING, SCALED, SourceOptions};
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::Result;
use crate::functions::params;
use crate::functions::sources::{Geometries, SourceArguments};
use crate::options::Options;
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_preview",
    kind: Kind::Scalar,
    signatures: &[
        "cog_preview(href VARCHAR, metadata STRUCT(…)) -> BLOB",
        "cog_preview(href VARCHAR, metadata STRUCT(…), options STRUCT(…)) -> BLOB",
    ],
    description: "Draws a picture of a raster as PNG, from the coarsest level that suffices: the whole raster in its own CRS, or \
        the window around a geometry, reduced to `size` pixels. Values are stretched to 0 to 255. Pixels are transparent where a band \
        is invalid (nodata, mask or alpha) or NaN, and outside of the geometry.",
    parameters: &[params::HREF, params::METADATA],
    options: &[
        BANDS,
        SIZE,
        RANGE,
        PERCENTILES,
        COLORMAP,
        RESAMPLING,
        GEOMETRY,
        params::GEOMETRY_CRS,
        params::MASKED,
        params::MASK,
        SCALED,
        params::ON_ERROR,
    ],
    returns: "A PNG with 8 bits per channel: grey or RGB, with alpha if a pixel is transparent. NULL if the geometry is outside the \
        image, and for a typed NULL geometry.",
    examples: &[
        Example {
            sql: "SELECT hex(picture[2:4]) = hex('PNG'::BLOB) AS is_png FROM (SELECT cog_preview('test/data/cog.tif', NULL) AS picture)",
            result: "true",
        },
        Example {
            sql: "SELECT octet_length(cog_preview('test/data/cog.tif', cog_metadata('test/data/cog.tif'), {size: 32, range: [0, 5000], \
                  colormap: 'viridis', geometry: 'POLYGON((500010 4599980, 500330 4599980, 500330 4599690, 500010 4599980))', \
                  geometry_crs: 'native'})) > 0 AS is_drawn",
            result: "true",
        },
    ],
};

const SIZE: Parameter = Parameter {
    name: "size",
    value: ValueType::Integer,
    default: Some("512"),
    description: "The longer side in pixels. Rasters that are smaller are not enlarged.",
};

/// The geometry of a preview.
const GEOMETRY: Parameter = Parameter {
    default: Some("the whole raster"),
    description: "A geometry or a box: the picture shows the window around it, and is transparent outside of it. See \
        [geometry](parameters.md#geometry).",
    ..params::GEOMETRY
};

/// The default of the option `size`.
const USUAL_SIZE: u32 = 512;

/// The scalar function.
pub(crate) struct CogPreview;

impl ScalarFunction for CogPreview {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        let of = LogicalType::of;
        let overload = |parameters| Signature { parameters, returns: of(TypeId::Blob) };
        vec![
            overload(vec![LogicalType::varchar(), of(TypeId::Any)]),
            overload(vec![LogicalType::varchar(), of(TypeId::Any), of(TypeId::Any)]),
        ]
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let options = Options::new(arguments.optional(2), DOC.options)?;
        let geometries = Geometries::or_whole(options.column(&GEOMETRY))?;
        let of_rows = (0..arguments.rows()).map(|row| {
            let options = options.row(row);
            let size = options::size(&options, &SIZE, USUAL_SIZE, MAX_PREVIEW_SIZE)?;
            options::picture_options(&options, Frame::Preview(size))
        });
        let of_rows = of_rows.collect::<Result<Vec<_>>>()?;
        let call = SourceArguments::of_rows(arguments, 2, geometries, options)?;
        let rows = call.resolve(session, SourceOptions::of)?.into_iter().zip(of_rows).map(|(source, options)| {
            let (resolved, source) = source?;
            Some(PictureRow { sources: vec![source.picture(resolved)], options })
        });
        output.texts(session.pictures(&rows.collect::<Vec<_>>())?)
    }
}
