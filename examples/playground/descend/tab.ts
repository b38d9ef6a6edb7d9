// The Descend tab: optimizers of the library race on a landscape. The worker has all steps at once; the page plays them.

import { button, card, choice, element, numberBox, slider, toggle } from "../dom";
import { type Plot, plot, shown } from "../plot";
import type { Shell, Tab } from "../shell";
import { descendText } from "../text/descend";
import { fetchMap, fetchRace } from "./client";
import { Drawing, type Drawn, type Scale } from "./map";
import type { LandscapeMap, Point } from "./protocol";
import {
  type DescendSettings,
  defaultRate,
  defaultSettings,
  fromParameters,
  LANDSCAPES,
  type LandscapeName,
  RACERS,
  RANGE,
  type Racer,
  SCHEDULES,
  toParameters,
} from "./settings";

const SCALE: Record<LandscapeName, Scale> = {
  quadratic: "logarithmic",
  saddle: "linear",
  monkeySaddle: "cubeRoot",
  cliff: "logarithmic",
  rosenbrock: "logarithmic",
  beale: "logarithmic",
  himmelblau: "logarithmic",
  rastrigin: "linear",
  plateau: "linear",
};

/** Seconds that a race is played for. */
const DURATION = 5;
/** Milliseconds between two states of table and curves while it is played. */
const FIGURES = 120;
/** Of a curve at most. */
const POINTS = 500;
const COLUMNS = 320;
/** Nearer to a lowest point than this is there. */
const ARRIVED = 0.01;

const RATES = [-5, -4, -3, -2, -1, 0].flatMap((power) => [1, 2, 5].map((digit) => Number(`${digit}e${power}`)));

const isSame = (a: DescendSettings, b: DescendSettings) => `${toParameters(a)}` === `${toParameters(b)}`;

export function descendTab(shell: Shell): Tab {
  const words = () => descendText[shell.language()];
  const landscapeName = (name: LandscapeName) => words().landscapes[name]![0];

  let settings = defaultSettings();
  let map: LandscapeMap | undefined;
  let tracks: Drawn[] = [];
  /** The step that is shown. */
  let step = 0;
  let playing = false;
  let visible = false;

  const canvas = element("canvas", {});
  const drawing = new Drawing(canvas);
  const start = (): Point => settings.start ?? map?.start ?? [0, 0];

  // ---- what is seen ----

  const surface = element(
    "div",
    { class: "map", role: "application", tabindex: 0, "aria-describedby": "descend-help", onkeydown: onKey },
    canvas,
  );
  const startBox = (axis: 0 | 1, label: () => string) => {
    const input = element("input", {
      type: "number",
      step: "any",
      onchange: () => {
        const value = Math.min(RANGE.start[1], Math.max(RANGE.start[0], input.valueAsNumber || 0));
        moveStart(axis === 0 ? [value, start()[1]] : [start()[0], value], true);
      },
    });
    return { input, root: element("label", {}, label, input) };
  };
  const startX = startBox(0, () => words().startX);
  const startY = startBox(1, () => words().startY);

  const playButton = button(words().play, () => (playing ? pause() : play()), { class: "primary" });
  const position = element("input", {
    type: "range",
    min: 0,
    step: 1,
    "aria-label": () => words().step,
    oninput: () => seek(position.valueAsNumber),
  });
  const positionOf = element("output", {});
  const summary = element("p", { role: "status", class: "muted" });
  const rows = element("tbody");
  const plotBox = element("div");
  let curves: Plot | undefined;

  // ---- controls ----

  const change = (part: Partial<DescendSettings>) => {
    settings = { ...settings, ...part };
    shell.setParameters(toParameters(settings));
    showSettings();
    void run(true);
  };
  const optional = (value: number) => (value === 0 ? undefined : value);
  const offOr = (value: number) => (value === 0 ? words().off : `${value}`);

  const landscape = choice({
    label: () => words().landscape,
    help: () => words().landscapes[settings.landscape]![1],
    options: LANDSCAPES.map((name) => [name, () => landscapeName(name)] as const),
    value: settings.landscape,
    onChange: (name) => {
      const racing = Object.keys(settings.rates) as Racer[];
      const { steps } = defaultSettings(name);
      const rates = Object.fromEntries(racing.map((racer) => [racer, defaultRate(name, racer)]));
      const { start: _, ...others } = settings;
      settings = { ...others, landscape: name, rates, steps };
      change({});
    },
  });
  const condition = slider({
    label: () => words().condition,
    help: () => words().conditionHelp,
    values: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
    value: settings.condition,
    onChange: (value) => change({ condition: value }),
  });
  const racers = RACERS.map((racer) => {
    const name = () => words().racers[racer];
    const box = element("input", {
      type: "checkbox",
      onchange: () => {
        const { [racer]: _, ...others } = settings.rates;
        change({ rates: box.checked ? { ...others, [racer]: defaultRate(settings.landscape, racer) } : others });
      },
    });
    const rate = slider({
      label: () => words().rateOf(name()),
      values: RATES,
      value: 0.01,
      onChange: (value) => change({ rates: { ...settings.rates, [racer]: value } }),
    });
    rate.root.querySelector("label")!.className = "spoken";
    const root = element(
      "li",
      {},
      element("label", { class: "racer" }, box, swatch(racer, false), element("span", {}, name)),
      rate.root,
    );
    return {
      root,
      show() {
        const of = settings.rates[racer];
        box.checked = of !== undefined;
        rate.root.hidden = of === undefined;
        if (of !== undefined) rate.set(of);
      },
    };
  });
  const momentum = slider({
    label: () => words().momentum,
    help: () => words().momentumHelp,
    values: [0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99],
    value: settings.momentum,
    onChange: (value) => change({ momentum: value }),
  });
  const schedule = choice({
    label: () => words().schedule,
    options: SCHEDULES.map((name) => [name, () => words().schedules[name]] as const),
    value: settings.schedule,
    onChange: (name) => change({ schedule: name }),
  });
  const clips = [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100];
  const clipNorm = slider({
    label: () => words().clipNorm,
    values: clips,
    value: 0,
    show: offOr,
    onChange: (value) => change({ clipNorm: optional(value) }),
  });
  const clipValue = slider({
    label: () => words().clipValue,
    values: clips,
    value: 0,
    show: offOr,
    onChange: (value) => change({ clipValue: optional(value) }),
  });
  const noise = slider({
    label: () => words().noise,
    help: () => words().noiseHelp,
    values: [0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
    value: 0,
    show: offOr,
    onChange: (value) => change({ noise: value }),
  });
  const seed = numberBox({
    label: () => words().seed,
    min: RANGE.seed[0],
    max: RANGE.seed[1],
    value: 0,
    onChange: (value) => change({ seed: value }),
  });
  const twins = toggle({
    label: () => words().twins,
    help: () => words().twinsHelp,
    value: false,
    onChange: (value) => change({ twins: value }),
  });
  const steps = slider({
    label: () => words().steps,
    values: [10, 20, 50, 100, 200, 300, 500, 1000, 2000],
    value: settings.steps,
    onChange: (value) => change({ steps: value }),
  });

  const root = element(
    "div",
    { class: "descend" },
    card(
      () => words().map,
      {},
      surface,
      element("p", { class: "help", id: "descend-help" }, () => words().mapHelp),
      element("div", { class: "playback" }, playButton, element("div", { class: "field" }, positionOf, position)),
      element("div", { class: "start" }, startX.root, startY.root),
      summary,
    ),
    element(
      "div",
      { class: "side fields" },
      element("div", { class: "card" }, landscape.root, condition.root),
      card(() => words().optimizers, {}, element("ul", { class: "racers" }, ...racers.map(({ root }) => root))),
      card(
        () => words().conditions,
        {},
        steps.root,
        schedule.root,
        clipNorm.root,
        clipValue.root,
        noise.root,
        seed.root,
        momentum.root,
        twins.root,
        button(
          () => words().reset,
          () => {
            settings = defaultSettings(settings.landscape);
            change({});
          },
        ),
      ),
    ),
    card(
      () => words().results,
      {},
      element(
        "div",
        { class: "scroll", role: "group", tabindex: 0, "aria-label": () => words().results },
        element(
          "table",
          {},
          element(
            "thead",
            {},
            element(
              "tr",
              {},
              element("th", { scope: "col" }, () => words().optimizer),
              element("th", { scope: "col", class: "number" }, () => words().loss),
              element("th", { scope: "col", class: "number" }, () => words().distance),
              element("th", { scope: "col" }, () => words().state),
            ),
          ),
          rows,
        ),
      ),
      element("p", { class: "help" }, () => words().distanceHelp),
    ),
    card(() => words().curves, {}, plotBox),
  );

  function showSettings(): void {
    landscape.set(settings.landscape);
    condition.set(settings.condition);
    condition.root.hidden = settings.landscape !== "quadratic";
    for (const racer of racers) racer.show();
    momentum.set(settings.momentum);
    schedule.set(settings.schedule);
    clipNorm.set(settings.clipNorm ?? 0);
    clipValue.set(settings.clipValue ?? 0);
    noise.set(settings.noise);
    seed.set(settings.seed);
    seed.root.hidden = settings.noise === 0;
    twins.set(settings.twins);
    steps.set(settings.steps);
    const help = landscape.root.querySelector(".help")!;
    help.textContent = words().landscapes[settings.landscape]![1];
    position.max = `${settings.steps}`;
    showStart();
  }

  function showStart(): void {
    const [x, y] = start();
    startX.input.valueAsNumber = x;
    startY.input.valueAsNumber = y;
    surface.setAttribute("aria-label", words().mapLabel(landscapeName(settings.landscape), shown(x), shown(y)));
  }

  // ---- the race ----

  /** What is asked for and not yet there; while one is under way, only the newest waits. */
  let running = false;
  let again: { replay: boolean } | undefined;
  let mapOf = "";
  /** What the tracks are of. */
  let raced: DescendSettings | undefined;

  /** Of the map, so that its cells are squares. */
  const rowsOf = () => Math.round(COLUMNS * (canvas.clientHeight / canvas.clientWidth || 1));

  async function run(replay: boolean): Promise<void> {
    if (!visible) return;
    if (running) {
      again = { replay };
      return;
    }
    running = true;
    const of = settings;
    try {
      const rowCount = rowsOf();
      const key = `${of.landscape} ${of.condition} ${rowCount}`;
      if (key !== mapOf) {
        map = await fetchMap(of, COLUMNS, rowCount);
        mapOf = key;
        drawing.setMap(map, SCALE[of.landscape]);
      }
      const found = await fetchRace(of);
      if (of.landscape !== settings.landscape) return; // it has been left
      raced = of;
      tracks = found.map((track) => ({ ...track, name: "", colour: `--racer-${track.racer}` }));
      nameTracks();
      makeCurves();
      showStart();
      if (replay && !matchMedia("(prefers-reduced-motion: reduce)").matches) play(0);
      else {
        pause();
        seek(of.steps);
      }
    } catch (error) {
      summary.textContent = (error as Error).message;
    } finally {
      running = false;
      if (again) {
        const { replay: next } = again;
        again = undefined;
        void run(next);
      }
    }
  }

  function nameTracks(): void {
    for (const track of tracks) {
      const name = words().racers[track.racer];
      track.name = track.twin ? words().plain(name) : name;
    }
  }

  /** What the curves' axis shows from the first step on: not the heights to which one flies that diverges. */
  function rangeOf({ lowest, heights }: LandscapeMap): [number, number] {
    const floor = lowest ?? heights.reduce((a, b) => Math.min(a, b));
    const top = heights.reduce((a, b) => Math.max(a, b));
    let [low, high] = lowest === undefined ? [0, 0] : [1e-2, 1e-2];
    for (const { losses } of tracks)
      for (const f of losses) {
        if (f > top) high = top - (lowest ?? 0);
        else high = Math.max(high, f - (lowest ?? 0));
        if (lowest === undefined) low = Math.max(floor, Math.min(low, f));
        else if (f > lowest) low = Math.max(1e-10, Math.min(low, f - lowest));
      }
    return [lowest === undefined ? low : 10 ** Math.floor(Math.log10(low)), high];
  }

  let range: [number, number] = [0, 1];
  let curvesOf = "";

  /** Curves for other tracks than before. */
  function makeCurves(): void {
    const { lowest } = map!;
    range = rangeOf(map!);
    const key = `${tracks.map(({ racer, twin }) => `${racer} ${twin}`)} ${lowest === undefined}`;
    if (key === curvesOf) return;
    curvesOf = key;
    curves?.destroy();
    curves = plot({
      range: () => range,
      label: () => words().curves,
      x: () => words().step,
      y: () => (lowest === undefined ? words().height : words().aboveLowest),
      series: tracks.map((track) => ({
        label: () => track.name,
        colour: track.colour,
        ...(track.twin && { dash: [4, 3] }),
      })),
    });
    curves.setLog(lowest !== undefined);
    plotBox.replaceChildren(curves.root);
  }

  // ---- playing ----

  let began = 0;
  let frame = 0;

  function play(from = step >= settings.steps ? 0 : step): void {
    cancelAnimationFrame(frame);
    playing = true;
    step = from;
    began = performance.now() - (from / settings.steps) * DURATION * 1000;
    frame = requestAnimationFrame(tick);
    showStep();
  }

  function pause(): void {
    cancelAnimationFrame(frame);
    playing = false;
    showPlay();
  }

  function seek(to: number): void {
    if (playing) pause();
    step = Math.min(to, settings.steps);
    showStep();
  }

  function tick(now: number): void {
    const seconds = Math.max(0, now - began) / 1000;
    const before = step;
    step = Math.min(settings.steps, Math.floor((seconds / DURATION) * settings.steps));
    if (step === settings.steps) pause();
    else frame = requestAnimationFrame(tick);
    if (step !== before) showStep();
  }

  function showPlay(): void {
    playButton.textContent = playing ? words().pause : words().play;
  }

  function showStep(): void {
    if (!visible || !map) return;
    showPlay();
    position.value = `${step}`;
    positionOf.textContent = words().stepOf(step, settings.steps);
    position.setAttribute("aria-valuetext", positionOf.textContent);
    drawing.draw(tracks, start(), step);
    const now = performance.now();
    if (playing && now - written < FIGURES) return;
    written = now;
    showCurves();
    showRows();
    showSummary();
  }
  /** When figures were last written. */
  let written = 0;

  function showCurves(): void {
    const { steps } = settings;
    const lowest = map!.lowest ?? 0;
    const stride = Math.ceil(steps / POINTS);
    const shownSteps = Array.from({ length: Math.floor(step / stride) + 1 }, (_, i) => i * stride);
    if (step < steps) shownSteps.push(steps); // the axis shows them all from the first on
    curves?.setData([
      shownSteps,
      ...tracks.map(({ losses }) =>
        shownSteps.map((i) => (i <= step && i < losses.length ? losses[i]! - lowest : null)),
      ),
    ]);
  }

  function showRows(): void {
    rows.replaceChildren(
      ...tracks.map((track) => {
        const at = Math.min(step, track.losses.length - 1);
        const [x, y] = [track.path[2 * at]!, track.path[2 * at + 1]!];
        const distances = map!.minima.map(([mx, my]) => Math.hypot(x - mx, y - my));
        const distance = distances.length ? Math.min(...distances) : undefined;
        const gone = track.diverged && step >= track.losses.length;
        const [[left, right], [bottom, top]] = map!.bounds;
        const { states } = words();
        const state = gone
          ? states.diverged(track.losses.length)
          : distance !== undefined && distance < ARRIVED
            ? states.arrived
            : x < left || x > right || y < bottom || y > top
              ? states.away
              : states.underWay;
        return element(
          "tr",
          {},
          element("th", { scope: "row" }, swatch(track.racer, track.twin), track.name),
          element("td", { class: "number" }, shown(track.losses[at])),
          element("td", { class: "number" }, shown(distance)),
          element("td", { class: gone ? "bad" : "" }, state),
        );
      }),
    );
  }

  function showSummary(): void {
    let text = "";
    if (!tracks.length) text = words().nobody;
    else if (!playing && step === settings.steps) {
      const alive = tracks.filter(({ diverged }) => !diverged);
      const best = alive.reduce<Drawn | undefined>(
        (a, b) => (a && a.losses.at(-1)! <= b.losses.at(-1)! ? a : b),
        undefined,
      );
      text = best ? words().summary(step, best.name, shown(best.losses.at(-1))) : words().allDiverged;
    }
    if (summary.textContent !== text) summary.textContent = text;
  }

  // ---- the start ----

  function moveStart(to: Point, replay: boolean): void {
    const round = (v: number) => Number(v.toFixed(3));
    settings = { ...settings, start: [round(to[0]), round(to[1])] };
    shell.setParameters(toParameters(settings));
    showStart();
    void run(replay);
  }

  function onKey(event: KeyboardEvent): void {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!direction || !map) return;
    event.preventDefault();
    const [left, right] = map.bounds[0];
    const by = (right - left) / (event.shiftKey ? 500 : 50);
    const [x, y] = start();
    moveStart([x + direction[0]! * by, y + direction[1]! * by], false);
  }

  surface.addEventListener("pointermove", (event) => {
    if (map && event.buttons & 1 && event.pointerType !== "touch")
      moveStart(drawing.pointAt(event.clientX, event.clientY), false);
  });
  surface.addEventListener("click", (event) => {
    if (map) moveStart(drawing.pointAt(event.clientX, event.clientY), true);
  });
  new ResizeObserver(() => {
    if (!map || !visible) return;
    if (rowsOf() === map.rows) drawing.draw(tracks, start(), step);
    else void run(false);
  }).observe(canvas);

  shell.onChange(() => {
    nameTracks();
    showSettings();
    if (map) drawing.setMap(map, SCALE[settings.landscape]);
    curves?.restyle();
    showPlay();
    showStep();
  });

  return {
    root,
    show(parameters) {
      const next = fromParameters(parameters);
      const back = !visible;
      visible = true;
      if (back && raced && isSame(next, raced)) return showStep();
      settings = next;
      showSettings();
      void run(true);
    },
    hide() {
      visible = false;
      pause();
    },
  };
}

/** The mark of a racer's colour. */
function swatch(racer: Racer, twin: boolean): HTMLElement {
  return element("span", { class: twin ? "swatch twin" : "swatch", style: `--own: var(--racer-${racer})` });
}
