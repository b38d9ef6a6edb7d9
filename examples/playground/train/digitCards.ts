// What there is to see of digits: the test images with what the net takes them for, and a pad to draw one.

import { card, element, segments, setAttribute } from "../dom";
import type { Words } from "./controls";
import { digitPad } from "./digitPad";
import type { Data, Frame } from "./protocol";
import { testDigits } from "./testDigits";

export interface DigitCards {
  roots: [tests: HTMLElement, pad: HTMLElement];
  setData(data: Data): void;
  paint(frame: Pick<Frame, "predictions" | "digit">): void;
  showDigit(probabilities: Float32Array | null): void;
  restyle(): void;
}

export function digitCards(words: Words, draw: (pixels: Float32Array | null) => void): DigitCards {
  const digits = testDigits(() => words().testDigits);
  const mistakes = element("p", {});
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
  const pad = digitPad(words, draw);
  const tests = card(
    () => words().testDigits,
    {},
    element("div", { class: "under" }, which.root, mistakes),
    digits.root,
    element("p", { class: "help" }, () => words().digitsHelp),
  );
  return {
    roots: [tests, card(() => words().pad, { class: "pad-card" }, pad.root)],
    setData: ({ test }) => digits.setData(test),
    paint({ predictions, digit }) {
      pad.show(digit);
      if (!predictions) return;
      const text = words().mistakesOf(digits.paint(predictions), predictions.length);
      if (mistakes.textContent === text) return;
      mistakes.textContent = text;
      setAttribute(digits.root, "aria-label", text);
    },
    showDigit: pad.show,
    restyle() {
      digits.restyle();
      pad.restyle();
    },
  };
}
