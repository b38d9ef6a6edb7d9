// What goes on in the net: histograms of weights and activations, gradient norms, the first layer's weights as images.

import { card, colour, drawing, element, setAttribute } from "../dom";
import { type Plot, plot, shown } from "../plot";
import type { Words } from "./controls";
import type { Histogram, Statistics } from "./protocol";

export interface Inside {
  root: HTMLElement;
  /** null: nothing known yet. */
  show(statistics: Statistics | null): void;
  restyle(): void;
}

/** Colours of the style sheet for layers, again and again. */
const COLOURS = 6;
/** Pixels of a unit's image, and between two. */
const TILE = 34;
const SPACE = 4;

export function inside(words: Words): Inside {
  const histograms = element("div", { class: "histograms" });
  const norms = element("div", {});
  const tiles = element("canvas", { class: "tiles", role: "img", "aria-label": () => words().images });
  const images = element(
    "div",
    { hidden: true },
    element("h3", {}, () => words().images),
    element("p", { class: "help" }, () => words().imagesHelp),
    tiles,
  );
  const root = card(
    () => words().inside,
    { class: "inside" },
    element(
      "div",
      { class: "halves" },
      histograms,
      element(
        "div",
        {},
        element("h3", {}, () => words().gradients),
        norms,
      ),
    ),
    images,
  );
  let last: Statistics | null = null;
  let built = "";
  let gradients: Plot | undefined;
  let cells: [weights: Cell, activations: Cell][] = [];

  /** A row for each layer; again when layers or language are others. */
  function build({ layers }: Statistics): void {
    const names = layers.map(({ name }) => name);
    const key = [words().inside, ...names].join();
    if (key === built) return;
    built = key;
    cells = names.map((name) => [
      histogram(`${name}, ${words().weights}`, words),
      histogram(`${name}, ${words().activations}`, words),
    ]);
    histograms.replaceChildren(
      element("span", {}),
      element("h3", {}, words().weights),
      element("h3", {}, words().activations),
      ...names.flatMap((name, i) => [
        element("span", { class: "layer", style: `--mark: var(--class-${i % COLOURS})` }, name),
        ...cells[i]!.map(({ root }) => root),
      ]),
    );
    gradients?.destroy();
    gradients = plot({
      label: words().gradients,
      x: words().update,
      y: "‖∂L/∂w‖",
      height: 200,
      log: true,
      series: names.map((label, i) => ({
        label,
        colour: `--class-${i % COLOURS}`,
        ...(i >= COLOURS && { dash: [4, 3] }),
      })),
    });
    norms.replaceChildren(gradients.root);
  }

  /** What speaks for a unit in one colour, what speaks against it in another. */
  function drawTiles(weights: Float32Array): void {
    const units = weights.length / 64;
    const columns = Math.max(1, Math.floor((tiles.clientWidth + SPACE) / (TILE + SPACE)));
    const rows = Math.ceil(units / columns);
    tiles.width = columns * (TILE + SPACE);
    tiles.height = rows * (TILE + SPACE);
    tiles.style.height = `${(tiles.height * tiles.clientWidth) / tiles.width}px`;
    const to = tiles.getContext("2d")!;
    const colours = [colour("--class-0"), colour("--class-1")];
    const most = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 1e-9);
    for (let i = 0; i < weights.length; i++) {
      const unit = i >> 6;
      to.fillStyle = colours[+(weights[i]! < 0)]!;
      to.globalAlpha = Math.min(1, Math.abs(weights[i]!) / most + 0.04);
      const x = (unit % columns) * (TILE + SPACE) + (i & 7) * (TILE / 8);
      to.fillRect(x, Math.floor(unit / columns) * (TILE + SPACE) + ((i & 63) >> 3) * (TILE / 8), TILE / 8, TILE / 8);
    }
  }

  function show(statistics: Statistics | null): void {
    last = statistics;
    root.hidden = !statistics?.layers.length;
    if (!statistics || root.hidden) return;
    build(statistics);
    const { layers, gradients: of, images: weights } = statistics;
    layers.forEach(({ weights, activations }, i) => {
      cells[i]![0].show(weights);
      cells[i]![1].show(activations, of.dead[i]?.at(-1));
    });
    gradients!.setData([of.steps, ...of.norms]);
    images.hidden = !weights;
    if (weights) drawTiles(weights);
  }

  root.hidden = true;
  return {
    root,
    show,
    restyle() {
      show(last);
      gradients?.restyle();
    },
  };
}

type Four = [string, string, string, string];

interface Cell {
  root: HTMLElement;
  show(histogram: Histogram, dead?: number): void;
}

function histogram(what: string, words: Words): Cell {
  const bars = drawing("path", {});
  const zero = drawing("path", { class: "zero" });
  const svg = drawing("svg", { class: "histogram", role: "img", preserveAspectRatio: "none" }, zero, bars);
  const [low, note, high] = [element("span", {}), element("span", {}), element("span", {})];
  return {
    root: element("div", {}, svg, element("div", { class: "scale" }, low, note, high)),
    show({ counts, low: from, high: to, mean, deviation, zeros }, dead = 0) {
      const most = Math.max(1, ...counts);
      const bar = (count: number, i: number) => (count ? `M${i} 1V${(1 - count / most).toFixed(3)}h.85V1z` : "");
      const at = (-from / (to - from)) * counts.length;
      setAttribute(svg, "viewBox", `0 0 ${counts.length} 1`);
      setAttribute(bars, "d", Array.from(counts, bar).join(""));
      setAttribute(zero, "d", from < 0 && to > 0 ? `M${at.toFixed(2)} 0V1` : "");
      const [least, greatest, middle, spread] = [from, to, mean, deviation].map((value) => shown(value, 2)) as Four;
      low.textContent = least;
      high.textContent = greatest;
      note.textContent =
        dead > 0.005
          ? words().deadUnits(Math.round(100 * dead))
          : zeros > 0.005
            ? words().zeros(Math.round(100 * zeros))
            : `${middle} ± ${spread}`;
      setAttribute(svg, "aria-label", words().histogramOf(what, middle, spread, least, greatest));
    },
  };
}
