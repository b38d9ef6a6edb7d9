// The list of hidden layers: units or filters of each, one more, one less.

import { button, type Control, element, icon } from "../dom";
import type { Words } from "./controls";
import { type HiddenLayer, layersText, MAX_LAYERS, MAX_POOLS, type Settings } from "./settings";

const UNITS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];
const FILTERS = [1, 2, 4, 8, 16, 32];

export function layersEditor(
  words: Words,
  change: (layers: Settings["layers"]) => void,
): Control<Settings["layers"]> & { showImages(images: boolean): void } {
  let layers: Settings["layers"] = [];
  let shown = "";
  const list = element("ol", { class: "layers" });
  const empty = element("p", { class: "muted" }, () => words().noHidden);

  const replace = (at: number, ...by: HiddenLayer[]) =>
    change([...layers.slice(0, at), ...by, ...layers.slice(at + 1)]);
  /** Layers of images stand before the dense ones. */
  const add = (layer: HiddenLayer) => {
    const dense = layers.findIndex(({ type }) => type === "dense");
    const at = layer.type === "dense" || dense < 0 ? layers.length : dense;
    change([...layers.slice(0, at), layer, ...layers.slice(at)]);
  };
  const adding = (type: HiddenLayer["type"], name: "addDense" | "addConv" | "addPool", layer: () => HiddenLayer) =>
    button(
      () => words()[name],
      () => add(layer()),
      { class: `add ${type}` },
    );
  const dense = adding("dense", "addDense", () => {
    const last = layers.at(-1);
    return { type: "dense", units: last?.type === "dense" ? last.units : 8 };
  });
  const conv = adding("conv", "addConv", () => ({ type: "conv", filters: 8 }));
  const pool = adding("pool", "addPool", () => ({ type: "pool" }));

  function row(layer: HiddenLayer, i: number): HTMLElement {
    const { type } = layer;
    const name = words()[type];
    const count = type === "dense" ? layer.units : type === "conv" ? layer.filters : undefined;
    const stops = [...new Set([...(type === "dense" ? UNITS : FILTERS), count ?? 1])].sort((a, b) => a - b);
    const output = element("output", {}, `${count ?? ""}`);
    const input = element("input", {
      type: "range",
      min: 0,
      max: stops.length - 1,
      "aria-label": words().units(name, i + 1),
      "aria-valuetext": `${count}`,
      oninput: () => {
        output.textContent = `${stops[input.valueAsNumber]}`;
        input.setAttribute("aria-valuetext", output.textContent);
      },
      onchange: () => {
        const to = stops[input.valueAsNumber]!;
        replace(i, type === "dense" ? { type, units: to } : { type: "conv", filters: to });
      },
    });
    input.value = `${stops.indexOf(count ?? 1)}`;
    const remove = element(
      "button",
      { type: "button", class: "quiet round", "aria-label": words().remove(i + 1), onclick: () => replace(i) },
      icon("M7 7l10 10M17 7L7 17"),
    );
    return element("li", {}, element("span", {}, name), output, remove, count === undefined ? null : input);
  }

  const root = element(
    "fieldset",
    { class: "field layers-field" },
    element("legend", {}, () => words().fields.layers[0]),
    element("p", { class: "help" }, () => words().fields.layers[1]),
    list,
    empty,
    element("div", { class: "buttons" }, dense, conv, pool),
  );
  return {
    root,
    showImages(images) {
      conv.hidden = pool.hidden = !images;
    },
    set(to) {
      layers = to;
      const now = layersText(to) + words().dense;
      dense.disabled = conv.disabled = pool.disabled = to.length >= MAX_LAYERS;
      pool.disabled ||= to.filter(({ type }) => type === "pool").length >= MAX_POOLS;
      empty.hidden = to.length > 0;
      if (now === shown) return;
      shown = now;
      // who moves a slider by keys goes on moving it
      const focused = [...list.querySelectorAll("input, button")].indexOf(document.activeElement!);
      list.replaceChildren(...to.map(row));
      const again = list.querySelectorAll<HTMLElement>("input, button");
      if (focused >= 0) (again[Math.min(focused, again.length - 1)] ?? dense).focus();
    },
  };
}
