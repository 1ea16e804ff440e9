//! What stands between a plan and its first write.

use std::fmt;

use futures_util::future::BoxFuture;

use super::run::Decided;
use super::run_error::RunError;

/// Looks at what a run decided before it writes anything.
pub trait Review: fmt::Debug + Send + Sync {
    /// Lets the run go on, or says why it does not. It may take as long as a person does; it is dropped when the run is asked
    /// to end.
    ///
    /// # Errors
    /// [`RunError::NotAgreed`], [`RunError::Gates`] or [`RunError::Interrupted`]: then nothing is written.
    fn review<'a>(&'a self, decided: &'a Decided) -> BoxFuture<'a, Result<(), RunError>>;
}
