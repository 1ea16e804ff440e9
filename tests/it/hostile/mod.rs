//! Hostile names, files and folders.

mod terminal_names;
