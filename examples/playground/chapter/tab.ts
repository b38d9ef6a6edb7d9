// The Chapter tab: each method in a paragraph with its formula, and what shows it: a run of one of the other tabs, or a demo.

import { ask } from "../client";
import { button, element, setAttribute } from "../dom";
import type { Shell, Tab } from "../shell";
import { chapterText } from "../text/chapter";
import { mathml } from "./formula";
import { METHODS, type Method, type MethodName, SECTIONS } from "./methods";
import { ARMS, type DemoName } from "./protocol";

/** Where the methods' pages are in the site. */
const PAGES = "../reference/docs/";
/** Articles that are made in a turn of the page. */
const AT_ONCE = 4;

const sections = Object.entries(SECTIONS) as [keyof typeof SECTIONS, MethodName[]][];

export function chapterTab(shell: Shell): Tab {
  const words = () => chapterText[shell.language()];
  const title = (name: MethodName) => words().methods[name][0];
  const articles = {} as Record<MethodName, { root: HTMLElement; demo?: () => void }>;

  /** A link to a run: it can be opened in a new window, and copied. */
  const link = (run: string, text: () => string, label: () => string, attributes: Record<string, unknown> = {}) =>
    element("a", { href: `#${run}`, "aria-label": label, ...attributes }, text);

  function article(name: MethodName): HTMLElement {
    const method: Method = METHODS[name];
    const { page, formula, run, other, race, demo } = method;
    const otherName = () => words().methods[name][3] ?? words().without;
    const heading = `method-${name}`;
    const math = element("div", { class: "formula" });
    math.innerHTML = formula.map(mathml).join("");
    const shown = demo && demoOf(demo, () => title(name));
    const root = element(
      "article",
      { class: "card", "aria-labelledby": heading, tabindex: -1 },
      element("h3", { id: heading }, () => title(name)),
      element("p", {}, () => words().methods[name][1]),
      math,
      element("p", { class: "muted" }, () => words().methods[name][2]),
      element(
        "p",
        { class: "buttons" },
        shown?.button ?? null,
        run
          ? link(
              run,
              () => words().run,
              () => words().runOf(title(name)),
              { class: "button primary" },
            )
          : null,
        other ? link(other, otherName, () => words().otherOf(otherName(), title(name)), { class: "button" }) : null,
        race
          ? link(
              race,
              () => words().race,
              () => words().raceOf(title(name)),
              { class: "button" },
            )
          : null,
        element("a", { class: "page", href: `${PAGES}${page}.html` }, () => words().pageOf(page)),
      ),
      shown?.result ?? null,
    );
    articles[name] = { root, ...(shown && { demo: shown.start }) };
    return root;
  }

  /** A button that has a demo run in the worker, and its results beneath. */
  function demoOf(demo: DemoName, of: () => string) {
    const result = element("div", { class: "result", role: "status" });
    let under = false;
    const start = () => {
      if (under) return;
      under = true;
      setAttribute(run, "aria-disabled", true);
      const bars = ARMS[demo].map((arm) => {
        const bar = element("span", { class: "bar" });
        const figure = element("span", {}, words().running);
        return { arm, bar, figure, row: element("li", {}, element("span", {}, words().arms[arm]!), bar, figure) };
      });
      result.replaceChildren(
        element("p", { class: "help" }, words().accuracy),
        element("ul", {}, ...bars.map(({ row }) => row)),
      );
      ask({ tab: "chapter", demo }, (reply) => {
        if (reply.type === "arm") {
          const at = bars.findIndex(({ arm }) => arm === reply.arm);
          const { bar, figure } = bars[at]!;
          bar.style.setProperty("--share", `${reply.accuracy}`);
          figure.textContent = words().result(
            (100 * reply.accuracy).toFixed(1),
            (reply.milliseconds / 1000).toFixed(1),
          );
          if (at < bars.length - 1) return false;
        } else if (reply.type === "error") result.textContent = reply.message;
        under = false;
        setAttribute(run, "aria-disabled", null);
        return true;
      });
    };
    const run = button(() => words().runHere, start, {
      class: "primary",
      "aria-label": () => words().otherOf(words().runHere, of()),
    });
    return { button: run, result, start };
  }

  const list = element(
    "details",
    { open: matchMedia("(min-width: 60rem)").matches },
    element("summary", {}, () => words().contents),
    ...sections.map(([section, names]) =>
      element(
        "div",
        {},
        element("h2", {}, () => words().sections[section]),
        element(
          "ul",
          {},
          ...names.map((name) =>
            element(
              "li",
              {},
              element("a", { href: `#chapter?m=${name}` }, () => title(name)),
            ),
          ),
        ),
      ),
    ),
  );
  const methods = element(
    "div",
    { class: "methods" },
    element("p", { class: "muted" }, () => words().intro),
  );
  const root = element(
    "div",
    { class: "chapter" },
    element("nav", { class: "card", "aria-label": () => words().contents }, list),
    methods,
  );

  /** The articles, a few in a turn: to make and lay out all of them takes longer than the page may be held up. */
  async function fill(): Promise<void> {
    for (const [section, names] of sections) {
      const part = element(
        "section",
        { "aria-labelledby": `section-${section}` },
        element("h2", { id: `section-${section}` }, () => words().sections[section]),
      );
      methods.append(part);
      for (let i = 0; i < names.length; i += AT_ONCE) {
        await new Promise((resolve) => setTimeout(resolve));
        part.append(...names.slice(i, i + AT_ONCE).map(article));
        part.getBoundingClientRect(); // lays them out now
      }
    }
  }
  const filled = fill();
  let asked: URLSearchParams | undefined;

  return {
    root,
    async show(parameters) {
      asked = parameters;
      await filled;
      if (asked !== parameters) return;
      const name = parameters.get("m") as MethodName;
      const found = Object.hasOwn(articles, name) ? articles[name] : undefined;
      if (!found) return;
      found.root.scrollIntoView();
      found.root.focus({ preventScroll: true });
      if (parameters.get("run") === "1") found.demo?.();
    },
    hide() {
      asked = undefined;
    },
  };
}
