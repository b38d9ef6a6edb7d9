import { readFile, writeFileAtomic } from "#platform";
import type { DownhillError } from "../errors";
import { boolean, type Field, or, text } from "../options";
import { type Built, factory } from "../registry";
import type { CallbackDefinition } from "../training/callbacks";
import type { Logs } from "../training/logs";

/** Options of `csvLogger`. */
export interface CsvLoggerOptions {
  /** The file. */
  path: string;
  /** Lines go behind those that the file has, under its own columns. Default false: the file begins anew. */
  append?: boolean;
  /** One character between fields. Default `","`. */
  separator?: string;
}

const separatorField: Field<string> = {
  expected: "one character that is no quotation mark, letter, digit, point, sign or line break",
  accepts: (v) => typeof v === "string" && /^[^\p{L}\p{N}".+\-\r\n]$/u.test(v),
};

/**
 * Writes a line an epoch: the epoch's number, from 0, and its logs. The columns are those of the first epoch (of a file that
 * is appended to, its own); what a later epoch lacks is empty, what it has beside them is left out. Numbers are
 * written so that reading them gives them back exactly. After each epoch the file is replaced as a whole: whenever the
 * process dies, it holds whole lines.
 *
 * @example model.fit(data, { epochs: 20, callbacks: [csvLogger({ path: "run.csv" })] })
 * @throws DownhillError `argument`; in `fit` `data` where the file cannot be read or written
 */
export const csvLogger: (options: CsvLoggerOptions) => Built = /* @__PURE__ */ factory<
  [options: CsvLoggerOptions],
  CallbackDefinition<Required<CsvLoggerOptions>>
>("callback", {
  type: "csvLogger",
  options: () => ({ path: text(), append: or(boolean(), false), separator: or(separatorField, ",") }),
  create({ path, append, separator }) {
    let content = "";
    let columns: string[] = [];
    const field = (value: unknown) => {
      const written = value === undefined ? "" : String(value);
      return written.includes(separator) || /["\r\n]/.test(written) ? `"${written.replaceAll('"', '""')}"` : written;
    };
    const add = (values: readonly unknown[]) => {
      content += `${values.map(field).join(separator)}\n`;
    };
    return {
      async onTrainBegin() {
        if (!append) return;
        content = new TextDecoder().decode(await existing(path));
        if (!content) return;
        if (!content.endsWith("\n")) content += "\n";
        columns = fields(content, separator);
      },
      async onEpochEnd(epoch: number, logs: Logs) {
        if (!columns.length) {
          columns = ["epoch", ...Object.keys(logs)];
          add(columns);
        }
        const values: Record<string, number> = { epoch, ...logs };
        add(columns.map((name) => (Object.hasOwn(values, name) ? values[name] : undefined)));
        await writeFileAtomic(path, new TextEncoder().encode(content));
      },
    };
  },
});

/** The file's bytes; none where there is no file. */
async function existing(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((((error as DownhillError).cause ?? {}) as { code?: string }).code === "ENOENT") return new Uint8Array();
    throw error;
  }
}

/** The fields of the first line. */
function fields(text: string, separator: string): string[] {
  const found: string[] = [];
  let at = 0;
  for (;;) {
    const quoted = text[at] === '"' ? /^"((?:[^"]|"")*)"/.exec(text.slice(at)) : null;
    const plain = quoted ? quoted[0] : /^[^\r\n]*/.exec(text.slice(at))![0].split(separator)[0]!;
    found.push(quoted ? quoted[1]!.replaceAll('""', '"') : plain);
    at += plain.length;
    if (text[at] !== separator) return found;
    at++;
  }
}
