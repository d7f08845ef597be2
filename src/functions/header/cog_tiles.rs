//! `FROM cog_tiles(paths [, level := …])`: one row per tile.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rasteret_cog::Tile;
use rasteret_io::{CogFile, Session};

use super::file_scan::{FileList, FileScan, Scanned};
use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::Result;
use crate::functions::files;
use crate::functions::params;
use crate::options::OptionValues;
use crate::schema::TILE;
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction};

static DOC: Documentation = Documentation {
    name: "cog_tiles",
    kind: Kind::Table,
    signatures: &["FROM cog_tiles(paths [, level := NULL, ignore_errors := false])"],
    description: "Lists the tiles of GeoTIFF files, with one row per tile. A strip is treated as a tile with the \
        width of the image.",
    parameters: &[params::PATHS],
    options: &[LEVEL, params::IGNORE_ERRORS],
    returns: "`filename`, `level`, `band_index` (NULL if a tile contains all bands), `tile_row`, `tile_col`, \
        `tile_index` (within its plane), `tile_offset` (NULL for a sparse tile), `tile_byte_count`, and `bbox`, the \
        part of the tile inside the image, in the raster's CRS.",
    examples: &[Example {
        sql: "SELECT level, count(*) AS tiles FROM cog_tiles('test/data/cog.tif') GROUP BY level ORDER BY level",
        result: "0\t16\n1\t4\n2\t1",
    }],
};

/// ANY, so that an error names the argument.
const LEVEL: Parameter = Parameter {
    value: ValueType::Other("INTEGER"),
    default: Some("NULL"),
    description: "The level of resolution: 0 is the full resolution. NULL: all levels. Files without this level have \
        no rows.",
    ..params::PLANNED_LEVEL
};

/// A tile and its file.
struct TileRow {
    filename: Arc<str>,
    tile: Tile,
}

/// The table function.
pub(crate) struct CogTiles;

/// The arguments of a call.
pub(crate) struct Call {
    files: FileList,
    level: Option<u32>,
}

/// The state of a scan: the file, level and tile.
pub(crate) struct TileScan {
    files: FileScan<CogFile>,
    batch: VecDeque<Scanned<CogFile>>,
    level: u32,
    position: u64,
}

impl TableFunction for CogTiles {
    type Bind = Call;
    type Global = Mutex<TileScan>;
    type Local = ();

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        vec![files::paths_type()]
    }

    fn bind(session: &Session, info: &BindInfo) -> Result<Bind<Call>> {
        let state = Call { level: info.integer(&LEVEL, params::A_LEVEL)?, files: FileList::bind(session, info)? };
        let tile = TILE.iter().map(|field| (field.name.to_owned(), field.cell.kind()));
        let columns = std::iter::once(("filename".to_owned(), LogicalType::varchar())).chain(tile).collect();
        Ok(Bind { state, columns, rows: None })
    }

    fn init(call: &Call, _columns: &[usize]) -> Result<Init<Mutex<TileScan>>> {
        let scan = TileScan {
            files: call.files.scan(|session, hrefs| session.headers(hrefs)),
            batch: VecDeque::new(),
            level: call.level.unwrap_or(0),
            position: 0,
        };
        // A single thread preserves the order of files and tiles; fetching is still concurrent.
        Ok(Init { state: Mutex::new(scan), max_threads: 1 })
    }

    fn next(call: &Call, scan: &Mutex<TileScan>, (): &mut (), output: &mut OutputChunk<'_>) -> Result<()> {
        let mut scan = scan.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tiles = Vec::with_capacity(output.capacity());
        while tiles.len() < output.capacity() {
            if scan.batch.is_empty() {
                scan.batch = scan.files.next_batch()?.into();
            }
            if scan.batch.is_empty() {
                break;
            }
            scan.take_tiles(call, output.capacity(), &mut tiles)?;
        }
        let rows: Vec<_> = tiles.iter().map(|row| Some(&row.tile)).collect();
        for (index, column) in output.columns().iter().copied().enumerate() {
            // The first column is the filename, followed by those of the tile.
            let mut writer = output.writer(index)?;
            match column.checked_sub(1).map(|at| TILE.get(at)) {
                None => writer.texts(tiles.iter().map(|row| Some(row.filename.as_bytes())))?,
                Some(Some(field)) => field.cell.write(&mut writer, &rows)?,
                Some(None) => {}
            }
        }
        output.set_rows(rows.len())
    }
}

impl TileScan {
    /// Takes up to `capacity` tiles of the current file and level, and moves to the next one at its end.
    fn take_tiles(&mut self, call: &Call, capacity: usize, tiles: &mut Vec<TileRow>) -> Result<()> {
        let Some(Scanned { href, content: file }) = self.batch.front() else {
            return Ok(());
        };
        let has_level = (self.level as usize) < file.header.level_count();
        if has_level {
            let filename: Arc<str> = href.as_str().into();
            let grid = file.header.grid(self.level).map_err(|error| files::header_error(href, error))?;
            while tiles.len() < capacity {
                let Some(tile) = grid.tile(self.position) else {
                    break;
                };
                tiles.push(TileRow { filename: Arc::clone(&filename), tile });
                self.position += 1;
            }
            if tiles.len() == capacity {
                return Ok(());
            }
        }
        self.position = 0;
        if has_level && call.level.is_none() {
            self.level += 1;
        } else {
            self.level = call.level.unwrap_or(0);
            self.batch.pop_front();
        }
        Ok(())
    }
}
