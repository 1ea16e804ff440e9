//! Answers what the dashboard asks about a run: from the state and from the folder of the run.

use std::fmt::Write as _;
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::why;
use crate::domain::{BatchId, EntityKey, Id, RunId, SourceId, editor_url, shown_name};
use crate::error::Error;
use crate::report::graph;
use crate::report::lookup::{Answer, Asked, Found, Link, Listed, Question};
use crate::store::{RunRecord, Store};

/// Where the records of runs are.
pub(super) struct Records {
    /// The state; `None` where there is none.
    pub(super) store: Option<Store>,
    /// The folder that holds a folder per run.
    pub(super) runs: PathBuf,
}

/// Maximum number of runs in the history of an entity.
const RUNS: usize = 5;

impl Records {
    /// Does `work`, and answers meanwhile.
    pub(super) async fn beside<R>(
        &self,
        work: impl Future<Output = R>,
        asked: mpsc::Receiver<Asked>,
    ) -> R {
        let mut work = std::pin::pin!(work);
        // Both are cancel-safe: the work is polled in place, and an answer that is dropped is asked for again.
        tokio::select! {
            done = &mut work => return done,
            () = self.serve(asked) => {}
        }
        work.await
    }

    async fn serve(&self, mut asked: mpsc::Receiver<Asked>) {
        while let Some(asked) = asked.recv().await {
            let answer = match self.answer(&asked).await {
                Ok(answer) => answer,
                Err(error) => Answer::Found(Found {
                    text: error.to_string(),
                    links: Vec::new(),
                }),
            };
            // The screen may be gone.
            drop(asked.answer.send(answer));
        }
    }

    async fn answer(&self, asked: &Asked) -> Result<Answer, Error> {
        Ok(match &asked.question {
            Question::Entities => Answer::Entities(self.entities(&asked.run).await?),
            Question::Entity(key) => Answer::Found(self.entity(&asked.run, key).await?),
            Question::Batch(batch) => Answer::Found(self.batch(&asked.run, *batch).await?),
        })
    }

    /// Those of the plan; without one, those that the state has an outcome of.
    async fn entities(&self, run: &RunId) -> Result<Vec<Listed>, Error> {
        let folder = self.runs.join(&run.0);
        let path = folder.clone();
        let planned = tokio::task::spawn_blocking(move || graph::listed(&folder)).await;
        let planned = planned.map_err(std::io::Error::other).flatten();
        let planned = planned.map_err(|source| Error::File { path, source })?;
        if let Some(planned) = planned {
            return Ok(planned);
        }
        let Some(store) = &self.store else {
            return Ok(Vec::new());
        };
        let settled = store.run_entities(run).await?.into_iter();
        let listed = settled.map(|entity| Listed {
            key: entity.key,
            name: entity.name,
        });
        Ok(listed.collect())
    }

    async fn entity(&self, run: &RunId, key: &EntityKey) -> Result<Found, Error> {
        let record = self.record(run).await?;
        if let (Some(store), Some(record)) = (&self.store, &record) {
            let told = why::told(store, &record.pair, key, RUNS, &self.runs).await?;
            if let Some((text, target)) = told {
                let links = links(record, key, target.map(Id::raw));
                return Ok(Found { text, links });
            }
        }
        let text = why::of_folder(&self.runs.join(&run.0), run, key).await?;
        Ok(Found {
            text: text.unwrap_or_else(|| "not in the plan, and no outcome yet".to_owned()),
            links: record.map_or_else(Vec::new, |record| links(&record, key, None)),
        })
    }

    async fn batch(&self, run: &RunId, batch: BatchId) -> Result<Found, Error> {
        let intents = match &self.store {
            Some(store) => store.intents_of_run(run).await?,
            None => Vec::new(),
        };
        let mut text = String::new();
        for intent in intents.iter().filter(|one| one.batch == Some(batch)) {
            let state = intent.state.name();
            append(&mut text, &format!("{}: {state}", intent.operation.name()));
            for answer in &intent.answers {
                append(&mut text, &format!("  {answer}"));
            }
            for (at, key) in intent.keys.iter().enumerate() {
                let name = intent
                    .details
                    .get(at)
                    .map(|detail| shown_name(&detail.name));
                append(&mut text, &format!("  {key}  {}", name.unwrap_or_default()));
            }
        }
        if text.is_empty() {
            append(&mut text, "its items are not in the state");
        }
        let links = Vec::new();
        Ok(Found { text, links })
    }

    async fn record(&self, run: &RunId) -> Result<Option<RunRecord>, Error> {
        Ok(match &self.store {
            Some(store) => store.run(run).await?,
            None => None,
        })
    }
}

fn append(text: &mut String, line: &str) {
    // A string takes every write.
    writeln!(text, "{line}").unwrap_or_default();
}

/// Where the editors of both instances show an entity. A mock server has no editor, and the target of a rehearsal is one.
fn links(record: &RunRecord, key: &EntityKey, target: Option<i64>) -> Vec<Link> {
    let target = target.filter(|_| record.options["dry_run"] != true);
    let has_editor = |side: &str| record.options[side].is_null();
    let of = |name, side, guid, id: Option<i64>| {
        let url = editor_url(guid, &key.with_id(SourceId::new(id?)))?;
        has_editor(side).then_some(Link { name, url })
    };
    let (source, there) = (&record.pair.source, &record.pair.target);
    let both = [
        of("source", "source_url", source, Some(key.id.raw())),
        of("target", "target_url", there, target),
    ];
    both.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{Guid, Kind, Locale};
    use crate::store::Pair;

    fn record(options: serde_json::Value) -> RunRecord {
        RunRecord {
            run: RunId("20260315-101500-3f2a".to_owned()),
            pair: Pair {
                source: Guid::new("1a2b3c4d-u"),
                target: Guid::new("5e6f7a8b-u"),
            },
            command: "sync".to_owned(),
            options,
            started_at: String::new(),
            finished_at: None,
            exit: None,
            end: None,
            counts: None,
        }
    }

    fn urls(record: &RunRecord, key: &EntityKey, target: Option<i64>) -> Vec<String> {
        let links = links(record, key, target).into_iter();
        links
            .map(|link| format!("{} {}", link.name, link.url))
            .collect()
    }

    #[test]
    fn both_editors_are_linked_to_where_there_are_editors() {
        let locale = Locale::new("en-us");
        let item = EntityKey::localised(Kind::Content, 912, &locale);
        let real = record(json!({ "source_url": null, "target_url": null }));
        assert_eq!(
            urls(&real, &item, Some(7)),
            [
                "source https://app.agilitycms.com/instance/1a2b3c4d-u/en-us/content/listitem-912",
                "target https://app.agilitycms.com/instance/5e6f7a8b-u/en-us/content/listitem-7",
            ]
        );
        assert_eq!(urls(&real, &item, None).len(), 1, "not created yet");
        let rehearsed = record(json!({ "dry_run": true }));
        assert_eq!(urls(&rehearsed, &item, Some(7)).len(), 1);
        let page = EntityKey::localised(Kind::Page, 3, &locale);
        assert!(urls(&real, &page, None)[0].ends_with("/en-us/pages/page-3"));
        let mocked = record(json!({ "source_url": null, "target_url": "http://127.0.0.1:8092" }));
        assert_eq!(urls(&mocked, &item, Some(7)).len(), 1);
        assert!(urls(&real, &EntityKey::global(Kind::Model, 1), Some(1)).is_empty());
    }
}
