//! `lockgate why`: the story of one entity, gathered from the state and from the folders of runs.

mod command;
mod story;
mod text;

pub(super) use command::{WhyArgs, of_folder, run, told};
