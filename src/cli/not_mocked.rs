//! What a build without the mock server answers where one is needed.

use std::io::Write;

use super::session::Work;
use crate::config::Settings;
use crate::error::{Error, ExitStatus};

/// Refuses to rehearse.
///
/// # Errors
/// [`Error::Usage`] in any case.
pub(super) async fn rehearse(
    _: &[Settings],
    _: &Work,
    _: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    Err(Error::Usage {
        message: "--dry-run needs the mock server, and this build of lockgate is without it"
            .to_owned(),
        hint: Some(
            "`lockgate plan` decides without it; build with the default features to rehearse"
                .to_owned(),
        ),
    })
}
