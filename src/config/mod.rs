//! What a user wants: layers of configuration, merged, with the origin of every value.
//!
//! ```text
//!   defaults < preset < user's file < lockgate.toml < .env < environment < command line
//!        └────────────── Config: raw values with origins ──────────────┘
//!                               │ validation, before any request
//!                               ▼
//!                            Settings
//! ```
//!
//! All layers speak the same keys, which one table lists with their flags and variables. An unknown key is an
//! error and not a warning: a misspelt `overwrite` must not decide what happens to a target. Values from
//! variables and flags are text and are read by the same code as those of files, so that a complaint is the
//! same wherever the value came from.
//!
//! This is the one place that reads the environment. Left to others: turning sections into the options of
//! the rooms that do the work.

mod credentials;
mod dotenv;
mod environment;
mod error;
mod hidden;
mod host_info;
mod hosts;
mod keys;
mod layers;
mod logins;
mod maps;
mod policies;
mod read;
mod renewal;
mod schema;
mod settings;
#[cfg(test)]
mod target_tests;
mod targets;
#[cfg(test)]
mod tests;
mod token_source;
mod validate;

pub use environment::Environment;
pub use error::{ConfigError, MissingValue};
pub use hidden::shown;
pub use host_info::HostInfo;
pub use keys::{CHOOSERS, KEYS, KeyInfo};
pub use layers::{Config, Given, GivenValue, Inputs, Row, learn_credentials};
pub use logins::{Kept, Login, LoginBook, LoginNote, LoginSite, LoginsError, StoredLogin};
pub use renewal::TokenRenewal;
pub use schema::schema;
pub use settings::{
    Ask, ColorChoice, Instance, Limits, Output, OutputMode, Pace, Paths, Retry, Settings, Sync,
    Timeouts,
};
pub use validate::{FOLDER, values_of};

/// The documented default file, which is also the weakest layer.
pub const DEFAULT_FILE: &str = include_str!("../../config/default.toml");
