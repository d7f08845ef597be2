//! Files, row groups, projections and faults of a Parquet source.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod records;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, DictionaryArray, DurationMicrosecondArray, FixedSizeListArray, Int32Array,
    Int64Array, LargeStringArray, RecordBatch, StringArray, StructArray,
};
use arrow_schema::{DataType, Field};
use rasteret_io::parquet::{HiveOptions, Kind, ParquetSource, Projection, SourceOptions};
use rasteret_io::{Options, Session};
use records::{Values, arrow, open, raw, read, session, whole};

fn numbers(range: std::ops::Range<i32>) -> RecordBatch {
    RecordBatch::try_from_iter([
        ("a", Arc::new(Int32Array::from_iter_values(range.clone())) as ArrayRef),
        ("b", Arc::new(StringArray::from_iter_values(range.map(|number| format!("text {number}")))) as ArrayRef),
    ])
    .unwrap()
}

fn first_column(batches: &[RecordBatch]) -> Vec<i32> {
    batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int32Type>().values().to_vec()).collect()
}

#[test]
fn order_is_kept_over_files_and_row_groups() {
    let one = arrow(&[numbers(0..1_000)], 300, &[]);
    let two = arrow(&[numbers(1_000..1_500)], 100, &[]);
    let session = session(&[("one.parquet", &one), ("two.parquet", &two)]);
    let source = open(&session, &["one.parquet", "two.parquet", "one.parquet"]).unwrap();
    let batches = read(&session, &source, &Projection::columns([0]), 77).unwrap();
    let expected: Vec<i32> = (0..1_500).chain(0..1_000).collect();
    assert_eq!(first_column(&batches), expected);
    assert!(batches.iter().all(|batch| batch.num_rows() <= 77));
}

#[test]
fn local_and_remote_files_read_the_same() {
    let bytes = arrow(&[numbers(0..1_000)], 300, &[]);
    let path = std::env::temp_dir().join(format!("rasteret-source-{}.parquet", std::process::id()));
    std::fs::write(&path, &bytes).unwrap();
    let session = session(&[("a.parquet", &bytes)]);
    let local = vec![path.to_string_lossy().into_owned()];
    let local = session.block_on(ParquetSource::open(&session, local)).unwrap().unwrap();
    let remote = open(&session, &["a.parquet"]).unwrap();
    assert_eq!(local.schema(), remote.schema());
    let all = Projection::columns([1, 0]);
    let concat = |batches: Vec<RecordBatch>| {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        (
            rows,
            batches
                .iter()
                .flat_map(|batch| {
                    batch.column(0).as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
                })
                .collect::<Vec<_>>(),
        )
    };
    let (local, remote) = (read(&session, &local, &all, 64), read(&session, &remote, &all, 64));
    assert_eq!(concat(local.unwrap()), concat(remote.unwrap()));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn only_projected_columns_are_returned() {
    let bytes = arrow(&[numbers(0..10)], 100, &[]);
    let session = session(&[("a.parquet", &bytes)]);
    let source = open(&session, &["a.parquet"]).unwrap();
    let none = read(&session, &source, &Projection::none(), 4).unwrap();
    assert_eq!(none.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [4, 4, 2]);
    assert_eq!(none[0].num_columns(), 0);
    let twice = read(&session, &source, &Projection::columns([1, 0, 1]), 100).unwrap();
    let names: Vec<_> = twice[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["b", "a", "b"]);
}

/// `assets STRUCT(B04 STRUCT(href, gsd), B08 STRUCT(href), [qa STRUCT(href)])`
fn assets(hrefs: &[&str], with_qa: bool) -> RecordBatch {
    let text = |band: &str| {
        Arc::new(StringArray::from_iter_values(hrefs.iter().map(|href| format!("{href}/{band}")))) as ArrayRef
    };
    let href = || Arc::new(Field::new("href", DataType::Utf8, true));
    let gsd: ArrayRef = Arc::new(Int64Array::from(vec![10; hrefs.len()]));
    let b04 = StructArray::from(vec![(href(), text("B04")), (Arc::new(Field::new("gsd", DataType::Int64, true)), gsd)]);
    let mut bands: Vec<(&str, ArrayRef)> = vec![("B04", Arc::new(b04))];
    if with_qa {
        bands.push(("qa", Arc::new(StructArray::from(vec![(href(), text("qa"))]))));
    }
    bands.push(("B08", Arc::new(StructArray::from(vec![(href(), text("B08"))]))));
    let bands: Vec<_> = bands
        .into_iter()
        .map(|(name, array)| (Arc::new(Field::new(name, array.data_type().clone(), true)), array))
        .collect();
    RecordBatch::try_from_iter([("assets", Arc::new(StructArray::from(bands)) as ArrayRef)]).unwrap()
}

#[test]
fn single_fields_of_a_struct() {
    let bytes = arrow(&[assets(&["s3://x"], true)], 100, &[]);
    let session = session(&[("a.parquet", &bytes)]);
    let source = open(&session, &["a.parquet"]).unwrap();
    let path = |band: &str, field: &str| vec![band.to_owned(), field.to_owned()];
    let hrefs = Projection::none().and_fields(0, vec![path("B08", "href"), path("B04", "href"), path("B04", "none")]);
    let batch = read(&session, &source, &hrefs, 10).unwrap().remove(0);
    let column = batch.column(0).as_struct();
    assert_eq!(column.column_names(), ["B04", "B08"]);
    assert_eq!(column.column(0).as_struct().column_names(), ["href"]);
    assert_eq!(column.column(1).as_struct().column(0).as_string::<i32>().value(0), "s3://x/B08");
    let nothing = Projection::none().and_fields(0, vec![path("none", "href")]);
    let batch = read(&session, &source, &nothing, 10).unwrap().remove(0);
    assert_eq!((batch.num_rows(), batch.column(0).null_count()), (1, 1));
}

#[test]
fn structs_of_later_files_are_matched_by_name() {
    let more = arrow(&[assets(&["s3://more"], true)], 100, &[]);
    let less = arrow(&[assets(&["s3://less"], false)], 100, &[]);
    let session = session(&[("more.parquet", &more), ("less.parquet", &less)]);
    let source = open(&session, &["more.parquet", "less.parquet"]).unwrap();
    let batches = read(&session, &source, &Projection::columns([0]), 10).unwrap();
    let last = batches[1].column(0).as_struct();
    assert_eq!(last.column_names(), ["B04", "qa", "B08"]);
    assert!(last.column(1).is_null(0));
    let b08 = last.column_by_name("B08").unwrap().as_struct();
    assert_eq!(b08.column(0).as_string::<i32>().value(0), "s3://less/B08");
    // A column missing in the first file is an error, and is not dropped.
    let source = open(&session, &["less.parquet", "more.parquet"]).unwrap();
    let error = read(&session, &source, &Projection::columns([0]), 10).unwrap_err().to_string();
    assert!(error.starts_with("s3://b/more.parquet: has column 'assets' of type"), "{error}");
    assert!(error.ends_with("unlike the first file s3://b/less.parquet"), "{error}");
}

#[test]
fn errors_contain_the_incompatible_file() {
    let one = arrow(&[numbers(0..10)], 100, &[]);
    let other = RecordBatch::try_from_iter([("b", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap();
    let two = arrow(&[other], 100, &[]);
    let session = session(&[("one.parquet", &one), ("two.parquet", &two)]);
    let source = open(&session, &["one.parquet", "two.parquet"]).unwrap();
    let error = |column: usize| read(&session, &source, &Projection::columns([column]), 10).unwrap_err().to_string();
    assert_eq!(error(0), "s3://b/two.parquet: has no column 'a', unlike the first file s3://b/one.parquet");
    assert_eq!(
        error(1),
        "s3://b/two.parquet: has column 'b' of type Int64, where Utf8 is expected, unlike the first file \
         s3://b/one.parquet"
    );
    // Columns that are not projected are not compared.
    assert_eq!(read(&session, &source, &Projection::none(), 100).unwrap().len(), 2);
}

#[test]
fn the_arrow_schema_entry_is_ignored() {
    let dictionary: DictionaryArray<Int32Type> = ["x", "y", "x"].into_iter().collect();
    let fixed = FixedSizeListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), Some(2)]), None, None], 2);
    let batch = RecordBatch::try_from_iter([
        ("dictionary", Arc::new(dictionary) as ArrayRef),
        ("large", Arc::new(LargeStringArray::from(vec!["a", "b", "c"])) as ArrayRef),
        ("fixed", Arc::new(fixed) as ArrayRef),
        ("duration", Arc::new(DurationMicrosecondArray::from(vec![1, 2, 3])) as ArrayRef),
    ])
    .unwrap();
    let read = whole(&arrow(&[batch], 100, &[])).unwrap();
    let types: Vec<_> = read.columns().iter().map(|array| array.data_type().clone()).collect();
    assert!(matches!(&types[2], DataType::List(element) if *element.data_type() == DataType::Int64), "{types:?}");
    assert_eq!((&types[0], &types[1], &types[3]), (&DataType::Utf8, &DataType::Utf8, &DataType::Int64));
    assert_eq!(read.column(0).as_string::<i32>().value(2), "x");
}

#[test]
fn geometries_are_those_of_geoparquet_metadata() {
    let column = |name: &'static str| {
        (name, Arc::new(BinaryArray::from(vec![b"\x01\x02\0\0\0\0\0\0\0".as_slice()])) as ArrayRef)
    };
    let batch = RecordBatch::try_from_iter([column("a"), column("b"), column("c"), column("d"), column("e")]).unwrap();
    let geo = r#"{"version":"1.1.0","primary_column":"a","columns":{
        "a":{"encoding":"WKB","geometry_types":[]},
        "b":{"encoding":"WKB","crs":null},
        "c":{"encoding":"wkb","crs":{"type":"ProjectedCRS","id":{"authority":"EPSG","code":32631}}},
        "d":{"encoding":"WKB","crs":{"id":{"authority":"OGC","code":"CRS84"}}},
        "none":{"encoding":"WKB"}}}"#;
    let bytes = arrow(&[batch], 100, &[("geo", geo)]);
    let session = session(&[("a.parquet", &bytes)]);
    let source = open(&session, &["a.parquet"]).unwrap();
    let geographic = Some("OGC:CRS84".to_owned());
    let projected = Some(r#"{"type":"ProjectedCRS","id":{"authority":"EPSG","code":32631}}"#.to_owned());
    let expected = vec![(0, geographic.clone()), (1, None), (2, projected), (3, geographic)];
    assert_eq!(source.geometry_columns(), expected);
    assert_eq!(Kind::of(source.schema().field(4)), None);
}

#[test]
fn footers_larger_than_the_first_request() {
    let columns =
        (0..2_000).map(|index| (format!("a column with a long name {index}"), numbers(0..2).column(0).clone()));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let bytes = arrow(&[batch], 100, &[]);
    let read = whole(&bytes).unwrap();
    assert_eq!((read.num_columns(), read.num_rows()), (2_000, 2));
}

#[test]
fn errors_of_files_other_than_parquet() {
    let good = arrow(&[numbers(0..10)], 100, &[]);
    let end = good.len();
    let claims = |length: u32| {
        let mut bytes = good.clone();
        bytes[end - 8..end - 4].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    let encrypted = [&good[..end - 4], b"PARE"].concat();
    for (bytes, expected) in [
        (b"II*\0 a raster".to_vec(), "expected a Parquet file (PAR1 at its end), found another format"),
        (b"PAR1".to_vec(), "expected a Parquet file, found 4 bytes"),
        (encrypted, "encrypted Parquet files cannot be read"),
        (claims(u32::MAX), "its footer claims 4294967295 bytes of a file of"),
    ] {
        let error = whole(&bytes).unwrap_err().to_string();
        assert!(error.starts_with("s3://b/a.parquet: ") && error.contains(expected), "{error}");
    }
    // A footer truncated at any byte is an error, not a panic.
    for length in [0, 1, 7, 50, 100] {
        assert!(whole(&claims(length)).is_err(), "{length}");
    }
    let session = Session::new(Options::default());
    let missing = vec!["/no/such/file.parquet".to_owned()];
    let error = session.block_on(ParquetSource::open(&session, missing)).unwrap().unwrap_err().to_string();
    assert_eq!(error, "/no/such/file.parquet: no such file or directory");
}

#[test]
fn damaged_pages_are_errors() {
    let good = arrow(&[numbers(0..1_000)], 1_000, &[]);
    for at in (4..2_000).step_by(13) {
        let mut bytes = good.clone();
        bytes[at] ^= 0xff;
        // Damaged pages may return an error or wrong values, but must not panic or lose records silently.
        if let Ok(batch) = std::panic::catch_unwind(|| whole(&bytes)).unwrap() {
            assert_eq!(batch.num_rows(), 1_000, "byte {at}");
        }
    }
}

#[test]
fn dropping_the_batches_ends_the_reading() {
    let bytes = arrow(&[numbers(0..10_000)], 10, &[]);
    let session = session(&[("a.parquet", &bytes)]);
    let source = open(&session, &["a.parquet"]).unwrap();
    session
        .block_on(async {
            let mut reading = source.read(&Projection::columns([0]), 10).unwrap();
            assert_eq!(reading.next().await.unwrap().unwrap().batch.num_rows(), 10);
        })
        .unwrap();
}

#[test]
fn no_rows_no_batches() {
    let empty = raw("message m { REQUIRED INT32 a; }", &[(Values::I32(vec![]), vec![], vec![])]);
    let session = session(&[("a.parquet", &empty)]);
    let source = open(&session, &["a.parquet"]).unwrap();
    assert!(read(&session, &source, &Projection::columns([0]), 10).unwrap().is_empty());
}

#[test]
fn geometries_are_converted_for_duckdb_or_returned_as_stored() {
    // Big-endian POINT (1 2), and invalid WKB.
    let point = [[0, 0, 0, 0, 1].as_slice(), &1f64.to_be_bytes(), &2f64.to_be_bytes()].concat();
    let file = |wkb: &[u8]| {
        let batch = RecordBatch::try_from_iter([("g", Arc::new(BinaryArray::from(vec![Some(wkb), None])) as ArrayRef)]);
        arrow(&[batch.unwrap()], 100, &[("geo", r#"{"columns":{"g":{"encoding":"WKB"}}}"#)])
    };
    let (good, bad) = (file(&point), file(b"POINT (1 2)"));
    let session = session(&[("good.parquet", &good), ("bad.parquet", &bad)]);
    let first = |source: &ParquetSource| {
        let batch = read(&session, source, &Projection::columns([0]), 10)?.remove(0);
        assert!(batch.column(0).is_null(1));
        Ok::<_, rasteret_io::Error>(batch.column(0).as_binary::<i32>().value(0).to_vec())
    };
    let expected = [[1, 1, 0, 0, 0].as_slice(), &1f64.to_le_bytes(), &2f64.to_le_bytes()].concat();
    assert_eq!(first(&open(&session, &["good.parquet"]).unwrap()).unwrap(), expected);
    let error = first(&open(&session, &["bad.parquet"]).unwrap()).unwrap_err().to_string();
    assert_eq!(error, "s3://b/bad.parquet: column 'g': WKB at byte 1: expected a byte order of 0 or 1");
    let as_stored = SourceOptions { canonical_geometry: false, ..SourceOptions::default() };
    let stored = |name: &str| {
        let files = vec![format!("s3://b/{name}")];
        first(&session.block_on(ParquetSource::open_with(&session, files, as_stored)).unwrap().unwrap()).unwrap()
    };
    assert_eq!((stored("good.parquet"), stored("bad.parquet")), (point, b"POINT (1 2)".to_vec()));
}

/// Partition columns follow those of the files, or replace one with the same name, which then may be missing in some files.
#[test]
fn partition_columns() {
    let ids = |name: &str| {
        let ids = Arc::new(StringArray::from(vec!["x", "y"])) as ArrayRef;
        arrow(&[RecordBatch::try_from_iter([(name, ids)]).unwrap()], 2, &[])
    };
    let (first, second) = (ids("id"), ids("ID"));
    let (without, with) = (ids("a"), numbers(0..2));
    let with = arrow(&[with], 2, &[]);
    let session = session(&[
        ("h/year=2023/k=b/1.parquet", &first),
        ("h/k=a/year=2024/2.parquet", &second),
        ("o/B=2024-01-31/1.parquet", &with),
        ("o/B=2024-02-01/2.parquet", &without),
    ]);
    let open = |files: &[&str], hive: HiveOptions| {
        let files = files.iter().map(|file| format!("s3://b/{file}")).collect();
        let options = SourceOptions { hive, ..SourceOptions::default() };
        session.block_on(ParquetSource::open_with(&session, files, options)).unwrap().unwrap()
    };
    let names = |source: &ParquetSource| -> Vec<(String, DataType)> {
        let fields = source.schema().fields().iter();
        fields.map(|field| (field.name().clone(), field.data_type().clone())).collect()
    };
    let column = |name: &str, data_type| (name.to_owned(), data_type);
    let detect = HiveOptions::default();

    let source = open(&["h/year=2023/k=b/1.parquet"], detect);
    let expected = [column("id", DataType::Utf8), column("k", DataType::Utf8), column("year", DataType::Int64)];
    assert_eq!(names(&source), expected);
    // Columns in any order, single columns, and rows of several batches.
    let batches = read(&session, &source, &Projection::columns([2, 0, 1]), 1).unwrap();
    assert_eq!(batches.len(), 2);
    assert_eq!(batches[1].column(0).as_primitive::<Int64Type>().value(0), 2023);
    assert_eq!(batches[1].column(1).as_string::<i32>().value(0), "y");
    assert_eq!(batches[1].column(2).as_string::<i32>().value(0), "b");
    let batches = read(&session, &source, &Projection::columns([2]), 10).unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().values(), &[2023, 2023]);
    assert_eq!(names(&open(&["h/year=2023/k=b/1.parquet"], HiveOptions::OFF)), expected[..1]);

    // The second file only has the column `a`, of another type; the partition column is not read from it.
    let source = open(&["o/B=2024-01-31/1.parquet", "o/B=2024-02-01/2.parquet"], detect);
    assert_eq!(names(&source), [column("a", DataType::Int32), column("b", DataType::Date32)]);
    let batches = read(&session, &source, &Projection::columns([1]), 10).unwrap();
    let days: Vec<_> = batches.iter().map(|batch| batch.column(0).as_primitive::<Date32Type>().value(1)).collect();
    assert_eq!(days, [19_753, 19_754]);
}
