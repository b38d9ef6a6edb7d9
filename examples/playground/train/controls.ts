// The controls of all settings, made of FIELDS.

import { button, type Control, choice, element, group, numberBox, segments, slider, type Text, toggle } from "../dom";
import type { trainText } from "../text/train";
import { layersEditor } from "./layersEditor";
import { DATA, defaults, FIELDS, type Field, layersText, type Settings, withData } from "./settings";
import { thumbnail } from "./thumbnails";

export type Words = () => (typeof trainText)["en"];

export interface Controls {
  /** What data to train on. */
  picker: HTMLElement;
  groups: HTMLElement[];
  /** Shows the settings, and only what has an effect on them. */
  show(settings: Settings): void;
}

const GROUPS = ["data", "network", "regularization", "training"] as const;
/** Shown elsewhere than among the others. */
const APART = ["data", "points"];
const SHARES = ["labelNoise", "validation", "dropout", "labelSmoothing"];

export function controls(words: Words, language: () => string, change: (settings: Settings) => void): Controls {
  let settings = defaults();
  const set = (name: string, value: unknown) => change({ ...settings, [name]: value });
  const names = (Object.keys(FIELDS) as (keyof Settings)[]).filter((name) => !APART.includes(name));

  /** A value as it is read, in a control or in a heading. */
  function written(name: keyof Settings, value: unknown): string {
    const field: Field = FIELDS[name];
    if (name === "layers") {
      const layers = value as Settings["layers"];
      return layers.length ? layersText(layers).replaceAll("-", " – ") : words().options["none"]!;
    }
    if (field.kind === "choice") return optionText(name, value as string);
    if (value === "full" || value === Number.POSITIVE_INFINITY) return words().full;
    if (value === 0 && field.kind === "number" && field.stops[0] === 0 && field.group !== "data") return words().off;
    if (SHARES.includes(name)) return `${+(100 * (value as number)).toFixed(1)}%`;
    return typeof value === "number" ? value.toLocaleString(language(), { maximumSignificantDigits: 10 }) : "";
  }
  const optionText = (name: string, option: string) =>
    words().options[`${name}.${option}`] ?? words().options[option] ?? option;

  const layers = layersEditor(words, (to) => set("layers", to));

  function control(name: keyof Settings): Control<unknown> {
    const field: Field = FIELDS[name];
    const label: Text = () => words().fields[name][0];
    const help: Text = () => words().fields[name][1];
    const common = { label, help, onChange: (value: unknown) => set(name, value) };
    switch (field.kind) {
      case "choice": {
        const options = field.options.map((option) => [option, () => optionText(name, option)] as const);
        return choice({ ...common, options, value: settings[name] as string }) as Control<unknown>;
      }
      case "switch":
        return toggle({ ...common, value: settings[name] as boolean }) as Control<unknown>;
      case "layers":
        return layers as Control<unknown>;
      case "points":
        throw new Error("points are set on the plane");
      case "number": {
        const [min = 0, max = 0] = field.stops;
        if (name === "seed") {
          const box = numberBox({ ...common, min, max, value: settings.seed });
          box.root.append(
            button(
              () => words().newSeed,
              () => set(name, newSeed(settings.seed)),
              { class: "new-seed" },
            ),
          );
          return box as Control<unknown>;
        }
        const values = field.full ? [...field.stops, Number.POSITIVE_INFINITY] : field.stops;
        const made = slider({
          ...common,
          values,
          value: 0,
          show: (value) => written(name, value),
          onChange: (value) => set(name, Number.isFinite(value) ? value : "full"),
        });
        return {
          root: made.root,
          set: (value) => made.set(value === "full" ? Number.POSITIVE_INFINITY : (value as number)),
        };
      }
    }
  }

  const made = new Map(names.map((name) => [name, control(name)]));
  const changes = new Map(GROUPS.map((of) => [of, element("span", { class: "changes" })]));
  const groups = GROUPS.map((of) => {
    const fields = names.filter((name) => FIELDS[name].group === of).map((name) => made.get(name)!.root);
    const root = group(() => words().groups[of], of === "network", ...fields);
    root.firstElementChild!.append(changes.get(of)!);
    return root;
  });
  const data = segments({
    label: () => words().fields.data[0],
    options: DATA.map((of) => [of, () => words().data[of]] as const),
    value: settings.data,
    draw: thumbnail,
    onChange: (of) => change(withData(settings, of)),
  });
  data.root.classList.add("picker");

  return {
    picker: data.root,
    groups,
    show(to) {
      settings = to;
      data.set(to.data);
      layers.showImages(to.data === "digits");
      const own = defaults(to.data);
      for (const name of names) {
        made.get(name)!.set(to[name]);
        made.get(name)!.root.hidden = FIELDS[name].applies?.(to) === false;
      }
      for (const of of GROUPS) {
        const changed = names.filter(
          (name) => FIELDS[name].group === of && name !== "seed" && (name === "layers" || isOther(to[name], own[name])),
        );
        changes.get(of)!.textContent = changed
          .filter((name) => FIELDS[name].applies?.(to) !== false)
          .map((name) => `${name === "layers" ? "" : words().fields[name][0]} ${written(name, to[name])}`.trim())
          .join(", ");
      }
    },
  };
}

const isOther = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);

/** A seed to try next: the one after, so that they can be told and come again. */
export const newSeed = (seed: number): number => (seed + 1) % 2 ** 31;
