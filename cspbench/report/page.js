"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const controls = byId("controls");
  if (!controls) return;
  const search = byId("search");
  const chooser = byId("table");
  const boxes = all('input[name="only"]', controls);
  const sides = all('input[name="by"]', controls);
  const sections = all("section[data-table]");
  const order = new Map(sections.map((section) => [section, all("tbody tr", section)]));
  const headings = all(".ours, .untested");
  const folds = all(".fold");
  let sorts = new Map();
  let filtering = false;

  /* the state is in the address, so that a view can be linked: #only=off&table=imagenet-big&q=csp&sort=table:column:desc */
  const read = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    const only = new Set((state.get("only") || "").split(","));
    boxes.forEach((box) => { box.checked = only.has(box.value); });
    chooser.value = state.get("table") || "";
    if (chooser.selectedIndex < 0) chooser.value = "";
    search.value = state.get("q") || "";
    sides.forEach((side) => { side.checked = side.value === (state.get("by") === "measured" ? "measured" : "claim"); });
    sorts = new Map();
    state.getAll("sort").forEach((text) => {
      const [, table, column, direction] = /^([^:]*):(.*):(asc|desc)$/.exec(text) || [];
      if (table) sorts.set(table, { column, direction });
    });
  };

  const write = () => {
    const state = new URLSearchParams();
    const only = boxes.filter((box) => box.checked).map((box) => box.value);
    if (only.length) state.set("only", only.join(","));
    if (chooser.value) state.set("table", chooser.value);
    if (search.value) state.set("q", search.value);
    if (sides.some((side) => side.checked && side.value === "measured")) state.set("by", "measured");
    sorts.forEach(({ column, direction }, table) => state.append("sort", `${table}:${column}:${direction}`));
    const text = state.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  };

  const compare = (at, by, sign) => (one, other) => {
    const [left, right] = [one.children[at], other.children[at]];
    if (!left.hasAttribute("data-claim")) {
      /* a row's name without its definition */
      const [name, next] = [left, right].map((cell) => (cell.firstChild || cell).textContent);
      return sign * name.localeCompare(next, "en", { numeric: true });
    }
    const [a, b] = [left, right].map((cell) => (cell.dataset[by] === "" ? NaN : Number(cell.dataset[by])));
    /* what has no number comes last, whichever way */
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return sign * (a - b);
  };

  const arrange = (section, by) => {
    const wanted = sorts.get(section.dataset.table);
    const heads = all("thead th", section);
    let rows = order.get(section);
    heads.forEach((head, at) => {
      const mine = wanted && head.dataset.column === wanted.column;
      head.setAttribute("aria-sort", mine ? { asc: "ascending", desc: "descending" }[wanted.direction] : "none");
      if (mine) rows = [...rows].sort(compare(at, by, wanted.direction === "asc" ? 1 : -1));
    });
    section.querySelector("tbody").append(...rows);
  };

  /* where the heads of tables stand: below the bar, or in the box of a table that is too wide for the page */
  const measure = () => {
    const bar = getComputedStyle(controls).position === "sticky" ? controls.offsetHeight : 0;
    document.documentElement.style.setProperty("--top", `${bar}px`);
    const boxes = all(".scroll");
    boxes.forEach((box) => box.classList.remove("fits"));
    const fitting = boxes.filter((box) => box.scrollWidth <= box.clientWidth);
    fitting.forEach((box) => box.classList.add("fits"));
  };

  /* a place that is folded or filtered away is shown when a link leads to it */
  const jump = () => {
    const place = byId(decodeURIComponent(location.hash.slice(1)));
    if (!place) return;
    if (place.closest("[hidden]")) {
      boxes.forEach((box) => { box.checked = false; });
      chooser.value = search.value = "";
      show();
    }
    if (place.dataset.table) all(".fold", place).forEach((fold) => { fold.open = true; });
    for (let each = place; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
    measure();
    place.scrollIntoView();
  };

  const show = () => {
    const only = boxes.filter((box) => box.checked).map((box) => box.value);
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const by = sides.find((side) => side.checked).value;
    const found = (marks) => only.some((mark) => marks.split(" ").includes(mark));
    let rows = 0, total = 0, tables = 0;
    sections.forEach((section) => {
      let shown = 0;
      order.get(section).forEach((row) => {
        const text = row.dataset.text;
        const chosen = !chooser.value || chooser.value === section.dataset.table;
        row.hidden = !(chosen && words.every((word) => text.includes(word)) && (!only.length || found(row.dataset.marks)));
        if (!row.hidden) shown += 1;
        all("td[data-marks]", row).forEach((cell) => cell.classList.toggle("hit", found(cell.dataset.marks)));
      });
      all(".notes li", section).forEach((note) => { note.hidden = byId(note.dataset.row).hidden; });
      section.hidden = shown === 0;
      total += order.get(section).length;
      rows += shown;
      tables += shown > 0;
      arrange(section, by);
    });
    headings.forEach((heading) => {
      const below = heading.classList.contains("ours")
        ? (each) => each.dataset.kind === heading.dataset.kind
        : (each) => each.querySelector(".fold");
      heading.hidden = !sections.some((each) => below(each) && !each.hidden);
    });
    /* a filter opens the folded tables with rows that it leaves, and folds them again when it ends */
    const filters = Boolean(only.length || words.length || chooser.value);
    if (filters || filtering) folds.forEach((fold) => { fold.open = filters && !fold.parentElement.hidden; });
    filtering = filters;
    measure();
    byId("status").textContent = `${rows} of ${total} ${total === 1 ? "row" : "rows"} shown, in ${tables} ${tables === 1 ? "table" : "tables"}`;
  };

  const update = () => { write(); show(); };

  const turn = (section, column) => {
    const table = section.dataset.table;
    const now = sorts.get(table);
    if (!now || now.column !== column) sorts.set(table, { column, direction: "asc" });
    else if (now.direction === "asc") sorts.set(table, { column, direction: "desc" });
    else sorts.delete(table);
    update();
  };

  sections.forEach((section) => all("thead th", section).forEach((head) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => turn(section, head.dataset.column));
  }));

  /* with scripts, a cell's details open in a dialog, together with how the number was made */
  const dialog = byId("details");
  const open = (summary) => {
    const cell = summary.closest("td");
    const body = byId("details-body");
    byId("details-title").textContent = cell.dataset.title;
    body.replaceChildren(cell.querySelector("dl").cloneNode(true));
    new Set(all("a[href^='#made-']", body).map((link) => link.hash.slice(1))).forEach((id) => {
      const title = document.createElement("h3");
      title.textContent = "How it was made";
      body.append(title, ...[...byId(id).children].map((each) => each.cloneNode(true)));
    });
    dialog.showModal();
  };
  const explain = (place) => {
    byId("details-title").textContent = place.dataset.title;
    byId("details-body").replaceChildren(...[...place.lastElementChild.children].map((each) => each.cloneNode(true)));
    dialog.showModal();
  };
  if (dialog.showModal) document.addEventListener("click", (event) => {
    const link = event.target.closest("a.network");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (dialog.open) dialog.close();
    explain(byId(link.hash.slice(1)));
  });
  if (dialog.showModal) all("td summary").forEach((summary) => {
    summary.setAttribute("aria-haspopup", "dialog");
    summary.addEventListener("click", (event) => { event.preventDefault(); open(summary); });
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog || event.target.closest("a:not(.network)")) dialog.close(); });

  controls.addEventListener("input", update);
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("reset", () => setTimeout(() => { sorts.clear(); update(); }));
  window.addEventListener("hashchange", () => {
    /* a jump to a place on the page does not change the view */
    if (location.hash === "" || location.hash.includes("=")) { read(); show(); } else jump();
  });
  window.addEventListener("resize", measure);
  folds.forEach((fold) => fold.addEventListener("toggle", measure));
  window.addEventListener("beforeprint", () => { folds.forEach((fold) => { fold.open = true; }); });
  controls.hidden = false;
  byId("filter").open = !matchMedia("(max-width: 40rem)").matches;
  read();
  show();
  if (location.hash && !location.hash.includes("=")) jump();
})();
