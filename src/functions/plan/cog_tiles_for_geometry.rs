//! `cog_tiles_for_geometry(metadata, geometry [, options])`: the tiles that contain the pixels of a geometry.

use rasteret_cog::{Geometry, ParsedGeometry, Tile, TilePlan};
use rasteret_io::Session;

use crate::documentation::{Documentation, Example, Kind, Parameter};
use crate::error::Result;
use crate::functions::params;
use crate::functions::shared_metadata::SharedMetadata;
use crate::geometry::{DEFAULT_CRS, GeometryReader, geometry_type};
use crate::options::{OptionValues, Options};
use crate::schema::{Field, IndexedRaster, MetadataReader, TILE, TileTables};
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_tiles_for_geometry",
    kind: Kind::Scalar,
    signatures: &[
        "cog_tiles_for_geometry(metadata STRUCT(…), geometry ANY) -> STRUCT(…)[]",
        "cog_tiles_for_geometry(metadata STRUCT(…), geometry ANY, options STRUCT(…)) -> STRUCT(…)[]",
    ],
    description: "Lists the tiles that contain the pixels of a geometry, from the metadata alone. The result contains \
        exactly the tiles whose part inside the image intersects the geometry: polygons must overlap it by an area, \
        lines and points must touch it. Edges are straight lines in the CRS of the geometry, and are approximated to \
        a quarter of a pixel in the CRS of the raster. Longitudes 190 and -170 are the same; an edge from 179 to -179 \
        goes around the world, so a geometry across the antimeridian must continue beyond 180 or be split there. \
        Parts outside the domain of the raster's CRS are outside the raster. Invalid rings are errors, as are \
        transformations that are not known to be correct. In a join, rows with the same raster share the work of \
        parsing its metadata. See [planning](planning.md).",
    parameters: &[
        Parameter {
            description: "The result of `cog_metadata`, or a metadata column of an index. For an index written by \
                Python Rasteret, which has no `crs`, use `struct_insert(metadata, crs := 'EPSG:' || \"proj:epsg\")`.",
            ..params::METADATA
        },
        params::GEOMETRY,
    ],
    options: &[params::GEOMETRY_CRS, params::PLANNED_LEVEL, params::PLANNED_BAND],
    returns: "A list of `level`, `band_index` (NULL if a tile contains all bands), `tile_row`, `tile_col`, \
        `tile_index` (within its plane), `tile_offset` (NULL for a sparse tile), `tile_byte_count` and `bbox`, the \
        part of the tile inside the image in the raster's CRS. Tiles are in row-major order, for planar files one \
        plane after the other. Empty if the geometry is outside the raster; NULL for NULL.",
    examples: &[
        Example {
            sql: "SELECT t.tile_row, t.tile_col, t.tile_offset, t.tile_byte_count FROM (SELECT unnest(cog_tiles_for_geometry(\
                  cog_metadata('test/data/cog.tif'), 'POLYGON((3.001 41.551, 3.003 41.551, 3.003 41.5512, 3.001 41.551))')) AS t)",
            result: "0\t0\t3697\t523\n0\t1\t4228\t523",
        },
        Example {
            sql: "SELECT plot, sum(r.range_length) AS bytes, count(*) AS requests FROM (SELECT plot, unnest(cog_byte_ranges(\
                  cog_tiles_for_geometry(m, geometry, {geometry_crs: 'EPSG:32631'}))) AS r FROM (SELECT \
                  cog_metadata('test/data/cog.tif') AS m), (VALUES ('a', 'POINT(500100 4599900)'), ('b', 'POINT(500600 4599400)')) \
                  AS plots(plot, geometry)) GROUP BY plot ORDER BY plot",
            result: "a\t523\t1\nb\t523\t1",
        },
    ],
};

/// The scalar function.
pub(crate) struct CogTilesForGeometry;

/// The arguments of a plan: the CRS of geometries, the level and the band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PlanArguments<'a> {
    crs: &'a str,
    level: u32,
    band_index: Option<u32>,
}

/// A plan for a raster and its arguments.
struct PlannedRaster<'a> {
    crs: String,
    level: u32,
    band_index: Option<u32>,
    plan: TilePlan,
    tables: TileTables<'a>,
}

impl<'a> PlannedRaster<'a> {
    fn new(session: &Session, raster: &IndexedRaster<'a>, wanted: PlanArguments<'_>) -> Result<Self> {
        let PlanArguments { crs, level, band_index } = wanted;
        let transform = raster.raster_info().transform_from(crs, session.transforms())?;
        let (layout, tables) = raster.level(level)?;
        let plan = TilePlan::new(layout, raster.raster_info().bands, band_index, transform, session.projectors())?;
        Ok(Self { crs: crs.to_owned(), level, band_index, plan, tables })
    }

    fn arguments(&self) -> PlanArguments<'_> {
        PlanArguments { crs: &self.crs, level: self.level, band_index: self.band_index }
    }

    /// Appends the tiles that intersect a geometry.
    fn tiles(&mut self, session: &Session, geometry: &Geometry, tiles: &mut Vec<Tile>) -> Result<()> {
        let layout = self.plan.layout();
        let addresses = self.plan.tiles(geometry)?;
        let count = tiles.len() + addresses.len();
        // Counts the list and its copy in DuckDB's vector.
        session.check_memory(2 * (count * size_of::<Tile>()) as u64, || format!("{count} tiles"))?;
        for address in addresses {
            let (offset, byte_count) = self.tables.entry(layout.position(*address))?;
            tiles.push(layout.tile(*address, offset, byte_count));
        }
        Ok(())
    }
}

impl ScalarFunction for CogTilesForGeometry {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        let signature = |options: bool| {
            let mut parameters = vec![LogicalType::of(TypeId::Any), geometry_type()];
            parameters.extend(options.then(|| LogicalType::of(TypeId::Any)));
            Signature { parameters, returns: LogicalType::list(&Field::struct_of(TILE)) }
        };
        vec![signature(false), signature(true)]
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let mut rasters =
            SharedMetadata::<_, Vec<PlannedRaster<'_>>>::new(arguments.required(0)?, MetadataReader::raster)?;
        let geometries = GeometryReader::new(arguments.required(1)?)?;
        let options = Options::new(arguments.optional(2), DOC.options)?;
        let mut tiles: Vec<Tile> = Vec::with_capacity(arguments.rows());
        let mut parsed = ParsedGeometry::default();
        let mut lengths = Vec::with_capacity(arguments.rows());
        for row in 0..arguments.rows() {
            let (Some((raster, plans)), Some(encoded)) = (rasters.get(row)?, geometries.encoded(row)?) else {
                lengths.push(None);
                continue;
            };
            encoded.parse_into(&mut parsed)?;
            let options = options.row(row);
            let named = options.borrowed_text(&params::GEOMETRY_CRS);
            let crs = named.or(parsed.crs.as_deref()).or(geometries.type_crs()).unwrap_or(DEFAULT_CRS);
            parsed.check_crs(crs)?;
            let wanted = PlanArguments {
                crs,
                level: options.integer(&params::PLANNED_LEVEL, params::A_LEVEL)?.unwrap_or(0),
                band_index: params::band_index(&options)?,
            };
            let at = match plans.iter().position(|plan| plan.arguments() == wanted) {
                Some(at) => at,
                None => {
                    plans.push(PlannedRaster::new(session, raster, wanted)?);
                    plans.len() - 1
                }
            };
            let before = tiles.len();
            plans[at].tiles(session, &parsed.geometry, &mut tiles)?;
            lengths.push(Some(tiles.len() - before));
        }
        let rows: Vec<_> = tiles.iter().map(Some).collect();
        Field::write_struct(TILE, &mut output.lists(&lengths)?, &rows)
    }
}
