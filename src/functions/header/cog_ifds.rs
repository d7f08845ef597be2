//! `FROM cog_ifds(paths)`: one row per IFD, with its tags.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rasteret_cog::{IfdInfo, TagInfo};
use rasteret_io::Session;

use super::file_scan::{FileList, FileScan};
use crate::documentation::{Documentation, Example, Kind};
use crate::error::Result;
use crate::functions::files;
use crate::functions::params;
use crate::schema::{Cell, Field, plain, struct_lists};
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction};

static DOC: Documentation = Documentation {
    name: "cog_ifds",
    kind: Kind::Table,
    signatures: &["FROM cog_ifds(paths [, ignore_errors := false])"],
    description: "Reads the image file directories (IFDs) of TIFF files, with one row per IFD. The IFDs include the \
        full-resolution image, overviews, masks, other pages and SubIFDs, with all tags.",
    parameters: &[params::PATHS],
    options: &[params::IGNORE_ERRORS],
    returns: "`filename`, `ifd` (its position in the file), `parent` (the IFD whose SubIFDs tag refers to it), `role` \
        (`image`, `overview`, `mask` or `page`), `ifd_offset`, the image and tile sizes, and `tags`: code, name, \
        type, count, and the value as text, truncated after 64 numbers, 4,096 characters or 32 bytes.",
    examples: &[Example {
        sql: "SELECT ifd, role, image_width, len(tags) > 10 AS many FROM cog_ifds('test/data/cog.tif')",
        result: "0\timage\t64\ttrue\n1\toverview\t32\ttrue\n2\toverview\t16\ttrue",
    }],
};

/// An IFD and its file.
struct IfdRow {
    filename: Arc<str>,
    ifd: IfdInfo,
}

/// The columns.
const COLUMNS: &[Field<IfdRow>] = &[
    Field { name: "filename", cell: Cell::Text(|row| Some(Cow::Borrowed(&row.filename))) },
    Field { name: "ifd", cell: plain!(Bigint, |row| Some(row.ifd.index.into())) },
    Field { name: "parent", cell: plain!(Bigint, |row| row.ifd.parent.map(i64::from)) },
    Field { name: "role", cell: Cell::Text(|row| Some(Cow::Owned(row.ifd.role.to_string()))) },
    Field { name: "ifd_offset", cell: plain!(Bigint, |row| i64::try_from(row.ifd.offset).ok()) },
    Field { name: "image_width", cell: plain!(Bigint, |row| i64::try_from(row.ifd.image_width?).ok()) },
    Field { name: "image_height", cell: plain!(Bigint, |row| i64::try_from(row.ifd.image_height?).ok()) },
    Field { name: "tile_width", cell: plain!(Bigint, |row| i64::try_from(row.ifd.tile_width?).ok()) },
    Field { name: "tile_height", cell: plain!(Bigint, |row| i64::try_from(row.ifd.tile_height?).ok()) },
    Field { name: "samples_per_pixel", cell: plain!(Bigint, |row| i64::try_from(row.ifd.samples_per_pixel?).ok()) },
    Field { name: "compression", cell: Cell::Text(|row| Some(Cow::Owned(row.ifd.compression?.to_string()))) },
    Field {
        name: "tags",
        cell: Cell::Nested(
            || LogicalType::list(&Field::struct_of(TAG)),
            |writer, rows| struct_lists(writer, rows, TAG, |row| &row.ifd.tags),
        ),
    },
];

/// An element of `tags`.
const TAG: &[Field<TagInfo>] = &[
    Field { name: "code", cell: plain!(Integer, |tag| Some(tag.code.into())) },
    Field { name: "name", cell: Cell::Text(|tag| tag.name.as_deref().map(Cow::Borrowed)) },
    Field { name: "type", cell: Cell::Text(|tag| Some(Cow::Owned(tag.field_type.to_string()))) },
    Field { name: "count", cell: plain!(Bigint, |tag| i64::try_from(tag.count).ok()) },
    Field { name: "value", cell: Cell::Text(|tag| tag.value.as_deref().map(Cow::Borrowed)) },
];

/// The table function.
pub(crate) struct CogIfds;

/// The state of a scan.
pub(crate) struct IfdScan {
    files: FileScan<Vec<IfdInfo>>,
    pending: VecDeque<IfdRow>,
}

impl TableFunction for CogIfds {
    type Bind = FileList;
    type Global = Mutex<IfdScan>;
    type Local = ();

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        vec![files::paths_type()]
    }

    fn bind(session: &Session, info: &BindInfo) -> Result<Bind<FileList>> {
        let state = FileList::bind(session, info)?;
        let columns = COLUMNS.iter().map(|field| (field.name.to_owned(), field.cell.kind())).collect();
        Ok(Bind { state, columns, rows: None })
    }

    fn init(files: &FileList, _columns: &[usize]) -> Result<Init<Mutex<IfdScan>>> {
        let scan = IfdScan { files: files.scan(|session, hrefs| session.ifds(hrefs)), pending: VecDeque::new() };
        // A single thread preserves the order of files and IFDs; fetching is still concurrent.
        Ok(Init { state: Mutex::new(scan), max_threads: 1 })
    }

    fn next(_files: &FileList, scan: &Mutex<IfdScan>, (): &mut (), output: &mut OutputChunk<'_>) -> Result<()> {
        let mut scan = scan.lock().unwrap_or_else(PoisonError::into_inner);
        if scan.pending.is_empty() {
            let batch = scan.files.next_batch()?;
            scan.pending = batch.into_iter().flat_map(|scanned| rows_of(scanned.href, scanned.content)).collect();
        }
        let count = scan.pending.len().min(output.capacity());
        let ifds: Vec<_> = scan.pending.drain(..count).collect();
        let rows: Vec<_> = ifds.iter().map(Some).collect();
        output.write_fields(COLUMNS, &rows)
    }
}

fn rows_of(href: String, ifds: Vec<IfdInfo>) -> impl Iterator<Item = IfdRow> {
    let filename: Arc<str> = href.into();
    ifds.into_iter().map(move |ifd| IfdRow { filename: Arc::clone(&filename), ifd })
}
