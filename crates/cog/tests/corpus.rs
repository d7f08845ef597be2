//! Compares headers of the corpus of real files with tifffile and GDAL, like `check.py --what headers` for the extension.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, missing_docs)]

#[path = "support/corpus.rs"]
mod corpus;
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use corpus::corpus;
use rasteret_cog::geo::Crs;
use rasteret_cog::{CogHeader, Error};
use serde_json::Value;
use support::{decode, dump, fetches};

/// A record of the oracle, and whether the manifest lists its file as hostile.
struct Record {
    name: String,
    bytes: Vec<u8>,
    oracle: Value,
    is_crafted: bool,
}

fn records(corpus: &Path) -> Vec<Record> {
    let manifest = std::fs::read_to_string(corpus.join("manifest.csv")).unwrap();
    let oracle = std::fs::read_to_string(corpus.join("oracle.jsonl")).unwrap();
    oracle
        .lines()
        .map(|line| {
            let oracle: Value = serde_json::from_str(line).unwrap();
            let name = oracle["file"].as_str().unwrap().to_owned();
            let row = manifest.lines().find(|row| row.starts_with(&format!("{name},")));
            Record {
                bytes: std::fs::read(corpus.join(&name)).unwrap(),
                is_crafted: row.is_some_and(|row| row.contains("fuzz-or-crafted")),
                name,
                oracle,
            }
        })
        .collect()
}

/// Compares a header with the oracle and collects the differences.
struct Comparison<'a> {
    header: &'a CogHeader,
    oracle: &'a Value,
    differences: Vec<String>,
}

/// The differences between a header and the oracle.
fn differences(header: &CogHeader, oracle: &Value) -> Vec<String> {
    let mut comparison = Comparison { header, oracle, differences: Vec::new() };
    comparison.sizes();
    comparison.encoding();
    comparison.tables();
    comparison.georeference();
    comparison.nodata();
    comparison.crs();
    comparison.overviews();
    comparison.differences
}

impl<'a> Comparison<'a> {
    /// The first IFD, read by tifffile.
    fn ifd(&self) -> &'a Value {
        &self.oracle["tifffile"]["ifds"][0]
    }

    /// The GeoTIFF tags, read by tifffile.
    fn geo(&self) -> &'a Value {
        &self.oracle["tifffile"]["geo"]
    }

    fn gdal(&self) -> &'a Value {
        &self.oracle["gdal"]
    }

    fn check(&mut self, name: &str, got: impl ToString, want: impl ToString) {
        let (got, want) = (got.to_string(), want.to_string());
        if got != want {
            self.differences.push(format!("{name}: got {got}, want {want}"));
        }
    }

    fn check_floats(&mut self, name: &str, got: Option<&[f64]>, want: &Value, slack: f64) {
        let want = (!want.is_null()).then(|| numbers(want));
        let is_same = match (got, &want) {
            (None, None) => true,
            (Some(got), Some(want)) => {
                got.len() == want.len() && got.iter().zip(want).all(|(a, b)| is_close(*a, *b, slack))
            }
            _ => false,
        };
        if !is_same {
            self.differences.push(format!("{name}: got {got:?}, want {want:?}"));
        }
    }

    fn sizes(&mut self) {
        let (image, ifd) = (&self.header.image, self.ifd());
        self.check("image_width", image.image_width, &ifd["width"]);
        self.check("image_height", image.image_height, &ifd["height"]);
        self.check("is_tiled", image.is_tiled, &ifd["is_tiled"]);
        if image.is_tiled {
            self.check("tile_width", image.tile_width, &ifd["tile_width"]);
            self.check("tile_height", image.tile_height, &ifd["tile_height"]);
        } else {
            let rows = ifd["tile_height"].as_u64().unwrap().min(ifd["height"].as_u64().unwrap());
            self.check("tile_width", image.tile_width, &ifd["width"]);
            self.check("tile_height", image.tile_height, rows);
        }
        let order = if self.oracle["tifffile"]["byteorder"] == "<" { "little" } else { "big" };
        self.check("byte_order", self.header.byte_order, order);
    }

    fn encoding(&mut self) {
        let (encoding, ifd, gdal) = (&self.header.image.encoding, self.ifd(), self.gdal());
        let bits = numbers(&ifd["bits_per_sample"]);
        let dtype = gdal["dtypes"][0].as_str().unwrap();
        if !dtype.starts_with("complex_int") && bits.windows(2).all(|pair| pair[0] == pair[1]) {
            // GDAL widens half floats.
            let is_half = bits[0] == 16.0 && numbers(&ifd["sample_format"])[0] == 3.0;
            self.check("dtype", encoding.dtype, if is_half { "float16" } else { dtype });
        }
        let structure = gdal["image_structure"]["COMPRESSION"].as_str();
        self.check("compression", encoding.compression, compression(ifd["compression"].as_u64().unwrap(), structure));
        self.check("predictor", encoding.predictor.code(), or_one(&ifd["predictor"]));
        self.check("planar", encoding.planar_configuration.code(), or_one(&ifd["planar_config"]));
        let photometric = encoding.photometric.map_or("null".to_owned(), |value| value.code().to_string());
        self.check("photometric", photometric, &ifd["photometric"]);
        self.check("samples_per_pixel", encoding.samples_per_pixel, &ifd["samples_per_pixel"]);
        let extra: Vec<u16> = self.header.extra_samples.iter().flatten().map(|sample| sample.code()).collect();
        self.check("extra_samples", format!("{extra:?}"), list(&ifd["extra_samples"]));
    }

    fn tables(&mut self) {
        let (image, ifd) = (&self.header.image, self.ifd());
        let get = |name: &str| ifd[name].as_u64().unwrap();
        let planes = if ifd["planar_config"] == 2 { get("samples_per_pixel") } else { 1 };
        let tiles = get("tiles_across") * get("tiles_down") * planes;
        if get("n_offsets") == tiles && get("n_byte_counts") == tiles {
            self.check("n_tiles", image.tile_offsets.len(), tiles);
            self.check("sum_offsets", image.tile_offsets.iter().sum::<u64>(), &ifd["sum_offsets"]);
            let sum: u64 = image.tile_byte_counts.iter().map(|count| u64::from(*count)).sum();
            self.check("sum_byte_counts", sum, &ifd["sum_byte_counts"]);
        }
    }

    fn georeference(&mut self) {
        let (header, geo, gdal) = (self.header, self.geo(), self.gdal());
        self.check_floats("pixel_scale", header.pixel_scale.as_deref(), &geo["model_pixel_scale"], 1e-9);
        self.check_floats("tiepoint", header.tiepoint.as_deref(), &geo["model_tiepoint"], 1e-9);
        let has_transform = gdal["has_geotransform"].as_bool().unwrap_or(false);
        let want = if has_transform { &gdal["affine"] } else { &Value::Null };
        // rasterio does not distinguish an identity matrix from none.
        if has_transform || geo["model_transformation"].is_null() {
            let got = header.transform.map(|transform| transform.to_array());
            self.check_floats("transform", got.as_ref().map(|array| &array[..]), want, 1e-9);
        }
    }

    fn nodata(&mut self) {
        let (header, geo, gdal) = (self.header, self.geo(), self.gdal());
        // GDAL ignores a nodata value that the type cannot represent, so it is not compared.
        let has_metadata = geo["gdal_metadata"].as_str().is_some_and(|xml| xml.contains("NODATA_VALUE"));
        if !gdal["nodata"].is_null() || geo["gdal_nodata"].is_null() && !has_metadata {
            let want = match &gdal["nodata"] {
                Value::Null => Value::Null,
                number => Value::Array(vec![number.clone()]),
            };
            self.check_floats("nodata", header.nodata.as_ref().map(std::slice::from_ref), &want, 1e-6);
        }
    }

    fn crs(&mut self) {
        let gdal = self.gdal();
        let keys = &self.geo()["geo_keys"];
        let has_keys = keys.as_object().is_some_and(|keys| !keys.is_empty());
        let key = |name: &str| keys[name].as_u64().filter(|code| ![0, 32767].contains(code));
        let code = match keys["3072"].as_u64() {
            Some(32767) => None,
            _ => key("3072").or(key("2048")),
        };
        let wkt = gdal["crs"]["wkt"].as_str();
        let difference = match (&self.header.crs, code) {
            (Some(Crs::Epsg(got)), Some(code)) if u64::from(*got) == code => return,
            (got, Some(code)) => format!("crs: got {got:?}, want EPSG:{code}"),
            (None, None) if has_keys && wkt.is_some() => format!("crs: got none, want {wkt:?}"),
            (Some(got), None) if !has_keys && gdal["crs"].is_null() => format!("crs: got {got}, want none"),
            _ => return,
        };
        self.differences.push(difference);
    }

    fn overviews(&mut self) {
        let sizes = |ifd: &Value| (ifd["width"].as_u64().unwrap(), ifd["height"].as_u64().unwrap());
        let ifds = self.oracle["tifffile"]["ifds"].as_array().unwrap();
        let mut want: Vec<_> =
            ifds[1..].iter().filter(|ifd| ifd["subfiletype"].as_u64().unwrap_or(0) & 5 == 1).map(sizes).collect();
        want.sort_unstable_by(|a, b| b.cmp(a));
        let has_overviews = !numbers(&self.gdal()["overviews"]).is_empty();
        if want.is_empty() != has_overviews && self.ifd()["n_subifds"] == 0 {
            let size = |level: &rasteret_cog::Level| (u64::from(level.image_width), u64::from(level.image_height));
            let got: Vec<_> = self.header.overviews.iter().map(size).collect();
            self.check("overviews", format!("{got:?}"), format!("{want:?}"));
        }
    }
}

/// Returns the projection, its parameters other than defaults, and the ellipsoid of WKT 1.
fn meaning(wkt: &str) -> (String, Vec<(String, f64)>, Vec<f64>) {
    let after = |keyword: &str| wkt.split_once(&format!("{keyword}[\"")).map(|(_, rest)| rest);
    let projection = after("PROJECTION").map_or("", |rest| &rest[..rest.find('"').unwrap()]);
    let mut parameters: Vec<_> = wkt
        .split("PARAMETER[\"")
        .skip(1)
        .map(|part| {
            let (name, rest) = part.split_once("\",").unwrap();
            (name.to_owned(), rest[..rest.find(']').unwrap()].parse().unwrap())
        })
        .filter(|(name, value)| *value != if name == "scale_factor" { 1.0 } else { 0.0 })
        .collect();
    parameters.sort_by(|a, b| a.0.cmp(&b.0));
    let spheroid = after("SPHEROID").map_or("", |rest| rest.split_once("\",").unwrap().1);
    let spheroid = spheroid.split([',', ']']).map_while(|number| number.parse().ok()).take(2).collect();
    (projection.to_owned(), parameters, spheroid)
}

/// Compares the parameters of user-defined CRSs with GDAL's WKT.
#[test]
fn user_defined_crss_agree_with_gdal() {
    let Some(corpus) = corpus() else { return };
    let mut compared = 0;
    for record in &records(&corpus) {
        let Some(want) = record.oracle["gdal"]["crs"]["wkt"].as_str() else { continue };
        let Ok(CogHeader { crs: Some(Crs::Wkt(got)), .. }) = decode(&record.bytes) else { continue };
        // Citations with Esri WKT are not converted; GDAL recognizes Esri's Web Mercator by name.
        let is_esri = got.contains("D_North_American_1983") || want.contains("Popular Visualisation");
        if is_esri {
            continue;
        }
        let ((projection, parameters, spheroid), want) = (meaning(&got), meaning(want));
        assert_eq!(projection, want.0, "{}", record.name);
        assert_eq!(parameters.len(), want.1.len(), "{}: {parameters:?} {want:?}", record.name);
        for ((name, got), (want_name, want)) in parameters.iter().zip(&want.1) {
            assert!(name == want_name && is_close(*got, *want, 1e-12), "{}: {name} {got} {want}", record.name);
        }
        assert!(spheroid.iter().zip(&want.2).all(|(a, b)| is_close(*a, *b, 1e-11)), "{}: {spheroid:?}", record.name);
        compared += 1;
    }
    eprintln!("{compared} user-defined CRSs compared");
    assert!(compared > 0);
}

#[test]
fn every_ifd_can_be_dumped() {
    let Some(corpus) = corpus() else { return };
    for record in records(&corpus).iter().filter(|record| !record.is_crafted) {
        let ifds = dump(&record.bytes, 32 << 10).unwrap_or_else(|error| panic!("{}: {error}", record.name));
        let main = ifds.iter().filter(|ifd| ifd.parent.is_none()).count();
        if let Some(want) = record.oracle["tifffile"]["n_ifds"].as_u64() {
            assert_eq!(main as u64, want, "{}", record.name);
        }
    }
}

fn numbers(list: &Value) -> Vec<f64> {
    let number = |value: &Value| match value.as_str() {
        Some(text) => text.parse().unwrap(),
        None => value.as_f64().unwrap(),
    };
    list.as_array().into_iter().flatten().map(number).collect()
}

fn list(list: &Value) -> String {
    format!("{:?}", numbers(list).iter().map(|number| *number as u16).collect::<Vec<_>>())
}

fn or_one(value: &Value) -> String {
    match value.as_u64() {
        None | Some(0) => "1".to_owned(),
        Some(number) => number.to_string(),
    }
}

fn is_close(a: f64, b: f64, slack: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= slack * a.abs().max(b.abs()).max(1e-3)
}

fn compression(code: u64, structure: Option<&str>) -> String {
    let name = match code {
        1 => "none",
        2 => "ccittrle",
        3 => "ccittfax3",
        4 => "ccittfax4",
        5 => "lzw",
        7 => "jpeg",
        8 | 32946 => "deflate",
        32773 => "packbits",
        34887 => return structure.unwrap().to_lowercase(),
        34925 => "lzma",
        50000 => "zstd",
        50001 => "webp",
        50002 | 52546 => "jxl",
        34712 => "jpeg2000",
        _ => return format!("unknown({code})"),
    };
    name.to_owned()
}

#[test]
fn headers_equal_tifffile_and_gdal() {
    let Some(corpus) = corpus() else { return };
    let records = records(&corpus);
    let mut wrong = Vec::new();
    let (mut read, mut refused) = (0, 0);
    for record in &records {
        let started = Instant::now();
        let result = decode(&record.bytes);
        if started.elapsed() > Duration::from_secs(1) {
            wrong.push(format!("{}: took {:?}", record.name, started.elapsed()));
        }
        let both_read = record.oracle["tifffile"]["ok"] == true && record.oracle["gdal"]["ok"] == true;
        match result {
            Ok(header) => {
                read += 1;
                if both_read {
                    let found = differences(&header, &record.oracle);
                    wrong.extend(found.into_iter().map(|what| format!("{}: {what}", record.name)));
                }
            }
            Err(error) if both_read && !record.is_crafted => wrong.push(format!("{}: {error}", record.name)),
            Err(error) => {
                refused += 1;
                if !matches!(error, Error::Malformed { .. } | Error::Unsupported { .. } | Error::LimitExceeded { .. }) {
                    wrong.push(format!("{}: rejected with an unexpected error: {error}", record.name));
                }
            }
        }
    }
    eprintln!("{} files: {read} read, {refused} refused, {} wrong", records.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn cogs_take_one_fetch_of_32_kib() {
    let Some(corpus) = corpus() else { return };
    let mut several = Vec::new();
    for record in &records(&corpus) {
        let header_end = record.oracle["tifffile"]["header_end_all"].as_u64();
        let fits = header_end.is_some_and(|end| end <= 32 << 10);
        if let Ok((_, rounds)) = fetches(&record.bytes, 32 << 10)
            && fits
            && rounds.len() > 1
        {
            several.push(format!("{}: {rounds:?}", record.name));
        }
    }
    assert!(several.is_empty(), "{}", several.join("\n"));
}

/// Headers not at the start of the file take one round for the IFD, and one more if tables or other IFDs are not close to it.
#[test]
fn other_files_take_few_fetches() {
    let Some(corpus) = corpus() else { return };
    let mut rounds = [0; 4];
    for record in records(&corpus).iter().filter(|record| !record.is_crafted) {
        if let Ok((header, fetched)) = fetches(&record.bytes, 32 << 10) {
            let levels = header.overviews.len() + header.masks.len();
            assert!(fetched.len() <= 3 + levels, "{}: {fetched:?}", record.name);
            rounds[fetched.len().min(4) - 1] += 1;
        }
    }
    eprintln!("files by rounds of fetches (1, 2, 3, more): {rounds:?}");
}
