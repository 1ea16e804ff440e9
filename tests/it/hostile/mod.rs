//! Hostile names, files and folders.

mod file_names;
mod terminal_names;
