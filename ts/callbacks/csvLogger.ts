import { readFile, writeFileAtomic } from "#platform";
import { sayWho } from "../data/files";
import { type DownhillError, show, wrong } from "../errors";
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
 * @throws DownhillError `argument`; in `fit` `data` where the file cannot be read or written, `format` where one that is
 * appended to has no column `epoch`
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
        columns = fields(content, separator);
        if (!columns.includes("epoch"))
          throw wrong(
            "format",
            `csvLogger: ${path}`,
            'a file whose first line names "epoch", to append to',
            show(columns),
          );
        if (!content.endsWith("\n")) content += "\n";
      },
      async onEpochEnd(epoch: number, logs: Logs) {
        if (!columns.length) {
          columns = ["epoch", ...Object.keys(logs)];
          add(columns);
        }
        const values: Record<string, number> = { epoch, ...logs };
        add(columns.map((name) => (Object.hasOwn(values, name) ? values[name] : undefined)));
        await sayWho("csvLogger", writeFileAtomic(path, new TextEncoder().encode(content)));
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

/** The fields of the first line; one within quotation marks may hold line breaks. */
function fields(text: string, separator: string): string[] {
  const found: string[] = [];
  const ends = (at: number) => at >= text.length || /[\r\n]/.test(text[at]!) || text.startsWith(separator, at);
  for (let at = 0; ; at += separator.length) {
    const from = at;
    if (text[at] === '"') {
      do at = text.indexOf('"', at + 1) + 1 || text.length;
      while (text[at] === '"'); // doubled
      found.push(text.slice(from + 1, at - 1).replaceAll('""', '"'));
    } else {
      while (!ends(at)) at++;
      found.push(text.slice(from, at));
    }
    if (!text.startsWith(separator, at)) return found;
  }
}
