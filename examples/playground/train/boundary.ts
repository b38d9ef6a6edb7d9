// The plane: what the net makes of each place of it, the points over that, and a cursor that mouse and keys move.

import { colour, element } from "../dom";
import type { Data, Plane } from "./protocol";
import { EXTENT, MAX_CLASSES, type Point } from "./settings";

export interface Boundary {
  root: HTMLElement;
  setData(data: Pick<Data, "classes" | "training" | "validation"> | undefined): void;
  /** null: nothing known yet. */
  paint(plane: Plane | null): void;
  setLabel(text: string, editable: boolean): void;
  /** Theme has changed. */
  restyle(): void;
}

export interface BoundaryOptions {
  /** The cursor stands at a place; null: it has left the plane. `predicted` counts from 0. */
  onCursor: (x: number, y: number, predicted: { label: number; confidence: number } | null, byKeys: boolean) => void;
  onLeave: () => void;
  /** A place was clicked; `near` counts what lies within a few pixels. */
  onClick: (x: number, y: number, reach: number) => void;
  onKey: (event: KeyboardEvent) => void;
}

type Rgb = [number, number, number];

export function boundary(options: BoundaryOptions): Boundary {
  const canvas = element("canvas", { class: "plane", tabindex: 0 });
  const context = canvas.getContext("2d")!;
  const grid = document.createElement("canvas");
  const dots = document.createElement("canvas");
  let data: Parameters<Boundary["setData"]>[0];
  let plane: Plane | null = null;
  let image: ImageData | undefined;
  let cursor: { x: number; y: number } | undefined;
  let colours: Rgb[] = [];
  let ink = "";
  let paper = "";
  let width = 0; // asked of the canvas, the page would be laid out each time

  const side = () => canvas.width;
  const scale = () => side() / width;
  const across = (x: number) => ((x + EXTENT) / (2 * EXTENT)) * side();
  const down = (y: number) => ((EXTENT - y) / (2 * EXTENT)) * side();

  function restyle(): void {
    colours = Array.from({ length: MAX_CLASSES }, (_, i) => {
      const [r = 0, g = 0, b = 0] = colour(`--class-${i}`)
        .match(/[\d.]+/g)!
        .map(Number);
      return [r, g, b];
    });
    ink = colour("--muted");
    paper = colour("--card");
    drawDots();
    fillGrid();
    draw();
  }

  /** The points with the scales, on a canvas of their own: they change seldom. */
  function drawDots(): void {
    if (!width) return;
    const size = side();
    dots.width = dots.height = size;
    const to = dots.getContext("2d")!;
    const unit = scale();
    to.font = `${11 * unit}px system-ui, sans-serif`;
    to.fillStyle = ink;
    to.textAlign = "center";
    for (const at of [-2, 0, 2]) to.fillText(`${at}`.replace("-", "−"), across(at), size - 5 * unit);
    to.textAlign = "left";
    to.textBaseline = "middle";
    for (const at of [-2, 0, 2]) to.fillText(`${at}`.replace("-", "−"), 5 * unit, down(at));
    if (!data) return;
    const radius = (data.training.labels.length > 600 ? 2.6 : 3.4) * unit;
    for (const [{ x, labels }, hollow] of [
      [data.validation, true],
      [data.training, false],
    ] as const)
      for (let i = 0; i < labels.length; i++) {
        const fill = `rgb(${colours[labels[i]!]})`;
        to.beginPath();
        to.arc(across(x[2 * i]!), down(x[2 * i + 1]!), hollow ? radius - 0.75 * unit : radius, 0, 7);
        to.fillStyle = hollow ? paper : fill;
        to.strokeStyle = hollow ? fill : paper;
        to.lineWidth = (hollow ? 1.5 : 0.75) * unit;
        to.fill();
        to.stroke();
      }
  }

  /** Of each class its colour, the stronger the surer. */
  function fillGrid(): void {
    if (!plane) return;
    const { size, classes, confidence } = plane;
    if (image?.width !== size) {
      grid.width = grid.height = size;
      image = new ImageData(size, size);
    }
    const pixels = image!.data;
    const least = 255 / (data?.classes ?? 2);
    for (let i = 0; i < classes.length; i++) {
      const [r, g, b] = colours[classes[i]!]!;
      pixels[4 * i] = r;
      pixels[4 * i + 1] = g;
      pixels[4 * i + 2] = b;
      pixels[4 * i + 3] = 14 + (96 * Math.max(0, confidence[i]! - least)) / (255 - least);
    }
    grid.getContext("2d")!.putImageData(image!, 0, 0);
  }

  function draw(): void {
    if (!width) return;
    const size = side();
    context.fillStyle = paper;
    context.fillRect(0, 0, size, size);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    if (plane) context.drawImage(grid, 0, 0, size, size);
    context.drawImage(dots, 0, 0);
    if (!cursor) return;
    const [x, y, unit] = [across(cursor.x), down(cursor.y), scale()];
    context.beginPath();
    for (const [dx, dy] of [
      [1, 0],
      [0, 1],
      [-1, 0],
      [0, -1],
    ] as const) {
      context.moveTo(x + 4 * unit * dx, y + 4 * unit * dy);
      context.lineTo(x + 11 * unit * dx, y + 11 * unit * dy);
    }
    context.lineWidth = 1.5 * unit;
    context.strokeStyle = colour("--text");
    context.stroke();
  }

  function point(x: number, y: number, byKeys = false): void {
    cursor = {
      x: Math.max(-EXTENT, Math.min(EXTENT * 0.999, x)),
      y: Math.max(-EXTENT, Math.min(EXTENT * 0.999, y)),
    };
    tell(byKeys);
    draw();
  }

  function tell(byKeys = false): void {
    if (!cursor) return;
    const { x, y } = cursor;
    const size = plane?.size ?? 1;
    const cell = (from: number) => Math.min(size - 1, Math.floor((from / (2 * EXTENT)) * size));
    const at = cell(EXTENT - y) * size + cell(x + EXTENT);
    options.onCursor(x, y, plane && { label: plane.classes[at]!, confidence: plane.confidence[at]! / 255 }, byKeys);
  }

  const place = (event: MouseEvent): [number, number] => {
    const { left, top, width } = canvas.getBoundingClientRect();
    return [
      ((event.clientX - left) / width) * 2 * EXTENT - EXTENT,
      EXTENT - ((event.clientY - top) / width) * 2 * EXTENT,
    ];
  };
  canvas.addEventListener("pointermove", (event) => point(...place(event)));
  canvas.addEventListener("pointerleave", () => {
    cursor = undefined;
    options.onLeave();
    draw();
  });
  canvas.addEventListener("click", (event) => options.onClick(...place(event), (2 * EXTENT * 8) / width));
  canvas.addEventListener("keydown", (event) => {
    const stride = event.shiftKey ? 0.5 : 0.1;
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    if (dx !== undefined) {
      event.preventDefault();
      point((cursor?.x ?? 0) + dx * stride, (cursor?.y ?? 0) + dy! * stride, true);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (cursor) options.onClick(cursor.x, cursor.y, 0.12);
      else point(0, 0, true);
    } else options.onKey(event);
  });

  new ResizeObserver(([entry]) => {
    const wide = entry!.contentRect.width;
    const size = Math.round(wide * devicePixelRatio);
    if (!size) return; // out of sight
    const same = width && size === side();
    width = wide;
    if (same) return;
    canvas.width = canvas.height = size;
    drawDots();
    draw();
  }).observe(canvas);
  restyle();

  return {
    root: canvas,
    restyle,
    setData(of) {
      data = of;
      plane = null;
      drawDots();
      draw();
    },
    paint(of) {
      plane = of;
      fillGrid();
      draw();
      tell();
    },
    setLabel(text, editable) {
      canvas.setAttribute("role", editable ? "application" : "img");
      canvas.setAttribute("aria-label", text);
      canvas.classList.toggle("editable", editable);
    },
  };
}

/** The index of the point within reach of a place, the nearest; −1 for none. */
export function nearest(points: readonly Point[], x: number, y: number, reach: number): number {
  let found = -1;
  let least = reach;
  points.forEach((point, i) => {
    const distance = Math.hypot(point.x - x, point.y - y);
    if (distance < least) [found, least] = [i, distance];
  });
  return found;
}
