// Tables that are sorted by a click on a heading, searched, and shown a part at a time.

// columns: what each is called (name), by what it is sorted (key), what stands in a cell (cell),
// and what below the last line (foot).
// A table without keys has plain headings.
class Table {
  constructor({ caption, columns, lines, atFirst = Infinity, paged = false, sorted = null }) {
    this.columns = columns;
    this.all = lines;
    this.lines = lines;
    this.atFirst = atFirst;
    this.paged = paged;
    this.start = 0;
    this.order = sorted;
    this.body = make("tbody");
    this.heads = columns.map((column, place) => this.heading(column, place));
    const table = make(
      "table",
      {},
      make("caption", {}, caption),
      make("thead", {}, make("tr", {}, ...this.heads)),
      this.body,
      this.foot(),
    );
    this.status = make("p", { class: "status", role: "status" });
    this.buttons = make("div", { class: "buttons" });
    this.element = make(
      "div",
      { class: "table" },
      make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption }, table),
      make("div", { class: "below" }, this.status, this.buttons),
    );
    this.arrange();
  }

  heading(column, place) {
    const attributes = { scope: "col", class: column.class ?? null };
    if (!column.key) {
      return make("th", attributes, column.name);
    }
    const button = make("button", { type: "button", click: () => this.sortBy(place) }, column.name);
    return make("th", attributes, button);
  }

  // What is below all lines, wherever they stand.
  foot() {
    if (!this.columns.some((column) => column.foot)) {
      return "";
    }
    const cells = this.columns.map((column, place) =>
      make(
        place === 0 ? "th" : "td",
        { class: column.class ?? null, scope: place === 0 ? "row" : null },
        column.foot ?? "",
      ),
    );
    return make("tfoot", {}, make("tr", {}, ...cells));
  }

  sortBy(place) {
    const again = this.order !== null && this.order.place === place;
    const down = again ? !this.order.down : this.columns[place].down ?? false;
    this.order = { place, down };
    this.arrange();
  }

  // Keep the lines that pass, from the first on.
  search(passes) {
    this.lines = this.all.filter(passes);
    this.arrange();
  }

  arrange() {
    this.start = 0;
    if (this.order !== null) {
      const { place, down } = this.order;
      const key = this.columns[place].key;
      this.lines = this.lines.toSorted((one, other) => compare(key(one), key(other), down));
    }
    this.heads.forEach((head, place) => {
      if (this.order !== null && this.order.place === place) {
        head.setAttribute("aria-sort", this.order.down ? "descending" : "ascending");
      } else {
        head.removeAttribute("aria-sort");
      }
    });
    this.show();
  }

  show() {
    const end = Math.min(this.start + this.atFirst, this.lines.length);
    const shown = this.lines.slice(this.start, end);
    this.body.replaceChildren(...shown.map((line) => this.line(line)));
    const few = shown.length === this.lines.length;
    this.status.textContent = this.range(few, end);
    this.buttons.replaceChildren(...(this.paged ? this.turning(end) : this.growing(few)));
  }

  // Which lines are seen, where that is not all of them.
  range(few, end) {
    const [found, all] = [this.lines.length, this.all.length].map((n) => grouped.format(n));
    const part = few ? "" : `${grouped.format(this.start + 1)} to ${grouped.format(end)} of `;
    if (found !== all) {
      return this.lines.length ? `${part}${found} found among ${all}` : `none found among ${all}`;
    }
    return few ? "" : `${part}${all}`;
  }

  line(line) {
    const cells = this.columns.map((column, place) => {
      const attributes = { class: column.class ?? null };
      const cell = place === 0 ? make("th", { ...attributes, scope: "row" }) : make("td", attributes);
      cell.append(column.cell(line));
      return cell;
    });
    return make("tr", {}, ...cells);
  }

  growing(few) {
    if (few) {
      return [];
    }
    const all = () => {
      this.atFirst = Infinity;
      this.show();
    };
    return [make("button", { type: "button", click: all }, "Show all")];
  }

  turning(end) {
    const turn = (label, start, possible) =>
      make(
        "button",
        {
          type: "button",
          disabled: !possible,
          click: () => {
            this.start = start;
            this.show();
            this.buttons.querySelector("button:not(:disabled)")?.focus();
          },
        },
        label,
      );
    return [
      turn("Earlier", this.start - this.atFirst, this.start > 0),
      turn("Later", end, end < this.lines.length),
    ];
  }
}

// What is missing stands last in either order.
function compare(one, other, down) {
  if (one === null || other === null) {
    return (one === null) - (other === null);
  }
  const order =
    typeof one === "number" ? one - other : one.localeCompare(other, "en", { numeric: true });
  return down ? -order : order;
}
