// The run's buttons, and what is told of it: numbers, a sentence, the weights' hash, and what went wrong.

import { button, choice, element, icon, type Text } from "../dom";
import { shown } from "../plot";
import { newSeed, type Words } from "./controls";
import type { Session } from "./session";
import type { Settings } from "./settings";

/** Epochs a second; 0: as fast as it goes. */
const SPEEDS = [3, 10, 30, 100, 0];
const SPEED = 30;

export interface RunCard {
  root: HTMLElement;
  showState(): void;
  showNumbers(): void;
}

export interface RunCardOptions {
  words: Words;
  language: () => string;
  session: Session;
  settings: () => Settings;
  change: (settings: Settings) => void;
  /** The same settings from the start. */
  begin: (paused: boolean) => void;
}

const NONE = "–";
const percent = (share: number | undefined) => (share === undefined ? NONE : `${(100 * share).toFixed(1)}%`);

export function runCard({ words, language, session, settings, change, begin }: RunCardOptions): RunCard {
  const play = element("button", { type: "button", class: "primary play", onclick: playOrPause });
  const stepUpdate = button(
    () => words().stepUpdate,
    () => session.step("update"),
  );
  const stepEpoch = button(
    () => words().stepEpoch,
    () => session.step("epoch"),
  );
  const reset = button(
    () => words().reset,
    () => begin(true),
  );
  const seed = button(
    () => words().newSeed,
    () => change({ ...settings(), seed: newSeed(settings().seed) }),
  );
  const share = button(() => words().share, copyLink);
  const speed = choice({
    label: () => words().speed,
    options: SPEEDS.map((n) => [`${n}`, () => (n ? words().epochsASecond(n) : words().fastest)] as const),
    value: `${SPEED}`,
    onChange: (epochs) => session.ask({ type: "speed", epochs: +epochs }),
  });
  speed.root.classList.add("unlabelled");
  session.ask({ type: "speed", epochs: SPEED });

  const numbers = element("dl", { class: "numbers" });
  /** undefined: this run does not have it. */
  const number = (name: Text) => {
    const value = element("dd", {});
    const root = element("div", {}, element("dt", {}, name), value);
    numbers.append(root);
    return (text: string | undefined) => {
      root.hidden = text === undefined;
      if (text !== undefined && value.textContent !== text) value.textContent = text;
    };
  };
  const showEpoch = number(() => words().epoch);
  const showLoss = number(() => words().loss);
  const showValLoss = number(() => words().valLoss);
  const showAccuracy = number(() => words().accuracy);
  const showValAccuracy = number(() => words().valAccuracy);
  const showTestAccuracy = number(() => words().testAccuracy);
  const showAttacked = number(() => words().attackedAccuracy);
  const showRate = number(() => words().rate);

  const status = element("p", { class: "status", role: "status" });
  const trouble = element("div", { class: "trouble", role: "alert" });
  const hash = element("p", { class: "hash help" });

  function showNumbers(): void {
    const { data, position, updatesPerSecond } = session;
    const { validation, epochs, adversarial, data: kind } = settings();
    const last = session.epochs.at(-1);
    const validated = data ? data.validation.labels.length > 0 : validation > 0;
    showEpoch(`${position.epoch} / ${epochs}`);
    showLoss(shown(last?.loss));
    showValLoss(validated ? shown(last?.valLoss) : undefined);
    showAccuracy(percent(last?.accuracy));
    showValAccuracy(validated ? percent(last?.valAccuracy) : undefined);
    showTestAccuracy(kind === "digits" ? percent(last?.testAccuracy) : undefined);
    showAttacked(adversarial ? percent(last?.attackedAccuracy) : undefined);
    const rate = data ? (updatesPerSecond * data.training.labels.length) / data.updatesPerEpoch : 0;
    showRate(rate ? Math.round(+rate.toPrecision(3)).toLocaleString(language()) : NONE);
  }

  function sentence(): string {
    const { epoch } = session.position;
    const last = session.epochs.at(-1);
    const { best = 0, stop = null } = session.earlyStopping ?? {};
    switch (session.state) {
      case "finished": {
        const accuracy = percent(last?.testAccuracy ?? last?.valAccuracy ?? last?.accuracy);
        const would = stop === null ? "" : ` ${words().wouldStop(stop + 1, best + 1)}`;
        return words().finished(epoch, accuracy) + would;
      }
      case "paused":
        return words().paused(epoch);
      case "failed":
        return ""; // told below
      default:
        return words()[session.state];
    }
  }

  function showState(): void {
    const { state, rest } = session;
    const running = state === "running";
    const over = state === "finished" || state === "failed";
    play.replaceChildren(
      icon(running ? "M8 5v14M16 5v14" : "M8 5l11 7-11 7z"),
      running ? words().pause : over ? words().again : words().play,
    );
    play.disabled = state === "waiting" || state === "lost" || state === "loading";
    stepUpdate.disabled = stepEpoch.disabled = play.disabled || over;
    status.textContent = sentence();
    hash.hidden = !rest?.hash || !rest.step || running;
    hash.textContent = rest?.hash ? `${words().weightsHash}: ${rest.hash}` : "";
    trouble.hidden = state !== "failed";
    trouble.replaceChildren(...(state === "failed" ? explanation() : []));
  }

  /** What went wrong, and what helps. */
  function explanation(): HTMLElement[] {
    const { code, epoch, message } = session.failure!;
    const strong = (text: string) => element("p", {}, element("strong", {}, text));
    if (code !== "numeric")
      return [strong(code === "script" ? words().lost : words().failed), element("p", {}, message)];
    const { learningRate, clipNorm } = settings();
    const lower = Math.max(1e-5, +(learningRate / 10).toPrecision(3));
    return [
      strong(words().diverged(epoch + 1)),
      element("p", {}, words().divergedHelp),
      element(
        "div",
        { class: "buttons" },
        button(words().lowerRate(`${lower}`), () => change({ ...settings(), learningRate: lower })),
        clipNorm ? null : button(words().clip, () => change({ ...settings(), clipNorm: 1 })),
      ),
    ];
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

  const root = element(
    "section",
    { class: "card controls", "aria-label": () => words().controls },
    element("div", { class: "buttons" }, play, stepUpdate, stepEpoch, reset, seed, share, speed.root),
    numbers,
    element("div", { class: "told" }, status, trouble, hash),
  );
  return { root, showState, showNumbers };
}
