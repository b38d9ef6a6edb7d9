// A pad to draw a digit on, made into the 8 × 8 numbers that the digits' set has: there a bitmap of 32 × 32, in which the digit fills
// the height, was counted in blocks of 4 × 4 (Alpaydin and Kaynak 1998).

import { button, colour, element, type Text } from "../dom";

export interface DigitPad {
  root: HTMLElement;
  /** null: nothing drawn. */
  show(probabilities: Float32Array | null): void;
  restyle(): void;
}

export interface PadTexts {
  label: Text;
  help: Text;
  seen: Text;
  clear: Text;
  none: () => string;
  taken: (digit: number, percent: number) => string;
}

/** The pad is 1 × 1; a pen's line is this wide, in parts of the digit's height. */
const PEN = 0.15;

type Stroke = [x: number, y: number][];

export function digitPad(texts: PadTexts, onDraw: (pixels: Float32Array | null) => void): DigitPad {
  const pad = element("canvas", { class: "pad", tabindex: 0, role: "application", "aria-label": texts.label });
  const seen = element("canvas", { class: "seen", width: 8, height: 8, role: "img", "aria-label": texts.seen });
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
  /** The pen moves by keys: it is shown. */
  let keys = false;
  let pixels: Float32Array | null = null;

  function draw(): void {
    const size = pad.width;
    const to = pad.getContext("2d")!;
    to.clearRect(0, 0, size, size);
    to.strokeStyle = to.fillStyle = colour("--text");
    trace(to, size, 0, 0, size * 0.09);
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

  function trace(to: CanvasRenderingContext2D, scale: number, x0: number, y0: number, width: number): void {
    to.lineWidth = width;
    to.lineCap = to.lineJoin = "round";
    for (const stroke of strokes) {
      to.beginPath();
      for (const [x, y] of stroke) to.lineTo((x - x0) * scale, (y - y0) * scale);
      if (stroke.length === 1) to.lineTo((stroke[0]![0] - x0) * scale + 0.01, (stroke[0]![1] - y0) * scale);
      to.stroke();
    }
  }

  /** What is drawn, brought to the middle and to the height of 32 pixels, in counts of 4 × 4. */
  function rasterize(): Float32Array | null {
    const places = strokes.flat();
    if (!places.length) return null;
    const [left, top] = [Math.min(...places.map(([x]) => x)), Math.min(...places.map(([, y]) => y))];
    const width = Math.max(...places.map(([x]) => x)) - left;
    const height = Math.max(...places.map(([, y]) => y)) - top;
    const line = 32 * PEN;
    const scale = (32 - line) / Math.max(height, width, 0.15);
    const bitmap = document.createElement("canvas");
    bitmap.width = bitmap.height = 32;
    const to = bitmap.getContext("2d", { willReadFrequently: true })!;
    trace(to, scale, left + width / 2 - 16 / scale, top + height / 2 - 16 / scale, line);
    const { data } = to.getImageData(0, 0, 32, 32);
    const counts = new Float32Array(64);
    for (let i = 0; i < 1024; i++) if (data[4 * i + 3]! > 127) counts[(i >> 7) * 8 + ((i & 31) >> 2)]! += 1 / 16;
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
    if (event.button) return;
    pad.setPointerCapture(event.pointerId);
    keys = false;
    pen = place(event);
    lower();
    changed();
  });
  pad.addEventListener("pointermove", (event) => {
    if (!down || keys) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) move(...place(each));
    changed();
  });
  for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => (down = keys && down));
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

  const clear = button(texts.clear, () => {
    strokes.length = 0;
    changed();
  });
  const root = element(
    "div",
    { class: "digit-pad" },
    pad,
    element("div", { class: "reading" }, element("div", { class: "buttons" }, seen, clear), verdict),
    element("ol", { class: "bars" }, ...bars.map(({ root }) => root)),
    element("p", { class: "help" }, texts.help),
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
        share.textContent = probabilities ? `${percent} %` : "";
        root.classList.toggle("best", digit === best);
      });
      const text = probabilities ? texts.taken(best, Math.round(100 * probabilities[best]!)) : texts.none();
      if (text !== told) verdict.textContent = told = text;
    },
  };
}
