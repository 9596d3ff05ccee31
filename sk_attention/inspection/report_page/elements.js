// Elements. Strings become text, never markup; what comes from data is told apart from the sentence
// around it by bdi, so that right-to-left names stay where they are.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("--")) {
      element.style.setProperty(name, value);
    } else if (typeof value === "function") {
      element.addEventListener(name, value);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== null) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

// A name or a value from the data.
function said(text) {
  return make("bdi", {}, text);
}

function missing() {
  return make("span", { class: "missing" }, "missing");
}

function note(...children) {
  return make("p", { class: "note" }, ...children);
}

// A number on a tint that grows with it.
function heat(value, largest, text) {
  const strength = largest > 0 && value !== null ? Math.max(0, value / largest) : 0;
  return make("span", { class: "heat", "--v": strength.toFixed(3) }, text);
}

// A number with a bar from the left, or from the middle to the side of its sign.
function bar(value, largest, text) {
  const size = largest > 0 ? Math.abs(value) / largest : 0;
  return make("span", { class: "bar", "--v": size.toFixed(3) }, make("span", {}, text));
}

function swing(value, largest, text) {
  const size = largest > 0 ? Math.abs(value) / largest : 0;
  const side = value < 0 ? "swing less" : "swing more";
  return make("span", { class: side, "--v": size.toFixed(3) }, make("span", {}, text));
}

function verdict(objections) {
  const shown = objections.length === 0;
  return make(
    "span",
    { class: shown ? "chip good" : "chip bad" },
    make("span", { "aria-hidden": "true" }, shown ? "✓ " : "✕ "),
    shown ? "may be shown" : "do not show",
  );
}

// Radio buttons in a row, of which one is chosen.
function choice(legend, name, labels, choose) {
  const buttons = labels.map((label, place) =>
    make(
      "label",
      {},
      make("input", {
        type: "radio",
        name,
        value: place,
        checked: place === 0,
        change: () => choose(place),
      }),
      make("span", {}, label),
    ),
  );
  return make("fieldset", { class: "choice" }, make("legend", {}, legend), ...buttons);
}

// A box to search in; the words typed are passed on, in lower case.
function searchBox(label, search) {
  const input = make("input", {
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    input: () => search(input.value.toLowerCase().split(/\s+/).filter(Boolean)),
  });
  return make("label", { class: "search" }, make("span", {}, label), input);
}

function holds(text, words) {
  return words.every((word) => text.includes(word));
}
