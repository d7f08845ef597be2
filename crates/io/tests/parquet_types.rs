//! Every Parquet type is returned as the Arrow type that corresponds to the result of DuckDB's `read_parquet`. Expected types and values are
//! results of DuckDB 2.0.0 for the same files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod records;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int32Type, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use rasteret_io::parquet::Kind;
use records::{Values, raw, whole};

/// Two values and a NULL of one column.
fn column(definition: &str, values: Values) -> RecordBatch {
    whole(&raw(&format!("message m {{ OPTIONAL {definition}; }}"), &[(values, vec![1, 1, 0], vec![0, 0, 0])])).unwrap()
}

fn described(batch: &RecordBatch) -> String {
    let field = batch.schema().field(0).clone();
    match Kind::of(&field) {
        Some(kind) => format!("{} {kind:?}", field.data_type()),
        None => field.data_type().to_string(),
    }
}

/// Checks the type of a column of two values and a NULL.
fn assert_type(definition: &str, values: Values, expected: &str) {
    let batch = column(definition, values);
    assert_eq!(described(&batch), expected, "{definition}");
    assert_eq!(batch.num_rows(), 3, "{definition}");
    assert!(batch.column(0).is_valid(0) && batch.column(0).is_valid(1), "{definition}");
    assert!(batch.column(0).is_null(2), "{definition}");
}

fn i32s() -> Values {
    Values::I32(vec![7, 1])
}

fn i64s() -> Values {
    Values::I64(vec![7, 1])
}

#[test]
fn types_of_flat_columns() {
    let bytes = |length: usize| Values::Bytes(vec![vec![0; length], vec![1; length]]);
    let text = || Values::Bytes(vec![b"{}".to_vec(), b"1".to_vec()]);
    // LINESTRING EMPTY, twice.
    let lines = || Values::Bytes(vec![vec![1, 2, 0, 0, 0, 0, 0, 0, 0]; 2]);
    for (definition, values, expected) in [
        ("BOOLEAN c", Values::Bool(vec![true, false]), "Boolean"),
        ("INT32 c", i32s(), "Int32"),
        ("INT32 c (INT_8)", i32s(), "Int8"),
        ("INT32 c (INTEGER(16,true))", i32s(), "Int16"),
        ("INT32 c (UINT_8)", i32s(), "UInt8"),
        ("INT32 c (UINT_16)", i32s(), "UInt16"),
        ("INT32 c (INTEGER(32,false))", i32s(), "UInt32"),
        ("INT64 c", i64s(), "Int64"),
        ("INT64 c (UINT_64)", i64s(), "UInt64"),
        ("FLOAT c", Values::F32(vec![1.5, 2.5]), "Float32"),
        ("DOUBLE c", Values::F64(vec![1.5, 2.5]), "Float64"),
        ("FIXED_LEN_BYTE_ARRAY(2) c (FLOAT16)", bytes(2), "Float32"),
        ("BYTE_ARRAY c", bytes(3), "Binary"),
        ("BYTE_ARRAY c (BSON)", bytes(3), "Binary"),
        ("FIXED_LEN_BYTE_ARRAY(5) c", bytes(5), "Binary"),
        ("FIXED_LEN_BYTE_ARRAY(16) c", bytes(16), "Binary"),
        ("FIXED_LEN_BYTE_ARRAY(16) c (UUID)", bytes(16), "FixedSizeBinary(16) Uuid"),
        ("BYTE_ARRAY c (STRING)", text(), "Utf8"),
        ("BYTE_ARRAY c (UTF8)", text(), "Utf8"),
        ("BYTE_ARRAY c (ENUM)", text(), "Utf8"),
        ("BYTE_ARRAY c (JSON)", text(), "Utf8 Json"),
        ("INT32 c (DECIMAL(9,2))", i32s(), "Decimal128(9, 2)"),
        ("INT64 c (DECIMAL(18,3))", i64s(), "Decimal128(18, 3)"),
        ("FIXED_LEN_BYTE_ARRAY(4) c (DECIMAL(9,2))", bytes(4), "Decimal128(9, 2)"),
        ("FIXED_LEN_BYTE_ARRAY(16) c (DECIMAL(38,10))", bytes(16), "Decimal128(38, 10)"),
        ("BYTE_ARRAY c (DECIMAL(10,2))", bytes(2), "Decimal128(10, 2)"),
        ("FIXED_LEN_BYTE_ARRAY(20) c (DECIMAL(40,2))", bytes(20), "Float64"),
        ("FIXED_LEN_BYTE_ARRAY(34) c (DECIMAL(76,2))", bytes(34), "Float64"),
        ("BYTE_ARRAY c (DECIMAL(40,2))", bytes(2), "Float64"),
        ("FIXED_LEN_BYTE_ARRAY(12) c (INTERVAL)", bytes(12), "Interval(MonthDayNano)"),
        ("BYTE_ARRAY c (GEOMETRY)", lines(), "Binary Wkb { crs: Some(\"OGC:CRS84\") }"),
        ("BYTE_ARRAY c (GEOGRAPHY)", lines(), "Binary Wkb { crs: Some(\"OGC:CRS84\") }"),
    ] {
        assert_type(definition, values, expected);
    }
}

#[test]
fn types_of_dates_and_times() {
    for (definition, values, expected) in [
        ("INT32 c (DATE)", i32s(), "Date32"),
        ("INT32 c (TIME_MILLIS)", i32s(), "Time64(µs)"),
        ("INT64 c (TIME_MICROS)", i64s(), "Time64(µs)"),
        ("INT32 c (TIME(MILLIS,false))", i32s(), "Time64(µs)"),
        ("INT32 c (TIME(MILLIS,true))", i32s(), "Time64(µs) TimeTz"),
        ("INT64 c (TIME(MICROS,true))", i64s(), "Time64(µs) TimeTz"),
        ("INT64 c (TIME(NANOS,false))", i64s(), "Time64(ns)"),
        ("INT64 c (TIME(NANOS,true))", i64s(), "Time64(µs) TimeTz"),
        ("INT64 c (TIMESTAMP_MILLIS)", i64s(), "Timestamp(µs)"),
        ("INT64 c (TIMESTAMP_MICROS)", i64s(), "Timestamp(µs)"),
        ("INT64 c (TIMESTAMP(MILLIS,false))", i64s(), "Timestamp(µs)"),
        ("INT64 c (TIMESTAMP(MILLIS,true))", i64s(), "Timestamp(µs, \"UTC\")"),
        ("INT64 c (TIMESTAMP(MICROS,true))", i64s(), "Timestamp(µs, \"UTC\")"),
        ("INT64 c (TIMESTAMP(NANOS,false))", i64s(), "Timestamp(ns)"),
        ("INT64 c (TIMESTAMP(NANOS,true))", i64s(), "Timestamp(ns, \"UTC\")"),
        ("INT96 c", Values::I96(vec![(0, 0, 2_440_588), (0, 0, 1)]), "Timestamp(µs)"),
    ] {
        assert_type(definition, values, expected);
    }
}

#[test]
fn unknown_is_null() {
    let message = "message m { OPTIONAL INT32 c (UNKNOWN); }";
    let batch = whole(&raw(message, &[(Values::I32(vec![]), vec![0, 0], vec![0, 0])])).unwrap();
    assert_eq!(described(&batch), "Null");
    assert_eq!(batch.num_rows(), 2);
}

#[test]
fn values_of_converted_columns() {
    let two = |definition: &str, values| {
        let batch = column(definition, values);
        let array = batch.column(0).slice(0, 2);
        move |check: &dyn Fn(&ArrayRef)| check(&array)
    };
    two("FIXED_LEN_BYTE_ARRAY(2) c (FLOAT16)", Values::Bytes(vec![vec![1, 2], vec![0, 0xc0]]))(&|array| {
        assert_eq!(array.as_primitive::<Float32Type>().values(), &[3.0577183e-05, -2.0]);
    });
    two("INT32 c (TIME_MILLIS)", Values::I32(vec![86_399_999, 0]))(&|array| {
        assert_eq!(array.as_primitive::<Time64MicrosecondType>().values(), &[86_399_999_000, 0]);
    });
    // DuckDB wraps a TIMETZ at 24 hours, and truncates nanoseconds to microseconds.
    two("INT32 c (TIME(MILLIS,true))", Values::I32(vec![-5, 1]))(&|array| {
        assert_eq!(array.as_primitive::<Time64MicrosecondType>().values(), &[86_399_995_000, 1_000]);
    });
    two("INT64 c (TIME(NANOS,true))", Values::I64(vec![86_399_999_999, 1]))(&|array| {
        assert_eq!(array.as_primitive::<Time64MicrosecondType>().values(), &[86_399_999, 0]);
    });
    two("INT64 c (TIMESTAMP_MILLIS)", Values::I64(vec![86_399_999_999, -5]))(&|array| {
        assert_eq!(array.as_primitive::<TimestampMicrosecondType>().values(), &[86_399_999_999_000, -5_000]);
    });
    // Outside of the range of 64-bit nanoseconds; DuckDB: 4714-11-25 (BC), and 2020-05-30 00:18:19.817047.
    two("INT96 c", Values::I96(vec![(1, 0, 1), (0x1234_5678, 0x100, 2_459_000)]))(&|array| {
        let values = array.as_primitive::<TimestampMicrosecondType>().values();
        assert_eq!(values, &[-210_866_716_800_000_000, 1_590_797_899_817_047]);
    });
    let interval: Vec<u8> = [14u32, 3, 5_000].iter().flat_map(|part| part.to_le_bytes()).collect();
    two("FIXED_LEN_BYTE_ARRAY(12) c (INTERVAL)", Values::Bytes(vec![interval, vec![0; 12]]))(&|array| {
        let value = array.as_primitive::<IntervalMonthDayNanoType>().value(0);
        assert_eq!((value.months, value.days, value.nanoseconds), (14, 3, 5_000_000_000));
    });
    two("BYTE_ARRAY c (DECIMAL(10,2))", Values::Bytes(vec![vec![0x30, 0x31], vec![0xff]]))(&|array| {
        assert_eq!(array.as_primitive::<Decimal128Type>().values(), &[12_337, -1]);
    });
    let wide: Vec<u8> = std::iter::repeat_n(0xff, 19).chain([0x85]).collect();
    two("FIXED_LEN_BYTE_ARRAY(20) c (DECIMAL(30,2))", Values::Bytes(vec![wide, vec![0; 20]]))(&|array| {
        assert_eq!(array.as_primitive::<Decimal128Type>().values(), &[-123, 0]);
    });
    let counted = (1..=20).collect();
    two("FIXED_LEN_BYTE_ARRAY(20) c (DECIMAL(40,2))", Values::Bytes(vec![counted, vec![0xff; 20]]))(&|array| {
        assert_eq!(array.as_primitive::<Float64Type>().values(), &[5.7538549658856e+43, -0.01]);
    });
}

#[test]
fn values_that_do_not_fit_are_errors() {
    let fails = |definition: &str, values| {
        let bytes = raw(&format!("message m {{ REQUIRED {definition}; }}"), &[(values, vec![0], vec![0])]);
        whole(&bytes).unwrap_err().to_string()
    };
    let time = fails("INT32 c (TIME_MILLIS)", Values::I32(vec![-5]));
    assert_eq!(time, "s3://b/a.parquet: column 'c': expected a time within a day, found -5000 µs");
    let decimal = fails("FIXED_LEN_BYTE_ARRAY(20) c (DECIMAL(30,2))", Values::Bytes(vec![vec![1; 20]]));
    assert_eq!(decimal, "s3://b/a.parquet: column 'c': decimal of 20 bytes does not fit 128 bits");
    let timestamp = fails("INT64 c (TIMESTAMP_MILLIS)", Values::I64(vec![i64::MAX]));
    assert!(timestamp.contains("does not fit 64 bits of microseconds"), "{timestamp}");
    let text = fails("BYTE_ARRAY c (ENUM)", Values::Bytes(vec![vec![0xff]]));
    assert!(text.to_lowercase().contains("utf8") || text.to_lowercase().contains("utf-8"), "{text}");
}

/// Columns of 32-bit integers: [1, 2] and, if possible, NULL.
#[test]
fn types_of_nested_columns() {
    let numbers = || Values::I32(vec![1, 2]);
    let keys = || Values::Bytes(vec![b"a".to_vec(), b"b".to_vec()]);
    for (definition, leaves, expected) in [
        (
            "OPTIONAL group c (LIST) { REPEATED group list { OPTIONAL INT32 element; } }",
            vec![(numbers(), 3)],
            "[Int32]",
        ),
        ("OPTIONAL group c (LIST) { REPEATED INT32 element; }", vec![(numbers(), 2)], "[Int32]"),
        // A struct according to the backward-compatibility rules, which DuckDB does not follow.
        ("OPTIONAL group c (LIST) { REPEATED group array { REQUIRED INT32 a; } }", vec![(numbers(), 2)], "[Int32]"),
        ("OPTIONAL group c (LIST) { REPEATED group c_tuple { REQUIRED INT32 a; } }", vec![(numbers(), 2)], "[Int32]"),
        (
            "OPTIONAL group c (LIST) { REPEATED group element { REQUIRED INT32 a; REQUIRED INT32 b; } }",
            vec![(numbers(), 2), (numbers(), 2)],
            "[{a: Int32, b: Int32}]",
        ),
        ("REPEATED INT32 c", vec![(numbers(), 1)], "[Int32]"),
        ("REPEATED group c { OPTIONAL INT32 a; }", vec![(numbers(), 2)], "[Int32]"),
        (
            "REPEATED group c { OPTIONAL INT32 a; OPTIONAL INT32 b; }",
            vec![(numbers(), 2), (numbers(), 2)],
            "[{a: Int32, b: Int32}]",
        ),
        (
            "OPTIONAL group c (LIST) { REPEATED group array (LIST) { REPEATED INT32 array; } }",
            vec![(numbers(), 3)],
            "[[Int32]]",
        ),
        (
            "OPTIONAL group c (MAP) { REPEATED group key_value { REQUIRED BYTE_ARRAY key (UTF8); OPTIONAL INT32 value; } }",
            vec![(keys(), 2), (numbers(), 3)],
            "<Utf8, Int32>",
        ),
        (
            "OPTIONAL group c (MAP) { REPEATED group map (MAP_KEY_VALUE) { REQUIRED BYTE_ARRAY key (UTF8); OPTIONAL INT32 \
             value; } }",
            vec![(keys(), 2), (numbers(), 3)],
            "<Utf8, Int32>",
        ),
        (
            "OPTIONAL group c (LIST) { REPEATED group list { OPTIONAL INT32 element (TIME(MILLIS,true)); } }",
            vec![(numbers(), 3)],
            "[Time64(µs) TimeTz]",
        ),
    ] {
        let definition = definition.trim_end();
        let end = if definition.ends_with('}') { "" } else { ";" };
        // One row with two elements, then one without.
        let columns: Vec<_> = leaves
            .into_iter()
            .map(|(values, level)| (values, vec![level, level, 0], vec![0, level_of_repetition(definition), 0]))
            .collect();
        let batch = whole(&raw(&format!("message m {{ {definition}{end} }}"), &columns)).unwrap();
        assert_eq!(nested(batch.schema().field(0)), expected, "{definition}");
        assert_eq!(batch.num_rows(), 2, "{definition}");
    }
}

/// The deepest level: two elements of one innermost list.
fn level_of_repetition(definition: &str) -> i16 {
    i16::try_from(definition.matches("REPEATED").count()).unwrap()
}

fn nested(field: &arrow_schema::Field) -> String {
    use arrow_schema::DataType;
    let fields = |fields: &arrow_schema::Fields| fields.iter().map(|field| nested(field)).collect::<Vec<_>>();
    match field.data_type() {
        DataType::List(element) => format!("[{}]", nested(element)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(entries) => format!("<{}>", fields(entries).join(", ")),
            other => other.to_string(),
        },
        DataType::Struct(children) => {
            let named =
                children.iter().zip(fields(children)).map(|(child, shown)| format!("{}: {shown}", child.name()));
            format!("{{{}}}", named.collect::<Vec<_>>().join(", "))
        }
        leaf => match Kind::of(field) {
            Some(kind) => format!("{leaf} {kind:?}"),
            None => leaf.to_string(),
        },
    }
}

#[test]
fn nested_values_are_converted() {
    let message = "message m { OPTIONAL group c { OPTIONAL group l (LIST) { REPEATED group list { OPTIONAL \
                   FIXED_LEN_BYTE_ARRAY(12) element (INTERVAL); } } OPTIONAL group m (MAP) { REPEATED group key_value { \
                   REQUIRED INT32 key (TIME_MILLIS); OPTIONAL INT64 value (TIMESTAMP(MILLIS,true)); } } } }";
    let interval: Vec<u8> = [1u32, 2, 3].iter().flat_map(|part| part.to_le_bytes()).collect();
    let bytes = raw(
        message,
        &[
            (Values::Bytes(vec![interval]), vec![4, 3, 0], vec![0, 1, 0]),
            (Values::I32(vec![5]), vec![3, 0], vec![0, 0]),
            (Values::I64(vec![7]), vec![4, 0], vec![0, 0]),
        ],
    );
    let batch = whole(&bytes).unwrap();
    let column = batch.column(0).as_struct();
    assert!(column.is_null(1));
    let intervals = column.column(0).as_list::<i32>().value(0);
    assert_eq!(intervals.as_primitive::<IntervalMonthDayNanoType>().value(0).months, 1);
    assert!(intervals.is_null(1));
    let map = column.column(1).as_map();
    assert_eq!(map.keys().as_primitive::<Time64MicrosecondType>().value(0), 5_000);
    assert_eq!(map.values().as_primitive::<TimestampMicrosecondType>().value(0), 7_000);
}

#[test]
fn names_that_differ_in_case_get_suffixes() {
    let message = "message m { REQUIRED INT32 c; REQUIRED INT32 C; REQUIRED INT32 c_1; }";
    let one = |value| (Values::I32(vec![value]), vec![0], vec![0]);
    let batch = whole(&raw(message, &[one(1), one(2), one(3)])).unwrap();
    let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["c", "C_1", "c_1_1"]);
    assert_eq!(batch.column(1).as_primitive::<Int32Type>().value(0), 2);
}
