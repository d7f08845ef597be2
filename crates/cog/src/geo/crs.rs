//! Identifiers of coordinate reference systems.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A coordinate reference system: an EPSG code, or WKT 1 if user-defined. Displays as `EPSG:32643` or the WKT.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Crs {
    /// EPSG code.
    Epsg(u32),
    /// Well-known text.
    Wkt(String),
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epsg(code) => write!(f, "EPSG:{code}"),
            Self::Wkt(wkt) => f.write_str(wkt),
        }
    }
}

impl FromStr for Crs {
    type Err = Error;

    /// Parses `EPSG:n`; any other text is kept as WKT.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            Some((authority, code)) if authority.eq_ignore_ascii_case("EPSG") => code
                .parse()
                .map(Self::Epsg)
                .map_err(|_| Error::InvalidArgument { what: format!("expected a code after 'EPSG:', found '{code}'") }),
            _ => Ok(Self::Wkt(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Crs;

    #[test]
    fn display_parses_back() {
        for crs in [Crs::Epsg(32643), Crs::Wkt("LOCAL_CS[\"x\",UNIT[\"metre\",1]]".into())] {
            assert_eq!(crs.to_string().parse(), Ok(crs));
        }
        assert!("EPSG:x".parse::<Crs>().is_err());
    }
}
