//! The windows of rows: planned, written as the STRUCT of `cog_read`, and read into it.

use std::borrow::Cow;

use rasteret_cog::Window;
use rasteret_cog::pixel::{WindowBuffers, WindowOptions};
use rasteret_cog::tiff::DataType;
use rasteret_io::Session;
use rasteret_io::query::{PlannedMosaic, PlannedWarp, PlannedWindow, ReadRequest, ResolvedRead, WarpOptions};

use crate::error::{Error, Result};
use crate::schema::{Cell, Field, plain};
use crate::vector::Writer;

/// A row with a resolved file and its options.
pub(super) type Resolved<'a> = Option<(ResolvedRead<'a>, WindowRequest)>;

/// The window that a row requests.
pub(super) struct WindowRequest {
    pub(super) options: WindowOptions,
    /// The bands; None for that of the row.
    pub(super) bands: Option<Vec<u32>>,
    /// How it is resampled, if it is.
    pub(super) warp: Option<WarpOptions>,
}

/// The windows of a row, one per band.
pub(super) struct RowWindows {
    bands: Bands,
    profile: Profile,
}

/// Windows of the bands of a row.
enum Bands {
    Read(Vec<PlannedWindow>),
    Warp(Vec<PlannedWarp>),
    Mosaic(PlannedMosaic),
}

/// Memory for the request of a band and the plan of its window, in bytes.
const BYTES_OF_A_BAND: u64 = 1024;

/// Properties that are known before pixels are read.
struct Profile {
    /// Width, height, column and row.
    place: [i64; 4],
    transform: [f64; 6],
    crs: Option<String>,
    data_type: DataType,
    nodata: Option<f64>,
    /// Bytes of the values and of the mask of a band.
    lengths: (usize, usize),
}

impl Profile {
    fn of_read(window: &PlannedWindow) -> Self {
        let profile = window.profile();
        Self {
            place: place(profile.window),
            transform: profile.transform.to_array(),
            crs: window.header().crs.as_ref().map(ToString::to_string),
            data_type: profile.data_type,
            nodata: profile.nodata,
            lengths: (profile.data_len(), profile.mask_len()),
        }
    }

    fn of_warp(warp: &PlannedWarp) -> Self {
        Self {
            place: place(warp.window()),
            transform: warp.transform().to_array(),
            crs: warp.crs().map(str::to_owned),
            data_type: warp.data_type(),
            nodata: warp.nodata(),
            lengths: (warp.data_len(), warp.mask_len()),
        }
    }
}

/// Width, height, column and row of a window.
fn place(window: Window) -> [i64; 4] {
    [window.width, window.height, window.col_off, window.row_off].map(i64::from)
}

impl RowWindows {
    /// The window of a mosaic.
    pub(super) fn of_mosaic(mosaic: PlannedMosaic) -> Self {
        let (grid, (col_off, row_off)) = (mosaic.grid(), mosaic.first_pixel());
        let profile = Profile {
            place: [grid.width.into(), grid.height.into(), col_off.into(), row_off.into()],
            transform: mosaic.transform().to_array(),
            crs: grid.crs.clone(),
            data_type: mosaic.data_type(),
            nodata: mosaic.nodata(),
            lengths: (mosaic.data_len(), mosaic.mask_len()),
        };
        Self { bands: Bands::Mosaic(mosaic), profile }
    }

    /// None if a band has no window.
    fn new(bands: Option<Bands>) -> Result<Option<Self>> {
        let Some(bands) = bands else { return Ok(None) };
        let profiles: Vec<Profile> = match &bands {
            Bands::Read(windows) => windows.iter().map(Profile::of_read).collect(),
            Bands::Warp(warps) => warps.iter().map(Profile::of_warp).collect(),
            Bands::Mosaic(_) => Vec::new(),
        };
        let Some(first) = profiles.first().map(|profile| profile.data_type) else { return Ok(None) };
        if let Some(other) = profiles.iter().map(|profile| profile.data_type).find(|other| *other != first) {
            let (first, other) = (first.name(), other.name());
            return Err(Error::argument(format!("bands: expected bands of one type, found {first} and {other}")));
        }
        Ok(profiles.into_iter().next().map(|profile| Self { bands, profile }))
    }

    fn len(&self) -> usize {
        match &self.bands {
            Bands::Read(windows) => windows.len(),
            Bands::Warp(warps) => warps.len(),
            Bands::Mosaic(mosaic) => mosaic.bands(),
        }
    }

    fn data_len(&self) -> usize {
        self.len().saturating_mul(self.profile.lengths.0)
    }

    fn mask_len(&self) -> usize {
        self.profile.lengths.1
    }
}

/// The fields of the result.
pub(super) const WINDOW: &[Field<RowWindows>] = &[
    Field { name: "width", cell: plain!(Integer, |row| integer(row.profile.place[0])) },
    Field { name: "height", cell: plain!(Integer, |row| integer(row.profile.place[1])) },
    Field { name: "col_off", cell: plain!(Integer, |row| integer(row.profile.place[2])) },
    Field { name: "row_off", cell: plain!(Integer, |row| integer(row.profile.place[3])) },
    Field { name: "transform", cell: Cell::Doubles(|row| Some(Cow::Borrowed(row.profile.transform.as_slice()))) },
    Field { name: "crs", cell: Cell::Text(|row| Some(Cow::Borrowed(row.profile.crs.as_deref()?))) },
    Field { name: "dtype", cell: Cell::Text(|row| Some(Cow::Borrowed(row.profile.data_type.name()))) },
    Field { name: "nodata", cell: plain!(Double, |row| row.profile.nodata) },
    Field { name: "data", cell: Cell::InPlace },
    Field { name: "mask", cell: Cell::InPlace },
    Field { name: "bands", cell: plain!(Integer, |row| i32::try_from(row.len()).ok()) },
];

fn integer(number: i64) -> Option<i32> {
    i32::try_from(number).ok()
}

/// Plans the windows of rows, one per band.
fn plan(session: &Session, resolved: Vec<Resolved<'_>>) -> Result<Vec<Option<RowWindows>>> {
    let mut counts = Vec::with_capacity(resolved.len());
    let bands = resolved.iter().flatten().map(|(_, request)| request.bands.as_ref().map_or(1, Vec::len) as u64);
    let bands: u64 = bands.sum();
    session.check_memory(bands.saturating_mul(BYTES_OF_A_BAND), || {
        format!("the plans of {bands} bands of {} rows", resolved.len())
    })?;
    let (mut requests, mut beside) = (Vec::new(), Vec::new());
    for row in resolved {
        let Some((read, WindowRequest { options, bands, warp })) = row else {
            counts.push((0, false));
            continue;
        };
        let bands: Vec<Option<u32>> = match bands {
            Some(bands) => bands.into_iter().map(Some).collect(),
            None => vec![read.request.band_index],
        };
        counts.push((bands.len(), warp.is_some()));
        for band_index in bands {
            requests.push(Some(ReadRequest { band_index, ..read.request.clone() }));
            beside.push((options, warp.clone()));
        }
    }
    let (mut reads, mut warps) = (Vec::new(), Vec::new());
    for (read, (options, warp)) in session.prepare(requests)?.into_iter().zip(beside) {
        match warp {
            None => reads.push(read.map(|read| (read, options))),
            Some(warp) => warps.push(read.map(|read| (read, warp))),
        }
    }
    let mut reads = session.plan_windows(&reads)?.into_iter();
    let mut warps = session.plan_warps(warps)?.into_iter();
    let rows = counts.into_iter().map(|(count, is_warped)| {
        let bands = match is_warped {
            false => reads.by_ref().take(count).collect::<Option<Vec<_>>>().map(Bands::Read),
            true => warps.by_ref().take(count).collect::<Option<Vec<_>>>().map(Bands::Warp),
        };
        RowWindows::new(bands)
    });
    rows.collect()
}

/// Plans the windows of rows, reads them, and writes them as the result.
pub(super) fn write(session: &Session, resolved: Vec<Resolved<'_>>, output: &mut Writer<'_>) -> Result<()> {
    write_rows(session, &plan(session, resolved)?, output)
}

/// Reads planned windows, and writes them as the result.
pub(super) fn write_rows(session: &Session, rows: &[Option<RowWindows>], output: &mut Writer<'_>) -> Result<()> {
    Field::write_struct(WINDOW, output, &rows.iter().map(Option::as_ref).collect::<Vec<_>>())?;
    let is_read = read(session, rows, output)?;
    for (row, _) in is_read.into_iter().enumerate().filter(|(_, is_read)| !is_read) {
        output.set_null(row)?;
    }
    Ok(())
}

/// Reads the pixels of windows into `data` and `mask`. Returns false for each row with a file that cannot be read.
fn read(session: &Session, rows: &[Option<RowWindows>], output: &mut Writer<'_>) -> Result<Vec<bool>> {
    let (mut windows, mut warps, mut mosaics) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows.iter().flatten() {
        match &row.bands {
            Bands::Read(bands) => windows.extend(bands),
            Bands::Warp(bands) => warps.extend(bands),
            Bands::Mosaic(mosaic) => mosaics.push(mosaic),
        }
    }
    let started = session.start_windows(windows.into_iter());
    let lengths = |length: fn(&RowWindows) -> usize| rows.iter().map(|row| row.as_ref().map(length)).collect();
    let mut fields = output.fields()?;
    let [.., data, mask, _bands] = fields.as_mut_slice() else {
        return Err(Error::Internal("a window without data and mask".to_owned()));
    };
    let mut data = data.blobs(lengths(RowWindows::data_len))?;
    let mut mask = mask.blobs(lengths(RowWindows::mask_len))?;
    // The mask of the first band of a row is written in place, and combined with those of the other bands.
    let of_others = rows.iter().map(|row| {
        let others = |row: &RowWindows| vec![0; row.len().saturating_sub(1) * row.mask_len()];
        row.as_ref().map_or_else(Vec::new, others)
    });
    let mut of_others: Vec<Vec<u8>> = of_others.collect();
    let (mut of_windows, mut of_warps, mut of_mosaics) = (Vec::new(), Vec::new(), Vec::new());
    for ((row, (data, mask)), others) in rows.iter().zip(data.rows().zip(mask.rows())).zip(&mut of_others) {
        let (Some(row), Some(data), Some(mask)) = (row, data, mask) else { continue };
        let (data_len, mask_len) = row.profile.lengths;
        let data = data.chunks_exact_mut(data_len.max(1));
        let masks = std::iter::once(mask).chain(others.chunks_exact_mut(mask_len.max(1)));
        let buffers = data.zip(masks).map(|(data, mask)| WindowBuffers { data, mask });
        match row.bands {
            Bands::Read(_) => of_windows.extend(buffers),
            Bands::Warp(_) => of_warps.extend(buffers),
            Bands::Mosaic(_) => of_mosaics.extend(buffers),
        }
    }
    let mut are_read = started.fill(of_windows.into_iter())?.into_iter();
    let mut are_warped = session.fill_warps(&warps, of_warps)?.into_iter();
    session.fill_mosaics(&mosaics, of_mosaics)?;
    for (mask, others) in mask.rows().zip(&of_others) {
        let mask = mask.unwrap_or_default();
        for other in others.chunks_exact(mask.len().max(1)) {
            mask.iter_mut().zip(other).for_each(|(byte, other)| *byte &= other);
        }
    }
    let mut is_read = |row: &Option<RowWindows>| {
        let Some(row) = row else { return true };
        let results: &mut dyn Iterator<Item = bool> = match row.bands {
            Bands::Read(_) => &mut are_read,
            Bands::Warp(_) => &mut are_warped,
            Bands::Mosaic(_) => return true,
        };
        // All of them are taken, also after a failure.
        results.take(row.len()).filter(|is_read| !is_read).count() == 0
    };
    Ok(rows.iter().map(&mut is_read).collect())
}
