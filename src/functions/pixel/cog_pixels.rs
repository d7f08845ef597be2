//! `FROM cog_pixels(href, geometry, …)`: one row per pixel.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rasteret_cog::Window;
use rasteret_cog::pixel::Block;
use rasteret_cog::zonal::{Coverage, Run};
use rasteret_io::enrich::OnError;
use rasteret_io::reads::{Ask, Target};
use rasteret_io::{BlockStream, Keep, Location, RasterFile, Session};

use crate::documentation::{Documentation, Example, Kind, Parameter};
use crate::error::{Error, Result};
use crate::functions::{masks, params};
use crate::geometry::{ConstantGeometry, GeometryArgument, geometry_type};
use crate::options::OptionValues;
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction, TypeId};

static DOC: Documentation = Documentation {
    name: "cog_pixels",
    kind: Kind::Table,
    signatures: &["FROM cog_pixels(href VARCHAR, geometry ANY, …)"],
    description: "A row a pixel that a geometry covers. Tiles are fetched concurrently and decoded on all of DuckDB's threads, each \
        one when its rows are needed, so that an aggregate over a large image holds a few tiles at a time. Rows come in no \
        particular order. A query that needs no `value` reads nothing but the header. The arguments are constants, prepared \
        parameters or `getvariable('…')`, as for every table function of DuckDB's C API: columns of another table cannot be passed.",
    parameters: &[
        params::HREF,
        Parameter {
            name: "geometry",
            value: params::GEOMETRY_VALUE,
            default: None,
            description: "A geometry, as of `cog_tiles_for_geometry`. A bare `NULL`: the whole image (DuckDB gives extensions no way to \
                let an argument of a table function be left out). A NULL that has a type has no pixels. \
                DuckDB gives a prepared parameter that is NULL, a variable that does not exist and one that was set to `NULL` as a bare \
                `NULL`: give them a type, as in `CAST(? AS VARCHAR)` and `CAST(getvariable('plot') AS VARCHAR)`.",
        },
    ],
    options: &[
        params::CONSTANT_GEOMETRY_CRS,
        Parameter { description: "The band, counted from 0.", ..params::BAND_INDEX },
        params::LEVEL,
        params::RESOLUTION,
        params::MASKED,
        Parameter {
            description: "As of `cog_read`, with `href`, `band_index` and one of `keep`, `drop` and `bits`.",
            ..params::MASK
        },
        Parameter {
            description: "Whether the band's scale and offset are applied: `value * scale + offset`. They are those of the file: \
                this function takes no metadata, and so none of a STAC Item (`stac_scale`).",
            ..params::SCALED
        },
        params::METHOD,
    ],
    returns: "`level`, `band_index`, `col`, `row`, `x` and `y` (the pixel's centre in the raster's CRS), `value` (NULL where it is \
        nodata or masked) and `coverage`, the pixel's weight: with it, SQL computes medians, histograms and weighted quantiles. No rows \
        for a geometry that is a NULL of a type.",
    examples: &[
        Example {
            sql: "SELECT col, row, x, y, value, coverage FROM cog_pixels('test/data/cog.tif', \
                  'POLYGON((500000 4599985, 500015 4599985, 500015 4600000, 500000 4600000, 500000 4599985))', \
                  geometry_crs := 'native') ORDER BY row, col",
            result: "0\t0\t500005.0\t4599995.0\tNULL\t1.0\n1\t0\t500015.0\t4599995.0\t1.0\t0.5\n\
                     0\t1\t500005.0\t4599985.0\t64.0\t0.5\n1\t1\t500015.0\t4599985.0\t65.0\t0.25",
        },
        Example {
            sql: "SELECT count(*) AS pixels, count(value) AS valid, median(value) AS median FROM cog_pixels('test/data/cog.tif', NULL)",
            result: "4096\t4095\t2048.0",
        },
    ],
};

/// The columns, in order.
const COLUMNS: [(&str, TypeId); 8] = [
    ("level", TypeId::Integer),
    ("band_index", TypeId::Integer),
    ("col", TypeId::Integer),
    ("row", TypeId::Integer),
    ("x", TypeId::Double),
    ("y", TypeId::Double),
    ("value", TypeId::Double),
    ("coverage", TypeId::Double),
];
const VALUE: usize = 6;

/// The table function.
pub(crate) struct CogPixels;

/// What is read: found out once a plan, without a request for pixels.
pub(crate) struct Call {
    session: Session,
    target: Arc<Target>,
    coverage: Arc<Coverage>,
    /// Tiles that hold covered pixels, as rows and columns of the tile grid.
    tiles: Vec<(u32, u32)>,
    /// Scale and offset of values.
    scaling: (f64, f64),
}

/// The tiles that no thread has taken yet.
pub(crate) enum Scan {
    /// With their values, as they arrive.
    Blocks(Mutex<Pending>),
    /// Without: no value is needed.
    Windows(AtomicUsize),
}

/// The tiles whose blocks are under way. Not all at once: a raster may have tens of millions of them.
pub(crate) struct Pending {
    blocks: Arc<BlockStream>,
    /// Tiles that are under way or done.
    planned: usize,
}

/// Tiles that are planned together.
const TILES_AT_ONCE: usize = 1 << 16;

/// Rows of a tile whose runs are looked up together.
const ROWS_AT_ONCE: u32 = 1 << 10;

/// The tile whose rows a thread gives out, and what of it is left.
#[derive(Default)]
pub(crate) struct Cursor {
    block: Option<Block>,
    runs: VecDeque<Run>,
    /// What is left of the tile below those runs.
    rest: Option<Window>,
}

/// Columns of a chunk.
#[derive(Default)]
struct Rows {
    pixels: Vec<(u32, u32)>,
    values: Vec<Option<f64>>,
    weights: Vec<f64>,
}

impl TableFunction for CogPixels {
    /// None: a geometry that is NULL, which has no pixels.
    type Bind = Option<Call>;
    type Global = Scan;
    type Local = Cursor;

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        vec![LogicalType::varchar(), geometry_type()]
    }

    fn bind(session: &Session, info: &BindInfo) -> Result<Bind<Option<Call>>> {
        let href = info.argument(0).and_then(|value| value.text());
        let href = href.ok_or_else(|| Error::argument("href: expected a path or a URL, found NULL"))?;
        let geometry = GeometryArgument::of(info.argument(1))?;
        let (level, band_index) = (params::level(info)?, params::band_index(info)?);
        let crs = info.text(&params::GEOMETRY_CRS);
        let method = params::method(info)?;
        let columns: Vec<_> = COLUMNS.map(|(name, id)| (name.to_owned(), LogicalType::of(id))).into();
        let geometry = match geometry {
            GeometryArgument::Null => return Ok(Bind { state: None, columns, rows: Some(0) }),
            GeometryArgument::Absent => None,
            GeometryArgument::Given(geometry) => Some(geometry),
        };
        let mut files = session.headers(&[href.as_str()]);
        let cog = files.pop().ok_or_else(|| Error::Internal("no answer for a file".to_owned()))??;
        let ask = Ask {
            file: Arc::new(RasterFile::new(Location::parse(&href)?, &cog)),
            level,
            band_index,
            masked: params::masked(info),
            mask: masks::constant(session, info.named(params::MASK.name))?,
            geometry: geometry.as_ref().map(ConstantGeometry::encoded),
            geometry_crs: crs.as_deref(),
            type_crs: geometry.as_ref().and_then(ConstantGeometry::type_crs),
            on_error: OnError::Fail,
        };
        let asked = session.prepare(vec![Some(ask)])?.pop().flatten();
        let asked = asked.ok_or_else(|| Error::Internal("a question was lost".to_owned()))?;
        asked.target.band.check_real()?;
        let coverage = asked.coverage(session, method)?;
        let tiles = coverage.tiles(&asked.target.band.tiling());
        let scaling = if params::scaled(info) { asked.target.band.scale_and_offset() } else { (1.0, 0.0) };
        let state = Call { session: session.clone(), target: asked.target, coverage, tiles, scaling };
        Ok(Bind { state: Some(state), columns, rows: None })
    }

    fn init(call: &Option<Call>, columns: &[usize]) -> Result<Init<Scan>> {
        let Some(call) = call else {
            return Ok(Init { state: Scan::Windows(AtomicUsize::new(0)), max_threads: 1 });
        };
        let state = if columns.contains(&VALUE) {
            Scan::Blocks(Mutex::new(call.blocks(0)))
        } else {
            Scan::Windows(AtomicUsize::new(0))
        };
        // A thread a tile, as far as DuckDB has them.
        Ok(Init { state, max_threads: call.tiles.len() })
    }

    fn next(call: &Option<Call>, scan: &Scan, cursor: &mut Cursor, output: &mut OutputChunk<'_>) -> Result<()> {
        let Some(call) = call else {
            return output.set_rows(0);
        };
        let mut rows = Rows::default();
        while rows.pixels.len() < output.capacity() {
            let room = output.capacity() - rows.pixels.len();
            if !cursor.take(room, call, &mut rows) && !cursor.open(call, scan)? {
                break;
            }
        }
        rows.write(call, output)
    }
}

impl Call {
    /// The blocks of the tiles that follow the first so many.
    fn blocks(&self, planned: usize) -> Pending {
        let end = self.tiles.len().min(planned.saturating_add(TILES_AT_ONCE));
        let tiles = self.tiles.get(planned..end).unwrap_or_default();
        let requests = tiles.iter().map(|(row, col)| self.target.block(*row, *col)).collect();
        Pending { blocks: Arc::new(self.session.blocks(requests, Keep::Nothing)), planned: end }
    }
}

impl Scan {
    /// The next tile that no thread has taken, with its block where values are needed.
    fn next(&self, call: &Call) -> Result<Option<(Window, Option<Block>)>> {
        match self {
            Self::Blocks(pending) => loop {
                let lock = || pending.lock().unwrap_or_else(PoisonError::into_inner);
                let blocks = lock().blocks.clone();
                if let Some((_, block)) = blocks.next() {
                    let block = call.target.masked(&call.session, block?)?;
                    return Ok(Some((block.window, Some(block))));
                }
                // Other threads may still have blocks of these tiles in hand.
                let mut pending = lock();
                if Arc::ptr_eq(&pending.blocks, &blocks) {
                    if pending.planned >= call.tiles.len() {
                        return Ok(None);
                    }
                    *pending = call.blocks(pending.planned);
                }
            },
            Self::Windows(next) => {
                let tile = call.tiles.get(next.fetch_add(1, Ordering::Relaxed));
                Ok(tile.and_then(|(row, col)| Some((call.target.band.window(*row, *col)?, None))))
            }
        }
    }
}

impl Cursor {
    /// Goes on to the next tile; false at the end.
    fn open(&mut self, call: &Call, scan: &Scan) -> Result<bool> {
        let Some((window, block)) = scan.next(call)? else {
            return Ok(false);
        };
        *self = Self { block, runs: VecDeque::new(), rest: Some(window) };
        Ok(true)
    }

    /// Looks up the runs of the next rows, where there are none at hand.
    fn fill(&mut self, call: &Call) {
        while self.runs.is_empty() {
            let Some(rest) = self.rest.take().and_then(|rest| rest.intersection(&call.coverage.window()?)) else {
                return;
            };
            let height = rest.height.min(ROWS_AT_ONCE);
            self.runs.extend(call.coverage.within(Window { height, ..rest }));
            let row_off = rest.row_off.saturating_add(height);
            self.rest = (rest.height > height).then_some(Window { row_off, height: rest.height - height, ..rest });
        }
    }

    /// Gives out a run, or as much of it as there is room for; false where none is left.
    fn take(&mut self, room: usize, call: &Call, rows: &mut Rows) -> bool {
        let (scale, offset) = call.scaling;
        self.fill(call);
        let Some(run) = self.runs.front_mut() else {
            return false;
        };
        let end = run.end.min(run.start.saturating_add(u32::try_from(room).unwrap_or(u32::MAX)));
        let part = Run { end, ..*run };
        run.start = end;
        if run.start >= run.end {
            self.runs.pop_front();
        }
        rows.pixels.extend((part.start..part.end).map(|col| (col, part.row)));
        rows.weights.resize(rows.pixels.len(), part.weight);
        if let Some(block) = &self.block {
            let values = block.pixels(&part);
            rows.values.extend(values.map(|pixel| pixel.is_valid.then_some(pixel.value * scale + offset)));
        }
        true
    }
}

impl Rows {
    fn write(&self, call: &Call, output: &mut OutputChunk<'_>) -> Result<()> {
        let band = &call.target.band;
        let constant = |number: u32| self.pixels.iter().map(move |_| i32::try_from(number).ok());
        let transform = band.transform();
        let centre = |(col, row): (u32, u32)| transform.forward(f64::from(col) + 0.5, f64::from(row) + 0.5);
        for (index, column) in output.columns().iter().copied().enumerate() {
            let mut writer = output.writer(index)?;
            let pixels = self.pixels.iter().copied();
            match column {
                0 => writer.values(constant(band.level()))?,
                1 => writer.values(constant(band.index()))?,
                2 => writer.values(pixels.map(|(col, _)| i32::try_from(col).ok()))?,
                3 => writer.values(pixels.map(|(_, row)| i32::try_from(row).ok()))?,
                4 => writer.values(pixels.map(|pixel| Some(centre(pixel).0)))?,
                5 => writer.values(pixels.map(|pixel| Some(centre(pixel).1)))?,
                VALUE => writer.values(self.values.iter().copied())?,
                7 => writer.values(self.weights.iter().copied().map(Some))?,
                _ => {}
            }
        }
        output.set_rows(self.pixels.len())
    }
}
