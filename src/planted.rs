//! Bugs that can be planted, to measure whether the simulation finds them.
//!
//! Each is one condition at the place where it would be made. Without the feature `planted-bugs` the condition is a constant,
//! so nothing of it is left in the program.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// What a request may have made is looked for among the counterparts of others, too.
    LooksAmongTaken,
    /// A claim is never refused.
    RefusesNoClaim,
    /// The loss of the lease is not reported.
    KeepsLossToItself,
    /// Writes leave without the lease.
    WritesWithoutLease,
    /// A second run gets the lease of an active one.
    LendsLeaseTwice,
    /// A request leaves without its intent.
    SendsWithoutIntent,
    /// Open intents of a run that died are not looked at.
    ForgetsIntents,
    /// A write of unknown outcome is sent again at once.
    SendsUnknownAgain,
    /// What is not there at the first look counts as absent.
    LooksOnce,
    /// A reference that is left out, because its end has no counterpart yet, is sent as it is.
    SendsSourceIds,
    /// What was sent counts as agreed.
    AgreesUnseen,
    /// A gate opens although something behind it failed.
    OpensFailedGates,
    /// The results of a batch are given to its items in the wrong order.
    SwapsResults,
    /// A reference that was left out is left out of the second save as well.
    PatchesNothing,
    /// Pages are put at the end of their row.
    IgnoresOrder,
    /// The verification leaves content out.
    VerifiesNoContent,
    /// The store reports a change as durable when it is not.
    AnswersBeforeDurable,
    /// Differences of pages are not reported.
    TellsNoPages,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::LooksAmongTaken,
        Self::RefusesNoClaim,
        Self::KeepsLossToItself,
        Self::WritesWithoutLease,
        Self::LendsLeaseTwice,
        Self::SendsWithoutIntent,
        Self::ForgetsIntents,
        Self::SendsUnknownAgain,
        Self::LooksOnce,
        Self::SendsSourceIds,
        Self::AgreesUnseen,
        Self::OpensFailedGates,
        Self::SwapsResults,
        Self::PatchesNothing,
        Self::IgnoresOrder,
        Self::VerifiesNoContent,
        Self::AnswersBeforeDurable,
        Self::TellsNoPages,
    ];
}

#[cfg(feature = "planted-bugs")]
mod chosen {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Bug;

    /// The number of the planted one, counted from 1.
    static PLANTED: AtomicUsize = AtomicUsize::new(0);

    /// Plants a bug in the place of the one before; `None` plants none.
    pub fn plant(bug: Option<Bug>) {
        let at = bug.and_then(|bug| Bug::ALL.iter().position(|other| *other == bug));
        PLANTED.store(at.map_or(0, |at| at + 1), Ordering::Relaxed);
    }

    /// Whether a bug is planted.
    pub(crate) fn has(bug: Bug) -> bool {
        let planted = PLANTED.load(Ordering::Relaxed);
        planted > 0 && Bug::ALL[planted - 1] == bug
    }
}

#[cfg(feature = "planted-bugs")]
pub(crate) use chosen::has;
#[cfg(feature = "planted-bugs")]
pub use chosen::plant;

/// Whether a bug is planted: none is.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn has(_: Bug) -> bool {
    false
}

/// The variable of the environment that makes a build with debug assertions panic in the middle of an upload.
const PANIC: &str = "PANIC_WHILE_UPLOADING";

/// Panics where [`PANIC`] asks for it, so that the end of a broken program can be tried with the program itself.
pub(crate) fn panic_if_asked() {
    debug_assert!(
        std::env::var_os(PANIC).is_none(),
        "the environment asks for this panic"
    );
}
