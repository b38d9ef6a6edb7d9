// The plane with what stands around it, and the tools to set points of one's own.

import { button, card, element, segments } from "../dom";
import { boundary, nearest } from "./boundary";
import type { Words } from "./controls";
import type { Data, Plane } from "./protocol";
import { MAX_CLASSES, MAX_POINTS, pointAt, type Settings } from "./settings";

export interface PlaneCard {
  root: HTMLElement;
  showSettings(settings: Settings): void;
  /** undefined: the worker has not told of it yet. */
  setData(data: Data | undefined): void;
  paint(plane: Plane): void;
  restyle(): void;
}

export function planeCard(words: Words, change: (points: Settings["points"]) => void): PlaneCard {
  let settings: Settings | undefined;
  let label = 0;
  const readout = element("p", {});
  /** For screen readers, which are to hear of the keys' cursor only. */
  const spoken = element("p", { class: "spoken", role: "status" });
  const coordinate = (x: number) => x.toFixed(2).replace("-", "−");
  const placeText = (x: number, y: number) => words().at(coordinate(x), coordinate(y));
  const isOwn = () => settings?.data === "points";
  const points = () => settings?.points ?? [];

  const plane = boundary({
    onCursor(x, y, predicted, byKeys) {
      const what = predicted && words().predicted(predicted.label + 1, Math.round(100 * predicted.confidence));
      readout.textContent = what ? `${placeText(x, y)}: ${what}` : placeText(x, y);
      if (byKeys) spoken.textContent = readout.textContent;
    },
    onLeave: () => {
      readout.textContent = "";
    },
    onClick(x, y, reach) {
      if (!isOwn()) return;
      const at = nearest(points(), x, y, reach);
      if (at >= 0) change(points().filter((_, i) => i !== at));
      else if (points().length < MAX_POINTS) {
        change([...points(), pointAt(x, y, label)]);
        spoken.textContent = `${words().className(label + 1)}: ${placeText(x, y)}`;
      }
    },
    onKey({ key }) {
      if (!isOwn() || !(+key >= 1 && +key <= MAX_CLASSES)) return;
      label = +key - 1;
      classes.set(key);
    },
  });
  const classes = segments<string>({
    label: () => words().pointClass,
    options: Array.from({ length: MAX_CLASSES }, (_, i) => [`${i + 1}`, `${i + 1}`] as const),
    value: "1",
    draw: (value) => element("i", { class: "swatch", style: `background: var(--class-${+value - 1})` }),
    onChange: (value) => {
      label = +value - 1;
    },
  });
  const undo = button(
    () => words().undo,
    () => change(points().slice(0, -1)),
  );
  const clear = button(
    () => words().clear,
    () => change([]),
  );
  const tools = element(
    "div",
    { class: "point-tools" },
    classes.root,
    element("div", { class: "buttons" }, undo, clear),
    element("p", { class: "help" }, () => words().pointsHelp),
  );
  const validation = element("span", {}, element("i", { class: "dot hollow" }), () => words().validation);
  const training = element("span", {}, element("i", { class: "dot" }), () => words().training);
  const legend = element("p", { class: "legend" }, training, validation);
  const root = card(
    () => words().plane,
    {},
    plane.root,
    element("div", { class: "under" }, legend, readout),
    spoken,
    tools,
  );

  /** Own points are seen before the worker has told of them. */
  function ownData(): Parameters<typeof plane.setData>[0] {
    const x = Float32Array.from(points().flatMap(({ x, y }) => [x, y]));
    const labels = Int32Array.from(points(), ({ label }) => label);
    const none = { x: new Float32Array(), labels: new Int32Array() };
    return { classes: MAX_CLASSES, training: { x, labels }, validation: none };
  }

  return {
    root,
    showSettings(to) {
      settings = to;
      const { data, examples } = to;
      root.hidden = data === "digits";
      tools.hidden = !isOwn();
      undo.disabled = clear.disabled = !points().length;
      const text = isOwn() ? words().pointsLabel(points().length) : words().planeLabel(words().data[data], examples);
      plane.setLabel(text, isOwn());
    },
    setData(data) {
      const shown = data ?? (isOwn() ? ownData() : undefined);
      if (shown) validation.hidden = !shown.validation.labels.length;
      plane.setData(shown);
    },
    paint: plane.paint,
    restyle: plane.restyle,
  };
}
