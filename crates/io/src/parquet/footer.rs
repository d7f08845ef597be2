//! The footer of a Parquet file.

use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::{Error, Location, Object, Result};

/// Footers of most files fit, so that one request opens a file.
const FOOTER_GUESS: u64 = 64 * 1024;

/// Reads the file's footer: one request, or two for one that is larger than most.
pub(super) async fn read(object: &Object) -> Result<ParquetMetaData> {
    let location = object.location();
    let wrong = |what: String| Error::Records { location: location.clone(), what };
    let (tail, size) = object.tail(FOOTER_GUESS).await?;
    let Some((before, [a, b, c, d, magic @ ..])) = tail.split_last_chunk::<8>() else {
        return Err(wrong(format!("expected a Parquet file, found {size} bytes")));
    };
    match magic {
        b"PAR1" => {}
        b"PARE" => return Err(wrong("encrypted Parquet files cannot be read".to_owned())),
        _ => return Err(wrong("expected a Parquet file (PAR1 at its end), found another format".to_owned())),
    }
    let length = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
    let held = before.len() as u64;
    let end = size.saturating_sub(8);
    if length > end {
        return Err(wrong(format!("its footer claims {length} bytes of a file of {size} bytes")));
    }
    let metadata = if length <= held {
        let start = usize::try_from(held - length).unwrap_or(0);
        ParquetMetaDataReader::decode_metadata(before.get(start..).unwrap_or_default())
    } else {
        ParquetMetaDataReader::decode_metadata(&object.range(end - length..end).await?)
    };
    metadata.map_err(|error| fault(location, error))
}

/// The error of a file: that of its store, or a description of arrow-rs's error.
pub(super) fn fault(location: &Location, error: ParquetError) -> Error {
    let what = match error {
        ParquetError::External(inner) => match inner.downcast::<Error>() {
            Ok(own) => return *own,
            Err(other) => other.to_string(),
        },
        ParquetError::General(what) | ParquetError::ArrowError(what) => what,
        ParquetError::NYI(what) => format!("not supported: {what}"),
        other => other.to_string(),
    };
    Error::Records { location: location.clone(), what }
}
