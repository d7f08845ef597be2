//! The coordinate reference system of a record, from its STAC members or columns.
//!
//! [`MEMBERS`] defines their priority: if members contradict each other, the first one with a CRS is used. `proj:code`
//! replaced `proj:epsg` in version 2 of STAC's projection extension, so writers of both keep the former correct.
//! `read_stac`, `rasteret_enrich`, `rasteret_normalize` and `rasteret_validate` all use [`first`]. Columns are looked up at the
//! top level, then in a STRUCT `properties`.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use serde_json::Value;

use super::cell;

/// In order of priority. `eo:epsg` is the `proj:epsg` of STAC before 0.9.
pub(crate) const MEMBERS: [&str; 6] = ["proj:code", "proj:epsg", "eo:epsg", "crs", "proj:wkt2", "proj:projjson"];

/// The CRS of a record, given the values of [`MEMBERS`] in this order: the first one that defines a CRS. WKT and PROJJSON without an
/// identifier take their code from the next description that has one.
pub(crate) fn first(members: impl IntoIterator<Item = Option<RecordCrs>>) -> Option<RecordCrs> {
    let mut members = members.into_iter().flatten();
    let first = members.next()?;
    if first.epsg.is_some() || !first.described {
        return Some(first);
    }
    let epsg = members.filter(|crs| crs.described).find_map(|crs| crs.epsg);
    Some(RecordCrs { epsg, ..first })
}

/// A CRS as the columns `crs` and `"proj:epsg"` show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordCrs {
    /// `EPSG:n`, `AUTHORITY:CODE`, WKT or PROJJSON.
    pub(crate) text: String,
    pub(crate) epsg: Option<i32>,
    /// Whether it was defined by WKT or PROJJSON instead of a code.
    described: bool,
}

impl RecordCrs {
    pub(crate) fn epsg(code: i64) -> Option<Self> {
        let code = i32::try_from(code).ok().filter(|code| *code > 0)?;
        Some(Self { text: format!("EPSG:{code}"), epsg: Some(code), described: false })
    }

    /// `EPSG:n`, another authority's code, a bare number, WKT or PROJJSON.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if let Ok(code) = text.parse() {
            return Self::epsg(code);
        }
        if text.starts_with('{') {
            let projjson: Value = serde_json::from_str(text).ok()?;
            return Self::projjson(&projjson, text);
        }
        if let Some((authority, code)) = text.split_once(':')
            && authority.eq_ignore_ascii_case("EPSG")
        {
            return Self::epsg(code.trim().parse().ok()?);
        }
        let described = text.ends_with([']', ')']);
        Some(Self { text: text.to_owned(), epsg: wkt_epsg(text), described })
    }

    fn projjson(projjson: &Value, text: &str) -> Option<Self> {
        let id = projjson.get("id");
        let authority = id.and_then(|id| id.get("authority")).and_then(Value::as_str);
        let code = id.and_then(|id| id.get("code"));
        let code =
            code.and_then(|code| code.as_i64().map(|code| code.to_string()).or(code.as_str().map(str::to_owned)));
        match (authority, code) {
            (Some(authority), Some(code)) => {
                Some(Self { described: true, ..Self::parse(&format!("{authority}:{code}"))? })
            }
            // Some writers use an empty object for a missing value.
            _ if projjson.as_object().is_some_and(serde_json::Map::is_empty) => None,
            _ => Some(Self { text: text.to_owned(), epsg: None, described: true }),
        }
    }

    /// The CRS of a JSON member.
    pub(crate) fn of_value(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::epsg(number.as_i64().or_else(|| cell::whole(number.as_f64()?))?),
            Value::String(text) => Self::parse(text),
            Value::Object(_) => Self::parse(&value.to_string()),
            _ => None,
        }
    }

    /// The CRS of a cell of one of [`MEMBERS`].
    pub(crate) fn of_cell(array: &ArrayRef, row: usize) -> Option<Self> {
        match array.data_type() {
            DataType::Utf8 => Self::parse(cell::text(array, row)?),
            // PROJJSON written to Parquet as a STRUCT: only its id can be recovered.
            DataType::Struct(_) => {
                let id = array.as_struct().column_by_name("id")?.as_struct_opt()?;
                let (authority, code) = (id.column_by_name("authority")?, id.column_by_name("code")?);
                let code = match cell::text(code, row) {
                    Some(code) => code.to_owned(),
                    None => cell::integer(code, row)?.to_string(),
                };
                let present = array.is_valid(row) && id.is_valid(row);
                let parsed =
                    present.then(|| Self::parse(&format!("{}:{code}", cell::text(authority, row)?))).flatten()?;
                Some(Self { described: true, ..parsed })
            }
            _ => Self::epsg(cell::integer(array, row)?),
        }
    }
}

/// The EPSG code of a WKT: an ID or AUTHORITY directly below the root, at the end (ISO 19162, 7.3.4; OGC 01-009).
fn wkt_epsg(wkt: &str) -> Option<i32> {
    let end = wkt.trim_end().strip_suffix([']', ')'])?.trim_end();
    let inner = end.strip_suffix([']', ')'])?;
    let start = inner.rfind(['[', '('])?;
    let keyword = inner.get(..start)?.trim_end();
    let is = |name: &str| {
        let at = keyword.len().checked_sub(name.len());
        at.and_then(|at| keyword.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(name))
    };
    if !is("ID") && !is("AUTHORITY") {
        return None;
    }
    let mut parts = inner.get(start + 1..)?.split(',').map(|part| part.trim().trim_matches('"'));
    let authority = parts.next()?;
    authority.eq_ignore_ascii_case("EPSG").then(|| parts.next()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, Option<i32>)> {
        RecordCrs::parse(text).map(|crs| (crs.text, crs.epsg))
    }

    #[test]
    fn all_notations() {
        assert_eq!(parsed("EPSG:32631"), Some(("EPSG:32631".to_owned(), Some(32631))));
        assert_eq!(parsed("epsg:32631"), Some(("EPSG:32631".to_owned(), Some(32631))));
        assert_eq!(parsed("4326"), Some(("EPSG:4326".to_owned(), Some(4326))));
        assert_eq!(parsed("OGC:CRS84"), Some(("OGC:CRS84".to_owned(), None)));
        assert_eq!(parsed(" "), None);
        assert_eq!(parsed("EPSG:x"), None);
        let wkt = r#"PROJCS["a",GEOGCS["WGS 84",AUTHORITY["EPSG","4326"]],UNIT["metre",1],AUTHORITY["EPSG","32631"]]"#;
        assert_eq!(parsed(wkt), Some((wkt.to_owned(), Some(32631))));
        let wkt = r#"GEOGCRS["a",DATUM["b",ID["EPSG",6326]]]"#;
        assert_eq!(parsed(wkt), Some((wkt.to_owned(), None)));
        let wkt = r#"GEOGCRS["a",DATUM["b"],ID["EPSG",4326]]"#;
        assert_eq!(parsed(wkt), Some((wkt.to_owned(), Some(4326))));
        let projjson = r#"{"type":"GeographicCRS","id":{"authority":"EPSG","code":4326}}"#;
        assert_eq!(parsed(projjson), Some(("EPSG:4326".to_owned(), Some(4326))));
        let projjson = r#"{"type":"GeographicCRS"}"#;
        assert_eq!(parsed(projjson), Some((projjson.to_owned(), None)));
        assert_eq!(parsed("{}"), None);
    }

    #[test]
    fn the_first_member_with_a_crs_is_used() {
        let of =
            |members: &[&str]| first(members.iter().map(|text| RecordCrs::parse(text))).map(|crs| (crs.text, crs.epsg));
        let (wkt, projjson) = (r#"GEOGCRS["a"]"#, r#"{"id":{"authority":"EPSG","code":4258}}"#);
        assert_eq!(of(&["EPSG:32631", "32632"]), Some(("EPSG:32631".to_owned(), Some(32631))));
        assert_eq!(of(&["", "0", "32632", "EPSG:32631"]), Some(("EPSG:32632".to_owned(), Some(32632))));
        // A code of another authority is a CRS as well.
        assert_eq!(of(&["IAU_2015:30100", "4326"]), Some(("IAU_2015:30100".to_owned(), None)));
        assert_eq!(of(&[wkt, projjson]), Some((wkt.to_owned(), Some(4258))));
        assert_eq!(of(&[wkt, "4326"]), Some((wkt.to_owned(), None)));
        assert_eq!(of(&["", "{}"]), None);
    }
}
