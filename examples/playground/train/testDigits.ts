// The test digits with what the net takes them for.

import { colour, element, type Text } from "../dom";
import type { Data } from "./protocol";

export interface TestDigits {
  root: HTMLElement;
  setData(test: Data["test"]): void;
  /** null: not known yet. Returns how many are mistaken. */
  paint(predictions: Uint8Array | null): number;
  setOnlyMistakes(only: boolean): void;
  restyle(): void;
}

/** Pixels of a cell's sides, and of the image in it. */
const WIDE = 46;
const HIGH = 60;
const IMAGE = 36;
const ROWS = 7;

export function testDigits(label: Text): TestDigits {
  const canvas = element("canvas", { class: "digits", role: "img", "aria-label": label });
  const atlas = document.createElement("canvas");
  let test: Data["test"] = null;
  let predictions: Uint8Array | null = null;
  let only = false;

  /** All images side by side, drawn once. */
  function drawAtlas(): void {
    const count = test?.labels.length ?? 0;
    atlas.width = Math.max(1, 8 * count);
    atlas.height = 8;
    if (!test) return;
    const to = atlas.getContext("2d")!;
    const image = to.createImageData(8 * count, 8);
    const [r, g, b] = colour("--text")
      .match(/[\d.]+/g)!
      .map(Number);
    for (let i = 0; i < 64 * count; i++) {
      const at = ((i & 63) >> 3) * 8 * count + (i >> 6) * 8 + (i & 7);
      image.data.set([r!, g!, b!, 255 * test.x[i]!], 4 * at);
    }
    to.putImageData(image, 0, 0);
  }

  function draw(): void {
    const to = canvas.getContext("2d")!;
    const unit = devicePixelRatio;
    const width = canvas.width / unit;
    const columns = Math.max(1, Math.floor(width / WIDE));
    const step = width / columns;
    to.setTransform(unit, 0, 0, unit, 0, 0);
    to.clearRect(0, 0, canvas.width, canvas.height);
    if (!test) return;
    to.imageSmoothingEnabled = false;
    to.textAlign = "center";
    to.textBaseline = "middle";
    const { labels } = test;
    const [muted, bad, line] = [colour("--muted"), colour("--bad"), colour("--line")];
    let shown = 0;
    for (let i = 0; i < labels.length && shown < columns * ROWS; i++) {
      const wrong = predictions !== null && predictions[i] !== labels[i];
      if (only && !wrong) continue;
      const [x, y] = [(shown % columns) * step + step / 2, Math.floor(shown / columns) * HIGH + 2];
      shown++;
      to.strokeStyle = wrong ? bad : line;
      to.lineWidth = wrong ? 2 : 1;
      to.strokeRect(x - IMAGE / 2 - 1.5, y + 0.5, IMAGE + 3, IMAGE + 3);
      to.drawImage(atlas, 8 * i, 0, 8, 8, x - IMAGE / 2, y + 2, IMAGE, IMAGE);
      if (!predictions) continue;
      to.fillStyle = wrong ? bad : muted;
      to.font = `${wrong ? "600 " : ""}12px system-ui, sans-serif`;
      to.fillText(wrong ? `${predictions[i]} ≠ ${labels[i]}` : `${predictions[i]}`, x, y + IMAGE + 12);
    }
  }

  new ResizeObserver(() => {
    canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
    canvas.height = Math.round(HIGH * ROWS * devicePixelRatio);
    draw();
  }).observe(canvas);
  canvas.style.height = `${HIGH * ROWS}px`;

  return {
    root: canvas,
    setData(of) {
      test = of;
      predictions = null;
      drawAtlas();
      draw();
    },
    paint(of) {
      predictions = of;
      draw();
      return of && test ? of.reduce((wrong, label, i) => wrong + +(label !== test!.labels[i]), 0) : 0;
    },
    setOnlyMistakes(to) {
      only = to;
      draw();
    },
    restyle() {
      drawAtlas();
      draw();
    },
  };
}
