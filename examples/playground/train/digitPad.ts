// A pad to draw a digit on, made into the 8 × 8 numbers that the digits' set has: there a bitmap of 32 × 32 was counted in blocks of
// 4 × 4 (Alpaydin and Kaynak 1998). A digit fills its height and up to three quarters of its width, and covers three tenths of it,
// a 1 as well as an 8: a pen's line is as wide as that takes.

import { button, colour, element } from "../dom";
import type { Words } from "./controls";

export interface DigitPad {
  root: HTMLElement;
  /** null: nothing drawn. */
  show(probabilities: Float32Array | null): void;
  restyle(): void;
}

const INK = 0.305;
const WIDE = 24;

/** In the pad, which is 1 × 1. */
type Stroke = [x: number, y: number][];

export function digitPad(words: Words, onDraw: (pixels: Float32Array | null) => void): DigitPad {
  const pad = element("canvas", {
    class: "pad",
    tabindex: 0,
    role: "application",
    "aria-label": () => words().padLabel,
  });
  const seen = element("canvas", { class: "seen", width: 8, height: 8, role: "img", "aria-label": () => words().seen });
  const verdict = element("p", { class: "verdict", role: "status" });
  const bars = Array.from({ length: 10 }, (_, digit) => {
    const bar = element("span", {});
    const share = element("span", {});
    return {
      bar,
      share,
      root: element("li", {}, element("b", {}, `${digit}`), element("span", { class: "track" }, bar), share),
    };
  });
  const strokes: Stroke[] = [];
  let pen: [number, number] = [0.5, 0.5];
  let down = false;
  /** The one finger, or mouse, that draws: another that touches the pad meanwhile does not. */
  let finger = 0;
  /** The pen moves by keys: it is shown. */
  let keys = false;
  let pixels: Float32Array | null = null;

  function draw(): void {
    const size = pad.width;
    const to = pad.getContext("2d")!;
    to.clearRect(0, 0, size, size);
    to.strokeStyle = to.fillStyle = colour("--text");
    to.lineWidth = size * 0.08;
    trace(to, size, size, 0, 0);
    if (keys) {
      to.strokeStyle = colour("--accent");
      to.lineWidth = size / 100;
      to.beginPath();
      to.arc(pen[0] * size, pen[1] * size, size * (down ? 0.04 : 0.06), 0, 7);
      to.stroke();
    }
    const small = seen.getContext("2d")!;
    const image = small.createImageData(8, 8);
    const [r, g, b] = colour("--text")
      .match(/[\d.]+/g)!
      .map(Number);
    for (let i = 0; i < 64; i++) image.data.set([r!, g!, b!, 255 * (pixels?.[i] ?? 0)], 4 * i);
    small.putImageData(image, 0, 0);
  }

  function trace(to: CanvasRenderingContext2D, scaleX: number, scaleY: number, x0: number, y0: number): void {
    to.lineCap = to.lineJoin = "round";
    for (const stroke of strokes) {
      const [x, y] = stroke[0]!;
      to.beginPath();
      to.moveTo((x - x0) * scaleX + 0.01, (y - y0) * scaleY); // a touch is a dot
      for (const [x, y] of stroke) to.lineTo((x - x0) * scaleX, (y - y0) * scaleY);
      to.stroke();
    }
  }

  /** What is drawn, in the middle and as high as 32 pixels, in counts of 4 × 4. */
  function rasterize(): Float32Array | null {
    const places = strokes.flat();
    if (!places.length) return null;
    const [xs, ys] = [places.map(([x]) => x), places.map(([, y]) => y)];
    const [left, top] = [Math.min(...xs), Math.min(...ys)];
    const [width, height] = [Math.max(...xs) - left, Math.max(...ys) - top];
    const bitmap = document.createElement("canvas");
    bitmap.width = bitmap.height = 32;
    const to = bitmap.getContext("2d", { willReadFrequently: true })!;
    const counts = new Float32Array(64);
    for (let [thin, thick] = [1, 15]; thick - thin > 0.2; ) {
      const line = (thin + thick) / 2;
      const scaleY = (32 - line) / Math.max(height, 0.15);
      const scaleX = Math.min(scaleY, (WIDE - line) / Math.max(width, 0.01));
      to.clearRect(0, 0, 32, 32);
      to.lineWidth = line;
      trace(to, scaleX, scaleY, left + width / 2 - 16 / scaleX, top + height / 2 - 16 / scaleY);
      const { data } = to.getImageData(0, 0, 32, 32);
      counts.fill(0);
      for (let i = 0; i < 1024; i++) if (data[4 * i + 3]! > 127) counts[(i >> 7) * 8 + ((i & 31) >> 2)]! += 1 / 16;
      if (counts.reduce((a, b) => a + b) > 64 * INK) thick = line;
      else thin = line;
    }
    return counts;
  }

  function changed(): void {
    pixels = rasterize();
    draw();
    onDraw(pixels);
  }

  /** A stroke's next place, in the pad. */
  function move(x: number, y: number): void {
    pen = [Math.min(0.96, Math.max(0.04, x)), Math.min(0.96, Math.max(0.04, y))];
    if (down) strokes.at(-1)!.push(pen);
  }
  function lower(): void {
    down = true;
    strokes.push([]);
    move(...pen);
  }

  const place = (event: PointerEvent): [number, number] => {
    const { left, top, width } = pad.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / width];
  };
  pad.addEventListener("pointerdown", (event) => {
    if (event.button || (down && !keys && pad.hasPointerCapture(finger))) return;
    finger = event.pointerId;
    keys = false;
    pen = place(event);
    lower();
    changed();
    pad.setPointerCapture(event.pointerId);
  });
  pad.addEventListener("pointermove", (event) => {
    if (!down || keys || event.pointerId !== finger) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) move(...place(each));
    changed();
  });
  for (const end of ["pointerup", "pointercancel"] as const)
    pad.addEventListener(end, ({ pointerId }) => {
      if (pointerId === finger) down = keys && down;
    });
  pad.addEventListener("keydown", (event) => {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [];
    if (dx !== undefined) move(pen[0] + dx / 24, pen[1] + dy! / 24);
    else if (event.key === " " || event.key === "Enter") {
      if (keys && down) down = false;
      else lower();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      strokes.length = 0;
      down = false;
    } else return;
    event.preventDefault();
    keys = true;
    changed();
  });
  pad.addEventListener("blur", () => {
    down = keys = false;
    draw();
  });
  new ResizeObserver(() => {
    const size = Math.round(pad.clientWidth * devicePixelRatio);
    if (!size || size === pad.width) return;
    pad.width = pad.height = size;
    draw();
  }).observe(pad);

  const clear = button(
    () => words().clear,
    () => {
      strokes.length = 0;
      down = false;
      changed();
    },
  );
  const root = element(
    "div",
    { class: "digit-pad" },
    pad,
    element("div", { class: "reading" }, element("div", { class: "buttons" }, seen, clear), verdict),
    element("ol", { class: "bars" }, ...bars.map(({ root }) => root)),
    element("p", { class: "help" }, () => words().padHelp),
  );
  let told = "";
  return {
    root,
    restyle: draw,
    show(probabilities) {
      const best = probabilities ? probabilities.indexOf(Math.max(...probabilities)) : -1;
      bars.forEach(({ bar, share, root }, digit) => {
        const percent = Math.round(100 * (probabilities?.[digit] ?? 0));
        bar.style.width = `${percent}%`;
        share.textContent = probabilities ? `${percent}%` : "";
        root.classList.toggle("best", digit === best);
      });
      const text = probabilities ? words().taken(best, Math.round(100 * probabilities[best]!)) : words().noDigit;
      if (text !== told) verdict.textContent = told = text;
    },
  };
}
