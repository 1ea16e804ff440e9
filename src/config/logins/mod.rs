//! Logins: what a sign-in has given, kept for the user of this machine until a sign-out.
//!
//! ```text
//!   logins.json (0600)      the names of the logins, until when they are valid ── and the tokens, where a keyring is absent
//!   keyring of the system   the tokens
//!   logins.lock             held by whatever writes either: a refresh token is used up by its use
//! ```
//!
//! The list says where the tokens are, so a command that needs none of them never asks the keyring. A renewal holds the
//! lock from before it reads the refresh token until after it has written the next one: of two processes the second one
//! finds what the first one got.

mod book;
mod keyring;
mod lookup;
mod renewal;

pub use book::{Kept, Login, LoginBook, LoginNote, LoginsError};
pub use lookup::LoginSite;
pub use renewal::StoredLogin;
