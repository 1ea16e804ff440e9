//! A panic is a bug of the program. It ends like any other error: with its code, and with the exit code of a bug.
//!
//! The panic itself has been printed by then, after the terminal was given back. What was in flight is settled by the next
//! run, as after a kill.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::error::Error;

/// What `work` comes to; a panic in it is [`Error::Internal`]. Nothing that `work` changed is looked at afterwards but what
/// is durable.
pub(super) async fn guarded<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|panic| Err(Error::Internal(format!("a panic: {}", words(&*panic)))))
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without words")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ExitStatus;

    #[tokio::test]
    async fn a_panic_is_an_error_with_the_exit_code_of_a_bug() {
        let broken = guarded::<()>(async { panic!("no {}", "good") }).await;
        let error = broken.unwrap_err();
        assert_eq!(error.exit_code(), ExitStatus::Internal);
        assert_eq!(error.to_string(), "internal error: a panic: no good");
        let in_task = guarded::<()>(async {
            let task = tokio::task::spawn_blocking(|| panic!("as a task"));
            std::panic::resume_unwind(task.await.unwrap_err().into_panic())
        });
        assert!(
            in_task
                .await
                .unwrap_err()
                .to_string()
                .ends_with("as a task")
        );
        assert!(guarded(async { Ok(7) }).await.is_ok());
    }
}
