//! Arguments that identify files: hrefs of a vector, and the `paths` of table functions.

use std::collections::HashMap;
use std::sync::Arc;

use rasteret_io::{CogFile, Location, Session};

use crate::error::{Error, Result};
use crate::vector::{BindInfo, LogicalType, Reader, TypeId, Value};

/// The file of a row, and the band to restrict its header to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Request<'a> {
    /// The location of the file.
    pub(crate) href: &'a str,
    /// The band, counted from 0.
    pub(crate) band: Option<i64>,
}

/// The headers of requests, in their order. Each distinct href is fetched once, all concurrently, and each distinct
/// request is restricted to its band once. None stays None.
pub(crate) fn headers(
    session: &Session,
    requests: &[Option<Request<'_>>],
) -> Vec<Option<Result<CogFile, rasteret_io::Error>>> {
    let hrefs: Vec<&str> = requests.iter().flatten().map(|request| request.href).collect();
    let files = session.headers(&hrefs);
    let mut narrowed: HashMap<Request<'_>, Result<CogFile, rasteret_io::Error>> = HashMap::new();
    let mut files = files.into_iter();
    requests
        .iter()
        .map(|request| {
            let request = (*request)?;
            let file = files.next()?;
            Some(match request.band {
                None => file,
                Some(band) => narrowed.entry(request).or_insert_with(|| narrow(request.href, file, band)).clone(),
            })
        })
        .collect()
}

/// The file's header for one band.
fn narrow(href: &str, file: Result<CogFile, rasteret_io::Error>, band: i64) -> Result<CogFile, rasteret_io::Error> {
    let file = file?;
    let header = match u32::try_from(band) {
        Ok(band) => file.header.for_band(band),
        Err(_) => Err(rasteret_cog::Error::InvalidArgument {
            what: format!("band_index: expected a band counted from 0, found {band}"),
        }),
    };
    match header {
        Ok(header) => Ok(CogFile { header: Arc::new(header), ..file }),
        Err(source) => Err(header_error(href, source)),
    }
}

/// An error in the header of the file at `href`.
pub(crate) fn header_error(href: &str, source: rasteret_cog::Error) -> rasteret_io::Error {
    match Location::parse_any(href) {
        Ok(location) => rasteret_io::Error::Header { location, source },
        Err(error) => error,
    }
}

/// The request of a row of `href` and, if the overload has it, `band_index`; None if either is NULL.
pub(crate) fn request<'a>(hrefs: &Reader<'a>, bands: Option<&Reader<'_>>, row: usize) -> Option<Request<'a>> {
    let href = hrefs.text(row)?;
    let band = match bands {
        Some(bands) => Some(i64::try_from(bands.integer(row)?).unwrap_or(-1)),
        None => None,
    };
    Some(Request { href, band })
}

/// The type of `paths` of a table function: VARCHAR or VARCHAR[], declared as ANY, because table functions of the C API
/// have no overloads.
pub(crate) fn paths_type() -> LogicalType {
    LogicalType::of(TypeId::Any)
}

/// The hrefs of the `paths` argument: a path, a glob, or a list of both.
pub(crate) fn paths(session: &Session, info: &BindInfo) -> Result<Vec<String>> {
    let value = info.argument(0).ok_or_else(|| Error::argument("expected paths, found no argument"))?;
    let patterns = texts("paths", value)?;
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    Ok(session.files(&patterns)?)
}

/// A VARCHAR, or a VARCHAR[] without NULLs, as a list.
pub(crate) fn texts(name: &str, value: &Value) -> Result<Vec<String>> {
    let unexpected =
        || Error::argument(format!("{name}: expected VARCHAR or VARCHAR[] without NULLs, found {}", value.type_name()));
    if value.is_null() {
        return Err(Error::argument(format!("{name}: expected VARCHAR or VARCHAR[], found NULL")));
    }
    match (value.text(), value.list()) {
        (Some(text), _) => Ok(vec![text]),
        (None, Some(list)) => list.iter().map(|item| item.text().ok_or_else(unexpected)).collect(),
        (None, None) => Err(unexpected()),
    }
}
