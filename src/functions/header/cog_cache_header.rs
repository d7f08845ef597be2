//! `cog_cache_header(href, metadata)`: caches the header of an index row, so that later calls can pass the href alone.

use rasteret_io::{Location, Session};

use crate::documentation::{Documentation, Example, Kind};
use crate::error::Result;
use crate::functions::params;
use crate::schema::MetadataReader;
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_cache_header",
    kind: Kind::Scalar,
    signatures: &["cog_cache_header(href VARCHAR, metadata STRUCT(…)) -> BOOLEAN"],
    description: "Adds the metadata of a file to the header cache, so that later calls can pass the href alone \
        without fetching the header. Metadata STRUCTs are large, and joins and aggregates copy them for each pair of \
        a plot and a scene; hrefs are cheap to copy. Later calls also use the scale and offset of the metadata, even \
        if they come from a STAC Item.",
    parameters: &[params::HREF, params::METADATA],
    options: &[],
    returns: "True if the header is in the cache. False if the cache is too small (`RASTERET_HEADER_CACHE_BYTES`), \
        the metadata is restricted to one band, or a local file has changed since it was indexed. NULL for NULL.",
    examples: &[Example {
        sql: "SELECT cog_cache_header('test/data/cog.tif', cog_metadata('test/data/cog.tif')) AS cached",
        result: "true",
    }],
};

/// The scalar function.
pub(crate) struct CogCacheHeader;

impl ScalarFunction for CogCacheHeader {
    const DOC: &'static Documentation = &DOC;
    const VOLATILE: bool = true;

    fn signatures() -> Vec<Signature> {
        let parameters = vec![LogicalType::varchar(), LogicalType::of(TypeId::Any)];
        vec![Signature { parameters, returns: LogicalType::of(TypeId::Boolean) }]
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let hrefs = arguments.required(0)?;
        let metadata = MetadataReader::new(arguments.required(1)?)?;
        let cached = (0..arguments.rows()).map(|row| {
            let (Some(href), Some(file)) = (hrefs.text(row), metadata.read(row)?) else {
                return Ok(None);
            };
            if file.header.band_index.is_some() {
                return Ok(Some(false));
            }
            Ok(Some(session.cache_header(&Location::parse(href)?, &file)?))
        });
        output.values(cached.collect::<Result<Vec<_>>>()?)
    }
}
