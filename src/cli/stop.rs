//! Waits for a signal that stops the program.

/// Completes with the first Ctrl-C, SIGTERM or SIGHUP (the terminal was closed). Cancel-safe.
///
/// On a system without such signals it never completes; then the signal ends the program itself.
pub(super) async fn asked() {
    tokio::select! {
        () = interrupted() => {}
        () = terminated() => {}
    }
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let first = |kind| async move {
        let received = match signal(kind) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => None,
        };
        if received.is_none() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = first(SignalKind::terminate()) => {}
        () = first(SignalKind::hangup()) => {}
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending::<()>().await;
}
