//! Creates Parquet files and sources for tests.

#![allow(dead_code, reason = "each test binary uses what it needs")]

use std::sync::Arc;

use arrow_array::RecordBatch;
use object_store::memory::InMemory;
use object_store::{ObjectStoreExt, PutPayload};
use parquet::arrow::ArrowWriter;
use parquet::basic::Type as Physical;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType, Int32Type,
    Int64Type, Int96, Int96Type,
};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;
use rasteret_io::parquet::{ParquetSource, Projection};
use rasteret_io::{Options, Result, Session};

/// Values of one Parquet column, in its physical type.
#[derive(Clone)]
pub(crate) enum Values {
    Bool(Vec<bool>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    I96(Vec<(u32, u32, u32)>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Bytes(Vec<Vec<u8>>),
}

/// A file with one row group and a schema in Parquet's notation. Each column has values, definition levels and repetition levels.
pub(crate) fn raw(message: &str, columns: &[(Values, Vec<i16>, Vec<i16>)]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(message).unwrap());
    let descriptor = SchemaDescriptor::new(Arc::clone(&schema));
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut row_group = file.next_row_group().unwrap();
    for (index, (values, def, rep)) in columns.iter().enumerate() {
        let mut column = row_group.next_column().unwrap().unwrap();
        let (def, rep) = (Some(def.as_slice()), Some(rep.as_slice()));
        let fixed = descriptor.column(index).physical_type() == Physical::FIXED_LEN_BYTE_ARRAY;
        match values {
            Values::Bool(values) => column.typed::<BoolType>().write_batch(values, def, rep),
            Values::I32(values) => column.typed::<Int32Type>().write_batch(values, def, rep),
            Values::I64(values) => column.typed::<Int64Type>().write_batch(values, def, rep),
            Values::F32(values) => column.typed::<FloatType>().write_batch(values, def, rep),
            Values::F64(values) => column.typed::<DoubleType>().write_batch(values, def, rep),
            Values::I96(values) => {
                let int96 = |&(low, high, day): &(u32, u32, u32)| {
                    let mut value = Int96::new();
                    value.set_data(low, high, day);
                    value
                };
                let values: Vec<Int96> = values.iter().map(int96).collect();
                column.typed::<Int96Type>().write_batch(&values, def, rep)
            }
            Values::Bytes(values) if fixed => {
                let values: Vec<FixedLenByteArray> = values.iter().map(|value| value.clone().into()).collect();
                column.typed::<FixedLenByteArrayType>().write_batch(&values, def, rep)
            }
            Values::Bytes(values) => {
                let values: Vec<ByteArray> = values.iter().map(|value| value.clone().into()).collect();
                column.typed::<ByteArrayType>().write_batch(&values, def, rep)
            }
        }
        .unwrap();
        column.close().unwrap();
    }
    row_group.close().unwrap();
    file.close().unwrap();
    bytes
}

/// A file written by Arrow, including the entry `ARROW:schema`.
pub(crate) fn arrow(batches: &[RecordBatch], rows_per_group: usize, entries: &[(&str, &str)]) -> Vec<u8> {
    let entries = entries.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned())).collect();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows_per_group))
        .set_key_value_metadata(Some(entries))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batches[0].schema(), Some(properties)).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
    bytes
}

/// A session with these objects in `s3://b/`.
pub(crate) fn session(objects: &[(&str, &[u8])]) -> Session {
    let session = Session::new(Options::default());
    serve(&session, objects);
    session
}

/// Adds a bucket `s3://b/` with these objects to a session.
pub(crate) fn serve(session: &Session, objects: &[(&str, &[u8])]) {
    let store = Arc::new(InMemory::new());
    session
        .block_on(async {
            for (name, bytes) in objects {
                store.put(&(*name).into(), PutPayload::from(bytes.to_vec())).await.unwrap();
            }
        })
        .unwrap();
    session.serve_bucket("b", store);
}

/// Opens a source of these objects of `s3://b/`.
pub(crate) fn open(session: &Session, names: &[&str]) -> Result<ParquetSource> {
    let files = names.iter().map(|name| format!("s3://b/{name}")).collect();
    session.block_on(ParquetSource::open(session, files)).unwrap()
}

/// Reads all batches of a projection.
pub(crate) fn read(
    session: &Session,
    source: &ParquetSource,
    projection: &Projection,
    rows: usize,
) -> Result<Vec<RecordBatch>> {
    session
        .block_on(async {
            let mut reading = source.read(projection, rows)?;
            let mut batches = Vec::new();
            while let Some(records) = reading.next().await {
                batches.push(records?.batch);
            }
            Ok(batches)
        })
        .unwrap()
}

/// Reads the single batch of a source of one file, with all columns.
pub(crate) fn whole(bytes: &[u8]) -> Result<RecordBatch> {
    let session = session(&[("a.parquet", bytes)]);
    let source = open(&session, &["a.parquet"])?;
    let all = Projection::columns(0..source.schema().fields().len());
    let mut batches = read(&session, &source, &all, 2048)?;
    assert_eq!(batches.len(), 1);
    Ok(batches.remove(0))
}
