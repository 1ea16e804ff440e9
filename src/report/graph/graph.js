for (const graph of document.querySelectorAll(".graph")) {
  const nodes = [...graph.querySelectorAll(".node")];
  const edges = [...graph.querySelectorAll(".edge")];
  const show = (chosen) => {
    graph.classList.toggle("focused", chosen.size > 0);
    const near = new Set(chosen);
    for (const edge of edges) {
      const { from, to } = edge.dataset;
      const touches = chosen.has(from) || chosen.has(to);
      edge.classList.toggle("near", touches);
      if (touches) { near.add(from); near.add(to); }
    }
    for (const node of nodes) node.classList.toggle("near", near.has(node.dataset.node));
  };
  const input = document.getElementById("find-node");
  const texts = nodes.map((node) => node.textContent.toLowerCase());
  const found = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    show(new Set(words.length ? nodes.filter((_, at) => words.every((word) => texts[at].includes(word))).map((node) => node.dataset.node) : []));
  };
  for (const node of nodes) {
    const one = () => show(new Set([node.dataset.node]));
    node.addEventListener("mouseenter", one);
    node.addEventListener("focus", one);
    node.addEventListener("mouseleave", found);
    node.addEventListener("blur", found);
  }
  input.addEventListener("input", found);
}
