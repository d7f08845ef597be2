//! `cog_read(href [, metadata [, geometry] [, options]])`: the pixels of a window.
//!
//! An argument after the metadata is interpreted as the options if it is a STRUCT with only option names as fields,
//! which no geometry is.

use std::borrow::Cow;

use rasteret_cog::pixel::{WindowBuffers, WindowOptions, WindowProfile};
use rasteret_cog::tiff::DataType;
use rasteret_io::Session;
use rasteret_io::query::{PlannedWindow, ReadRequest, ResolvedRead, StartedWindows};

use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::{Error, Result};
use crate::functions::params;
use crate::functions::sources::{self, Geometries, SourceArguments};
use crate::geometry::GeometryReader;
use crate::options::{OptionValues, Options};
use crate::schema::{Cell, Field, plain};
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "cog_read",
    kind: Kind::Scalar,
    signatures: &[
        "cog_read(href VARCHAR) -> STRUCT(…)",
        "cog_read(href VARCHAR, metadata STRUCT(…)) -> STRUCT(…)",
        "cog_read(href VARCHAR, metadata STRUCT(…), options STRUCT(…)) -> STRUCT(…)",
        "cog_read(href VARCHAR, metadata STRUCT(…), geometry ANY) -> STRUCT(…)",
        "cog_read(href VARCHAR, metadata STRUCT(…), geometry ANY, options STRUCT(…)) -> STRUCT(…)",
    ],
    description: "Reads the pixels of the window around a geometry, like `rasterio.mask(crop=True)`. Pixels outside \
        the geometry are filled with nodata, or with 0 if the file has no nodata value. Without a geometry, the whole \
        image is read unchanged. Rows of a query share tiles: each tile is fetched and decoded once.",
    parameters: &[params::HREF, params::METADATA, params::OPTIONAL_GEOMETRY],
    options: &[
        params::GEOMETRY_CRS,
        params::BAND_INDEX,
        Parameter {
            description: "Several bands, counted from 0, instead of `band_index`; `data` contains them one after the \
                other.",
            ..params::BANDS
        },
        params::LEVEL,
        params::RESOLUTION,
        params::MASKED,
        params::MASK,
        Parameter {
            description: "Whether the [scale and offset](parameters.md#scale-and-offset) in the metadata are applied; \
                `data` is then DOUBLE, and NaN where a pixel is nodata.",
            ..params::SCALED
        },
        params::ON_ERROR,
        ALL_TOUCHED,
    ],
    returns: "`width`, `height`, `col_off`, `row_off` (in pixels of the level), `transform` (of the window), `crs`, \
        `dtype`, `nodata`, `data` (row-major, little-endian, in `dtype`: `np.frombuffer(data, dtype).reshape(height, \
        width)`), `mask` (one byte per pixel: 255 for valid, 0 for invalid) and `bands`, the number of bands. With \
        the option `bands`, `data` contains the bands one after the other (`reshape(bands, height, width)`), and a \
        pixel is valid if it is valid in all of them. NULL if the geometry is outside the image, and for a typed NULL \
        geometry.",
    examples: &[
        Example {
            sql: "SELECT r.width, r.height, r.col_off, r.row_off, r.dtype, hex(r.data) AS data, hex(r.mask) AS mask FROM (SELECT \
                  cog_read('test/data/cog.tif', NULL, 'POLYGON((500010 4599980, 500030 4599980, 500030 4599990, 500010 4599980))', \
                  {geometry_crs: 'native', all_touched: true}) AS r)",
            result: "2\t1\t1\t1\tuint16\t41004200\tFFFF",
        },
        Example {
            sql: "SELECT r.width, r.height, octet_length(r.data) AS bytes FROM (SELECT cog_read('test/data/cog.tif', \
                  cog_metadata('test/data/cog.tif'), {level: 'auto', resolution: 40}) AS r)",
            result: "16\t16\t512",
        },
        Example {
            sql: "SELECT r.bands, r.width, r.height, octet_length(r.data) AS bytes, octet_length(r.mask) AS pixels \
                  FROM (SELECT cog_read('test/data/rgba.tif', NULL, {bands: [2, 0]}) AS r)",
            result: "2\t32\t32\t2048\t1024",
        },
    ],
};

const ALL_TOUCHED: Parameter = Parameter {
    name: "all_touched",
    value: ValueType::Boolean,
    default: Some("false"),
    description: "If true, all pixels touched by the geometry are included, otherwise pixels whose centre is inside.",
};

/// The windows of a row, one per band.
struct BandWindows(Vec<PlannedWindow>);

impl BandWindows {
    /// None if there is no window.
    fn new(windows: Vec<Option<PlannedWindow>>) -> Result<Option<Self>> {
        let Some(windows) = windows.into_iter().collect::<Option<Vec<_>>>().filter(|windows| !windows.is_empty())
        else {
            return Ok(None);
        };
        let mut types = windows.iter().map(|window| window.profile().data_type);
        let first = types.next();
        if let Some(other) = types.find(|other| Some(*other) != first) {
            let (first, other) = (first.map_or("", DataType::name), other.name());
            return Err(Error::argument(format!("bands: expected bands of one type, found {first} and {other}")));
        }
        Ok(Some(Self(windows)))
    }

    /// A property of the window that is known before its pixels are read.
    fn get<T>(&self, of_window: impl FnOnce(&PlannedWindow) -> Option<T>) -> Option<T> {
        of_window(self.0.first()?)
    }

    fn profile<T>(&self, of_profile: impl FnOnce(&WindowProfile) -> T) -> Option<T> {
        self.get(|window| Some(of_profile(window.profile())))
    }

    fn data_len(&self) -> usize {
        self.0.iter().map(|window| window.profile().data_len()).sum()
    }

    fn mask_len(&self) -> usize {
        self.profile(WindowProfile::mask_len).unwrap_or(0)
    }
}

/// The fields of the result.
const WINDOW: &[Field<BandWindows>] = &[
    Field { name: "width", cell: plain!(Integer, |row| row.profile(|window| integer(window.window.width))?) },
    Field { name: "height", cell: plain!(Integer, |row| row.profile(|window| integer(window.window.height))?) },
    Field { name: "col_off", cell: plain!(Integer, |row| row.profile(|window| integer(window.window.col_off))?) },
    Field { name: "row_off", cell: plain!(Integer, |row| row.profile(|window| integer(window.window.row_off))?) },
    Field {
        name: "transform",
        cell: Cell::Doubles(|row| row.profile(|window| Cow::Owned(window.transform.to_array().to_vec()))),
    },
    Field {
        name: "crs",
        cell: Cell::Text(|row| row.get(|window| Some(Cow::Owned(window.header().crs.as_ref()?.to_string())))),
    },
    Field { name: "dtype", cell: Cell::Text(|row| row.profile(|window| Cow::Borrowed(window.data_type.name()))) },
    Field { name: "nodata", cell: plain!(Double, |row| row.profile(|window| window.nodata)?) },
    Field { name: "data", cell: Cell::InPlace },
    Field { name: "mask", cell: Cell::InPlace },
    Field { name: "bands", cell: plain!(Integer, |row| i32::try_from(row.0.len()).ok()) },
];

fn integer(number: u32) -> Option<i32> {
    i32::try_from(number).ok()
}

/// The scalar function.
pub(crate) struct CogRead;

impl ScalarFunction for CogRead {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        let any = || LogicalType::of(TypeId::Any);
        let fewer = [vec![LogicalType::varchar()], vec![LogicalType::varchar(), any()]];
        let fewer = fewer.map(|parameters| Signature { parameters, returns: Field::struct_of(WINDOW) });
        fewer.into_iter().chain(sources::row_signatures(|| Field::struct_of(WINDOW))).collect()
    }

    fn invoke(session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let (geometry, options) = match (arguments.optional(2), arguments.optional(3)) {
            (Some(options), None) if Options::are_options(options.kind(), DOC.options) => (None, Some(options)),
            given => given,
        };
        let geometries = match geometry.map(GeometryReader::new).transpose()? {
            Some(geometries) if !geometries.is_untyped() => Geometries::Each(geometries),
            _ => Geometries::Whole,
        };
        let options = Options::new(options, DOC.options)?;
        let call = SourceArguments::of_rows(arguments, 3, geometries, options)?;
        let resolved = call.resolve(session, |source| {
            let all_touched = source.options.boolean(&ALL_TOUCHED).unwrap_or(false);
            Ok((WindowOptions { all_touched, scaled: source.scaled() }, params::bands(&source.options)?))
        })?;
        let rows = plan(session, resolved)?;
        let started = session.start_windows(rows.iter().flatten().flat_map(|row| &row.0));
        Field::write_struct(WINDOW, &mut output, &rows.iter().map(Option::as_ref).collect::<Vec<_>>())?;
        let is_read = read(started, &rows, &mut output)?;
        for (row, _) in is_read.into_iter().enumerate().filter(|(_, is_read)| !is_read) {
            output.set_null(row)?;
        }
        Ok(())
    }
}

/// Plans the windows of rows, one per band.
fn plan(session: &Session, resolved: Vec<Option<Resolved<'_>>>) -> Result<Vec<Option<BandWindows>>> {
    let mut counts = Vec::with_capacity(resolved.len());
    let mut requests = Vec::new();
    let mut beside = Vec::new();
    for row in resolved {
        let Some((resolved, (options, bands))) = row else {
            counts.push(0);
            continue;
        };
        let bands: Vec<Option<u32>> = match bands {
            Some(bands) => bands.into_iter().map(Some).collect(),
            None => vec![resolved.request.band_index],
        };
        counts.push(bands.len());
        for band_index in bands {
            requests.push(Some(ReadRequest { band_index, ..resolved.request.clone() }));
            beside.push(options);
        }
    }
    let resolved = session.prepare(requests)?.into_iter().zip(beside);
    let resolved: Vec<_> = resolved.map(|(resolved, options)| Some((resolved?, options))).collect();
    let mut windows = session.plan_windows(&resolved)?.into_iter();
    counts.into_iter().map(|count| BandWindows::new(windows.by_ref().take(count).collect())).collect()
}

/// A row with a resolved file, its options and its bands.
type Resolved<'a> = (ResolvedRead<'a>, (WindowOptions, Option<Vec<u32>>));

/// Reads the pixels of windows into `data` and `mask`. Returns false for each row with a file that cannot be read.
fn read(started: StartedWindows<'_>, rows: &[Option<BandWindows>], output: &mut Writer<'_>) -> Result<Vec<bool>> {
    let lengths = |length: fn(&BandWindows) -> usize| rows.iter().map(|row| row.as_ref().map(length)).collect();
    let mut fields = output.fields()?;
    let [.., data, mask, _bands] = fields.as_mut_slice() else {
        return Err(Error::Internal("a window without data and mask".to_owned()));
    };
    let mut data = data.blobs(lengths(BandWindows::data_len))?;
    let mut mask = mask.blobs(lengths(BandWindows::mask_len))?;
    // The mask of the first band of a row is written in place, and combined with those of the other bands.
    let of_others = rows.iter().map(|row| {
        let row = row.as_ref();
        let bands = row.map_or(0, |row| row.0.len().saturating_sub(1));
        vec![0; bands * row.map_or(0, BandWindows::mask_len)]
    });
    let mut of_others: Vec<Vec<u8>> = of_others.collect();
    let buffers = rows.iter().zip(data.rows().zip(mask.rows())).zip(&mut of_others);
    let buffers = buffers.flat_map(|((row, (data, mask)), others)| {
        let row = row.as_ref();
        let data_len = row.and_then(|row| row.profile(WindowProfile::data_len)).unwrap_or(0);
        let mask_len = row.map_or(0, BandWindows::mask_len);
        let data = data.unwrap_or_default().chunks_exact_mut(data_len.max(1));
        let masks = mask.into_iter().chain(others.chunks_exact_mut(mask_len.max(1)));
        data.zip(masks).map(|(data, mask)| WindowBuffers { data, mask })
    });
    let mut of_windows = started.fill(buffers)?.into_iter();
    for (mask, others) in mask.rows().zip(&of_others) {
        let mask = mask.unwrap_or_default();
        for other in others.chunks_exact(mask.len().max(1)) {
            mask.iter_mut().zip(other).for_each(|(byte, other)| *byte &= other);
        }
    }
    let is_read = |row: &Option<BandWindows>| {
        let windows = row.as_ref().map_or(0, |row| row.0.len());
        of_windows.by_ref().take(windows).filter(|is_read| !is_read).count() == 0
    };
    Ok(rows.iter().map(is_read).collect())
}
