//! `FROM cog_tiles_for_geometry(href, geometry, …)`: the tiles of a file that contain the pixels of a geometry, one row
//! per tile.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use rasteret_cog::{Geometry, Tile, TileAddress, TilePlan};
use rasteret_io::Session;

use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::files;
use crate::functions::params;
use crate::geometry::{ConstantGeometry, DEFAULT_CRS, geometry_type};
use crate::options::OptionValues;
use crate::schema::TILE;
use crate::vector::{Bind, BindInfo, Init, LogicalType, OutputChunk, TableFunction};

static DOC: Documentation = Documentation {
    name: "cog_tiles_for_geometry",
    kind: Kind::Table,
    signatures: &[
        "FROM cog_tiles_for_geometry(href, geometry [, geometry_crs := NULL, level := 0, band_index := NULL])",
    ],
    description: "Lists the tiles of a file that contain the pixels of a geometry, with one row per tile. Like the \
        scalar function of the same name, but reads the header from the file.",
    parameters: &[params::HREF, params::GEOMETRY],
    options: &[
        Parameter { default: Some("NULL"), ..params::GEOMETRY_CRS },
        Parameter { value: ValueType::Other("INTEGER"), ..params::PLANNED_LEVEL },
        params::PLANNED_BAND,
    ],
    returns: "`level`, `band_index`, `tile_row`, `tile_col`, `tile_index`, `tile_offset`, `tile_byte_count` and \
        `bbox`, as in the scalar function. No rows for a NULL geometry.",
    examples: &[Example {
        sql: "SELECT tile_row, tile_col FROM cog_tiles_for_geometry('test/data/cog.tif', 'LINESTRING(500100 4599900, 500600 \
              4599900)', geometry_crs := 'EPSG:32631')",
        result: "0\t0\n0\t1\n0\t2\n0\t3",
    }],
};

/// The table function.
pub(crate) struct CogTilesForGeometryTable;

/// The arguments of a call.
pub(crate) struct Call {
    session: Session,
    href: String,
    /// None for NULL, which has no tiles.
    geometry: Option<Geometry>,
    crs: String,
    level: u32,
    band_index: Option<u32>,
}

/// The tiles that have not been returned yet.
pub(crate) struct Pending(std::vec::IntoIter<Tile>);

impl TableFunction for CogTilesForGeometryTable {
    type Bind = Call;
    type Global = Mutex<Pending>;
    type Local = ();

    const DOC: &'static Documentation = &DOC;

    fn parameters() -> Vec<LogicalType> {
        vec![LogicalType::varchar(), geometry_type()]
    }

    fn bind(session: &Session, info: &BindInfo) -> Result<Bind<Call>> {
        let href = info.argument(0).and_then(|value| value.text());
        let href = href.ok_or_else(|| Error::argument("href: expected a path or a URL, found NULL"))?;
        let constant = info.argument(1).map(ConstantGeometry::of).transpose()?.flatten();
        let parsed = constant.map(|constant| constant.parse()).transpose()?;
        let named = info.text(&params::GEOMETRY_CRS).map(Cow::into_owned);
        let carried = parsed.as_ref().and_then(|parsed| parsed.crs.clone());
        let crs = named.or(carried).unwrap_or_else(|| DEFAULT_CRS.to_owned());
        if let Some(parsed) = &parsed {
            parsed.check_crs(&crs)?;
        }
        let state = Call {
            session: session.clone(),
            href,
            geometry: parsed.map(|parsed| parsed.geometry),
            crs,
            level: info.integer(&params::PLANNED_LEVEL, params::A_LEVEL)?.unwrap_or(0),
            band_index: params::band_index(info)?,
        };
        let columns = TILE.iter().map(|field| (field.name.to_owned(), field.cell.kind())).collect();
        Ok(Bind { state, columns, rows: None })
    }

    fn init(call: &Call, _columns: &[usize]) -> Result<Init<Mutex<Pending>>> {
        Ok(Init { state: Mutex::new(Pending(call.tiles()?.into_iter())), max_threads: 1 })
    }

    fn next(_call: &Call, pending: &Mutex<Pending>, (): &mut (), output: &mut OutputChunk<'_>) -> Result<()> {
        let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
        let tiles: Vec<_> = pending.0.by_ref().take(output.capacity()).collect();
        output.write_fields(TILE, &tiles.iter().map(Some).collect::<Vec<_>>())
    }
}

impl Call {
    fn tiles(&self) -> Result<Vec<Tile>> {
        let Some(geometry) = &self.geometry else {
            return Ok(Vec::new());
        };
        let mut files = self.session.headers(&[self.href.as_str()]);
        let Some(file) = files.pop() else {
            return Ok(Vec::new());
        };
        let header = file?.header;
        let tiles = || {
            let grid = header.grid(self.level)?;
            let transform = header.transform_from(&self.crs, self.session.transforms())?;
            let mut plan =
                TilePlan::new(grid.layout(), header.bands(), self.band_index, transform, self.session.projectors())?;
            let tile = |address: &TileAddress| grid.tile(grid.layout().position(*address));
            Ok(plan.tiles(geometry)?.iter().filter_map(tile).collect())
        };
        Ok(tiles().map_err(|error| files::header_error(&self.href, error))?)
    }
}
