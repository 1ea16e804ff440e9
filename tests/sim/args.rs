//! What the simulation is asked for.

use clap::Parser;

use crate::cut::Cut;

/// Plays histories of runs in virtual time, and checks after each that every rule was kept.
#[derive(Clone, Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
#[command(name = "sim")]
pub(crate) struct Args {
    /// How many seeds are played.
    #[arg(long, default_value_t = 200)]
    pub(crate) seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    pub(crate) first: u64,
    /// Plays this seed alone and prints its trace.
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    pub(crate) seed: Option<u64>,
    /// What is taken out of the history of the seed, as a shrunk one prints it.
    #[arg(long, requires = "seed")]
    pub(crate) cut: Vec<Cut>,
    /// Prints failing histories as they are.
    #[arg(long)]
    pub(crate) no_shrinking: bool,
    /// Plays every seed twice and compares the traces.
    #[arg(long)]
    pub(crate) twice: bool,
    /// Plants every bug in turn and counts the seeds until it is found. Needs the feature `planted-bugs`.
    #[arg(long)]
    pub(crate) planted: bool,
    /// Plants this bug only.
    #[arg(long, value_name = "BUG", requires = "planted")]
    pub(crate) plant: Option<String>,
    /// How many threads play.
    #[arg(long, default_value_t = processors())]
    pub(crate) threads: usize,
    /// Tests that cargo was asked for by name. The simulation is called `simulation`.
    #[arg(hide = true)]
    filters: Vec<String>,
    #[arg(long, hide = true)]
    ignored: bool,
    #[arg(long, hide = true)]
    list: bool,
    #[arg(long, short, hide = true)]
    quiet: bool,
    #[arg(long, hide = true)]
    nocapture: bool,
    #[arg(long, hide = true)]
    exact: bool,
    #[arg(long, hide = true)]
    test_threads: Option<usize>,
}

impl Args {
    /// Whether cargo was asked for other tests, or for names only.
    pub(crate) fn is_left_out(&self) -> bool {
        let is_meant = |filter: &String| "simulation".contains(filter.as_str());
        let is_named = self.filters.is_empty() || self.filters.iter().any(is_meant);
        self.list || self.ignored || !is_named
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
