//! The part of a column's DuckDB type that its Arrow type does not express, stored in the metadata of the Arrow field.

use std::collections::HashMap;

use arrow_schema::Field;

const NAME: &str = "ARROW:extension:name";
const METADATA: &str = "ARROW:extension:metadata";

/// The meaning of a column or nested field beyond its Arrow type. Written as Arrow extension types, with the names of
/// other Arrow software where there are any.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `arrow.uuid` on FixedSizeBinary(16), most significant byte first.
    Uuid,
    /// `arrow.json` on Utf8: DuckDB's JSON, an alias of VARCHAR.
    Json,
    /// `rasteret.time_tz` on Time64(µs): a time of day in UTC, DuckDB's TIMETZ of offset 0.
    TimeTz,
    /// `geoarrow.wkb` on Binary.
    Wkb {
        /// `OGC:CRS84`, or the column's PROJJSON as text; None if the file leaves it unknown.
        crs: Option<String>,
    },
}

impl Kind {
    /// The kind of a field, if it has one.
    pub fn of(field: &Field) -> Option<Self> {
        match field.metadata().get(NAME)?.as_str() {
            "arrow.uuid" => Some(Self::Uuid),
            "arrow.json" => Some(Self::Json),
            "rasteret.time_tz" => Some(Self::TimeTz),
            "geoarrow.wkb" => Some(Self::Wkb { crs: field.metadata().get(METADATA).and_then(|text| crs_of(text)) }),
            _ => None,
        }
    }

    /// The metadata of a field of this kind.
    pub fn metadata(&self) -> HashMap<String, String> {
        let name = match self {
            Self::Uuid => "arrow.uuid",
            Self::Json => "arrow.json",
            Self::TimeTz => "rasteret.time_tz",
            Self::Wkb { .. } => "geoarrow.wkb",
        };
        let mut metadata = HashMap::from([(NAME.to_owned(), name.to_owned())]);
        if let Self::Wkb { crs: Some(crs) } = self {
            let crs = serde_json::from_str::<serde_json::Value>(crs)
                .ok()
                .filter(serde_json::Value::is_object)
                .unwrap_or_else(|| serde_json::Value::String(crs.clone()));
            metadata.insert(METADATA.to_owned(), serde_json::json!({ "crs": crs }).to_string());
        }
        metadata
    }
}

fn crs_of(text: &str) -> Option<String> {
    match serde_json::from_str::<serde_json::Value>(text).ok()?.get("crs")? {
        serde_json::Value::String(name) => Some(name.clone()),
        serde_json::Value::Null => None,
        projjson => Some(projjson.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;

    use super::*;

    #[test]
    fn kinds_round_trip_through_fields() {
        let projjson = r#"{"type":"ProjectedCRS","name":"a"}"#;
        for kind in [
            Kind::Uuid,
            Kind::Json,
            Kind::TimeTz,
            Kind::Wkb { crs: None },
            Kind::Wkb { crs: Some("OGC:CRS84".to_owned()) },
            Kind::Wkb { crs: Some(projjson.to_owned()) },
        ] {
            let field = Field::new("a", DataType::Binary, true).with_metadata(kind.metadata());
            assert_eq!(Kind::of(&field), Some(kind));
        }
        assert_eq!(Kind::of(&Field::new("a", DataType::Binary, true)), None);
    }
}
