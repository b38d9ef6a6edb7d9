// What is loaded of other packages when somebody reads or writes such a file, and not before. In a module of its own: what sleeps
// in dist/downhill.js (build.asleep.js) cannot import.

/** zip.js: archives. The build without codecs of its own, which leaves these to the platform. */
export const loadZip = () =>
  import("@zip.js/zip.js/lib/zip-core-custom.js") as Promise<typeof import("@zip.js/zip.js")>;

/**
 * csv-parse: tables of text. It is larger than all the rest. This build has no need of Node's Buffer, and given bytes it does
 * not go through its own, slow one.
 */
export const loadCsvParse = () => import("csv-parse/browser/esm/sync");
