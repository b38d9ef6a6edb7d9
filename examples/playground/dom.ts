// Elements, and the few controls that the tabs share.
//
// A text may be a function: what it returns is shown, and again when the language has changed (`translate`). That is for what is
// made once and stays; what is made anew takes strings.

export type Text = string | (() => string);
export type Child = Node | Text | null;

const translations: (() => void)[] = [];

/** Shows all texts that are functions anew. */
export function translate(): void {
  for (const show of translations) show();
}

function keep(show: () => void): void {
  translations.push(show);
  show();
}

/** A text node, of a function one that follows the language. */
export function textNode(text: Text): globalThis.Text {
  if (typeof text === "string") return document.createTextNode(text);
  const node = document.createTextNode("");
  keep(() => {
    node.data = text();
  });
  return node;
}

/**
 * An element. Attributes: `onclick: listener` and its kind listen; any other function is a text that follows the language; `true`
 * is the bare attribute; `false`, `null` and `undefined` are none.
 */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, unknown> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value !== "function") setAttribute(made, name, value);
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value as EventListener);
    else keep(() => setAttribute(made, name, value()));
  }
  for (const child of children) if (child) made.append(child instanceof Node ? child : textNode(child));
  return made;
}

export function setAttribute(of: Element, name: string, value: unknown): void {
  if (value === false || value === null || value === undefined) of.removeAttribute(name);
  else of.setAttribute(name, value === true ? "" : `${value}`);
}

/** An element of SVG. */
export function drawing<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, unknown>,
  ...children: Element[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(made, name, value);
  made.append(...children);
  return made;
}

/** A 24 × 24 line drawing, of no meaning to a screen reader. */
export function icon(path: string): SVGElement {
  return drawing("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, drawing("path", { d: path }));
}

/** What a custom property of the style sheet is in the theme in force, as `rgb(…)`: for a canvas. */
export function colour(property: string): string {
  probe ??= document.body.appendChild(element("span", { hidden: true }));
  probe.style.color = `var(${property})`;
  return getComputedStyle(probe).color;
}
let probe: HTMLElement | undefined;

/** One of the shared controls: what to put into the page, and how to show another value without telling anyone. */
export interface Control<T> {
  root: HTMLElement;
  set(value: T): void;
}

interface Described {
  label: Text;
  /** One line below: what it does. */
  help?: Text;
}

let fields = 0;

/** A control with its label above, what it is set to beside that, and its explanation below. */
function field(
  { label, help }: Described,
  control: HTMLElement,
  output: HTMLElement | null,
  kind: string,
): HTMLElement {
  control.id = `field${++fields}`;
  if (help) control.setAttribute("aria-describedby", `${control.id}help`);
  return element(
    "div",
    { class: `field ${kind}` },
    element("label", { for: control.id }, label),
    output,
    control,
    help ? element("p", { class: "help", id: `${control.id}help` }, help) : null,
  );
}

/** A list to choose one of. */
export function choice<T extends string>(
  options: Described & { options: readonly (readonly [T, Text])[]; value: T; onChange: (value: T) => void },
): Control<T> {
  const select = element(
    "select",
    { onchange: () => options.onChange(select.value as T) },
    ...options.options.map(([value, text]) => element("option", { value }, text)),
  );
  select.value = options.value;
  return {
    root: field(options, select, null, "choice"),
    set: (value) => {
      select.value = value;
    },
  };
}

/** A slider over the given values, in their order. `show` writes a value. */
export function slider(
  options: Described & {
    values: readonly number[];
    value: number;
    show?: (value: number) => string;
    /** While it moves. */
    onInput?: (value: number) => void;
    /** When it has been moved. */
    onChange?: (value: number) => void;
  },
): Control<number> {
  const { values, show = String } = options;
  const output = element("output", {});
  const input = element("input", { type: "range", min: 0, max: values.length - 1, step: 1 });
  let value = options.value;
  const write = () => {
    output.textContent = show(value);
    input.setAttribute("aria-valuetext", show(value));
  };
  const set = (to: number) => {
    value = to;
    const nearest = (best: number, _: number, i: number) =>
      Math.abs(values[i]! - to) < Math.abs(values[best]! - to) ? i : best;
    input.value = `${values.reduce(nearest, 0)}`;
    write();
  };
  const read = (then?: (value: number) => void) => () => {
    value = values[input.valueAsNumber]!;
    write();
    then?.(value);
  };
  input.addEventListener("input", read(options.onInput));
  input.addEventListener("change", read(options.onChange));
  keep(() => set(value));
  return { root: field(options, input, output, "slider"), set };
}

/** On or off. */
export function toggle(options: Described & { value: boolean; onChange: (value: boolean) => void }): Control<boolean> {
  const input = element("input", { type: "checkbox", onchange: () => options.onChange(input.checked) });
  input.checked = options.value;
  return {
    root: field(options, input, null, "toggle"),
    set: (value) => {
      input.checked = value;
    },
  };
}

/** A whole number to type. */
export function numberBox(
  options: Described & { min: number; max: number; value: number; onChange: (value: number) => void },
): Control<number> {
  const { min, max } = options;
  const input = element("input", {
    type: "number",
    inputmode: "numeric",
    min,
    max,
    step: 1,
    onchange: () => {
      const value = Math.min(max, Math.max(min, Math.round(input.valueAsNumber || 0)));
      input.valueAsNumber = value;
      options.onChange(value);
    },
  });
  input.valueAsNumber = options.value;
  return {
    root: field(options, input, null, "number"),
    set: (value) => {
      input.valueAsNumber = value;
    },
  };
}

/** A few to choose one of, all seen: a row of radio buttons. `draw` gives what is seen besides the name. */
export function segments<T extends string>(
  options: Described & {
    options: readonly (readonly [T, Text])[];
    value: T;
    onChange: (value: T) => void;
    draw?: (value: T) => Element;
  },
): Control<T> {
  const name = `field${++fields}`;
  const radios = options.options.map(([value]) =>
    element("input", { type: "radio", name, value, onchange: () => options.onChange(value) }),
  );
  const set = (value: T) => {
    for (const radio of radios) radio.checked = radio.value === value;
  };
  set(options.value);
  const root = element(
    "fieldset",
    { class: "segments" },
    element("legend", {}, options.label),
    element(
      "div",
      { class: "options" },
      ...options.options.map(([value, text], i) =>
        element("label", {}, radios[i]!, options.draw?.(value) ?? null, element("span", {}, text)),
      ),
    ),
    options.help ? element("p", { class: "help" }, options.help) : null,
  );
  return { root, set };
}

/** Controls folded away under a heading. */
export function group(heading: Text, open: boolean, ...children: Child[]): HTMLDetailsElement {
  return element(
    "details",
    { class: "group", open },
    element("summary", {}, heading),
    element("div", { class: "fields" }, ...children),
  );
}

export function button(text: Text, onclick: () => void, attributes: Record<string, unknown> = {}): HTMLButtonElement {
  return element("button", { type: "button", onclick, ...attributes }, text);
}

/** A part of the page with a heading of its own. */
export function card(heading: Text, attributes: Record<string, unknown>, ...children: Child[]): HTMLElement {
  const id = `field${++fields}`;
  return element(
    "section",
    { ...attributes, class: `card ${attributes["class"] ?? ""}`, "aria-labelledby": id },
    element("h2", { id }, heading),
    ...children,
  );
}
