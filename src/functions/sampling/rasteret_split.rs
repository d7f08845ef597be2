//! `rasteret_split(key [, options])`: assigns a key to one of three splits.

use rasteret_cog::Shares;
use rasteret_io::Session;

use crate::documentation::{Documentation, Example, Kind, Parameter, ValueType};
use crate::error::Result;
use crate::options::{OptionValues, Options};
use crate::vector::{Arguments, LogicalType, ScalarFunction, Signature, TypeId, Writer};

static DOC: Documentation = Documentation {
    name: "rasteret_split",
    kind: Kind::Scalar,
    signatures: &[
        "rasteret_split(key VARCHAR) -> VARCHAR",
        "rasteret_split(key VARCHAR, options STRUCT(…)) -> VARCHAR",
    ],
    description: "Assigns a key to the training, validation or test split by its checksum. A key has the same split \
        in every table and on every machine, independent of the other records, and the same as in Python Rasteret. \
        Use the id of a record as the key, or the cell of a grid to keep neighbours in the same split.",
    parameters: &[Parameter {
        name: "key",
        value: ValueType::Text,
        default: None,
        description: "The key; records with the same key are in the same split.",
    }],
    options: &[TRAIN, VAL, SEED],
    returns: "`'train'` if `crc32(key) % 100` is less than `train`, `'val'` if it is less than `train + val`, else \
        `'test'`; NULL for NULL.",
    examples: &[
        Example {
            sql: "SELECT rasteret_split('543U_17R'), rasteret_split('1D_1L'), rasteret_split('1001U_0R', {train: 50, val: 25})",
            result: "train\ttest\tval",
        },
        Example { sql: "SELECT rasteret_split('543U_17R', {seed: 7})", result: "train" },
    ],
};

const TRAIN: Parameter = Parameter {
    name: "train",
    value: ValueType::Integer,
    default: Some("80"),
    description: "Percentage of keys in `'train'`.",
};

const VAL: Parameter = Parameter {
    name: "val",
    value: ValueType::Integer,
    default: Some("10"),
    description: "Percentage of keys in `'val'`; the remaining keys are in `'test'`.",
};

const SEED: Parameter = Parameter {
    name: "seed",
    value: ValueType::Integer,
    default: Some("NULL"),
    description: "A seed for a different assignment with the same proportions: the checksum is then that of the seed, \
        a colon and the key.",
};

/// The scalar function.
pub(crate) struct RasteretSplit;

impl ScalarFunction for RasteretSplit {
    const DOC: &'static Documentation = &DOC;

    fn signatures() -> Vec<Signature> {
        let signature = |parameters| Signature { parameters, returns: LogicalType::varchar() };
        vec![
            signature(vec![LogicalType::varchar()]),
            signature(vec![LogicalType::varchar(), LogicalType::of(TypeId::Any)]),
        ]
    }

    fn invoke(_session: &Session, arguments: &Arguments<'_>, mut output: Writer<'_>) -> Result<()> {
        let keys = arguments.required(0)?;
        let options = Options::new(arguments.optional(1), DOC.options)?;
        let split = |row| {
            let Some(key) = keys.text(row) else {
                return Ok(None);
            };
            let options = options.row(row);
            let train = options.integer(&TRAIN, "percent, 0 to 100")?.unwrap_or(80);
            let val = options.integer(&VAL, "percent, 0 to 100")?.unwrap_or(10);
            let seed = options.integer(&SEED, "a BIGINT")?;
            Ok(Some(Shares::new(train, val, seed)?.split(key.as_bytes()).name()))
        };
        output.texts((0..arguments.rows()).map(split).collect::<Result<Vec<_>>>()?)
    }
}
