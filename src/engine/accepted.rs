//! Reports to the dispatcher that the target has accepted the request of a job, long before the job ends.

use tokio::sync::mpsc;

use super::state::Turn;

/// Where jobs report to.
pub(super) type Reports = mpsc::Sender<Turn>;

/// More than pages are in flight by default. A report that finds no room is dropped: then the next page of its row leaves when
/// the one before it is back.
pub(super) const REPORTS_IN_FLIGHT: usize = 256;

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
    let send = |report: &Option<(Reports, Turn)>| {
        if let Some((reports, turn)) = report {
            reports.try_send(*turn).unwrap_or_default();
        }
    };
    REPORT.try_with(send).unwrap_or_default();
}
