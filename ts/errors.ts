// One error class; its text names who, what was expected and what came.

/** Why a call failed: see the table in the README's "Errors". */
export type ErrorCode = "argument" | "shape" | "data" | "format" | "state" | "memory" | "numeric" | "worker";

/**
 * The error of every failure that is downhill's to report. `code` tells the kind; the text names the layer or argument,
 * what was expected and what came. A bad call changes nothing.
 */
export class DownhillError extends Error {
  /** The kind of failure. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DownhillError";
    this.code = code;
  }
}

/** A value as it would be written: `-1`, `NaN`, `"half"`, `[8, 4]`, `a function`. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") {
    const { name, config, definition } = value as typeof value & Record<"config" | "definition", { type?: string }>;
    if (definition?.type) return `a factory; call it: ${definition.type}()`;
    return config?.type ? `${config.type}()` : name ? `the function ${name}` : "a function";
  }
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) {
    const items = value.slice(0, 8).map(show).join(", ");
    return value.length > 8 ? `[${items}, …] (${value.length} items)` : `[${items}]`;
  }
  if (ArrayBuffer.isView(value))
    return `a ${value.constructor.name} of ${(value as Uint8Array).length ?? value.byteLength}`;
  const type = (value as { type?: unknown }).type;
  if (typeof type === "string") return `${type}()`;
  // the tag first: what sleeps in a bundle has classes with other names (build.asleep.js), generators have none
  const name = (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] || value.constructor?.name;
  return typeof name === "string" && name !== "Object"
    ? `a ${name}`
    : `an object with keys ${show(Object.keys(value))}`;
}

/** `who: expected …, got …`. */
export const wrong = (code: ErrorCode, who: string, expected: string, got: unknown): DownhillError =>
  new DownhillError(code, `${who}: expected ${expected}, got ${got}`);

/** The same of an argument, shown as it would be written. */
export const argumentError = (who: string, expected: string, got: unknown): DownhillError =>
  wrong("argument", who, expected, show(got));

const list = (sizes: string | readonly unknown[]) => (typeof sizes === "string" ? sizes : `[${sizes.join(", ")}]`);

/** A wrong shape: prints both as `[8, 4]`. */
export const shapeError = (
  who: string,
  what: string,
  expected: string | readonly unknown[],
  got: string | readonly unknown[],
) => wrong("shape", who, `${what} of shape ${list(expected)}`, list(got));
