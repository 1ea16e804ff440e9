use super::{Fold, View, around, dot, mermaid, page, svg_file, whole, write_graph, write_plan};
use crate::domain::{
    Body, Entity, Guid, Inventory, ItemState, Key, Kind, Locale, SourceId, WorkClass,
};
use crate::plan::{Action, Cycle, Graph, Need, Node, Plan, Planned, Referent, Strength};

/// A view of nameless boxes: plain needs, then needs that are cut.
pub(super) fn view(needs: &[(usize, usize)], cut: &[(usize, usize)]) -> View {
    let all = needs.iter().chain(cut);
    let count = all.map(|(from, to)| from.max(to) + 1).max().unwrap_or(0);
    let edge = |(from, to): &(usize, usize), cut| super::Edge {
        from: *from,
        to: *to,
        needs: 1,
        cut,
        is_reference: true,
    };
    let plain = needs.iter().map(|pair| edge(pair, 0));
    View {
        title: "test".to_owned(),
        nodes: (0..count).map(nameless).collect(),
        edges: plain.chain(cut.iter().map(|pair| edge(pair, 1))).collect(),
        cycles: Vec::new(),
        left_out: None,
    }
}

fn nameless(at: usize) -> super::GraphBox {
    super::GraphBox {
        id: format!("model:{at}"),
        name: format!("Model {at}"),
        kind: Kind::Model,
        entities: 1,
        actions: [("create", 1)].into(),
        levels: None,
        in_cycle: 0,
        is_center: false,
    }
}

fn item(id: i64, name: &str) -> Entity<SourceId> {
    let body = serde_json::json!({ "properties": { "referenceName": "Posts" } });
    Entity {
        key: Key::localised(Kind::Content, id, &Locale::new("en-us")),
        name: name.into(),
        version: None,
        state: ItemState::Staging,
        placement: None,
        body: Body::new(&body),
    }
}

fn container() -> Entity<SourceId> {
    Entity {
        key: Key::global(Kind::Container, 5),
        name: "posts".into(),
        ..item(0, "")
    }
}

fn planned(level: u32) -> Planned {
    Planned {
        action: Action::Create { joins: None },
        because: "new on the source".into(),
        class: WorkClass::Parallel,
        level,
        remaining_ms: 10,
        source_hash: None,
        encodings: 0,
        target_hash: None,
        filled: crate::domain::Filled::new(),
        left_alone: false,
        temporary: None,
        keeps_number: None,
        again: Vec::new(),
        left_out: Vec::new(),
        row: None,
        place: None,
        included_by: None,
        evidence: None,
        found: None,
        merge: None,
        public: None,
    }
}

/// A container and three items in it: 1 and 2 refer to each other, 3 refers to 2. The reference of 1 to 2 is cut.
fn site() -> (Plan, Inventory<SourceId>) {
    let names = ["First \"post\" <b>", "Second\nline", "Third"];
    let items = (1..).zip(names).map(|(id, name)| item(id, name));
    let entities = items.chain([container()]).collect();
    let source = Inventory::empty(Guid::new("1a2b3c4d-u")).with_entities(entities);
    let keys = source
        .entities()
        .iter()
        .map(|entity| entity.key.to_string());
    let expected = [
        "container:5",
        "content:1@en-us",
        "content:2@en-us",
        "content:3@en-us",
    ];
    assert_eq!(keys.collect::<Vec<_>>(), expected);
    let need = |on: Node, strength| Need { on, strength };
    let hard = Strength::Hard;
    let soft = Strength::Deferrable { cost: 1 };
    let pairs = vec![
        (1, need(0, hard)),
        (2, need(0, hard)),
        (3, need(0, hard)),
        (1, need(2, soft)),
        (2, need(1, hard)),
        (3, need(2, soft)),
    ];
    let mut entities = vec![planned(0), planned(0), planned(1), planned(2)];
    entities[1].left_out = vec![(Referent::Content(2), 2)];
    let cycle = Cycle {
        members: vec![1, 2],
        cut: vec![(1, 2)],
        closed: false,
    };
    let plan = Plan {
        entities,
        graph: Graph::new(4, pairs),
        cycles: vec![cycle],
        levels: 3,
        ..Plan::default()
    };
    (plan, source)
}

#[test]
fn the_whole_is_shown_by_entity_while_it_can_be_read() {
    let (plan, source) = site();
    let view = whole(&plan, &source, Fold::Auto);
    assert_eq!(view.nodes.len(), 4);
    assert_eq!(view.edges.iter().map(|edge| edge.cut).sum::<u32>(), 1);
    assert_eq!(
        view.cycles[0].cut,
        [("content:1@en-us".to_owned(), "content:2@en-us".to_owned())]
    );
}

#[test]
fn a_container_and_its_items_fold_into_one_whatever_the_case() {
    let (plan, source) = site();
    let view = whole(&plan, &source, Fold::Containers);
    let [only] = &view.nodes[..] else {
        panic!("{:?}", view.nodes)
    };
    assert_eq!(
        (only.entities, only.in_cycle, only.levels),
        (4, 2, Some((0, 2)))
    );
    assert!(view.edges.is_empty());
}

#[test]
fn levels_fold_content_and_keep_the_needs_between_them() {
    let (plan, source) = site();
    let view = whole(&plan, &source, Fold::Levels);
    let ids: Vec<_> = view.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "containers",
            "content, level 0",
            "content, level 1",
            "content, level 2"
        ]
    );
    let edge = view
        .edges
        .iter()
        .find(|edge| (edge.from, edge.to) == (1, 2))
        .unwrap();
    assert_eq!((edge.needs, edge.cut), (1, 1));
}

/// As many entities as the largest instances that we know: 483 containers, and items in twenty levels, each of which
/// needs its container and an item of the level before.
fn large() -> (Plan, Inventory<SourceId>) {
    const CONTAINERS: u32 = 483;
    const ITEMS: u32 = 24_164 - CONTAINERS;
    const LEVELS: u32 = 20;
    let list = |number: u32| Entity {
        key: Key::global(Kind::Container, i64::from(number)),
        name: format!("list{number}").into(),
        ..item(0, "")
    };
    let in_list = |number: u32| Entity {
        body: Body::new(&serde_json::json!({
            "properties": { "referenceName": format!("list{}", number % CONTAINERS) }
        })),
        ..item(i64::from(number), "Item")
    };
    let entities = (0..CONTAINERS).map(list).chain((0..ITEMS).map(in_list));
    let source = Inventory::empty(Guid::new("1a2b3c4d-u")).with_entities(entities.collect());
    let level = |number: u32| number * LEVELS / ITEMS;
    let need = |on: Node| Need {
        on,
        strength: Strength::Hard,
    };
    let needs = (0..ITEMS).flat_map(|number| {
        let who = CONTAINERS + number;
        let before = (level(number) > 0).then(|| (who, need(who - ITEMS / LEVELS - 1)));
        [(who, need(number % CONTAINERS))].into_iter().chain(before)
    });
    let graph = Graph::new(CONTAINERS + ITEMS, needs.collect());
    let lists = (0..CONTAINERS).map(|_| planned(0));
    let items = (0..ITEMS).map(|number| planned(level(number)));
    let plan = Plan {
        entities: lists.chain(items).collect(),
        graph,
        levels: LEVELS,
        ..Plan::default()
    };
    (plan, source)
}

#[test]
fn a_large_instance_folds_until_it_can_be_read() {
    let (plan, source) = large();
    let view = whole(&plan, &source, Fold::Auto);
    assert_eq!(view.nodes.len(), 21, "the containers, and each level");
    let entities: u32 = view.nodes.iter().map(|node| node.entities).sum();
    assert_eq!(entities, 24_164);
    assert!(svg_file(&view).contains("content, level 19"));
    assert!(page(&view).len() < 100_000);
}

#[test]
fn around_one_entity_only_what_is_near_is_shown() {
    let (plan, source) = site();
    let ids = |depth| {
        let view = around(&plan, &source, 3, depth);
        view.nodes
            .into_iter()
            .map(|node| node.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(0), ["content:3@en-us"]);
    assert_eq!(
        ids(1),
        ["container:5", "content:2@en-us", "content:3@en-us"]
    );
    assert_eq!(ids(2).len(), 4);
    let view = around(&plan, &source, 3, 1);
    assert!(view.nodes[2].is_center && !view.nodes[0].is_center);
}

#[test]
fn foreign_names_cannot_break_any_form() {
    let (plan, source) = site();
    let view = whole(&plan, &source, Fold::Entities);
    insta::assert_snapshot!(dot(&view), @r##"
    digraph lockgate {
      label="1a2b3c4d-u: 4 entities";
      rankdir=RL;
      node [shape=box, style=rounded, fontname="sans-serif", fontsize=11];
      edge [color="#7b8496"];
      n0 [label="posts\ncontainer:5, create"];
      n1 [label="First \"post\" <b>\ncontent:1@en-us, level 0, create", color="#c22a2a"];
      n2 [label="Second line\ncontent:2@en-us, level 1, create", color="#c22a2a"];
      n3 [label="Third\ncontent:3@en-us, level 2, create"];
      n1 -> n0;
      n1 -> n2 [label="cut", style=dashed, color="#c22a2a"];
      n2 -> n0;
      n2 -> n1;
      n3 -> n0;
      n3 -> n2;
    }
    "##);
    insta::assert_snapshot!(mermaid(&view), @r#"
    flowchart RL
      n0["posts<br/>container:5, create"]
      n1["First #quot;post#quot; #lt;b#gt;<br/>content:1@en-us, level 0, create"]:::cycle
      n2["Second line<br/>content:2@en-us, level 1, create"]:::cycle
      n3["Third<br/>content:3@en-us, level 2, create"]
      n1 --> n0
      n1 -. cut .-> n2
      n2 --> n0
      n2 --> n1
      n3 --> n0
      n3 --> n2
      classDef cycle stroke:#c22a2a,stroke-width:2px
    "#);
    for text in [page(&view), svg_file(&view)] {
        assert!(text.contains("First &quot;post&quot; &lt;b&gt;"));
        assert!(!text.contains("<b>"));
        assert!(text.contains("class=\"edge cut\""));
    }
}

#[test]
fn the_files_of_a_plan_are_json_and_complete() {
    let (plan, source) = site();
    let mut file = Vec::new();
    write_plan(&mut file, &plan, &source, None).unwrap();
    let plan_file: serde_json::Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(plan_file["actions"], serde_json::json!({ "create": 4 }));
    assert_eq!(plan_file["entities"][1]["key"], "content:1@en-us");
    assert_eq!(plan_file["entities"][1]["patched"], true);
    let mut file = Vec::new();
    write_graph(&mut file, &plan, &source).unwrap();
    let graph: serde_json::Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(graph["nodes"].as_array().unwrap().len(), 4);
    assert_eq!(graph["needs"].as_array().unwrap().len(), 6);
    assert_eq!(
        graph["needs"][1],
        serde_json::json!({ "from": 1, "to": 2, "strength": "deferrable", "cost": 1, "cut": true })
    );
    assert_eq!(graph["cycles"][0]["members"], serde_json::json!([1, 2]));
}
