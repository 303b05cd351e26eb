// Light or dark: as the system has it, until somebody chooses.

const THEMES = ["auto", "light", "dark"], KEY = "crosspatch-theme";
const button = () => document.getElementById("theme");

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  button().textContent = { auto: "◐ Auto", light: "☀ Light", dark: "☾ Dark" }[theme];
  try {
    localStorage.setItem(KEY, theme);
  } catch { /* then it is for this visit only */ }
}

export function startTheme() {
  let theme = "auto";
  try {
    theme = localStorage.getItem(KEY) ?? "auto";
  } catch { /* as the system has it */ }
  setTheme(THEMES.includes(theme) ? theme : "auto");
  button().addEventListener("click", () => {
    const now = THEMES.indexOf(document.documentElement.dataset.theme);
    setTheme(THEMES[(now + 1) % THEMES.length]);
  });
}
