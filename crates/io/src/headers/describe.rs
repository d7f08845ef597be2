//! Descriptions of files that are known by their location.

use futures::{StreamExt, stream};
use rasteret_cog::InfoDecoder;

use super::batch::panicked;
use super::{Headers, driver};
use crate::types::location::LocationKind;
use crate::{DescribedFile, Location, Result};

impl Headers {
    /// Descriptions of files, read concurrently, without cache. Blocks the calling thread, which must not be one of the runtime's.
    ///
    /// # Errors
    ///
    /// If the query is interrupted. Unreadable files are separate errors.
    pub(crate) fn descriptions_at(&self, locations: &[Location]) -> Result<Vec<Result<DescribedFile>>> {
        let described = locations.iter().map(|location| self.description_at(location));
        let described = stream::iter(described).buffered(self.options().max_concurrent.max(1));
        self.block_on(described.collect())
    }

    async fn description_at(&self, location: &Location) -> Result<DescribedFile> {
        self.access().check(location)?;
        match location.kind() {
            LocationKind::File(path) if self.is_native() => {
                let (here, path) = (location.clone(), path.clone());
                let read = move || driver::read_local::<InfoDecoder>(&here, &path);
                let read = tokio::task::spawn_blocking(read).await;
                Ok(read.unwrap_or_else(|_| Err(panicked(location)))?.0.into())
            }
            _ => Ok(driver::read::<InfoDecoder>(&self.open_at(location).await?).await?.into()),
        }
    }
}
