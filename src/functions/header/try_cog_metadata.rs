//! `try_cog_metadata(href [, band_index])`: the header of a file, or an error as a value.

use rasteret_io::Session;

use super::cog_metadata::{ASSETS, fetch_headers, signatures};
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::schema::{Field, METADATA};
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, Writer};

static DOC: Documentation = Documentation {
    name: "try_cog_metadata",
    kind: Kind::Scalar,
    signatures: &[
        "try_cog_metadata(href VARCHAR) -> STRUCT(metadata STRUCT(…), error VARCHAR)",
        "try_cog_metadata(href VARCHAR, band_index BIGINT) -> STRUCT(metadata STRUCT(…), error VARCHAR)",
        "try_cog_metadata(hrefs VARCHAR[]) -> STRUCT(metadata STRUCT(…), error VARCHAR)[]",
        "try_cog_metadata(hrefs VARCHAR[], band_index BIGINT[] [, assets VARCHAR[]]) -> STRUCT(metadata STRUCT(…), error VARCHAR)[]",
    ],
    description: "Reads the header of a GeoTIFF file, and returns an error as a value instead of failing. Otherwise \
        like `cog_metadata`.",
    parameters: &[
        Parameter { name: "href", value: ValueType::Text, default: None, description: "A local path or a URL." },
        Parameter {
            name: "band_index",
            value: ValueType::Other("BIGINT"),
            default: Some("NULL"),
            description: "A band, counted from 0. In a list, NULL selects all bands of a file.",
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
    returns: "`metadata` and `error`, one of which is NULL; NULL for NULL.",
    examples: &[Example {
        sql: "SELECT t.metadata IS NULL, t.error FROM (SELECT try_cog_metadata('test/data/no-such-file.tif') AS t)",
        result: "true\ttry_cog_metadata('test/data/no-such-file.tif'): no such file or directory",
    }],
};

/// The scalar function.
pub(crate) struct TryCogMetadata;

impl ScalarFunction for TryCogMetadata {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        signatures(|| {
            LogicalType::structure([("metadata", Field::struct_of(METADATA)), ("error", LogicalType::varchar())])
        })
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, output: Writer<'_>) -> Result<()> {
        fetch_headers(session, arguments, output, |writer, headers| {
            writer.set_struct_nulls(headers.iter().map(Option::is_none))?;
            let files: Vec<_> = headers.iter().map(|header| header.as_ref()?.as_ref().ok()).collect();
            Field::write_struct(METADATA, &mut writer.field(0)?, &files)?;
            writer.field(1)?.texts(headers.into_iter().map(|header| Some(Error::from(header?.err()?).named(DOC.name))))
        })
    }
}
