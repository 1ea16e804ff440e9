//! Asks the records of the run what the screen needs, one question at a time.

use tokio::sync::oneshot;

use super::view::View;
use crate::domain::RunId;
use crate::report::lookup::{Answer, Asked, Found, Lookup, Question};

/// What goes between the screen and the records.
#[derive(Debug, Default)]
pub(crate) struct Clerk {
    records: Option<Lookup>,
    waiting: Option<(Question, oneshot::Receiver<Answer>)>,
}

impl Clerk {
    /// Asks these records; without any, every answer is that there are none.
    pub(crate) const fn new(records: Option<Lookup>) -> Self {
        Self {
            records,
            waiting: None,
        }
    }

    /// Gives the screen the answer that is there, and asks what it needs. Waits for nothing.
    pub(crate) fn serve(&mut self, view: &mut View, run: Option<&RunId>) {
        if let Some((question, mut answer)) = self.waiting.take() {
            match answer.try_recv() {
                Ok(answer) => view.learn(&question, answer),
                Err(oneshot::error::TryRecvError::Empty) => {
                    self.waiting = Some((question, answer));
                    return;
                }
                Err(oneshot::error::TryRecvError::Closed) => view.learn(&question, none(&question)),
            }
        }
        let (Some(question), Some(run)) = (view.question(), run) else {
            return;
        };
        let (answer, waiting) = oneshot::channel();
        let asked = Asked {
            run: run.clone(),
            question: question.clone(),
            answer,
        };
        // A channel without room is tried again; one without a reader drops the question, which closes `waiting`.
        if let Some(records) = &self.records {
            drop(records.try_send(asked));
        }
        self.waiting = Some((question, waiting));
    }
}

fn none(question: &Question) -> Answer {
    match question {
        Question::Entities => Answer::Entities(Vec::new()),
        Question::Entity(_) | Question::Batch(_) => Answer::Found(Found {
            text: "the records of the run cannot be read here".to_owned(),
            links: Vec::new(),
        }),
    }
}
