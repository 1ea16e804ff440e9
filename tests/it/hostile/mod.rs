//! Hostile names, files and folders.

mod file_names;
mod state_files;
mod terminal_names;
