//! Nodata rules compared with the masks of GDAL 3.10.3.
#![allow(clippy::cast_possible_truncation, reason = "tests only use numbers in the range of the type")]

use super::super::tests::level;
use super::{Fill, Nodata, NodataRule};
use crate::CogHeader;
use crate::pixel::Sample;
use crate::pixel::tests::File;
use crate::tiff::DataType;

fn rule(dtype: DataType, nodata: Option<f64>, change: impl Fn(&mut CogHeader)) -> NodataRule {
    let file = File::new(level((4, 4), (0, 4), 2, false, dtype), |_, _, _| 0.0).with(|header| {
        header.nodata = nodata;
        change(header);
    });
    NodataRule::of(&file.header, &file.header.image.encoding, 1, dtype)
}

fn nodata(dtype: DataType, number: f64) -> Option<Nodata> {
    rule(dtype, Some(number), |_| {}).nodata
}

#[test]
fn integers_ignore_the_fraction() {
    for (dtype, number, expected) in [
        (DataType::Uint8, 255.0, Some(255)),
        (DataType::Uint8, 0.1, Some(0)),
        (DataType::Uint8, 254.9, Some(254)),
        (DataType::Uint8, 255.5, None),
        (DataType::Uint8, -0.5, None),
        (DataType::Uint8, f64::NAN, None),
        (DataType::Int8, -128.5, Some(-128)),
        (DataType::Int16, -0.5, Some(0)),
        (DataType::Int16, -32_768.5, None),
        (DataType::Uint32, 4_294_967_295.0, Some(u32::MAX.into())),
        (DataType::Int32, f64::INFINITY, None),
        (DataType::Int64, -9_223_372_036_854_775_808.0, Some(i64::MIN.into())),
        (DataType::Int64, 9_223_372_036_854_775_808.0, Some(i64::MAX.into())),
        (DataType::Uint64, 18_446_744_073_709_551_616.0, Some(u64::MAX.into())),
        (DataType::Uint64, 3e19, None),
        (DataType::Uint64, f64::NAN, None),
    ] {
        assert_eq!(nodata(dtype, number), expected.map(Nodata::Whole), "{dtype} {number}");
    }
}

#[test]
fn integers_of_64_bits_use_the_exact_text() {
    let text =
        |dtype, number, text: &str| rule(dtype, Some(number), |header| header.nodata_text = Some(text.to_owned()));
    let exact = text(DataType::Int64, 1_152_921_504_606_846_976.0, "1152921504606846977");
    assert_eq!(exact.nodata, Some(Nodata::Whole(1_152_921_504_606_846_977)));
    assert_eq!(
        (exact.sparse, exact.outside),
        (Fill::Whole(1_152_921_504_606_846_977), Fill::Whole(1_152_921_504_606_846_977))
    );
    assert_eq!(text(DataType::Uint64, 0.0, "nan").nodata, Some(Nodata::Whole(0)));
    // A changed nodata value takes precedence over the text of the file.
    assert_eq!(text(DataType::Int64, 7.0, "1152921504606846977").nodata, Some(Nodata::Whole(7)));
    assert_eq!(text(DataType::Int32, 7.0, "8").nodata, Some(Nodata::Whole(7)));
}

#[test]
fn floats_match_approximately() {
    let matches =
        |nodata: f64, sample: f32| sample.is(f32::held(self::nodata(DataType::Float32, nodata).unwrap()).unwrap());
    // Four steps from 1 are within the tolerance, five are not.
    let steps = |number: f32, steps: u32| f32::from_bits(number.to_bits() + steps);
    assert!(matches(1.0, steps(1.0, 4)) && !matches(1.0, steps(1.0, 5)));
    assert!(matches(-1.0, steps(-1.0, 4)) && !matches(-1.0, steps(-1.0, 5)) && !matches(-1.0, 1.0));
    assert!(matches(0.0, -0.0) && !matches(0.0, f32::from_bits(1)));
    // The lowest float as written by GDAL, by other software and with 8 digits.
    for text in [-3.402_823_466_385_288_6e38, -3.402_823_466_385_29e38, -3.402_823_5e38] {
        assert!(matches(text, f32::MIN), "{text}");
    }
    assert!(matches(f64::from(f32::MAX) * 1.1, f32::INFINITY) && matches(1e39, f32::INFINITY));
    assert!(!matches(f64::INFINITY, f32::MAX) && matches(f64::NEG_INFINITY, f32::NEG_INFINITY));
    assert_eq!(nodata(DataType::Float32, f64::NAN), Some(Nodata::Nan));
    // Other types are not rounded to this range; GDAL's mask then has no nodata.
    assert_eq!(nodata(DataType::Float16, 1e39), None);
    assert_eq!(nodata(DataType::Complex64, -3.402_823_5e38), None);
    let Some(Nodata::Between(low, high)) = nodata(DataType::Float64, 1000.0) else { panic!("expected a range") };
    let is_about = |distance: f64| (distance - 4.77e-4).abs() < 1e-6;
    assert!(is_about(1000.0 - low) && is_about(high - 1000.0), "{low} {high}");
}

#[test]
fn overflowing_sums_match() {
    // The sum of the largest float and another float overflows if the latter is at least half a unit in the last place.
    let least = rule(DataType::Float32, Some(f64::from(f32::MIN)), |_| {});
    assert_eq!(least.nodata, Some(Nodata::Between(f32::MIN.into(), -f64::from(2.0_f32.powi(103)))));
    assert!(least.bands.is_empty());
    let large = rule(DataType::Float32, Some(f64::from(1e38_f32)), |_| {});
    let (band, (low, high)) = large.bands[0];
    assert_eq!((large.bands.len(), band, high), (1, 1, f32::MAX.into()));
    let last = f32::from_bits((low as f32).to_bits() - 1);
    assert!((low as f32 + 1e38).is_infinite() && (last + 1e38).is_finite());
}

#[test]
fn ranges_equal_the_comparison() {
    let is_equal = |a: f32, b: f32| a == b || (a - b).abs() < f32::EPSILON * (a + b).abs() * 2.0;
    for nodata in
        [1.0, -9999.0, 0.1, 1e-20, 3e-39, -1e-44, 65_504.0, 1e30, 1e31, 1.7e38, -1.75e38, 2.5e38, f32::MAX, f32::MIN]
    {
        let NodataRule { nodata: Some(Nodata::Between(low, high)), bands, .. } =
            rule(DataType::Float32, Some(nodata.into()), |_| {})
        else {
            panic!("expected a range of {nodata}");
        };
        let near = (-40_i64..40).map(|step| i64::from(nodata.to_bits()) + step);
        let ends = [low, high].into_iter().chain(bands.iter().flat_map(|(_, (low, high))| [*low, *high]));
        let ends = ends.flat_map(|end| (-2_i64..3).map(move |step| i64::from((end as f32).to_bits()) + step));
        for bits in near.chain(ends).filter_map(|bits| u32::try_from(bits).ok()) {
            let sample = f32::from_bits(bits);
            let is_in = |(low, high): (f64, f64)| low <= sample.into() && f64::from(sample) <= high;
            let found = is_in((low, high)) || bands.iter().any(|(_, bounds)| is_in(*bounds));
            assert_eq!(found, is_equal(sample, nodata), "{sample:e} with {nodata:e}");
        }
    }
}

#[test]
fn nodata_values_replace_nodata() {
    let values = |dtype, values: &[f64]| rule(dtype, Some(9.0), |header| header.nodata_values = Some(values.to_vec()));
    let found = values(DataType::Uint8, &[1.0, 2.9]);
    assert_eq!((found.nodata, found.bands), (None, vec![(0, (1.0, 1.0)), (1, (2.0, 2.0))]));
    assert_eq!((found.sparse, found.outside), (Fill::Number(0.0), Fill::Whole(9)));
    // Doubles are converted to integers as in C.
    for (dtype, value, expected) in [
        (DataType::Uint8, -0.9, 0.0),
        (DataType::Uint8, 256.0, 0.0),
        (DataType::Uint8, -1.0, 255.0),
        (DataType::Uint8, f64::NAN, 0.0),
        (DataType::Uint16, -1.0, 4_294_967_295.0),
        (DataType::Uint32, -9_007_199_254_740_993.0, 0.0),
        (DataType::Uint32, 1e20, 0.0),
        (DataType::Int16, -1.5, -1.0),
        (DataType::Int32, -1e10, -2_147_483_648.0),
        (DataType::Int32, -2_147_483_648.9, -2_147_483_648.0),
        (DataType::Int64, 1e30, 1e30),
    ] {
        assert_eq!(values(dtype, &[1.0, value]).bands[1], (1, (expected, expected)), "{dtype} {value}");
    }
    // A number that the type cannot represent matches nothing.
    assert_eq!(values(DataType::Float32, &[1.0, f64::NAN]).bands, Vec::new());
    assert_eq!(values(DataType::Float32, &[0.1, 1e39]).bands[1], (1, (f64::INFINITY, f64::INFINITY)));
    // A list of another length is ignored.
    let found = values(DataType::Uint8, &[1.0]);
    assert_eq!((found.nodata, found.bands), (Some(Nodata::Whole(9)), Vec::new()));
    // If the file has a nodata value, sparse tiles have this value.
    let both = rule(DataType::Uint8, Some(9.0), |header| {
        (header.nodata_text, header.nodata_values) = (Some("9".to_owned()), Some(vec![0.0, 0.0]));
    });
    assert_eq!((both.sparse, both.nodata), (Fill::Number(9.0), None));
}
