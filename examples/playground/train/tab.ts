// The Train tab: settings on one side, the run on the other. The URL holds the settings, and a changed one begins a new run.

import { button, card, choice, element, icon, segments, setAttribute, type Text } from "../dom";
import { shown } from "../plot";
import type { Shell, Tab } from "../shell";
import { trainText } from "../text/train";
import { boundary, nearest } from "./boundary";
import { controls, newSeed } from "./controls";
import { curves } from "./curves";
import { digitPad } from "./digitPad";
import { inside } from "./inside";
import type { Frame, Response, Statistics } from "./protocol";
import { Session } from "./session";
import { fromParameters, MAX_CLASSES, MAX_POINTS, pointAt, type Settings, toParameters } from "./settings";
import { testDigits } from "./testDigits";

const SPEEDS = [3, 10, 30, 100, 0];
/** Milliseconds between two drawings of the curves; of the statistics; of the plane where the user wants little motion. */
const CURVES = 100;
const STATISTICS = 250;
const CALM = 600;
/** Cells along a side of the plane: at rest, and the bounds while it trains. */
const FINE = 180;
const [LEAST, MOST] = [40, 100];

export function trainTab(shell: Shell): Tab {
  const words = () => trainText[shell.language()];
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let settings = fromParameters(new URLSearchParams());
  let shownParameters: string | undefined;
  let visible = false;
  let label = 0;

  // the run

  const session = Session.open(heard);
  session.ask({ type: "speed", epochs: 30 });
  let frameAsked = 0;
  let statisticsAsked = 0;
  /** The last pictures are older than the weights. */
  let stale = false;
  /** The curves are. */
  let unshown = false;
  let size = 72;

  function begin(paused: boolean): void {
    frameAsked = statisticsAsked = 0;
    stale = false;
    plane.setData(settings.data === "points" ? ownData() : undefined);
    session.start(settings, paused);
    insideCard.show(null);
    showNumbers();
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

  function heard(what: Response["type"] | "state", message?: Response): void {
    if (what === "state") {
      stale = true;
      showState();
    } else if (message?.type === "data") {
      if (settings.data === "digits") digits.setData(message.test);
      else plane.setData(message);
      stale = true;
      showPlaneLabel();
    } else if (message?.type === "frame") showFrame(message);
    else if (message?.type === "statistics") showStatistics(message);
    else if (message?.type === "digit") pad.show(message.probabilities);
    if (what === "epochs" || what === "rest" || what === "data") unshown = true;
  }

  /** Asks for pictures, one at a time, as fast as they can be shown. */
  function tick(now: number): void {
    if (!visible) return;
    requestAnimationFrame(tick);
    const running = session.state === "running";
    if (unshown && (!running || now - lastCurves > CURVES)) {
      unshown = false;
      lastCurves = now;
      showNumbers();
      curvesCard.show(session.epochs, session.before, session.earlyStopping);
    }
    if (!session.data || session.state === "failed" || !(running || stale)) return;
    if (!frameAsked && (!running || !calm.matches || now - lastFrame > CALM)) {
      frameAsked = now;
      stale = running;
      session.ask({ type: "frame", size: running ? size : FINE });
    }
    if (!statisticsAsked && (!running || now - lastStatistics > (calm.matches ? CALM : STATISTICS))) {
      statisticsAsked = now;
      session.ask({ type: "statistics" });
    }
  }
  let lastFrame = 0;
  let lastCurves = 0;
  let lastStatistics = 0;

  function showFrame(frame: Frame): void {
    lastFrame = performance.now();
    const took = lastFrame - frameAsked;
    if (session.state === "running")
      size = Math.max(LEAST, Math.min(MOST, size + (took > 28 ? -4 : took < 18 ? 2 : 0)));
    frameAsked = 0;
    if (frame.plane) plane.paint(frame.plane);
    if (frame.predictions) {
      const wrong = digits.paint(frame.predictions);
      const text = words().mistakesOf(wrong, frame.predictions.length);
      if (mistakes.textContent !== text) {
        mistakes.textContent = text;
        setAttribute(digits.root, "aria-label", text);
      }
      pad.show(frame.digit);
    }
  }

  function showStatistics(statistics: Statistics): void {
    lastStatistics = performance.now();
    statisticsAsked = 0;
    insideCard.show(statistics);
  }

  // the plane and own points

  const readout = element("p", { class: "readout" });
  /** For screen readers, which are to hear of the keys' cursor only. */
  const spoken = element("p", { class: "spoken", role: "status" });
  const placeText = (x: number, y: number) =>
    words().at(x.toFixed(2).replace("-", "−"), y.toFixed(2).replace("-", "−"));
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
      if (settings.data !== "points") return;
      const { points } = settings;
      const at = nearest(points, x, y, reach);
      if (at >= 0) change({ ...settings, points: points.toSpliced(at, 1) });
      else if (points.length < MAX_POINTS) {
        change({ ...settings, points: [...points, pointAt(x, y, label)] });
        spoken.textContent = `${words().className(label + 1)}: ${placeText(x, y)}`;
      }
    },
    onKey({ key }) {
      if (settings.data === "points" && +key >= 1 && +key <= MAX_CLASSES) {
        label = +key - 1;
        classes.set(key);
      }
    },
  });
  /** Own points before the worker has told of them. */
  function ownData() {
    const { points } = settings;
    const x = Float32Array.from(points.flatMap(({ x, y }) => [x, y]));
    const labels = Int32Array.from(points, ({ label }) => label);
    const none = { x: new Float32Array(), labels: new Int32Array() };
    return { classes: MAX_CLASSES, training: { x, labels }, validation: none };
  }
  function showPlaneLabel(): void {
    const { data } = settings;
    const count = data === "points" ? settings.points.length : session.data ? settings.examples : 0;
    plane.setLabel(
      data === "points" ? words().pointsLabel(count) : words().planeLabel(words().data[data], count),
      data === "points",
    );
  }
  const classes = segments({
    label: () => words().pointClass,
    options: Array.from({ length: MAX_CLASSES }, (_, i) => [`${i + 1}` as string, `${i + 1}`] as const),
    value: "1",
    draw: (value) => element("i", { class: "swatch", style: `background: var(--class-${+value - 1})` }),
    onChange: (value) => {
      label = +value - 1;
    },
  });
  const undo = button(
    () => words().undo,
    () => change({ ...settings, points: settings.points.slice(0, -1) }),
  );
  const clear = button(
    () => words().clear,
    () => change({ ...settings, points: [] }),
  );
  const pointTools = element(
    "div",
    { class: "point-tools" },
    classes.root,
    element("div", { class: "buttons" }, undo, clear),
    element("p", { class: "help" }, () => words().pointsHelp),
  );
  const planeCard = card(
    () => words().plane,
    { class: "stage" },
    plane.root,
    element(
      "div",
      { class: "under" },
      element(
        "p",
        { class: "legend" },
        element("i", { class: "dot" }),
        () => words().training,
        element("i", { class: "dot hollow" }),
        () => words().validation,
      ),
      readout,
    ),
    spoken,
    pointTools,
  );

  // digits

  const digits = testDigits(() => words().testDigits);
  const mistakes = element("p", { class: "muted" });
  const which = segments({
    label: () => words().testDigits,
    options: [
      ["all", () => words().all],
      ["mistakes", () => words().mistakes],
    ],
    value: "all",
    onChange: (value) => digits.setOnlyMistakes(value === "mistakes"),
  });
  which.root.classList.add("unlabelled");
  const pad = digitPad(
    {
      label: () => words().padLabel,
      help: () => words().padHelp,
      seen: () => words().seen,
      clear: () => words().clear,
      none: () => words().noDigit,
      taken: (digit, percent) => words().taken(digit, percent),
    },
    (pixels) => session.ask({ type: "digit", pixels }),
  );
  const padCard = card(() => words().pad, { class: "pad-card" }, pad.root);
  const digitsCard = card(
    () => words().testDigits,
    { class: "stage" },
    element("div", { class: "under" }, which.root, mistakes),
    digits.root,
    element("p", { class: "help" }, () => words().digitsHelp),
  );

  // what is told of the run

  const play = element("button", { type: "button", class: "primary play", onclick: playOrPause });
  const stepping = (text: Text, by: "update" | "epoch") => button(text, () => session.step(by));
  const stepUpdate = stepping(() => words().stepUpdate, "update");
  const stepEpoch = stepping(() => words().stepEpoch, "epoch");
  const reset = button(
    () => words().reset,
    () => begin(true),
  );
  const seed = button(
    () => words().newSeed,
    () => change({ ...settings, seed: newSeed(settings.seed) }),
  );
  const share = button(() => words().share, copyLink);
  const speed = choice({
    label: () => words().speed,
    options: SPEEDS.map((n) => [`${n}`, () => (n ? words().epochsASecond(n) : words().fastest)] as const),
    value: "30",
    onChange: (epochs) => session.ask({ type: "speed", epochs: +epochs }),
  });
  speed.root.classList.add("unlabelled");
  const status = element("p", { class: "status", role: "status" });
  const hash = element("p", { class: "hash help" });
  const trouble = element("div", { class: "trouble", role: "alert" });
  const numbers = element("dl", { class: "numbers" });
  const number = (name: Text) => {
    const value = element("dd", {});
    const root = element("div", {}, element("dt", {}, name), value);
    numbers.append(root);
    return {
      show(text: string | undefined) {
        root.hidden = text === undefined;
        if (text !== undefined && value.textContent !== text) value.textContent = text;
      },
    };
  };
  const epochNumber = number(() => words().epoch);
  const lossNumber = number(() => words().loss);
  const valLossNumber = number(() => words().valLoss);
  const accuracyNumber = number(() => words().accuracy);
  const valAccuracyNumber = number(() => words().valAccuracy);
  const testAccuracyNumber = number(() => words().testAccuracy);
  const attackedNumber = number(() => words().attackedAccuracy);
  const rateNumber = number(() => words().rate);

  const percent = (share: number | undefined) => (share === undefined ? undefined : `${(100 * share).toFixed(1)}%`);
  const loss = (value: number | undefined) => (value === undefined ? undefined : shown(value));

  function showNumbers(): void {
    const last = session.epochs.at(-1);
    const validated = (settings.validation > 0 && settings.data !== "points") || last?.valLoss !== undefined;
    const none = "–";
    epochNumber.show(`${session.position.epoch} / ${settings.epochs}`);
    lossNumber.show(loss(last?.loss) ?? none);
    valLossNumber.show(validated ? (loss(last?.valLoss) ?? none) : undefined);
    accuracyNumber.show(percent(last?.accuracy) ?? none);
    valAccuracyNumber.show(validated ? (percent(last?.valAccuracy) ?? none) : undefined);
    testAccuracyNumber.show(settings.data === "digits" ? (percent(last?.testAccuracy) ?? none) : undefined);
    attackedNumber.show(settings.adversarial ? (percent(last?.attackedAccuracy) ?? none) : undefined);
    const { data } = session;
    const rate = data ? (session.updatesPerSecond * data.training.labels.length) / data.updatesPerEpoch : 0;
    rateNumber.show(rate ? Math.round(+rate.toPrecision(3)).toLocaleString(shell.language()) : none);
  }

  function showState(): void {
    const { state, rest, failure, earlyStopping } = session;
    const running = state === "running";
    play.replaceChildren(
      icon(running ? "M8 5v14M16 5v14" : "M8 5l11 7-11 7z"),
      running ? words().pause : state === "finished" || state === "failed" ? words().again : words().play,
    );
    play.disabled = state === "waiting" || state === "lost" || state === "loading";
    const steps = state === "ready" || state === "paused" || running;
    stepUpdate.disabled = stepEpoch.disabled = !steps;
    const { epoch } = session.position;
    const last = session.epochs.at(-1);
    const stop = earlyStopping?.stop;
    status.textContent = {
      loading: () => words().loading,
      waiting: () => words().fewPoints,
      ready: () => words().ready,
      running: () => words().running,
      paused: () => words().paused(epoch),
      finished: () =>
        words().finished(epoch, percent(last?.testAccuracy ?? last?.valAccuracy ?? last?.accuracy) ?? "–") +
        (stop === undefined || stop === null ? "" : ` ${words().wouldStop(stop + 1, earlyStopping!.best + 1)}`),
      failed: () => "",
      lost: () => words().noWorker,
    }[state]();
    hash.hidden = !rest?.hash || !rest.step || running;
    hash.textContent = rest?.hash ? `${words().weightsHash}: ${rest.hash}` : "";
    trouble.hidden = state !== "failed";
    if (state === "failed" && failure) {
      const diverged = failure.code === "numeric";
      const rate = +(settings.learningRate / 10).toPrecision(3);
      trouble.replaceChildren(
        element("p", {}, element("strong", {}, diverged ? words().diverged(failure.epoch + 1) : words().failed)),
        element("p", {}, diverged ? words().divergedHelp : failure.message),
      );
      if (diverged)
        trouble.append(
          element(
            "div",
            { class: "buttons" },
            button(words().lowerRate(`${rate}`), () => change({ ...settings, learningRate: Math.max(1e-5, rate) })),
            settings.clipNorm ? null : button(words().clip, () => change({ ...settings, clipNorm: 1 })),
          ),
        );
    } else trouble.replaceChildren();
  }

  function playOrPause(): void {
    if (session.state === "running") session.pause();
    else if (session.state === "finished" || session.state === "failed") begin(false);
    else session.resume();
  }

  async function copyLink(): Promise<void> {
    try {
      await navigator.clipboard.writeText(location.href);
      status.textContent = words().copied;
    } catch {
      status.textContent = location.href; // to be copied by hand
    }
  }

  // the page

  const curvesCard = curves(words);
  const insideCard = inside(words);
  const fields = controls(words, () => shell.language(), change);
  const root = element(
    "div",
    { class: "train" },
    element("section", { class: "card choose", "aria-label": () => words().fields.data[0] }, fields.picker),
    element(
      "div",
      { class: "run" },
      element(
        "section",
        { class: "card controls", "aria-label": () => words().controls },
        element("div", { class: "buttons" }, play, stepUpdate, stepEpoch, reset, seed, share, speed.root),
        numbers,
        element("div", { class: "told" }, status, trouble, hash),
      ),
      planeCard,
      digitsCard,
      padCard,
      curvesCard.root,
      insideCard.root,
    ),
    element(
      "div",
      { class: "card settings" },
      ...fields.groups,
      button(
        () => words().defaults,
        () => change(fromParameters(new URLSearchParams({ data: settings.data }))),
        {
          class: "quiet",
        },
      ),
    ),
  );
  function showSettings(): void {
    const ofDigits = settings.data === "digits";
    fields.show(settings);
    planeCard.hidden = ofDigits;
    digitsCard.hidden = padCard.hidden = !ofDigits;
    pointTools.hidden = settings.data !== "points";
    undo.disabled = clear.disabled = !settings.points.length;
    root.classList.toggle("of-digits", ofDigits);
    showPlaneLabel();
  }

  shell.onChange(() => {
    showSettings();
    showState();
    showNumbers();
    plane.restyle();
    digits.restyle();
    pad.restyle();
    pad.show(null);
    curvesCard.restyle();
    insideCard.restyle();
    stale = true;
  });

  return {
    root,
    show(parameters) {
      const before = visible;
      visible = true;
      if (!before) requestAnimationFrame(tick);
      if (`${parameters}` === shownParameters) return;
      shownParameters = `${parameters}`;
      settings = fromParameters(parameters);
      showSettings();
      // a link to a run shows it running
      begin(shownParameters === "" || calm.matches);
    },
    hide() {
      visible = false;
    },
  };
}
