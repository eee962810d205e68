// What the page does beyond being read: names under the pointer, sorting, finding, layers.
// Without it every fact stays in tables and titles.
"use strict";
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

// Names of marks: by pointer, and by Tab and arrow keys; one stop of Tab for a figure.
const tip = document.getElementById("tip");
const tell = (mark) => {
  const box = mark.getBoundingClientRect();
  tip.textContent = mark.getAttribute("aria-label");
  tip.hidden = false;
  const left = Math.min(box.right + 8, innerWidth - tip.offsetWidth - 8);
  const below = box.bottom + tip.offsetHeight + 8 < innerHeight;
  tip.style.left = `${scrollX + Math.max(8, left)}px`;
  tip.style.top = `${scrollY + (below ? box.bottom + 6 : box.top - tip.offsetHeight - 6)}px`;
};
const hush = () => { tip.hidden = true; };
for (const chart of all(".chart")) {
  const marks = all(".mark", chart);
  marks.forEach((mark, index) => {
    const title = mark.querySelector("title");
    mark.setAttribute("aria-label", title.textContent);
    mark.setAttribute("role", "img");
    mark.setAttribute("tabindex", index ? -1 : 0);
    title.remove();
    mark.addEventListener("mouseenter", () => tell(mark));
    mark.addEventListener("mouseleave", hush);
    mark.addEventListener("focus", () => tell(mark));
    mark.addEventListener("blur", hush);
    mark.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hush();
      if (!step) return;
      event.preventDefault();
      const next = marks[(index + step + marks.length) % marks.length];
      mark.setAttribute("tabindex", -1);
      next.setAttribute("tabindex", 0);
      next.focus();
    });
  });
}

// Sorting: numbers by value, all else by letters; what has no value comes last.
const value = (cell) => {
  const text = cell.textContent.trim().replace(/,/g, "").replace(/−/g, "-");
  const number = parseFloat(text);
  return Number.isNaN(number) ? (text === "–" ? null : text.toLowerCase()) : number;
};
const before = (one, other) => {
  if (one === null || other === null) return (one === null) - (other === null);
  return typeof one === "number" && typeof other === "number" ? one - other
    : String(one).localeCompare(String(other), "en", { numeric: true });
};
const sortable = (table) => {
  all("thead th", table).forEach((head, column) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const upwards = head.getAttribute("aria-sort") !== "ascending";
      all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", upwards ? "ascending" : "descending");
      const body = table.tBodies[0];
      const keyed = [...body.rows].map((row) => [value(row.cells[Math.min(column, row.cells.length - 1)]), row]);
      keyed.sort(([one], [other]) => (one === null || other === null ? 1 : upwards ? 1 : -1) * before(one, other));
      body.append(...keyed.map(([, row]) => row));
    });
  });
};
const findable = (table) => {
  const rows = [...table.tBodies[0].rows];
  const count = make("span", { textContent: `${rows.length} rows` });
  const input = make("input", { type: "search" });
  const name = table.closest("[aria-label]")?.getAttribute("aria-label") ?? "rows";
  input.setAttribute("aria-label", `Filter: ${name}`);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    }
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  });
  (table.closest(".scroll") ?? table).before(make("label", { className: "finder" }, "Filter ", input, count));
};
all("table.sort").forEach(sortable);
all("table.find").forEach(findable);

// A layer, asked: why this array, and what every other one would cost, and what damage it would do.
const dialog = document.getElementById("asked");
const ask = (number) => {
  const why = document.getElementById(`layer${number}`);
  const summary = why.parentElement.querySelector("summary");
  const block = all(".matrix").findLast((table) => Number(table.dataset.first) <= number);
  const column = number - Number(block.dataset.first) + 1;
  const damages = Boolean(block.querySelector("i"));
  const body = make("tbody", {}, ...[...block.tBodies[0].rows].map((row) => {
    const cell = row.cells[column];
    const damage = cell.querySelector("i")?.textContent ?? "";
    const energy = cell.firstChild.textContent.replace("●", "").trim();
    const own = cell.classList.contains("own");
    const name = make("th", { scope: "row", className: "l" }, (own ? "● " : "") + row.cells[0].textContent);
    const line = make("tr", { className: own ? "chosen" : "" }, name, make("td", {}, energy));
    if (damages) line.append(make("td", {}, damage));
    return line;
  }));
  const heads = ["circuit", "energy", ...(damages ? ["damage"] : [])].map((text, index) =>
    make("th", { scope: "col", className: index ? "" : "l" }, text));
  const table = make("table", {}, make("caption", {}, "Every array here: energy relative to the exact array"
    + (damages ? ", damage to the logits" : "") + ". ● the one that is used."),
    make("thead", {}, make("tr", {}, ...heads)), body);
  const scroll = make("div", { className: "scroll", tabIndex: 0 }, table);
  const [layer, circuit] = ["b", "code"].map((tag) => summary.querySelector(tag).textContent);
  document.getElementById("asked-title").textContent = `${layer} on ${circuit}`;
  document.getElementById("asked-body").replaceChildren(
    make("p", { textContent: why.textContent }), scroll);
  sortable(table);
  findable(table);
  table.querySelectorAll("thead button")[1].click();
  dialog.showModal();
  const chosen = body.querySelector(".chosen");
  scroll.scrollTop = chosen.offsetTop - scroll.clientHeight / 2;
};
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (!link) return;
  const target = document.getElementById(link.getAttribute("href").slice(1));
  if (link.classList.contains("layer")) {
    event.preventDefault();
    ask(Number(target.id.slice("layer".length)));
  } else {
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  }
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

// On paper nothing can be opened; what takes many pages is printed where the reader opened it.
addEventListener("beforeprint", () => all("details:not(.long)").forEach((part) => { part.open = true; }));
