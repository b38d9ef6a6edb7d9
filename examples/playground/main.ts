// The page: its tabs, its language, its theme, and its URL `#tab?parameters`.

import { keepOffline } from "../offline";
import { button, element, icon, setAttribute } from "./dom";
import { language, preferences } from "./preferences";
import type { Shell, Tab } from "./shell";
import { shellText } from "./text/shell";
import { trainTab } from "./train/tab";

const NAMES = ["train", "descend", "chapter"] as const;
type Name = (typeof NAMES)[number];

let current: Name | undefined;
/** Of each tab what it showed last: who comes back to it finds that. */
const parameters = new Map<Name, URLSearchParams>();
const listeners: (() => void)[] = [];
const words = () => shellText[language()];

const shell: Shell = {
  language,
  setParameters(of) {
    parameters.set(current!, of);
    history.replaceState(null, "", hash(current!));
  },
  open(name, of) {
    parameters.set(name as Name, of);
    if (location.hash === hash(name as Name)) follow();
    else location.hash = hash(name as Name);
  },
  onChange: (listener) => void listeners.push(listener),
};

/** A tab that is downloaded when it is first opened. */
function later(load: () => Promise<(shell: Shell) => Tab>): Tab {
  const trouble = element("p", { role: "alert", hidden: true }, () => words().notLoaded);
  const root = element("div", {}, trouble);
  let loading: Promise<Tab> | undefined;
  let asked: URLSearchParams | undefined;
  const make = async () => {
    const tab = (await load())(shell);
    root.append(tab.root);
    return tab;
  };
  return {
    root,
    async show(parameters) {
      asked = parameters;
      loading ??= make();
      try {
        const tab = await loading;
        trouble.hidden = true;
        if (asked === parameters) tab.show(parameters);
      } catch {
        loading = undefined; // who comes back to it tries again; some engines keep what they could not load
        trouble.hidden = false;
      }
    },
    hide() {
      asked = undefined;
      loading?.then(
        (tab) => tab.hide(),
        () => {},
      );
    },
  };
}

const tabs: Record<Name, Tab> = {
  train: trainTab(shell),
  descend: later(async () => (await import("./descend/tab")).descendTab),
  chapter: later(async () => (await import("./chapter/tab")).chapterTab),
};
const heads = {} as Record<Name, HTMLElement>;

function hash(name: Name): string {
  const of = parameters.get(name)?.toString();
  return `#${name}${of ? `?${of}` : ""}`;
}

/** Shows what the URL says. */
function follow(): void {
  const [, name, query = ""] = /^#(\w*)\??(.*)$/.exec(location.hash) ?? [];
  const next = NAMES.find((known) => known === name) ?? "train";
  if (current && current !== next) tabs[current].hide();
  current = next;
  parameters.set(next, new URLSearchParams(query));
  for (const known of NAMES) {
    const selected = known === next;
    setAttribute(heads[known], "aria-selected", `${selected}`);
    heads[known].tabIndex = selected ? 0 : -1;
    tabs[known].root.hidden = !selected;
  }
  tabs[next].show(parameters.get(next)!);
}

/** The arrow keys go from tab to tab, as the ARIA pattern of tabs has it. */
function onKey(event: KeyboardEvent): void {
  const at = NAMES.indexOf(current!);
  const to = { ArrowRight: at + 1, ArrowLeft: at + NAMES.length - 1, Home: 0, End: NAMES.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const name = NAMES[to % NAMES.length]!;
  heads[name].focus();
  shell.open(name, parameters.get(name) ?? new URLSearchParams());
}

for (const name of NAMES) {
  heads[name] = button(
    () => words()[name],
    () => shell.open(name, parameters.get(name) ?? new URLSearchParams()),
    { role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}` },
  );
  for (const [attribute, value] of [
    ["role", "tabpanel"],
    ["id", `panel-${name}`],
    ["aria-labelledby", `tab-${name}`],
  ] as const)
    tabs[name].root.setAttribute(attribute, value);
}

function changed(): void {
  document.title = words().title;
  for (const listener of listeners) listener();
}

/** The hash is the state's: a link into the page must not change it. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("content")!.focus();
}

// in a turn of its own: made and shown in one, the page would be held up for longer than 50 ms
setTimeout(() => {
  document.body.append(
    element("a", { class: "skip", href: "#content", onclick: skip }, () => words().skip),
    element(
      "header",
      { class: "bar" },
      element(
        "h1",
        {},
        element(
          "a",
          { href: "../index.html" },
          icon("M3 6c6 0 7 13 11 13 3 0 4-4 7-4"),
          element("span", {}, "downhill"),
        ),
      ),
      element(
        "div",
        { role: "tablist", "aria-label": () => words().views, onkeydown: onKey },
        ...NAMES.map((name) => heads[name]),
      ),
      preferences(changed),
    ),
    element("main", { id: "content", tabindex: -1 }, ...NAMES.map((name) => tabs[name].root)),
  );
  addEventListener("hashchange", follow);
  follow();
});
keepOffline();
