//! Enriches files: the fixtures of `test/data`, and the STAC GeoParquet files of the corpus.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod records;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, MapBuilder, MapFieldNames, StringBuilder, StructBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field};
use rasteret_io::enrich::{Column, EnrichOptions, EnrichPlan, EnrichedBatch, Normalized};
use rasteret_io::parquet::{ParquetSource, Projection};
use rasteret_io::{Options, Result, Session};
use records::arrow;

/// A local Parquet file. Hrefs are relative to the folder of this crate, in which cargo runs the tests.
struct Table {
    directory: PathBuf,
    path: String,
}

impl Table {
    fn new(name: &str, batch: RecordBatch) -> Self {
        let directory = std::env::temp_dir().join(format!("rasteret-enrich-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("items.parquet");
        std::fs::write(&path, arrow(&[batch], 5_000, &[])).unwrap();
        Self { path: path.to_str().unwrap().to_owned(), directory }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/data")
}

/// Returns the plan and all batches, with all columns.
fn enrich(source: &str, options: EnrichOptions) -> Result<(EnrichPlan, Vec<EnrichedBatch>)> {
    let session = Session::new(Options::default());
    let plan = EnrichPlan::new(&session, &[source], options)?;
    let columns: Vec<Column> = plan.columns().into_iter().map(|(_, column)| column).collect();
    let stream = plan.start(&columns)?;
    let mut batches = Vec::new();
    while let Some(batch) = stream.next()? {
        batches.push(batch);
    }
    Ok((plan, batches))
}

fn error(source: &str, options: EnrichOptions) -> String {
    enrich(source, options).map(|_| ()).unwrap_err().to_string()
}

fn bands(names: &[&str]) -> EnrichOptions {
    EnrichOptions { bands: Some(names.iter().map(|name| (*name).to_owned()).collect()), ..EnrichOptions::default() }
}

fn widths(batch: &EnrichedBatch, band: usize) -> Vec<Option<u32>> {
    batch.metadata[band].iter().map(|file| file.as_ref().map(|file| file.header.image.image_width)).collect()
}

const COG_TYPE: &str = "image/tiff; application=geotiff; profile=cloud-optimized";

fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn structure(fields: &[(&str, ArrayRef)]) -> ArrayRef {
    let fields = fields
        .iter()
        .map(|(name, array)| (Arc::new(Field::new(*name, array.data_type().clone(), true)), Arc::clone(array)));
    Arc::new(StructArray::from(fields.collect::<Vec<_>>()))
}

fn asset(hrefs: &[Option<&str>], media_type: Option<&str>) -> ArrayRef {
    structure(&[("href", text(hrefs)), ("type", text(&vec![media_type; hrefs.len()]))])
}

/// Two rows of a STRUCT: B04 is a GeoTIFF by its type, B08 by its extension, and one asset is a picture.
fn struct_assets() -> ArrayRef {
    structure(&[
        ("thumbnail", asset(&[Some("a.png"), None], Some("image/png"))),
        ("B08", asset(&[Some("../../test/data/cog_b.tif"), None], None)),
        ("B04", asset(&[Some("../../test/data/cog.tif"), Some("../../test/data/cog.tif")], Some(COG_TYPE))),
    ])
}

fn json_assets() -> ArrayRef {
    let first = format!(
        r#"{{"thumbnail":{{"href":"a.png"}},"B08":{{"href":"../../test/data/cog_b.tif"}},"B04":{{"href":"../../test/data/cog.tif","type":"{COG_TYPE}"}}}}"#
    );
    text(&[Some(&first), Some(r#"{"B04":{"href":"../../test/data/cog.tif"}}"#)])
}

/// Rows of `(key, href, band_index)`.
fn map_assets(rows: &[Vec<(&str, &str, Option<i64>)>]) -> ArrayRef {
    let fields = [("href", DataType::Utf8), ("band_index", DataType::Int64)];
    let fields: Vec<Field> = fields.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect();
    let values = StructBuilder::new(fields, vec![Box::new(StringBuilder::new()), Box::new(Int64Builder::new())]);
    let names = MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
    let mut map = MapBuilder::new(Some(names), StringBuilder::new(), values);
    for row in rows {
        for (key, href, band_index) in row {
            map.keys().append_value(key);
            map.values().field_builder::<StringBuilder>(0).unwrap().append_value(href);
            map.values().field_builder::<Int64Builder>(1).unwrap().append_option(*band_index);
            map.values().append(true);
        }
        map.append(true).unwrap();
    }
    Arc::new(map.finish())
}

fn table(name: &str, columns: &[(&str, ArrayRef)]) -> Table {
    Table::new(name, RecordBatch::try_from_iter(columns.iter().cloned()).unwrap())
}

#[test]
fn bands_are_found_in_all_forms_of_assets() {
    let map = map_assets(&[
        vec![
            ("thumbnail", "a.png", None),
            ("B08", "../../test/data/cog_b.tif", None),
            ("B04", "../../test/data/cog.tif", None),
        ],
        vec![("B04", "../../test/data/cog.tif", None)],
    ]);
    for (name, assets) in [("struct", struct_assets()), ("json", json_assets()), ("map", map)] {
        let table = table(name, &[("assets", assets)]);
        let (plan, batches) = enrich(&table.path, EnrichOptions::default()).unwrap();
        assert_eq!(plan.bands(), ["B08", "B04"], "{name}");
        let names: Vec<_> = plan.columns().into_iter().map(|(name, _)| name).collect();
        let expected =
            ["assets", "B08_metadata", "B04_metadata", "proj:epsg", "crs", "bbox", "year", "month", "rasteret_error"];
        assert_eq!(names, expected, "{name}");
        assert_eq!(widths(&batches[0], 0), [Some(64), None], "{name}");
        assert_eq!(widths(&batches[0], 1), [Some(64), Some(64)], "{name}");
        assert_eq!(batches[0].errors, [None, None], "{name}: found bands may be missing");
    }
}

#[test]
fn errors_of_unknown_bands_list_the_assets() {
    for (name, assets) in [("unknown-struct", struct_assets()), ("unknown-json", json_assets())] {
        let table = table(name, &[("assets", assets)]);
        let message = error(&table.path, bands(&["B04", "B05"]));
        assert_eq!(message, "bands: no asset 'B05'; assets: thumbnail, B08, B04", "{name}");
    }
    let table = table("none-of-them", &[("assets", structure(&[("a", asset(&[Some("a.png")], Some("image/png")))]))]);
    let message = error(&table.path, EnrichOptions::default());
    let expected = "bands: no asset is a GeoTIFF by its media type or its href's extension; name the bands; assets: a";
    assert_eq!(message, expected);
}

#[test]
fn keys_beyond_the_sample_are_checked_at_the_end() {
    let mut rows = vec![vec![("B04", "../../test/data/cog.tif", None)]; 15_000];
    rows[14_000] = vec![("late", "../../test/data/cog_b.tif", None)];
    let table = table("late", &[("assets", map_assets(&rows))]);
    let options = |name: &str| EnrichOptions { batch_size: 2_048, normalize: false, ..bands(&["B04", name]) };
    let (_, batches) = enrich(&table.path, options("late")).unwrap();
    assert_eq!(batches.iter().map(|batch| batch.source.num_rows()).sum::<usize>(), 15_000);
    assert_eq!(error(&table.path, options("never")), "bands: no record has an asset 'never'");
}

#[test]
fn an_asset_may_have_a_band_index() {
    let map = map_assets(&[
        vec![("a", "../../test/data/planar.tif", Some(2)), ("b", "../../test/data/planar.tif", None)],
        vec![("a", "../../test/data/planar.tif", Some(-1)), ("b", "../../test/data/planar.tif", Some(1))],
    ]);
    let table = table("band-index", &[("assets", map)]);
    let options = EnrichOptions { band_index: vec![("b".to_owned(), 3)], ..bands(&["a", "b"]) };
    let (_, batches) = enrich(&table.path, options).unwrap();
    let index = |band: usize, row: usize| batches[0].metadata[band][row].as_ref().map(|file| file.header.band_index);
    assert_eq!([index(0, 0), index(1, 0)], [Some(Some(2)), Some(Some(3))]);
    assert_eq!([index(0, 1), index(1, 1)], [None, Some(Some(3))]);
    assert_eq!(batches[0].errors[1].as_deref(), Some("a: expected a band_index from 0, found -1"));
}

#[test]
fn conflicting_columns() {
    let clash = table("clash", &[("assets", struct_assets()), ("b04_METADATA", text(&[None, None]))]);
    assert_eq!(
        error(&clash.path, bands(&["B08", "B04"])),
        "bands: the source has a column 'B04_metadata' already: leave out 'B04', or drop the column"
    );
    assert!(enrich(&clash.path, bands(&["B08"])).is_ok());
    let enriched = table("enriched", &[("assets", struct_assets()), ("rasteret_error", text(&[None, None]))]);
    let message = error(&enriched.path, bands(&["B08"]));
    assert_eq!(message, "the source has a column 'rasteret_error' already: it was enriched before");
    let list = table("not-assets", &[("assets", structure(&[("B04", text(&[Some("../../test/data/cog.tif")]))]))]);
    let message = error(&list.path, bands(&["B04"]));
    assert!(
        message.starts_with("assets_column 'assets': expected STRUCT(band STRUCT(href VARCHAR, ...), ...), MAP"),
        "{message}"
    );
    assert!(message.ends_with("found STRUCT(B04)"), "{message}");
}

fn point(x: f64, y: f64) -> Vec<u8> {
    let mut wkb = vec![1, 1, 0, 0, 0];
    wkb.extend(x.to_le_bytes());
    wkb.extend(y.to_le_bytes());
    wkb
}

/// Returns the values of a computed column as text.
fn normalized(plan: &EnrichPlan, batch: &EnrichedBatch, column: Normalized) -> Vec<Option<String>> {
    let computed = plan.columns().into_iter().filter_map(|(_, column)| match column {
        Column::Normalized(column) => Some(column),
        _ => None,
    });
    let at = computed.collect::<Vec<_>>().iter().position(|known| *known == column).unwrap();
    let array = &batch.normalized[at];
    assert_eq!(*array.data_type(), column.data_type());
    (0..array.len())
        .map(|row| {
            array.is_valid(row).then(|| match column {
                Normalized::Crs => array.as_string::<i32>().value(row).to_owned(),
                Normalized::Bbox => {
                    let sides = array.as_struct().columns().iter();
                    let side = |side: &ArrayRef| (side.as_primitive::<Float64Type>().value(row) * 1e6).round() / 1e6;
                    format!("{:?}", sides.map(side).collect::<Vec<_>>())
                }
                _ => array.as_primitive::<Int32Type>().value(row).to_string(),
            })
        })
        .collect()
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| (*value != "NULL").then(|| (*value).to_owned())).collect()
}

/// Bounding box of cog.tif, computed with pyproj's transform_bounds.
const HEADER_BOX: &str = "[3.0, 41.5459, 3.007674, 41.551665]";

#[test]
fn crs_time_and_bbox_come_from_records_or_headers() {
    let hrefs =
        ["../../test/data/cog.tif", "../../test/data/cog.tif", "../../test/data/cog.tif", "../../test/data/plain.tif"]
            .map(Some);
    let (point, place) = (point(3.0, 41.0), point(-1.0, 2.0));
    let table = table(
        "normalize",
        &[
            ("assets", structure(&[("B04", asset(&hrefs, None))])),
            ("proj:code", text(&[Some("EPSG:4326"), None, None, None])),
            ("proj:wkt2", text(&[Some("GEOGCRS[\"a\",ID[\"EPSG\",4258]]"), Some("PROJCRS[\"b\"]"), None, None])),
            ("geometry", Arc::new(BinaryArray::from(vec![Some(point.as_slice()), None, Some(place.as_slice()), None]))),
            (
                "properties",
                structure(&[
                    ("datetime", text(&[Some("2020-12-31T23:30:00-01:00"), None, None, Some("never")])),
                    ("start_datetime", Arc::new(TimestampMicrosecondArray::from(vec![None, Some(0), None, None]))),
                ]),
            ),
        ],
    );
    let (plan, batches) = enrich(&table.path, EnrichOptions::default()).unwrap();
    let column = |column| normalized(&plan, &batches[0], column);
    // The third record has no values, and the second one no bounding box, so those of the header are used. The fourth file has none either.
    assert_eq!(column(Normalized::Epsg), some(&["4326", "NULL", "32631", "NULL"]));
    assert_eq!(column(Normalized::Crs), some(&["EPSG:4326", "PROJCRS[\"b\"]", "EPSG:32631", "NULL"]));
    assert_eq!(
        column(Normalized::Bbox),
        some(&["[3.0, 41.0, 3.0, 41.0]", HEADER_BOX, "[-1.0, 2.0, -1.0, 2.0]", "NULL"])
    );
    assert_eq!(column(Normalized::Year), some(&["2021", "1970", "NULL", "NULL"]));
    assert_eq!(column(Normalized::Month), some(&["1", "1", "NULL", "NULL"]));
}

#[test]
fn a_geometry_without_crs_is_used_if_it_may_be_in_degrees() {
    let places = [point(3.0, 41.0), point(500_000.0, 4_600_000.0), point(180.5, 0.0), point(180.0, -90.0)];
    let table = table(
        "unknown_crs",
        &[
            ("assets", structure(&[("B04", asset(&[Some("../../test/data/cog.tif"); 4], None))])),
            ("geometry", Arc::new(places.iter().map(|wkb| Some(wkb.as_slice())).collect::<BinaryArray>())),
        ],
    );
    let (plan, batches) = enrich(&table.path, EnrichOptions::default()).unwrap();
    assert_eq!(
        normalized(&plan, &batches[0], Normalized::Bbox),
        some(&["[3.0, 41.0, 3.0, 41.0]", HEADER_BOX, HEADER_BOX, "[180.0, -90.0, 180.0, -90.0]"])
    );
}

#[test]
fn only_absent_columns_are_computed() {
    let table = table(
        "present",
        &[
            ("assets", structure(&[("B04", asset(&[Some("../../test/data/cog.tif")], None))])),
            ("BBOX", text(&[Some("mine")])),
            ("crs", Arc::new(Int64Array::from(vec![3857]))),
            ("year", text(&[None])),
        ],
    );
    let (plan, batches) = enrich(&table.path, EnrichOptions::default()).unwrap();
    let names: Vec<_> = plan.columns().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[4..], ["B04_metadata", "proj:epsg", "month", "rasteret_error"]);
    assert_eq!(normalized(&plan, &batches[0], Normalized::Epsg), some(&["3857"]));
    let off = EnrichOptions { normalize: false, ..EnrichOptions::default() };
    let (plan, batches) = enrich(&table.path, off).unwrap();
    assert_eq!(plan.columns().len(), 6);
    assert!(batches[0].normalized.is_empty());
}

#[test]
fn a_source_without_rows_returns_no_rows() {
    let (plan, batches) = enrich(data().join("no_rows.parquet").to_str().unwrap(), EnrichOptions::default()).unwrap();
    assert!(batches.is_empty());
    assert!(plan.columns().len() > plan.source_schema().fields().len());
}

/// Returns the files of the corpus. Without a corpus, prints a message, or fails with `RASTERET_REQUIRE_CORPUS`.
fn corpus() -> Option<Vec<PathBuf>> {
    let root = std::env::var("RASTERET_CORPUS").unwrap_or_else(|_| "../../../shared/corpus".to_owned());
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join(root).join("stac/files");
    let Ok(entries) = std::fs::read_dir(&files) else {
        assert!(std::env::var_os("RASTERET_REQUIRE_CORPUS").is_none(), "no corpus at {}", files.display());
        eprintln!("skipped: no corpus at {}", files.display());
        return None;
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    Some(paths.filter(|path| path.extension().is_some_and(|extension| extension == "parquet")).collect())
}

#[test]
fn stac_geoparquet_of_the_corpus() {
    let Some(paths) = corpus() else { return };
    assert!(!paths.is_empty());
    for path in paths {
        let path = path.to_str().unwrap();
        let session = Session::new(Options::default());
        let source = session.block_on(ParquetSource::open(&session, vec![path.to_owned()])).unwrap().unwrap();
        assert_eq!(source.geometry_columns().len(), 1, "{path}");
        let all = Projection::columns(0..source.schema().fields().len());
        let read = records::read(&session, &source, &all, 100).unwrap();
        // Hrefs are rewritten to a port without listener, so that the test needs no network.
        let options = EnrichOptions {
            url_rewrite: vec![
                ("http".to_owned(), "http://127.0.0.1:9/".to_owned()),
                ("s3://".to_owned(), "http://127.0.0.1:9/".to_owned()),
            ],
            ..EnrichOptions::default()
        };
        let plan = EnrichPlan::new(&session, &[path], options).unwrap();
        assert!(!plan.bands().is_empty(), "{path}");
        let columns: Vec<Column> = plan.columns().into_iter().map(|(_, column)| column).collect();
        let stream = plan.start(&columns).unwrap();
        for expected in read {
            let batch = stream.next().unwrap().unwrap();
            assert_eq!(batch.source, expected, "{path}");
            assert!(batch.errors.iter().all(Option::is_some), "{path}");
            let year = normalized(&plan, &batch, Normalized::Year);
            assert!(year.iter().all(Option::is_some), "{path}: {year:?}");
        }
        let message = stream.next().unwrap_err().to_string();
        assert!(message.contains("assets failed: record 0, ") && message.contains("refused"), "{path}: {message}");
    }
}
