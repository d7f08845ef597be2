//! Pixels written to files.

mod copy_cog;

pub(super) use copy_cog::CopyCog;
