"use strict";
for (const input of document.querySelectorAll("input[data-table]")) {
  const rows = [...document.querySelectorAll(`#${input.dataset.table} tbody tr`)];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const shown = document.getElementById(`${input.dataset.table}-shown`);
  const search = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, at) => {
      row.hidden = !words.every((word) => texts[at].includes(word));
      if (!row.hidden) count += 1;
    });
    shown.textContent = words.length ? `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown` : "";
  };
  input.addEventListener("input", search);
  search();
}
