"use strict";
(function () {
  const table = document.getElementById("all"), body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  const search = document.getElementById("search"), shown = document.getElementById("shown");
  const picks = ["phase", "level"].map((id) => document.getElementById(id));
  const compare = new Intl.Collator(document.documentElement.lang, { numeric: true }).compare;
  let rows = Array.from(body.rows);

  const said = new Map(rows.map((row) => {
    const whole = Array.from(row.querySelectorAll("bdi[title]"), (each) => each.title);
    return [row, [row.textContent, ...whole].join(" ").toLowerCase()];
  }));

  function value(row, place) {
    const cell = row.cells[place], by = cell.dataset.by;
    return by === undefined ? cell.textContent.trim() || null : by === "" ? null : Number(by);
  }

  // What has no value stays at the end, whichever way the rest is turned.
  function sort(place) {
    const head = heads[place], before = head.getAttribute("aria-sort");
    const numbers = rows.length > 0 && rows[0].cells[place].dataset.by !== undefined;
    const down = before === null ? numbers : before === "ascending";
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = rows.map((row) => [value(row, place), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return (down ? -1 : 1) * (numbers ? a - b : compare(a, b));
    });
    rows = keyed.map(([, row]) => row);
    body.append(...rows);
  }

  function filter() {
    const wanted = search.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      const fits = picks.every((pick) => pick.value === "" || row.dataset[pick.id] === pick.value);
      row.hidden = !(fits && said.get(row).includes(wanted));
      count += !row.hidden;
    }
    shown.textContent = shown.dataset.text.replace("{count}", count).replace("{all}", rows.length);
  }

  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(place));
  });
  search.addEventListener("input", filter);
  picks.forEach((pick) => pick.addEventListener("change", filter));
  document.querySelector(".tools").hidden = false;
  filter();
})();
