//! `cog_chip(sources, geometry [, options])`: pixels of a fixed size from several rasters, as a tensor.

use std::borrow::Cow;

use rasteret_io::Session;
use rasteret_io::query::{ChipRow, PlannedChip, ReadRequest, ResolvedRead, SourceBand};

use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::grids::Grids;
use crate::functions::params;
use crate::functions::sources::{Geometries, SourceArguments};
use crate::geometry::GeometryReader;
use crate::options::{OptionValues, Options, RowOptions};
use crate::schema::{Cell, Field, plain};
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_chip",
    kind: Kind::Scalar,
    signatures: &[
        "cog_chip(sources ANY, geometry ANY) -> STRUCT(data FLOAT[], shape INTEGER[], transform DOUBLE[], crs VARCHAR, valid DOUBLE)",
        "cog_chip(sources ANY, geometry ANY, options STRUCT(…)) -> STRUCT(…)",
    ],
    description: "Reads a chip of a fixed size around a point, or the pixels under a box, from several rasters: a tensor \
        for machine learning. Chips always have their full size; pixels beyond the raster, and invalid pixels, are NaN \
        or `fill`. The grid is that of the first source, whose pixels are copied unchanged, unless `grid` names \
        another; other sources are resampled to it. The files of all rows are read concurrently.",
    parameters: &[
        Parameter {
            value: ValueType::Other("VARCHAR, STRUCT(href, metadata, …) or a list of them"),
            description: "A raster, or a list of rasters: hrefs, or STRUCTs with `href` and optionally `metadata`, \
                `band_index` or `bands`, `mask`, `resampling` and `scaled`, which override the options. See \
                [sources](parameters.md#sources).",
            ..params::SOURCES
        },
        Parameter {
            description: "A point, or any other geometry or a box; see [geometry](parameters.md#geometry). Only its \
                bounds matter: pixels of the chip that lie outside of it are valid.",
            ..params::GEOMETRY
        },
    ],
    options: &[
        params::GEOMETRY_CRS,
        SIZE,
        Parameter {
            description: "The grid of the chip, extended in all directions: `{crs, resolution}`, `{match: metadata}` \
                or `{crs, transform, width, height}`. See [grids](parameters.md#grids).",
            ..params::GRID
        },
        params::GRID_RESAMPLING,
        FILL,
        params::BAND_INDEX,
        Parameter { default: None, description: "Several bands of each source, counted from 0.", ..params::BANDS },
        params::IMAGE_LEVEL,
        params::MASKED,
        params::MASK,
        params::SCALED,
        Parameter {
            description: "`'fail'`: a file that cannot be read fails the query. `'null'`: its bands have no valid \
                values, and a chip whose grid it defines is NULL. See [errors](parameters.md#errors).",
            ..params::ON_ERROR
        },
    ],
    returns: "`data` (band by band, row by row: `np.asarray(data).reshape(shape)`), `shape` (the number of bands, the \
        height and the width), `transform` (of the chip), `crs`, and `valid`, the fraction of the values that are \
        valid. The bands of a NULL source have no valid values. NULL for a NULL or an empty geometry, for a geometry \
        that is not defined in the CRS of the grid, and without sources. DOUBLEs are rounded to FLOAT; integers beyond \
        2^24, which FLOAT does not hold, are errors: use `cog_read`.",
    examples: &[
        Example {
            sql: "SELECT c.data, c.shape, c.transform, c.valid FROM (SELECT cog_chip(['test/data/cog.tif', 'test/data/classes.tif'], \
                  'POINT(500000 4599990)', {geometry_crs: 'native', size: 2, resampling: 'nearest'}) AS c)",
            result: "[nan, nan, nan, 64.0, nan, nan, nan, nan]\t[2, 2, 2]\t[10.0, 0.0, 499990.0, 0.0, -10.0, 4600000.0]\t0.125",
        },
        Example {
            sql: "SELECT c.data, c.shape, c.valid FROM (SELECT cog_chip({href: 'test/data/rgba.tif', bands: [2, 0]}, \
                  {xmin: 500000, ymin: 4599980, xmax: 500020, ymax: 4600000}, {geometry_crs: 'native', fill: -1}) AS c)",
            result: "[20.0, 20.0, 20.0, 20.0, 0.0, 1.0, 16.0, 17.0]\t[2, 2, 2]\t1.0",
        },
    ],
};

const SIZE: Parameter = Parameter {
    name: "size",
    value: ValueType::Other("INTEGER or INTEGER[2]"),
    default: Some("256"),
    description: "The width and height of the chip, or a list of its height and width, in pixels of the grid. The pixel \
        that contains the centre of the geometry has the row `height // 2` and the column `width // 2`. By default 256 \
        around a point, and the pixels under any other geometry.",
};

const FILL: Parameter = Parameter {
    name: "fill",
    value: ValueType::Number,
    default: Some("'NaN'"),
    description: "The value of pixels that are invalid or beyond the raster.",
};

/// A chip with the fraction of its values that are valid.
struct Chip {
    plan: PlannedChip,
    valid: f64,
}

/// The fields of the result; `data` is written while it is read.
const CHIP: &[Field<Chip>] = &[
    Field { name: "data", cell: Cell::Nested(|| LogicalType::list(&LogicalType::of(TypeId::Float)), |_, _| Ok(())) },
    Field {
        name: "shape",
        cell: Cell::Nested(
            || LogicalType::list(&LogicalType::of(TypeId::Integer)),
            |writer, rows| {
                let shapes: Vec<_> = rows.iter().map(|row| row.map(Chip::shape)).collect();
                writer.value_lists(
                    &shapes.iter().map(|shape| shape.as_ref().map(<[u32; 3]>::as_slice)).collect::<Vec<_>>(),
                )
            },
        ),
    },
    Field {
        name: "transform",
        cell: Cell::Doubles(|chip| Some(Cow::Owned(chip.plan.grid.transform.to_array().to_vec()))),
    },
    Field { name: "crs", cell: Cell::Text(|chip| Some(Cow::Borrowed(chip.plan.grid.crs.as_deref()?))) },
    Field { name: "valid", cell: plain!(Double, |chip| Some(chip.valid)) },
];

impl Chip {
    fn shape(&self) -> [u32; 3] {
        let bands = u32::try_from(self.plan.bands()).unwrap_or(u32::MAX);
        [bands, self.plan.grid.height, self.plan.grid.width]
    }
}

/// The scalar function.
pub(crate) struct CogChip;

impl ScalarFunction for CogChip {
    const DOC: &'static Documentation = &DOC;
    // DuckDB would evaluate constant calls while it plans a query, several times, keep the pixels in the plan and write them out as text.
    const VOLATILE: bool = true;

    fn signatures() -> Vec<Signature> {
        let anys = |count: usize| (0..count).map(|_| LogicalType::of(TypeId::Any)).collect();
        [2, 3].map(|count| Signature { parameters: anys(count), returns: Field::struct_of(CHIP) }).into()
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let geometries = Geometries::Each(GeometryReader::new(arguments.required(1)?)?);
        let options = Options::new(arguments.optional(2), DOC.options)?;
        let grids = Grids::new(options.column(&params::GRID), arguments.rows())?;
        let of_rows =
            (0..arguments.rows()).map(|row| ChipOptions::of(&options.row(row))).collect::<Result<Vec<_>>>()?;
        let call = SourceArguments::of_images(arguments, geometries, options)?;
        let rows = rows(session, &call, &of_rows, &grids)?;
        let chips = session.plan_chips(rows)?;
        let lengths: Vec<_> = chips.iter().map(|chip| chip.as_ref().map(PlannedChip::value_count)).collect();
        let planned: Vec<&PlannedChip> = chips.iter().flatten().collect();
        let valid = session.fill_chips(&planned, output.field(0)?.float_lists(&lengths)?)?;
        let mut valid = valid.into_iter();
        let chips = chips.into_iter().map(|plan| {
            let plan = plan?;
            let valid = valid.next().unwrap_or_default() as f64 / plan.value_count().max(1) as f64;
            Some(Chip { plan, valid })
        });
        let chips: Vec<_> = chips.collect();
        Field::write_struct(CHIP, &mut output, &chips.iter().map(Option::as_ref).collect::<Vec<_>>())
    }
}

/// The options of a row that concern the whole chip.
struct ChipOptions {
    size: Option<(u32, u32)>,
    fill: f32,
}

impl ChipOptions {
    fn of(options: &RowOptions<'_>) -> Result<Self> {
        let side = |size: i128| {
            let wrong = || Error::argument(format!("size: expected a number of pixels from 1, found {size}"));
            u32::try_from(size).ok().filter(|size| *size > 0).ok_or_else(wrong)
        };
        let size = match (options.whole(&SIZE), options.wholes(&SIZE)) {
            (Some(Ok(size)), _) => Some((side(size)?, side(size)?)),
            (_, Some(sides)) => match sides.as_slice() {
                [Some(height), Some(width)] => Some((side(*width)?, side(*height)?)),
                found => {
                    let found = found.len();
                    return Err(Error::argument(format!("size: expected a height and a width, found {found} values")));
                }
            },
            _ if options.has(&SIZE) => {
                return Err(Error::argument(format!("size: expected {}, found another type", SIZE.value.sql())));
            }
            _ => None,
        };
        #[expect(clippy::cast_possible_truncation, reason = "rounds, as intended")]
        let fill = options.number(&FILL).unwrap_or(f64::NAN) as f32;
        Ok(Self { size, fill })
    }
}

/// The rows of a call, each with the bands of its sources.
fn rows<'a>(
    session: &Session,
    call: &'a SourceArguments<'a>,
    of_rows: &[ChipOptions],
    grids: &Grids,
) -> Result<Vec<Option<ChipRow<'a>>>> {
    let resolved = call.resolve(session, |source| {
        Ok((source.bands()?, source.resampling()?, params::is_grid_level(&source.options)?, source.scaled()))
    })?;
    let mut resolved = resolved.into_iter().enumerate();
    let mut rows = Vec::with_capacity(of_rows.len());
    for (row, (length, options)) in call.lengths().iter().zip(of_rows).enumerate() {
        let grid = grids.of_row(row).cloned();
        let (mut bands, mut has_first, mut has_grid) = (Vec::new(), false, grid.is_some());
        for (at, source) in resolved.by_ref().take(length.unwrap_or(0)) {
            let Some(given) = call.source(at) else { continue };
            has_grid |= source.is_some() && !has_first;
            has_first |= !given.is_null();
            match source {
                Some((read, (of_source, resampling, auto_level, scaled))) => {
                    bands.extend(of_source.into_iter().map(|band_index| {
                        let request = ReadRequest { band_index, ..read.request.clone() };
                        let resolved = ResolvedRead { request, target: read.target.clone() };
                        Some(SourceBand { resolved, resampling, auto_level, scaled })
                    }));
                }
                None => bands.extend(given.bands()?.iter().map(|_| None)),
            }
        }
        let chip = ChipRow { bands, grid, size: options.size, fill: options.fill };
        rows.push((length.is_some() && has_grid).then_some(chip));
    }
    Ok(rows)
}
