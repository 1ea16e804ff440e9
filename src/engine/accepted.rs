//! Reports to the dispatcher that the target has accepted the request of a job, long before the job is done.

use tokio::sync::mpsc;

use super::state::Turn;

/// Where jobs report to.
pub(super) type Reports = mpsc::UnboundedSender<Turn>;

tokio::task_local! {
    static REPORT: Option<(Reports, Turn)>;
}

/// Lets `work` report for a page that others of its row may follow. Any other work reports nothing.
pub(super) fn reporting<F: Future>(
    reports: &Reports,
    turn: Option<Turn>,
    work: F,
) -> impl Future<Output = F::Output> + use<F> {
    let turn = turn.filter(|turn| turn.at.is_some());
    REPORT.scope(turn.map(|turn| (reports.clone(), turn)), work)
}

/// Notes that the request of the current job has been accepted.
pub(super) fn report() {
    let _ = REPORT.try_with(|report| {
        if let Some((reports, turn)) = report {
            // Without a dispatcher nothing follows any more.
            let _ = reports.send(*turn);
        }
    });
}
