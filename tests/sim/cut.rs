//! What is taken out of a history, so that a failing one becomes small enough to be read.

use std::fmt;
use std::str::FromStr;

use crate::double::Fault;
use crate::history::{Act, End, History};

/// One thing that is taken out. Acts are counted in what is left by the cuts before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Act(usize),
    /// The commands, the edits and the fail-fast of a run.
    Orders(usize),
    /// The crash or full disk of a run.
    End(usize),
    /// A kind of fault, on both sides.
    Fault(usize),
    Items(i64),
    Pages(i64),
    Assets(i64),
    Twins,
}

impl Cut {
    /// Takes it out. Whether there was anything to take.
    pub(crate) fn apply(self, history: &mut History) -> bool {
        let shape = &mut history.shape;
        match self {
            Self::Act(at) if at < history.acts.len() => drop(history.acts.remove(at)),
            Self::Orders(at) | Self::End(at) => {
                let Some(Act::Run(run)) = history.acts.get_mut(at) else {
                    return false;
                };
                if self == Self::End(at) {
                    let is_new = run.end != End::Natural;
                    run.end = End::Natural;
                    return is_new;
                }
                let is_new = !run.commands.is_empty() || !run.edits.is_empty() || run.fail_fast;
                run.commands.clear();
                run.edits.clear();
                run.fail_fast = false;
                return is_new;
            }
            Self::Fault(at) if at < Fault::ALL.len() => {
                let on_source = history.source.faults.remove(&Fault::ALL[at]);
                let on_target = history.target.faults.remove(&Fault::ALL[at]);
                return on_source.is_some() || on_target.is_some();
            }
            Self::Items(most) if most < shape.items => shape.items = most,
            Self::Pages(most) if most < shape.pages => shape.pages = most,
            Self::Assets(most) if most < shape.assets => shape.assets = most,
            Self::Twins if shape.twins > 0 => shape.twins = 0,
            Self::Act(_)
            | Self::Fault(_)
            | Self::Items(_)
            | Self::Pages(_)
            | Self::Assets(_)
            | Self::Twins => return false,
        }
        true
    }

    /// Everything that could be taken out of a history, the largest first.
    pub(crate) fn all(history: &History) -> Vec<Self> {
        let acts = (0..history.acts.len()).rev();
        let shape = &history.shape;
        let mut cuts: Vec<Self> = acts.clone().map(Self::Act).collect();
        cuts.extend([1, shape.items / 2, shape.items - 1].map(Self::Items));
        cuts.extend([1, shape.pages / 2, shape.pages - 1].map(Self::Pages));
        cuts.extend([Self::Assets(1), Self::Twins]);
        cuts.extend((0..Fault::ALL.len()).map(Self::Fault));
        cuts.extend(acts.clone().map(Self::Orders));
        cuts.extend(acts.map(Self::End));
        cuts.retain(|cut| !matches!(cut, Self::Items(0) | Self::Pages(0)));
        cuts
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Act(at) => write!(f, "act={at}"),
            Self::Orders(at) => write!(f, "orders={at}"),
            Self::End(at) => write!(f, "end={at}"),
            Self::Fault(at) => write!(f, "fault={at}"),
            Self::Items(most) => write!(f, "items={most}"),
            Self::Pages(most) => write!(f, "pages={most}"),
            Self::Assets(most) => write!(f, "assets={most}"),
            Self::Twins => f.write_str("twins=0"),
        }
    }
}

impl FromStr for Cut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("{text:?} takes nothing out of a history");
        let (what, number) = text.split_once('=').ok_or_else(unknown)?;
        let number: u32 = number.parse().map_err(|_| unknown())?;
        let (at, most) = (number as usize, i64::from(number));
        match what {
            "act" => Ok(Self::Act(at)),
            "orders" => Ok(Self::Orders(at)),
            "end" => Ok(Self::End(at)),
            "fault" => Ok(Self::Fault(at)),
            "items" => Ok(Self::Items(most)),
            "pages" => Ok(Self::Pages(most)),
            "assets" => Ok(Self::Assets(most)),
            "twins" => Ok(Self::Twins),
            _ => Err(unknown()),
        }
    }
}
