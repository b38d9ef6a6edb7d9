// Language and theme of a page: what the user chose is kept, and holds for all pages of the site.

import { button, element, icon, setAttribute, translate } from "./dom";
import type { Language } from "./shell";
import { shellText } from "./text/shell";

let chosen: Language = (stored("language") ?? navigator.language).startsWith("ko") ? "ko" : "en";
let theme = stored("theme");
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (theme ?? (systemDark.matches ? "dark" : "light")) === "dark";
const words = () => shellText[chosen];

export const language = (): Language => chosen;

/** The buttons that change them. `onChange` is called now and whenever one of them has changed. */
export function preferences(onChange: () => void): HTMLElement {
  const themeButton = element(
    "button",
    {
      type: "button",
      class: "quiet round",
      "aria-label": () => words().darkTheme,
      title: () => words().darkTheme,
      onclick: () => {
        theme = isDark() ? "light" : "dark";
        store("theme", theme);
      },
    },
    icon("M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18"),
  );
  const other = button(
    () => words().otherLanguage,
    () => {
      chosen = chosen === "ko" ? "en" : "ko";
      store("language", chosen);
    },
    { class: "quiet" },
  );
  const changed = () => {
    const root = document.documentElement;
    root.lang = chosen;
    root.dataset["theme"] = isDark() ? "dark" : "light";
    setAttribute(themeButton, "aria-pressed", `${isDark()}`);
    setAttribute(other, "lang", chosen === "ko" ? "en" : "ko");
    translate();
    onChange();
  };
  function store(key: string, value: string): void {
    try {
      localStorage.setItem(key, value);
    } catch {}
    changed();
  }
  systemDark.addEventListener("change", changed);
  queueMicrotask(changed);
  return element("div", { class: "preferences" }, other, themeButton);
}

/** Pages in a sandbox have no storage: then nothing is kept. */
function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
