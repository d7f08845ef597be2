//! The files of rows, from their metadata or from fetched headers.

use std::collections::HashMap;
use std::sync::Arc;

use rasteret_io::{RasterFile, Session};

use super::shared_metadata::SharedMetadata;
use crate::error::Result;
use crate::schema::MetadataReader;
use crate::vector::Reader;

/// A file, or the error of its header.
pub(super) type File = Result<Arc<RasterFile>, rasteret_io::Error>;

/// The files of rows, or errors.
pub(super) type Files = Vec<File>;

/// The file of each of `rows`, from its metadata, or from its header, which is fetched if the metadata is NULL.
pub(super) fn files(
    session: &Session,
    hrefs: &Reader<'_>,
    metadata: Option<&Reader<'_>>,
    rows: &[usize],
) -> Result<Files> {
    let Some(metadata) = metadata else {
        return Ok(fetched(session, &rows.iter().map(|row| hrefs.text(*row).unwrap_or_default()).collect::<Vec<_>>()));
    };
    let mut headers = SharedMetadata::<_, HashMap<String, Arc<RasterFile>>>::new(metadata, MetadataReader::read)?;
    let mut files: Vec<Option<Result<Arc<RasterFile>, _>>> = Vec::with_capacity(rows.len());
    let mut unknown: Vec<&str> = Vec::new();
    for &row in rows {
        let href = hrefs.text(row).unwrap_or_default();
        let Some((cog, known)) = headers.get(row)? else {
            unknown.push(href);
            files.push(None);
            continue;
        };
        let file = match known.get(href) {
            Some(file) => Ok(file.clone()),
            None => session.locate(href).map(|location| {
                let file = Arc::new(RasterFile::new(location, cog));
                known.insert(href.to_owned(), file.clone());
                file
            }),
        };
        files.push(Some(file));
    }
    let mut fetched = fetched(session, &unknown).into_iter();
    Ok(files.into_iter().filter_map(|file| file.or_else(|| fetched.next())).collect())
}

/// The files of hrefs without metadata; rows with the same href share one.
pub(super) fn fetched(session: &Session, hrefs: &[&str]) -> Files {
    let mut known: HashMap<&str, Arc<RasterFile>> = HashMap::new();
    let files = hrefs.iter().zip(session.headers(hrefs)).map(|(href, cog)| {
        if let Some(file) = known.get(href) {
            return Ok(file.clone());
        }
        let file = Arc::new(RasterFile::new(session.locate(href)?, &cog?));
        known.insert(href, file.clone());
        Ok(file)
    });
    files.collect()
}
