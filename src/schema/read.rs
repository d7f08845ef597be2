//! Conversion of metadata STRUCTs of an index to headers.
//!
//! Fields are found by name, in any order and with any integer type. Only those of the first seventeen that define the
//! tile table are required; all others, if missing, have the defaults of TIFF. The form of Python Rasteret is accepted
//! too: `compression` as the TIFF code, and `transform` as its four numbers (scale x, translate x, scale y, translate
//! y).

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;

use rasteret_cog::geo::{Crs, GeoTransform};
use rasteret_cog::tiff::{
    ByteOrder, Compression, DataType, ExtraSample, FillOrder, Photometric, PlanarConfiguration, Predictor, SampleFormat,
};
use rasteret_cog::{Bands, CogHeader, Encoding, Level, RasterInfo};
use rasteret_io::enrich::Georeference;
use rasteret_io::{CogFile, ObjectVersion};

use super::raster::IndexedRaster;
use crate::error::{Error, Result};
use crate::vector::{Integers, Reader, TypeId};

/// The expected values of the field `crs`, for errors.
const A_CRS: &str = "EPSG:n or WKT";

/// Characters of a text in an error.
const SHOWN_LENGTH: usize = 40;

/// Reads the metadata STRUCTs of a vector.
pub(crate) struct MetadataReader<'a> {
    reader: &'a Reader<'a>,
}

impl<'a> MetadataReader<'a> {
    /// Checks that the vector is a STRUCT (or an untyped NULL).
    pub(crate) fn new(reader: &'a Reader<'a>) -> Result<Self> {
        match reader.kind().id() {
            TypeId::Struct | TypeId::SqlNull => Ok(Self { reader }),
            _ => Err(Error::argument(format!(
                "metadata: expected the STRUCT of cog_metadata() or of an index, found {}",
                reader.kind()
            ))),
        }
    }

    /// For each row, whether its metadata is that of the previous row.
    pub(crate) fn repeats(&self) -> Vec<bool> {
        self.reader.repeats()
    }

    /// Whether two rows have the same metadata.
    pub(crate) fn is_same(&self, a: usize, b: usize) -> bool {
        self.reader.is_same(a, b)
    }

    /// A hash that is equal for equal rows, and rarely for rows of different files.
    pub(crate) fn fingerprint(&self, row: usize) -> u64 {
        let fields = ["tile_offsets", "tile_byte_counts", "transform"].map(|name| self.reader.field(name));
        fields.into_iter().flatten().fold(0, |sum, field| sum.rotate_left(21) ^ field.fingerprint(row))
    }

    /// Whether the row is NULL.
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.reader.is_null(row)
    }

    /// The header of a row; None for NULL.
    pub(crate) fn read(&self, row: usize) -> Result<Option<CogFile>> {
        if self.reader.is_null(row) {
            return Ok(None);
        }
        let fields = self.fields(row);
        let image = level(&fields)?;
        let header = CogHeader {
            byte_order: fields.parsed("byte_order", "little or big")?.unwrap_or(ByteOrder::Little),
            overviews: levels(&fields, "overviews")?,
            masks: levels(&fields, "masks")?,
            band_index: fields.integer("band_index")?,
            extra_samples: codes(&fields, "extra_samples", ExtraSample::from_code)?,
            transform: transform(&fields)?,
            pixel_scale: fields.doubles("pixel_scale")?,
            tiepoint: fields.doubles("tiepoint")?,
            crs: fields.parsed::<Crs>("crs", A_CRS)?,
            nodata: fields.number("nodata")?,
            nodata_text: fields.text("nodata_text")?.map(str::to_owned),
            nodata_values: fields.doubles("nodata_values")?,
            scale: fields.doubles("scale")?,
            offset: fields.doubles("offset")?,
            image,
        };
        Ok(Some(CogFile {
            header: Arc::new(header),
            version: ObjectVersion {
                size: fields.integer("file_size")?,
                etag: fields.text("etag")?.map(str::to_owned),
                last_modified: fields.field("last_modified").and_then(|field| field.timestamp_micros(row)),
            },
        }))
    }

    /// The raster of a row, whose tile tables are read on demand; None for NULL.
    pub(crate) fn raster(&self, row: usize) -> Result<Option<IndexedRaster<'a>>> {
        self.raster_info(row)?.map(|info| Ok(IndexedRaster::new(self.fields(row), info))).transpose()
    }

    /// The size, bands and georeferencing of the raster of a row; None for NULL.
    pub(crate) fn raster_info(&self, row: usize) -> Result<Option<RasterInfo>> {
        if self.reader.is_null(row) {
            return Ok(None);
        }
        let fields = self.fields(row);
        Ok(Some(RasterInfo {
            width: fields.required("image_width", fields.integer("image_width")?)?,
            height: fields.required("image_height", fields.integer("image_height")?)?,
            bands: Bands {
                count: fields.integer("samples_per_pixel")?.unwrap_or(1),
                narrowed_to: fields.integer("band_index")?,
            },
            transform: transform(&fields)?,
            crs: fields.parsed("crs", A_CRS)?,
        }))
    }

    /// The georeference of the image of a row, from a STRUCT that may have no other fields; None for NULL.
    pub(crate) fn georeference(&self, row: usize) -> Result<Option<Georeference<'static>>> {
        if self.reader.is_null(row) {
            return Ok(None);
        }
        let fields = self.fields(row);
        let size = fields.integer("image_width")?.zip(fields.integer("image_height")?);
        let crs = fields.parsed::<Crs>("crs", A_CRS)?.map(Cow::Owned);
        Ok(Some(Georeference { crs, transform: transform(&fields)?, size }))
    }

    fn fields(&self, row: usize) -> Fields<'a> {
        Fields { reader: self.reader, row, context: "metadata" }
    }
}

/// Reads one image; the top-level fields are those of the full-resolution image.
fn level(fields: &Fields<'_>) -> Result<Level> {
    let samples_per_pixel = fields.integer("samples_per_pixel")?.unwrap_or(1);
    let dtype: DataType = fields.required("dtype", fields.parsed("dtype", "a type such as uint16")?)?;
    let image_width = fields.required("image_width", fields.integer("image_width")?)?;
    let tile_width = fields.required("tile_width", fields.integer("tile_width")?)?;
    let offsets: Vec<u64> = fields.required("tile_offsets", fields.integers("tile_offsets")?)?;
    let byte_counts: Vec<u32> = fields.required("tile_byte_counts", fields.integers("tile_byte_counts")?)?;
    if offsets.len() != byte_counts.len() {
        return Err(Error::argument(format!(
            "{}: expected as many tile_byte_counts as tile_offsets, found {} and {}",
            fields.context,
            byte_counts.len(),
            offsets.len()
        )));
    }
    let encoding = Encoding {
        compression: compression(fields)?,
        predictor: fields.integer("predictor")?.map_or(Predictor::None, Predictor::from_code),
        planar_configuration: fields
            .integer("planar_configuration")?
            .map_or(PlanarConfiguration::Chunky, PlanarConfiguration::from_code),
        photometric: fields.integer("photometric")?.map(Photometric::from_code),
        samples_per_pixel,
        bits_per_sample: match fields.integers("bits_per_sample")? {
            Some(bits) => bits,
            None => vec![u16::try_from(dtype.size() * 8).unwrap_or(0); samples_per_pixel.into()],
        },
        sample_format: match codes(fields, "sample_format", SampleFormat::from_code)? {
            Some(formats) => formats,
            None => vec![SampleFormat::of(dtype); samples_per_pixel.into()],
        },
        dtype,
        fill_order: fields.integer("fill_order")?.map_or(FillOrder::MsbFirst, FillOrder::from_code),
        jpeg_tables: fields.bytes("jpeg_tables")?.map(|tables| tables.to_vec().into()),
        ycbcr_subsampling: match fields.integers("ycbcr_subsampling")? {
            Some(pair) => Some(pair.try_into().map_err(|_| fields.unexpected("ycbcr_subsampling", "two numbers"))?),
            None => None,
        },
        lerc_parameters: fields.integers("lerc_parameters")?,
        t4_options: fields.integer("t4_options")?,
    };
    Ok(Level {
        image_width,
        image_height: fields.required("image_height", fields.integer("image_height")?)?,
        tile_width,
        tile_height: fields.required("tile_height", fields.integer("tile_height")?)?,
        // Python Rasteret only indexes tiled files, and has no such field.
        is_tiled: fields.boolean("is_tiled")?.unwrap_or(true),
        tile_offsets: offsets,
        tile_byte_counts: byte_counts,
        encoding,
    })
}

/// A list of TIFF codes.
fn codes<T>(fields: &Fields<'_>, name: &str, from_code: fn(u16) -> T) -> Result<Option<Vec<T>>> {
    let codes: Option<Vec<u16>> = fields.integers(name)?;
    Ok(codes.map(|codes| codes.into_iter().map(from_code).collect()))
}

fn levels(fields: &Fields<'_>, name: &'static str) -> Result<Vec<Level>> {
    let Some((range, elements)) = fields.field(name).and_then(|field| field.list(fields.row)) else {
        return Ok(Vec::new());
    };
    range.map(|row| level(&Fields { reader: elements, row, context: name })).collect()
}

/// GDAL's name, or the TIFF code written by Python Rasteret.
fn compression(fields: &Fields<'_>) -> Result<Compression> {
    let code = fields.field("compression").and_then(|field| field.integer(fields.row));
    match code {
        Some(code) => u16::try_from(code)
            .map(Compression::from_code)
            .map_err(|_| fields.unexpected("compression", "a TIFF compression code")),
        None => fields.required("compression", fields.parsed("compression", "a codec such as deflate")?),
    }
}

fn transform(fields: &Fields<'_>) -> Result<Option<GeoTransform>> {
    let Some(numbers) = fields.doubles("transform")? else {
        return Ok(None);
    };
    let six = match *numbers.as_slice() {
        [scale_x, translate_x, scale_y, translate_y] => [scale_x, 0.0, translate_x, 0.0, scale_y, translate_y],
        [a, b, c, d, e, f] => [a, b, c, d, e, f],
        _ => return Err(fields.unexpected("transform", "six numbers (or Python Rasteret's four)")),
    };
    Ok(Some(GeoTransform::from_array(six)))
}

/// A value for an error: a text or a number, else its type, and the length of a list.
fn shown(field: &Reader<'_>, row: usize) -> String {
    let kind = field.kind();
    if let Some(text) = field.text(row) {
        let short: String = text.chars().take(SHOWN_LENGTH).collect();
        let rest = if short.len() < text.len() { "…" } else { "" };
        return format!("'{short}{rest}'");
    }
    match (field.integer(row), field.list(row)) {
        (Some(number), _) => number.to_string(),
        (None, Some((range, _))) => format!("{kind} of {} elements", range.len()),
        (None, None) => format!("a value of {kind}"),
    }
}

/// The fields of one STRUCT value.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) row: usize,
    pub(super) context: &'static str,
}

impl<'a> Fields<'a> {
    /// A field that exists and is not NULL in this row.
    pub(super) fn field(&self, name: &str) -> Option<&'a Reader<'a>> {
        self.reader.field(name).filter(|field| !field.is_null(self.row))
    }

    pub(super) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| Error::argument(format!("{}: expected a value in field {name}, found none", self.context)))
    }

    pub(super) fn unexpected(&self, name: &str, expected: &str) -> Error {
        let found = self.field(name).map_or_else(|| "NULL".to_owned(), |field| shown(field, self.row));
        Error::argument(format!("{}, field {name}: expected {expected}, found {found}", self.context))
    }

    /// A value, through a typed accessor of the reader.
    fn typed<T>(
        &self,
        name: &str,
        expected: &str,
        view: impl Fn(&'a Reader<'a>, usize) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.field(name) {
            Some(field) => view(field, self.row).map(Some).ok_or_else(|| self.unexpected(name, expected)),
            None => Ok(None),
        }
    }

    pub(super) fn integer<T: TryFrom<i128>>(&self, name: &str) -> Result<Option<T>> {
        self.typed(name, "an integer in range", |field, row| T::try_from(field.integer(row)?).ok())
    }

    fn number(&self, name: &str) -> Result<Option<f64>> {
        self.typed(name, "a number", Reader::number)
    }

    fn boolean(&self, name: &str) -> Result<Option<bool>> {
        self.typed(name, "a BOOLEAN", Reader::boolean)
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>> {
        self.typed(name, "a VARCHAR", Reader::text)
    }

    fn bytes(&self, name: &str) -> Result<Option<&'a [u8]>> {
        self.typed(name, "a BLOB", Reader::bytes)
    }

    fn parsed<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>> {
        self.typed(name, expected, |field, row| field.text(row)?.parse().ok())
    }

    fn integers<T: TryFrom<i128>>(&self, name: &str) -> Result<Option<Vec<T>>> {
        self.typed(name, "a list of integers in range", |field, row| {
            let (range, elements) = field.list(row)?;
            // Fast path for tile tables, which are long and usually have these types: a nanosecond per value instead of
            // ten.
            match elements.integers(&range) {
                Some(Integers::Four(values)) => values.iter().map(|value| T::try_from((*value).into()).ok()).collect(),
                Some(Integers::Eight(values)) => values.iter().map(|value| T::try_from((*value).into()).ok()).collect(),
                None => range.map(|i| T::try_from(elements.integer(i)?).ok()).collect(),
            }
        })
    }

    fn doubles(&self, name: &str) -> Result<Option<Vec<f64>>> {
        self.typed(name, "a list of numbers", |field, row| {
            let (range, elements) = field.list(row)?;
            range.map(|i| elements.number(i)).collect()
        })
    }
}
