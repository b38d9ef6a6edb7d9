// The Train tab: settings on one side, the run on the other. The URL holds the settings, and a changed one begins a new run.

import { button, element } from "../dom";
import type { Shell, Tab } from "../shell";
import { trainText } from "../text/train";
import { controls } from "./controls";
import { curves } from "./curves";
import { digitCards } from "./digitCards";
import { inside } from "./inside";
import { planeCard } from "./planeCard";
import type { Frame, Response } from "./protocol";
import { runCard } from "./runCard";
import { Session } from "./session";
import { defaults, fromParameters, type Settings, toParameters } from "./settings";

/** Milliseconds between two drawings of the curves; of the statistics; of the plane where the user wants little motion. */
const CURVES = 100;
const STATISTICS = 250;
const CALM = 600;
/** Frames of the plane that are under way: while the page paints one, the worker makes the next. */
const AHEAD = 2;
/** Cells along a side of the plane: at rest, and the bounds while it trains. */
const FINE = 180;
const [LEAST, MOST] = [40, 100];

export function trainTab(shell: Shell): Tab {
  const { language } = shell;
  const words = () => trainText[language()];
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let settings = defaults();
  let shownParameters: string | undefined;
  let visible = false;
  let drawn: Float32Array | null = null;

  /** When what has not come yet was asked for, and when each came. */
  let asked: { frames: number[]; statistics: boolean } = { frames: [], statistics: false };
  const came = { frame: 0, statistics: 0, curves: 0 };
  /** The last pictures are older than the weights; the curves are older than the epochs. */
  const stale = { pictures: false, curves: false };
  let size = 72;

  const session = Session.open(heard);
  const run = runCard({ words, language, session, settings: () => settings, change, begin });
  const plane = planeCard(words, (points) => change({ ...settings, points }));
  const digits = digitCards(words, (pixels) => {
    drawn = pixels;
    session.ask({ type: "digit", pixels });
  });
  const learning = curves(words);
  const net = inside(words);
  const fields = controls(words, language, change);

  function begin(paused: boolean): void {
    asked = { frames: [], statistics: false };
    stale.pictures = false;
    plane.setData(undefined);
    net.show(null);
    session.start(settings, paused);
    run.showNumbers();
  }

  /** A changed run trains at once, unless the user has paused the one before. */
  function change(to: Settings): void {
    const paused = session.state === "ready" || session.state === "paused";
    settings = to;
    const parameters = toParameters(settings);
    shownParameters = `${parameters}`;
    shell.setParameters(parameters);
    showSettings();
    begin(paused);
  }

  function showSettings(): void {
    fields.show(settings);
    plane.showSettings(settings);
    for (const card of digits.roots) card.hidden = settings.data !== "digits";
  }

  function heard(what: Response["type"] | "state", message?: Response): void {
    if (what === "state") run.showState();
    if (what === "state" || what === "data") stale.pictures = true;
    if (what === "epochs" || what === "rest" || what === "data") stale.curves = true;
    switch (message?.type) {
      case "data":
        if (settings.data === "digits") {
          digits.setData(message);
          session.ask({ type: "digit", pixels: drawn }); // the run before has taken it along
        } else plane.setData(message);
        break;
      case "frame":
        showFrame(message);
        break;
      case "statistics":
        asked.statistics = false;
        came.statistics = performance.now();
        net.show(message);
        break;
      case "digit":
        digits.showDigit(message.probabilities);
    }
  }

  /** Frames are as fine as they can be if they are to come in two of the screen's. */
  function showFrame(frame: Frame): void {
    came.frame = performance.now();
    const took = came.frame - (asked.frames.shift() ?? came.frame);
    if (session.state === "running")
      size = Math.max(LEAST, Math.min(MOST, size + (took > 40 ? -4 : took < 30 ? 2 : 0)));
    if (frame.plane) plane.paint(frame.plane);
    else digits.paint(frame);
  }

  /** Asks for pictures as fast as they can be shown. */
  function tick(now: number): void {
    if (!visible) return;
    requestAnimationFrame(tick);
    const running = session.state === "running";
    const isDue = (what: keyof typeof came, pause: number) => !running || now - came[what] > pause;
    if (stale.curves && isDue("curves", CURVES)) {
      stale.curves = false;
      came.curves = now;
      run.showNumbers();
      learning.show(session.epochs, session.before, session.earlyStopping);
    }
    if (!session.data || session.state === "failed" || !(running || stale.pictures)) return;
    if (asked.frames.length < (running ? AHEAD : 1) && isDue("frame", calm.matches ? CALM : 0)) {
      asked.frames.push(now);
      stale.pictures = running;
      session.ask({ type: "frame", size: running ? size : FINE });
    }
    if (!asked.statistics && isDue("statistics", calm.matches ? CALM : STATISTICS)) {
      asked.statistics = true;
      session.ask({ type: "statistics" });
    }
  }

  shell.onChange(() => {
    showSettings();
    run.showState();
    run.showNumbers();
    for (const part of [plane, digits, learning, net]) part.restyle();
    stale.pictures = true;
  });

  const reset = button(
    () => words().defaults,
    () => change({ ...defaults(settings.data), points: settings.points }),
    { class: "quiet" },
  );
  const root = element(
    "div",
    { class: "train" },
    element("section", { class: "card", "aria-label": () => words().fields.data[0] }, fields.picker),
    element("div", { class: "run" }, run.root, plane.root, ...digits.roots, learning.root, net.root),
    element("div", { class: "card settings" }, ...fields.groups, reset),
  );
  return {
    root,
    show(parameters) {
      if (!visible) requestAnimationFrame(tick);
      visible = true;
      if (`${parameters}` === shownParameters) return;
      shownParameters = `${parameters}`;
      settings = fromParameters(parameters);
      showSettings();
      begin(shownParameters === "" || calm.matches); // a link to a run shows it running
    },
    hide() {
      visible = false;
    },
  };
}
