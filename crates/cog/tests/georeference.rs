//! Tests transform, CRS, nodata, scale and offset from tags, as in GDAL 3.10.3. `crs_cases.rs` compares the definitions of CRSs with GDAL;
//! these tests check their notation.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, missing_docs)]

mod support;

use rasteret_cog::geo::Crs;
use support::{TiffWriter, Values, decode, refusal, tiled};

/// Values of GeoKeys.
enum Key {
    Short(u16),
    Double(f64),
    Text(&'static str),
}
use Key::{Double, Short, Text};

/// A file with these GeoKeys, in the three tags.
fn with_keys(keys: &[(u16, Key)]) -> TiffWriter {
    let mut directory = vec![1, 1, 0, u16::try_from(keys.len()).unwrap()];
    let (mut doubles, mut ascii) = (Vec::new(), Vec::new());
    for (key, value) in keys {
        let at = |length: usize| u16::try_from(length).unwrap();
        match value {
            Short(value) => directory.extend([*key, 0, 1, *value]),
            Double(value) => {
                directory.extend([*key, 34736, 1, at(doubles.len())]);
                doubles.push(*value);
            }
            Text(value) => {
                directory.extend([*key, 34737, at(value.len() + 1), at(ascii.len())]);
                ascii.extend(value.as_bytes());
                ascii.push(b'|');
            }
        }
    }
    let count = ascii.len() as u64;
    TiffWriter::new(vec![tiled(10, 10, 16)])
        .with(34735, Values::Short(directory))
        .with(34736, Values::Double(doubles))
        .with(34737, Values::Raw(2, count, ascii))
}

fn crs(keys: &[(u16, Key)]) -> Option<String> {
    decode(&with_keys(keys).bytes()).unwrap().crs.map(|crs| crs.to_string())
}

fn wkt(keys: &[(u16, Key)]) -> String {
    let Some(Crs::Wkt(wkt)) = decode(&with_keys(keys).bytes()).unwrap().crs else { panic!("not a WKT") };
    wkt
}

const WGS84: &str = "GEOGCS[\"WGS 84\",DATUM[\"WGS_1984\",SPHEROID[\"WGS 84\",6378137,298.257223563,\
    AUTHORITY[\"EPSG\",\"7030\"]],AUTHORITY[\"EPSG\",\"6326\"]],PRIMEM[\"Greenwich\",0],\
    UNIT[\"degree\",0.017453292519943295],AUTHORITY[\"EPSG\",\"4326\"]]";

#[test]
fn the_model_type_takes_precedence_over_codes() {
    let user = || (3072, Short(32767));
    let local = Some("LOCAL_CS[\"unnamed\",UNIT[\"unknown\",1]]");
    for (keys, expected) in [
        (vec![(1024, Short(1)), (2048, Short(4326)), (3072, Short(32643))], Some("EPSG:32643")),
        (vec![(1024, Short(2)), (2048, Short(4326))], Some("EPSG:4326")),
        (vec![(1024, Short(1)), (2048, Short(4326)), (3072, Short(0))], local),
        (vec![(1024, Short(2)), (2048, Short(4326)), (3072, Short(32643))], Some("EPSG:4326")),
        (vec![(1024, Short(2)), (3072, Short(2154))], Some("EPSG:4171")),
        (vec![(3072, Short(32643))], Some("EPSG:32643")),
        (vec![(2048, Short(4326)), (4096, Short(5773))], local),
        (vec![(1024, Short(3)), (2048, Short(4978))], Some("EPSG:4978")),
        (vec![(1024, Short(1)), (3072, Short(12345))], local),
        (vec![(4096, Short(5773)), (1025, Short(1))], local),
        (
            vec![(1024, Short(1)), (1026, Text("c")), (2048, Short(4326)), user(), (3076, Short(9001))],
            Some("LOCAL_CS[\"c\",UNIT[\"metre\",1,AUTHORITY[\"EPSG\",\"9001\"]]]"),
        ),
        (vec![], None),
    ] {
        assert_eq!(crs(&keys).as_deref(), expected);
    }
}

#[test]
fn a_projection_code_on_a_base_by_code() {
    let wkt = |code, unit| {
        wkt(&[
            (1024, Short(1)),
            (2048, Short(4326)),
            (3072, Short(32767)),
            (3073, Text("mine")),
            (3074, Short(code)),
            (3076, Short(unit)),
        ])
    };
    assert_eq!(
        wkt(16013, 9001),
        format!(
            "PROJCS[\"mine\",{WGS84},PROJECTION[\"Transverse_Mercator\"],PARAMETER[\"latitude_of_origin\",0],\
             PARAMETER[\"central_meridian\",-105],PARAMETER[\"scale_factor\",0.9996],PARAMETER[\"false_easting\",500000],\
             PARAMETER[\"false_northing\",0],UNIT[\"metre\",1,AUTHORITY[\"EPSG\",\"9001\"]]]"
        )
    );
    let feet = wkt(16113, 9003);
    assert!(feet.contains("PARAMETER[\"false_easting\",1640416.66"), "{feet}");
    assert!(feet.contains("PARAMETER[\"false_northing\",32808333.33"), "{feet}");
    assert!(feet.contains("UNIT[\"US survey foot\",0.304800609601219"), "{feet}");
}

#[test]
fn geographic_crss_are_found_by_any_of_their_keys() {
    let geographic = |keys: Vec<(u16, Key)>| {
        let mut all = vec![(1024, Short(2)), (2048, Short(32767))];
        all.extend(keys);
        wkt(&all)
    };
    let by_datum = geographic(vec![(2050, Short(6326))]);
    assert!(by_datum.contains("DATUM[\"WGS_1984\"") && by_datum.contains("\"6326\"]]"), "{by_datum}");
    // A name does not define the ellipsoid.
    let by_name = geographic(vec![(2049, Text("NAD27"))]);
    assert!(by_name.contains("GEOGCS[\"NAD27\",DATUM[\"unknown\",SPHEROID[\"unretrievable"), "{by_name}");
    let by_ellipsoid = geographic(vec![(2050, Short(32767)), (2056, Short(7030)), (2054, Short(9102))]);
    assert!(by_ellipsoid.contains("SPHEROID[\"WGS 84\",6378137,298.257223563,AUTHORITY[\"EPSG\",\"7030\"]]"));
    assert!(!by_ellipsoid.contains("4326"));
    let paris = geographic(vec![(2051, Short(8903)), (2056, Short(7011))]);
    assert!(paris.contains("PRIMEM[\"Paris\",2.33722917],UNIT[\"degree\""), "{paris}");
    let grads = geographic(vec![(2051, Short(8903)), (2054, Short(9105)), (2056, Short(7011))]);
    assert!(grads.starts_with("LOCAL_CS[\"a prime meridian in another unit than degrees\""), "{grads}");
    let citation = "GCS Name = A|Datum = B|Ellipsoid = C|Primem = D";
    let sphere = geographic(vec![(2049, Text(citation)), (2057, Double(6_371_007.181)), (2058, Double(6_371_007.181))]);
    assert_eq!(
        sphere,
        "GEOGCS[\"A\",DATUM[\"B\",SPHEROID[\"C\",6371007.181,0]],PRIMEM[\"Greenwich\",0],\
         UNIT[\"degree\",0.017453292519943295]]"
    );
    // The ellipsoid differs from that of the code, so the CRS has no code.
    let other = wkt(&[
        (1024, Short(1)),
        (2048, Short(4326)),
        (2057, Double(6_378_140.0)),
        (2059, Double(298.257)),
        (3072, Short(32767)),
        (3075, Short(1)),
    ]);
    assert!(other.contains("6378140,298.257]]") && !other.contains("4326") && !other.contains("6326"), "{other}");
}

#[test]
fn methods_take_parameters_from_any_of_their_keys() {
    let projected = |method: u16, keys: Vec<(u16, Key)>| {
        let mut all = vec![(1024, Short(1)), (2048, Short(4326)), (3072, Short(32767)), (3075, Short(method))];
        all.extend(keys);
        wkt(&all)
    };
    for (method, keys, parts) in [
        (
            7,
            vec![(3080, Double(3.0)), (3092, Double(0.9))],
            &["Mercator_1SP", "\"central_meridian\",3]", "factor\",0.9]"][..],
        ),
        (7, vec![(3078, Double(45.0))], &["Mercator_2SP", "\"standard_parallel_1\",45]"]),
        (7, vec![(3081, Double(45.0))], &["Mercator_2SP", "\"standard_parallel_1\",45]"]),
        (
            8,
            vec![(3084, Double(3.0)), (3085, Double(46.0)), (3086, Double(7.0))],
            &["Conic_2SP", "meridian\",3]", "origin\",46]", "easting\",7]"],
        ),
        (
            15,
            vec![(3095, Double(-45.0)), (3081, Double(70.0))],
            &["Polar_Stereographic", "meridian\",-45]", "origin\",70]"],
        ),
        (15, vec![(3081, Double(-90.0)), (3092, Double(0.994))], &["origin\",-90]", "factor\",0.994]"]),
        (24, vec![(3088, Double(20.0))], &["Sinusoidal", "\"longitude_of_center\",20]"]),
        (9815, vec![(3094, Double(30.0)), (3096, Double(31.0))], &["Azimuth_Center", "\"azimuth\",30]", "angle\",31]"]),
        (99, vec![], &["LOCAL_CS"]),
    ] {
        let wkt = projected(method, keys);
        assert!(parts.iter().all(|part| wkt.contains(part)), "{method}: {wkt} must contain {parts:?}");
    }
}

#[test]
fn keys_override_parts_of_a_code() {
    let projected = |keys: Vec<(u16, Key)>| {
        let mut all = vec![(1024, Short(1)), (3072, Short(26917))];
        all.extend(keys);
        crs(&all).unwrap()
    };
    assert_eq!(projected(vec![(3076, Short(9001))]), "EPSG:26917");
    assert_eq!(projected(vec![(2048, Short(4269)), (3074, Short(16017))]), "EPSG:26917");
    // The unit differs from that of the code, so the CRS has no AUTHORITY.
    let feet = projected(vec![(3076, Short(9003))]);
    assert!(feet.starts_with("PROJCS[\"EPSG:26917\"") && feet.contains("\"false_easting\",1640416.66"), "{feet}");
    assert!(feet.ends_with("UNIT[\"US survey foot\",0.30480060960121924,AUTHORITY[\"EPSG\",\"9003\"]]]"), "{feet}");
    let other = projected(vec![(2048, Short(4326))]);
    assert!(other.contains("GEOGCS[\"WGS 84\"") && !other.contains("26917"), "{other}");
}

#[test]
fn esri_citations_are_wkt() {
    let text = "ESRI PE String = PROJCS[\"a\",GEOGCS[\"b\"]]";
    let of = |citation, model| crs(&[(1024, Short(model)), (citation, Text(text)), (3072, Short(32767))]).unwrap();
    assert_eq!(of(3073, 32767), "PROJCS[\"a\",GEOGCS[\"b\"]]");
    assert!(of(1026, 32767).starts_with("LOCAL_CS[") && of(3073, 1).starts_with("LOCAL_CS["));
}

#[test]
fn geo_tags_of_the_wrong_type_are_errors() {
    let file = with_keys(&[(1024, Short(2))]).with(33550, Values::Ascii("10,10\0"));
    assert!(refusal(&file.bytes()).ends_with("expected DOUBLE, found ASCII"));
}

#[test]
fn pixel_is_point_shifts_the_transform_only() {
    let file = with_keys(&[(1025, Short(2)), (2048, Short(4326))])
        .with(33550, Values::Double(vec![2.0, -4.0, 0.0]))
        .with(33922, Values::Double(vec![1.0, 1.0, 0.0, 100.0, 50.0, 0.0]));
    let header = decode(&file.bytes()).unwrap();
    assert_eq!(header.transform.unwrap().to_array(), [2.0, 0.0, 97.0, 0.0, -4.0, 56.0]);
    assert_eq!(header.pixel_scale, Some(vec![2.0, -4.0, 0.0]));
    assert_eq!(header.tiepoint.unwrap().len(), 6);
    let bounds = decode(&file.bytes()).unwrap().bounds().unwrap();
    assert_eq!((bounds.xmin, bounds.ymin, bounds.xmax, bounds.ymax), (97.0, 16.0, 117.0, 56.0));
}

#[test]
fn nodata_scale_and_offset() {
    let xml = "<GDALMetadata><Item name=\"SCALE\" sample=\"0\" role=\"scale\">0.1</Item>\
        <Item name=\"NODATA_VALUE\">7</Item></GDALMetadata>\0";
    let file = TiffWriter::new(vec![tiled(10, 10, 16)]).with(42112, Values::Ascii(xml));
    let header = decode(&file.bytes()).unwrap();
    assert_eq!((header.nodata, header.scale, header.offset), (Some(7.0), Some(vec![0.1]), None));
    let header = decode(&file.with(42113, Values::Ascii("-inf\0")).bytes()).unwrap();
    assert_eq!(header.nodata, Some(f64::NEG_INFINITY));
}

#[test]
fn texts_of_gdal_are_read_according_to_the_type() {
    let of = |bits: u16, format: u16, text: &'static str| {
        let file = TiffWriter::new(vec![tiled(10, 10, 16)]);
        let file = file.with(258, Values::Short(vec![bits])).with(339, Values::Short(vec![format]));
        let header = decode(&file.with(42113, Values::Ascii(text)).bytes()).unwrap();
        (header.nodata, header.nodata_text)
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(of(16, 1, "0.5\0"), (Some(0.5), text("0.5")));
    assert_eq!(of(64, 1, "-1\0"), (Some(18_446_744_073_709_551_616.0), text("-1")));
    assert_eq!(of(64, 2, "nan\0"), (Some(0.0), text("nan")));
    assert_eq!(of(64, 3, "  \0"), (Some(0.0), text("  ")));
    assert_eq!(of(32, 3, "\0"), (None, None));
}

#[test]
fn gdal_metadata_is_never_an_error() {
    let file = || TiffWriter::new(vec![tiled(10, 10, 16)]);
    let scale = |values| decode(&file().with(42112, values).bytes()).unwrap().scale;
    let xml = "<GDALMetadata><Item name=\"\" sample=\"0\" role=\"scale\">2 & 3</Item></GDALMetadata>\0";
    assert_eq!(scale(Values::Ascii(xml)), Some(vec![2.0]));
    assert_eq!(scale(Values::Undefined(xml.replace('&', "\u{e9}").into_bytes())), Some(vec![2.0]));
    assert_eq!(scale(Values::Double(vec![1.0; 9])), None);
    assert_eq!(scale(Values::Raw(99, 9, vec![0; 9])), None);
    assert_eq!(scale(Values::At(2, 1000, 1 << 30)), None);
}
