//! STAC functions.

mod read_stac;
mod stac_items;
mod stac_search;

pub(super) use read_stac::ReadStac;
pub(super) use stac_search::StacSearch;
