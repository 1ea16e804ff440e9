//! `lockgate login` and `lockgate logout`: tokens by signing in with a browser.
//!
//! The browser comes back to a port of this machine; where it is on another one, the server keeps the answer until it is
//! fetched. What is got is looked at once, with the user's account, before it is kept.

mod browser;
mod command;
mod error;
mod listener;
mod logout;

pub(super) use command::{LoginArgs, run, validity};
pub use error::SignInError;
pub(super) use logout::{LogoutArgs, run as run_logout};
