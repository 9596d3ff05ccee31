// The explorer: a table of the rows, and everything about the one that is picked.

const records = content.rows.names.map((_, row) => row);
const tasks = content.rows.tasks.map((task) => ({
  ...task,
  attention: unpack(task.attention, columnNames.length),
  contributions: task.contributions && unpack(task.contributions, columnNames.length),
}));

// The value of a column in a row: a number, a text, or null where it is missing.
function value(column, row) {
  const cells = content.rows.cells[column];
  if (cells.numbers) {
    return cells.numbers[row];
  }
  return cells.codes[row] === null ? null : cells.texts[cells.codes[row]];
}

function valueText(column, row) {
  const found = value(column, row);
  return typeof found === "number" ? written(found) : found;
}

// A label of a task as it is shown: the name of the class, the names of a set, or the number.
function label(task, found) {
  if (found === null) {
    return null;
  }
  if (task.kind === "multilabel") {
    return found.map((code) => task.classes[code]).join(", ") || "none";
  }
  return task.classes === null ? written(found) : task.classes[found];
}

function predictedText(task, row) {
  return label(task, task.predicted[row]);
}

function isWrong(task, row) {
  const observed = task.observed[row];
  return task.classes !== null && observed !== null && String(observed) !== String(task.predicted[row]);
}

function prediction(task, row) {
  const sure = task.sure === null ? "" : ` ${share(task.sure[row])}`;
  return make("span", {}, make("strong", {}, said(predictedText(task, row))), sure);
}

function observation(task, row) {
  const observed = label(task, task.observed[row]);
  return make(
    "small",
    { class: isWrong(task, row) ? "wrong" : null },
    isWrong(task, row) ? "✕ observed: " : "observed: ",
    observed === null ? missing() : said(observed),
  );
}

// What a row is searched by: its name, its values, its predictions and its labels.
const texts = [];
function searched(row) {
  texts[row] ??= [
    content.rows.names[row],
    ...content.rows.cells.map(
      (_, column) => `${columnNames[column]}=${valueText(column, row) ?? "missing"}`,
    ),
    ...tasks.flatMap((task, i) => [
      `observed:${content.tasks[i]}=${label(task, task.observed[row]) ?? "missing"}`,
      `predicted:${content.tasks[i]}=${predictedText(task, row)}`,
    ]),
  ]
    .join("\n")
    .toLowerCase();
  return texts[row];
}

function explorer() {
  const detail = make("div", { id: "detail" });
  const state = { row: 0, task: 0, words: [] };
  const pick = (row) => {
    state.row = row;
    for (const button of table.body.querySelectorAll(".pick")) {
      button.setAttribute("aria-pressed", String(Number(button.value) === row));
    }
    detail.replaceChildren(...picked(state, pick));
  };
  const table = new Table({
    caption: "Rows, with what was predicted and observed",
    columns: rowColumns(state, pick),
    lines: records,
    atFirst: 10,
    paged: true,
  });
  table.body.addEventListener("click", (event) => {
    const button = event.target.closest("tr")?.querySelector(".pick");
    if (button && !event.target.closest("button")) {
      pick(Number(button.value));
    }
  });
  const search = (words) => table.search((row) => holds(searched(row), words));
  pick(0);
  return [
    note(
      "Pick a row to see where each task looked. Words are found anywhere in a row; ",
      make("code", {}, "column=value"),
      " in that column, ",
      make("code", {}, "predicted:task=label"),
      " and ",
      make("code", {}, "observed:task=label"),
      " in what a task says and should have said.",
    ),
    make("div", { class: "tools" }, searchBox("Find rows", search)),
    table.element,
    detail,
  ];
}

function rowColumns(state, pick) {
  const name = {
    name: "row",
    key: (row) => content.rows.names[row],
    cell: (row) =>
      make(
        "button",
        {
          type: "button",
          class: "pick",
          value: row,
          "aria-pressed": String(row === state.row),
          click: () => pick(row),
        },
        said(content.rows.names[row]),
      ),
  };
  const answers = tasks.map((task, i) => ({
    name: said(content.tasks[i]),
    key: (row) => leaning(task, row),
    down: true,
    cell: (row) => make("span", { class: "answer" }, prediction(task, row), observation(task, row)),
  }));
  return [name, ...answers];
}

// By class, and by how sure of it: so rows of a class stand together; so do equal sets.
function leaning(task, row) {
  if (task.kind === "multilabel") {
    return predictedText(task, row);
  }
  return task.predicted[row] + (task.sure === null ? 0 : task.sure[row] / 2);
}

// All about the row that is picked.
function picked(state, pick) {
  const { row } = state;
  const turn = (text, to) =>
    make(
      "button",
      {
        type: "button",
        disabled: to < 0 || to >= records.length,
        click: () => {
          pick(to);
          document.getElementById("picked").focus();
        },
      },
      text,
    );
  const place = make("div");
  const show = (task) => {
    state.task = task;
    place.replaceChildren(...reasons(state));
  };
  show(state.task);
  return [
    make(
      "div",
      { class: "picked" },
      make("h3", { id: "picked", tabindex: "-1" }, "Row ", said(content.rows.names[row])),
      make("div", { class: "buttons" }, turn("Row before", row - 1), turn("Row after", row + 1)),
    ),
    taskChoice(state, show),
    place,
  ];
}

// A card for each task, of which one is chosen: what it predicts, and where it looked.
function taskChoice(state, show) {
  const cards = tasks.map((task, i) => {
    const attention = task.attention(state.row);
    const most = largestFirst(attention).slice(0, 3);
    return make(
      "label",
      { class: "tile" },
      make("input", {
        type: "radio",
        name: "task",
        value: i,
        checked: i === state.task,
        change: () => show(i),
      }),
      make("strong", {}, said(content.tasks[i])),
      prediction(task, state.row),
      observation(task, state.row),
      make(
        "small",
        {},
        "looked at ",
        ...most.flatMap((j, k) => [
          k ? ", " : "",
          said(columnNames[j]),
          ` ${share(attention[j])}`,
        ]),
      ),
    );
  });
  return make(
    "fieldset",
    { class: "tiles tasks" },
    make("legend", {}, "What each task says of it"),
    ...cards,
  );
}

// Where the chosen task looked in the row that is picked, and what each column added.
function reasons(state) {
  const task = tasks[state.task];
  const attention = task.attention(state.row);
  const added = task.contributions && task.contributions(state.row);
  const sizes = added ? added.map(Math.abs) : attention;
  const [mostSeen, mostAdded] = [Math.max(...attention), added ? Math.max(...sizes) : 0];
  const columns = [
    { name: "column", key: (j) => columnNames[j], cell: (j) => said(columnNames[j]) },
    { name: "value", class: "value", cell: (j) => cellOf(j, state.row) },
    {
      name: "attention",
      class: "bars",
      down: true,
      key: (j) => attention[j],
      cell: (j) => bar(attention[j], mostSeen, share(attention[j])),
    },
  ];
  if (added) {
    columns.push({
      name: "adds",
      class: "bars",
      down: true,
      key: (j) => added[j],
      cell: (j) => swing(added[j], mostAdded, signed(added[j])),
    });
  }
  const table = new Table({
    caption: added ? "What each column adds" : "Where the task looked",
    columns,
    lines: largestFirst(sizes),
    atFirst: 10,
  });
  const search = (words) => {
    state.words = words;
    table.search((j) => holds(`${columnNames[j]}=${textOf(j, state.row)}`.toLowerCase(), words));
  };
  return [
    added ? sum(task, state.row, added) : note("Where a task looks is not by itself what decides."),
    make("div", { class: "tools" }, searchBox("Find in this row", search)),
    table.element,
  ];
}

function cellOf(column, row) {
  if (column >= content.rows.cells.length) {
    return "";
  }
  const text = valueText(column, row);
  return text === null ? missing() : said(text);
}

function textOf(column, row) {
  return column < content.rows.cells.length ? valueText(column, row) ?? "missing" : "";
}

// The sentence that adds up: from the mean of the training rows to this one.
function sum(task, row, added) {
  const chosen = task.explained === null ? 0 : task.explained[row];
  const start = task.start[chosen];
  const total = start + added.reduce((one, other) => one + other, 0);
  const numbers = `${fixed(start, 3)} on average over the training rows, ${signed(total - start)} from the columns of this row, makes ${fixed(total, 3)}`;
  if (task.classes === null) {
    return note(`${numbers}: the prediction.`);
  }
  if (task.kind === "multilabel") {
    return note(`${numbers}: the log odds of `, said(task.classes[chosen]), ", the most probable label.");
  }
  const two = task.classes.length === 2;
  const name = two ? task.classes[1] : task.classes[chosen];
  return note(`${numbers}: the ${two ? "log odds" : "logit"} of `, said(name), ".");
}
