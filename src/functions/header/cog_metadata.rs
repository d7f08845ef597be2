//! `cog_metadata(href [, band_index])` and `cog_metadata(hrefs)`: headers as STRUCTs.

use rasteret_io::enrich::stac_scaled;
use rasteret_io::{CogFile, Location, Session};

use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::files::{self, Request};
use crate::schema::{Field, METADATA};
use crate::vector::{Arguments, LogicalType, Reader, ScalarFunction, Signature, TypeId, Writer};

/// The last parameter of the overloads with lists.
pub(super) const ASSETS: Parameter = Parameter {
    name: "assets",
    value: ValueType::Other("VARCHAR[]"),
    default: Some("NULL"),
    description: "The STAC assets of the files as JSON (`to_json(assets.B04)`), which provide `scale` and `offset` as \
        with `stac_scale` of `rasteret_enrich`. For a NULL asset, those of the file are kept.",
};

static DOC: Documentation = Documentation {
    name: "cog_metadata",
    kind: Kind::Scalar,
    signatures: &[
        "cog_metadata(href VARCHAR) -> STRUCT(…)",
        "cog_metadata(href VARCHAR, band_index BIGINT) -> STRUCT(…)",
        "cog_metadata(hrefs VARCHAR[]) -> STRUCT(…)[]",
        "cog_metadata(hrefs VARCHAR[], band_index BIGINT[] [, assets VARCHAR[]]) -> STRUCT(…)[]",
    ],
    description: "Reads the header of a GeoTIFF file. The resulting STRUCT contains everything needed to read pixels \
        later without fetching the header again. The distinct files of up to 2,048 rows are fetched concurrently, \
        once each. A file that cannot be read fails the query; use `try_cog_metadata` to get errors as values.",
    parameters: &[
        Parameter { name: "href", value: ValueType::Text, default: None, description: "A local path or a URL." },
        Parameter {
            name: "band_index",
            value: ValueType::Other("BIGINT"),
            default: Some("NULL"),
            description: "A band, counted from 0. For planar files, only the tiles of this band are kept.",
        },
        Parameter {
            name: "hrefs",
            value: ValueType::Other("VARCHAR[]"),
            default: None,
            description: "A list of files; the result is a list.",
        },
        ASSETS,
    ],
    options: &[],
    returns: "The [metadata STRUCT](index-format.md#the-metadata-struct); NULL for NULL.",
    examples: &[Example {
        sql: "SELECT m.image_width, m.dtype, m.compression, m.crs, len(m.tile_offsets) AS tiles \
              FROM (SELECT cog_metadata('test/data/cog.tif') AS m)",
        result: "64\tuint16\tdeflate\tEPSG:32631\t16",
    }],
};

/// The scalar function.
pub(crate) struct CogMetadata;

impl ScalarFunction for CogMetadata {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        signatures(|| Field::struct_of(METADATA))
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, output: Writer<'_>) -> Result<()> {
        fetch_headers(session, arguments, output, |writer, headers| {
            let files = headers.into_iter().map(Option::transpose).collect::<Result<Vec<_>, _>>()?;
            Field::write_struct(METADATA, writer, &files.iter().map(Option::as_ref).collect::<Vec<_>>())
        })
    }
}

/// The result of a request; None for a NULL argument.
pub(super) type FetchedHeader = Option<Result<CogFile, rasteret_io::Error>>;

/// The overloads of `cog_metadata` and `try_cog_metadata`.
pub(super) fn signatures(returns: fn() -> LogicalType) -> Vec<Signature> {
    let band = || LogicalType::of(TypeId::Bigint);
    vec![
        Signature { parameters: vec![LogicalType::varchar()], returns: returns() },
        Signature { parameters: vec![LogicalType::varchar(), band()], returns: returns() },
        Signature {
            parameters: vec![LogicalType::list(&LogicalType::varchar())],
            returns: LogicalType::list(&returns()),
        },
        Signature {
            parameters: vec![LogicalType::list(&LogicalType::varchar()), LogicalType::list(&band())],
            returns: LogicalType::list(&returns()),
        },
        Signature {
            parameters: vec![
                LogicalType::list(&LogicalType::varchar()),
                LogicalType::list(&band()),
                LogicalType::list(&LogicalType::varchar()),
            ],
            returns: LogicalType::list(&returns()),
        },
    ]
}

/// Fetches the headers of all rows and passes them to `write`: one value per row, or the list elements of all rows.
pub(super) fn fetch_headers(
    session: &Session,
    arguments: &Arguments<'_>,
    mut output: Writer<'_>,
    write: impl FnOnce(&mut Writer<'_>, Vec<FetchedHeader>) -> Result<()>,
) -> Result<()> {
    let (hrefs, bands) = (arguments.required(0)?, arguments.optional(1));
    if hrefs.kind().id() != TypeId::List {
        let requests: Vec<_> = (0..arguments.rows()).map(|row| files::request(hrefs, bands, row)).collect();
        return write(&mut output, files::headers(session, &requests));
    }
    let mut lengths = Vec::with_capacity(arguments.rows());
    let mut requests = Vec::new();
    for row in 0..arguments.rows() {
        lengths.push(list_requests(hrefs, bands, row, &mut requests)?);
    }
    let mut headers = files::headers(session, &requests);
    if let Some(assets) = arguments.optional(2) {
        scale(&mut headers, &requests, &lengths, assets)?;
    }
    write(&mut output.lists(&lengths)?, headers)
}

/// Sets the scale of files to that of their STAC assets, which are JSON; a NULL asset has no effect.
fn scale(
    headers: &mut [FetchedHeader],
    requests: &[Option<Request<'_>>],
    lengths: &[Option<usize>],
    assets: &Reader<'_>,
) -> Result<()> {
    let mut first = 0;
    for (row, length) in lengths.iter().enumerate() {
        let length = length.unwrap_or(0);
        let (places, start) = (first..first + length, first);
        first += length;
        let Some((range, elements)) = assets.list(row) else { continue };
        if range.len() != length {
            let found = range.len();
            return Err(Error::argument(format!(
                "assets: expected one asset per href, found {found} for {length} hrefs"
            )));
        }
        for at in places {
            let (Some(Some(request)), Some(Some(header))) = (requests.get(at), headers.get_mut(at)) else { continue };
            let Some(asset) = elements.text(range.start + at - start) else { continue };
            if let Ok(file) = &*header {
                let band = request.band.and_then(|band| u32::try_from(band).ok());
                let location = Location::parse_any(request.href)?;
                *header = stac_scaled(file.clone(), &location, asset, band);
            }
        }
    }
    Ok(())
}

/// Appends the requests of a row of lists, and returns their number; None if a list is NULL.
fn list_requests<'a>(
    hrefs: &Reader<'a>,
    bands: Option<&Reader<'_>>,
    row: usize,
    requests: &mut Vec<Option<Request<'a>>>,
) -> Result<Option<usize>> {
    let Some((range, elements)) = hrefs.list(row) else {
        return Ok(None);
    };
    let length = range.len();
    let Some(bands) = bands else {
        requests.extend(range.map(|element| files::request(elements, None, element)));
        return Ok(Some(length));
    };
    let Some((band_range, band_elements)) = bands.list(row) else {
        return Ok(None);
    };
    if band_range.len() != length {
        let found = band_range.len();
        return Err(Error::argument(format!(
            "band_index: expected one band per href, found {found} for {length} hrefs"
        )));
    }
    // In a list of bands, NULL selects all bands of a file.
    requests.extend(range.zip(band_range).map(|(element, band)| {
        let band = band_elements.integer(band).map(|band| i64::try_from(band).unwrap_or(-1));
        Some(Request { href: elements.text(element)?, band })
    }));
    Ok(Some(length))
}
