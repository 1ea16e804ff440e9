//! The work of migrating an instance, whatever program does it.

use std::path::Path;
use std::time::Duration;

use lockgate::agility::{Connection, Instance, Limits};
use lockgate::domain::{Guid, Inventory, Kind, Locale, Secret, SourceId, TargetId};
use lockgate::instance::{ReadRequest, ReadResponse, Record, Source};
use lockgate::mock::file::StateFile;
use lockgate::mock::{Options, Server};
use lockgate::plan::{
    Agreements, Defaults, Inputs, Node, Plan, Policies, Selection, Strength, Weights, plan,
};
use lockgate::snapshot::{Builder, first_asks};

use crate::Outcome;
use crate::round::{SOURCE, TARGET};

/// The plan of a first run into an empty instance.
#[derive(Debug)]
pub(crate) struct Work {
    plan: Plan,
    kinds: Vec<Kind>,
}

impl Work {
    /// Reads the instance of a state file from a server without latency in this process, and plans.
    pub(crate) async fn of(state: &Path) -> Outcome<Self> {
        let state: StateFile = serde_json::from_slice(&std::fs::read(state)?)?;
        let server = Server::start(Options {
            state,
            ..Options::default()
        })
        .await?;
        let source = pull(server.base_url()).await;
        server.stop().await;
        let source = source?;
        let plan = plan(&Inputs {
            source: &source,
            target: &Inventory::<TargetId>::empty(Guid::new(TARGET)),
            agreements: &Agreements::new(),
            defaults: &Defaults::default(),
            equal_bytes: &std::collections::HashSet::new(),
            replaced_bytes: &std::collections::HashSet::new(),
            doubts: &std::collections::HashMap::new(),
            disputed: &std::collections::HashMap::new(),
            hints: &[],
            adopt: lockgate::plan::Adopt::default(),
            locales: &source.locales,
            policies: &Policies::default(),
            excluded: &std::collections::HashMap::new(),
            public: &std::collections::HashMap::new(),
            selection: &Selection::default(),
            weights: Weights::default(),
            agreed: None,
        });
        let kinds = source
            .entities()
            .iter()
            .map(|entity| entity.key.kind)
            .collect();
        Ok(Self { plan, kinds })
    }

    /// How many entities there are.
    pub(crate) fn entities(&self) -> usize {
        self.kinds.len()
    }

    /// The chains of saves that wait for one another.
    pub(crate) fn chains(&self, latency: Duration, item: Duration) -> Chains {
        let cost = |node: Node| match self.kinds[node as usize] {
            // The submit, and the poll behind it: the worker is done when the poll arrives, or it is waited for.
            Kind::Content | Kind::Page => latency + item.max(latency),
            Kind::Model
            | Kind::Container
            | Kind::Template
            | Kind::Gallery
            | Kind::Asset
            | Kind::Redirection => latency,
        };
        let saved = self.saved(&cost);
        let mut chains = Chains::default();
        let mut first_submit = None;
        for (node, end) in (0..).zip(&saved) {
            let Some(end) = *end else { continue };
            if matches!(self.kinds[node as usize], Kind::Content | Kind::Page) {
                let start = end.saturating_sub(cost(node));
                first_submit = Some(first_submit.map_or(start, |least: Duration| least.min(start)));
            }
            chains.longest = chains.longest.max(end);
            let cut = &self.plan.entities[node as usize].left_out;
            if !cut.is_empty() {
                let others = cut.iter().filter_map(|(_, on)| saved[*on as usize]);
                let ready = others.fold(end, Duration::max);
                chains.longest = chains.longest.max(ready + cost(node));
            }
        }
        chains.before_batches = first_submit.unwrap_or_default();
        chains
    }

    /// When the first save of each entity can be over, if only chains count. Order among siblings is no chain: the
    /// API appends what it is sent in turn.
    fn saved(&self, cost: &dyn Fn(Node) -> Duration) -> Vec<Option<Duration>> {
        let mut ends: Vec<Option<Duration>> = vec![None; self.kinds.len()];
        let mut entered = vec![false; self.kinds.len()];
        for root in 0..self.plan.graph.len() {
            let mut stack = vec![root];
            while let Some(node) = stack.last().copied() {
                let at = node as usize;
                if ends[at].is_some() || !self.plan.entities[at].action.is_work() {
                    stack.pop();
                    continue;
                }
                let needs = || {
                    let all = self.plan.waits_for(node);
                    all.filter(|need| need.strength != Strength::Order)
                        .map(|need| need.on)
                };
                if !std::mem::replace(&mut entered[at], true) {
                    stack.extend(needs());
                    continue;
                }
                let start = needs().filter_map(|on| ends[on as usize]).max();
                ends[at] = Some(start.unwrap_or_default() + cost(node));
                stack.pop();
            }
        }
        ends
    }
}

/// Times that no client can shorten.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chains {
    /// The longest chain of saves, patches included.
    pub(crate) longest: Duration,
    /// What has to be saved before the first batch can leave.
    pub(crate) before_batches: Duration,
}

/// Reads an instance, one question after another.
async fn pull(url: String) -> Outcome<Inventory<SourceId>> {
    let instance = Instance::new(Connection {
        guid: Guid::new(SOURCE),
        base_url: Some(url),
        token: Secret::new("bench"),
        renewal: None,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_mins(1),
        asset_hosts: Vec::new(),
        limits: Limits::default(),
    })?;
    let mut builder = Builder::<SourceId>::new(Guid::new(SOURCE));
    let answer: ReadResponse<SourceId> = instance.read(&ReadRequest::Locales).await?;
    let locales: Vec<Locale> = answer.found.iter().filter_map(locale).collect();
    builder.add(&ReadRequest::Locales, answer);
    let mut asks = first_asks(&locales, &Kind::ALL);
    builder.expect(&asks);
    loop {
        while let Some(ask) = asks.pop() {
            let answer = instance.read(&ask).await?;
            asks.extend(builder.add(&ask, answer));
        }
        asks = builder.missing_pages();
        if asks.is_empty() {
            return Ok(builder.finish()?);
        }
        builder.expect(&asks);
    }
}

fn locale(found: &Record<SourceId>) -> Option<Locale> {
    match found {
        Record::Locale(locale) => Some(locale.clone()),
        Record::Entity(_)
        | Record::Channel(_)
        | Record::AssetContainer(_)
        | Record::Node(_)
        | Record::Summary(_)
        | Record::Expected { .. }
        | Record::Passed { .. } => None,
    }
}
