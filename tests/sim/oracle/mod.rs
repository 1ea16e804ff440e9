//! The rules, checked by what both instances and the store hold. It knows nothing of plans: which entity stands for which
//! is read from the store, and what it should say is the source's body with every id replaced.
//!
//! | file | checks |
//! |---|---|
//! | `run` | after every run: counts, claims, and what the run says of itself |
//! | `end` | when nothing goes wrong any more: everything is there, once, and is what it should be |
//! | `translate` | what the target should hold |

mod end;
mod run;
mod translate;

pub(crate) use end::{at_the_end, doubts_are_real};
pub(crate) use run::after;
pub(crate) use translate::Former;
