//! What the dashboard asks about a run beyond its progress: entities by name, the history of one, the items of a batch.
//!
//! Reporters read no state. The question goes through a channel to the command, which has opened the state and has the
//! folder of the run; the screen keeps running meanwhile and shows the answer once it is there.

use tokio::sync::{mpsc, oneshot};

use crate::domain::{BatchId, EntityKey, RunId};

/// Where questions go. Bounded: a dashboard has one question open at a time.
pub type Lookup = mpsc::Sender<Asked>;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// All entities of the plan.
    Entities,
    /// The history of one of them.
    Entity(EntityKey),
    /// The items of a batch.
    Batch(BatchId),
}

/// A question about a run and where its answer goes.
#[derive(Debug)]
pub struct Asked {
    /// The run that is shown.
    pub run: RunId,
    /// The question.
    pub question: Question,
    /// Takes the answer; closed when it is not needed any more.
    pub answer: oneshot::Sender<Answer>,
}

/// What is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The entities, sorted by key.
    Entities(Vec<Listed>),
    /// An entity or a batch, in lines of text.
    Found(Found),
}

/// An entity of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The entity.
    pub key: EntityKey,
    /// Its reference name, file path, page path or title.
    pub name: String,
}

/// What is known of one thing, or why it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Lines for people, each of which may name entities by their keys.
    pub text: String,
    /// Where editors show it.
    pub links: Vec<Link>,
}

/// A page of an editor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it shows, such as `source`.
    pub name: &'static str,
    /// The address.
    pub url: String,
}
