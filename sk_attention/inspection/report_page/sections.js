// What is said of the model as a whole: one function for each section, which returns its elements.

const METHODS = { contribution: "contributions", attention: "attention" };

function glance() {
  const { scores, attention, card } = content;
  const weights = attention.contributions ?? attention.weights;
  const heading = attention.contributions ? "What decides most" : "What it looks at most";
  const cards = content.tasks.map((task, i) => {
    const { names: scored } = scores.kinds.find((kind) => kind.tasks.includes(i));
    const first = Math.max(scored.indexOf("ROC AUC"), 0);
    const most = largestFirst(weights[i].slice(0, attention.columns.length)).slice(0, 3);
    const names = most.map((j) =>
      make("li", {}, said(columnNames[j]), make("span", {}, share(weights[i][j]))),
    );
    return make(
      "li",
      { class: "tile" },
      make("h3", {}, said(task)),
      make(
        "p",
        { class: "figure" },
        fixed(scores.tasks[i].values[first], 2),
        make("small", {}, ` ${scored[first]}`),
      ),
      note(`a guess gets ${fixed(scores.tasks[i].guess[first], 2)}`),
      make("h4", {}, heading),
      make("ol", { class: "most" }, ...names),
      card && make("p", { class: "foot" }, "Explanation: ", verdict(card.objections[i])),
    );
  });
  return [make("ul", { class: "tiles" }, ...cards)];
}

// A table for each kind of task, as each has scores of its own.
function scoreTables() {
  return content.scores.kinds.flatMap(scoreTable);
}

function scoreTable({ labels, names, about, tasks: lines }, _, kinds) {
  const { tasks } = content.scores;
  const columns = [
    { name: "task", key: (i) => content.tasks[i], cell: (i) => said(content.tasks[i]) },
    {
      name: "labels",
      class: "number",
      down: true,
      key: (i) => tasks[i].n_labels,
      cell: (i) =>
        beside(grouped.format(tasks[i].n_labels), `${grouped.format(tasks[i].n_missing)} missing`),
    },
    ...names.map((name, k) => ({
      name,
      class: "number",
      down: true,
      key: (i) => tasks[i].values[k],
      cell: (i) => beside(fixed(tasks[i].values[k], 3), `guess ${fixed(tasks[i].guess[k], 3)}`),
    })),
  ];
  const of = kinds.length > 1 ? `each task of ${labels}` : "each task";
  const what = kinds.length > 1 ? `What the scores of ${labels} are` : "What the scores are";
  const meanings = names.flatMap((name, k) => [make("dt", {}, name), make("dd", {}, about[k])]);
  return [
    new Table({ caption: `Scores of ${of}, and of a guess`, columns, lines }).element,
    make(
      "details",
      {},
      make("summary", {}, what),
      make("dl", { class: "meanings" }, ...meanings),
    ),
  ];
}

// A number, and what is to be known of it below.
function beside(number, small) {
  return make("span", {}, number, make("small", {}, small));
}

function attentionTable() {
  const { weights, contributions, importances } = content.attention;
  const place = make("div");
  let words = [];
  let table;
  const show = (chosen) => {
    table = weightTable(chosen === 1 ? contributions : weights, chosen === 1 ? importances : null);
    place.replaceChildren(table.element);
    search(words);
  };
  const search = (typed) => {
    words = typed;
    table.search((j) => holds(columnNames[j].toLowerCase(), words));
  };
  const tools = make("div", { class: "tools" }, searchBox("Find a column", search));
  if (contributions !== null) {
    tools.append(choice("Show", "weights", ["attention", "contributions"], show));
  }
  show(0);
  return [
    note(
      "How each task's attention is spread over the columns, on average over the training rows. ",
      contributions === null
        ? "Where a task looks is not by itself what decides."
        : "Contributions are what the columns add to the predictions, as shares of each task.",
    ),
    tools,
    place,
  ];
}

function weightTable(weights, importances) {
  const largest = Math.max(...weights.flat());
  const column = (name, values) => ({
    name,
    class: "number",
    down: true,
    key: (j) => values[j],
    cell: (j) => heat(values[j], largest, share(values[j])),
  });
  const columns = [
    { name: "column", key: (j) => columnNames[j], cell: (j) => said(columnNames[j]) },
    ...content.tasks.map((task, i) => column(said(task), weights[i])),
  ];
  if (importances !== null) {
    columns.push(column("importance", importances));
  }
  const most = columnNames.map((_, j) => Math.max(...weights.map((own) => own[j])));
  return new Table({
    caption: importances === null ? "Attention of each task" : "Contributions to each task",
    columns,
    lines: largestFirst(most),
    atFirst: 12,
  });
}

function shiftTables() {
  const { pairwise, total, p_value, across_samples, effective_features } = content.shift;
  const lines = Array.from(content.tasks.keys());
  const spread = new Table({
    caption: "How each task spreads its attention",
    columns: [
      { name: "task", key: (i) => content.tasks[i], cell: (i) => said(content.tasks[i]) },
      {
        name: "columns among which it is spread",
        class: "number",
        down: true,
        key: (i) => effective_features[i],
        cell: (i) => fixed(effective_features[i], 1),
      },
      {
        name: "how much it depends on the row, in bits",
        class: "number",
        down: true,
        key: (i) => across_samples[i],
        cell: (i) => fixed(across_samples[i], 3),
      },
    ],
    lines,
  });
  if (lines.length === 1) {
    return [note("There is one task, so that attention does not shift between tasks."), spread.element];
  }
  const between = new Table({
    caption: "Shift between each two tasks, in bits",
    columns: [
      { name: "task", cell: (i) => said(content.tasks[i]) },
      ...lines.map((j) => ({
        name: said(content.tasks[j]),
        class: "number",
        cell: (i) => heat(pairwise[i][j], 1, fixed(pairwise[i][j], 3)),
      })),
    ],
    lines,
  });
  return [
    note(
      "How differently the tasks look at the same rows. Between two tasks 0 bits say that they look ",
      "alike, 1 bit that they never look at the same column.",
    ),
    make(
      "p",
      { class: "figure" },
      fixed(total, 3),
      make("small", {}, ` of ${fixed(Math.log2(lines.length), 2)} bits between all tasks`),
    ),
    note(`If it were chance which task is which, as much would be seen with p = ${written(p_value)}.`),
    between.element,
    spread.element,
  ];
}

function cardTable() {
  const { method, objections, names, lines, n_deleted, chance, curves } = content.card;
  const named = METHODS[method] ?? method.replaceAll("_", " ");
  const verdicts = content.tasks.map((task, i) =>
    make(
      "li",
      {},
      verdict(objections[i]),
      make("div", {}, make("strong", {}, said(task)), " ", objections[i].join("; ")),
    ),
  );
  const table = new Table({
    caption: "What was measured",
    columns: [
      { name: "task", key: (i) => content.tasks[i], cell: (i) => said(content.tasks[i]) },
      ...names.map((name, k) => ({
        name,
        class: isNumber(lines[0][k]) ? "number" : "value",
        down: true,
        key: (i) => (isNumber(lines[i][k]) ? Number.parseFloat(lines[i][k]) : lines[i][k]),
        cell: (i) => said(lines[i][k]),
      })),
    ],
    lines: Array.from(content.tasks.keys()),
  });
  const styles = [
    { name: "random", title: "in random order", class: "random" },
    { name: "integrated_gradients", title: "by integrated gradients", class: "gradients" },
    { name: method, title: `by ${named}`, class: "named" },
  ];
  const charts = content.tasks.map((task, i) =>
    make(
      "figure",
      {},
      make("figcaption", {}, said(task)),
      deletionChart(
        `${task}: skill as columns are deleted, ${styles.map((own) => own.title).join(", ")}`,
        n_deleted,
        styles.map((own) => ({ ...own, values: curves[own.name][i] })),
        chance[i],
      ),
    ),
  );
  return [
    note(
      `Whether predictions depend on what is named by ${named}. In every row the columns are deleted `,
      "one after the other, those that are named most important first: the faster the skill falls, the ",
      "more the predictions depend on them.",
    ),
    make("ul", { class: "verdicts" }, ...verdicts),
    make("h3", {}, "Skill as columns are deleted"),
    legend(styles.map((own) => ({ name: own.title, class: own.class }))),
    make("div", { class: "charts" }, ...charts),
    table.element,
  ];
}

function groupTables() {
  const { groups, tasks } = content.groups;
  const tables = tasks.map(
    (measures, i) =>
      new Table({
        caption: `${content.tasks[i]}: values of each group`,
        columns: [
          { name: "group", key: (g) => groups[g], cell: (g) => said(groups[g]), foot: "gap" },
          ...measures.map(measureColumn),
        ],
        lines: Array.from(groups.keys()),
      }).element,
  );
  return [
    note(
      "Whether the groups are treated alike, with intervals of 95 %, which are wide where a group has ",
      "few rows (n). A gap is the largest value of a group less the smallest; by chance it would be as ",
      "large as is told below it, if rows were dealt out to the groups at random.",
    ),
    ...tables,
  ];
}

function measureColumn(own) {
  const ends = (g) =>
    own.low[g] === null ? "" : `${fixed(own.low[g], 2)} to ${fixed(own.high[g], 2)}, `;
  return {
    name: said(own.measure),
    class: "number",
    down: true,
    key: (g) => own.value[g],
    cell: (g) => beside(fixed(own.value[g], 3), `${ends(g)}n = ${grouped.format(own.n_rows[g])}`),
    foot: beside(fixed(own.gap, 3), `by chance ${fixed(own.null, 3)}, p = ${written(own.p_value)}`),
  };
}

// "0.812 [0.70, 0.90]" is sorted by its first number, names as they are.
function isNumber(text) {
  return /^-?\d/.test(text);
}
