// Puts everything in its place.

const sections = {
  glance: ["At a glance", glance],
  scores: ["Scores", scoreTables],
  attention: ["Attention", attentionTable],
  shift: ["Shift", shiftTables],
  card: ["Faithfulness", cardTable],
  groups: ["Groups", groupTables],
  rows: ["Rows", explorer],
};

for (const [name, [title, elements]] of Object.entries(sections)) {
  const section = document.getElementById(name);
  if (content[name] === null) {
    section.remove();
    continue;
  }
  section.append(...elements());
  document.getElementById("contents").append(make("li", {}, make("a", { href: `#${name}` }, title)));
}

for (const [name, text] of content.about) {
  document.getElementById("about").append(make("dt", {}, name), make("dd", {}, text));
}

// Light or dark as the system says, until the button says otherwise.
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const themeButton = document.getElementById("theme");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
}

function nameTheme() {
  themeButton.textContent = isDark() ? "Light" : "Dark";
}

themeButton.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
});
system.addEventListener("change", nameTheme);
nameTheme();
