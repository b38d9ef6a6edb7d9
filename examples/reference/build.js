// The API reference, written from the docstrings by TypeDoc: the public names by family, the README in front, the pages under docs/
// beside them. All links in it are relative, and it loads nothing from elsewhere.
//
//   node examples/reference/build.js [folder]     build/site/reference; ends with 1 where there is anything to complain of

import {
  Application,
  Comment,
  CommentTag,
  Context,
  Converter,
  IndexEvent,
  JSX,
  KindRouter,
  Logger,
  LogLevel,
  PageEvent,
  ReferenceReflection,
  ReflectionKind,
} from "typedoc";

const root = new URL("../../", import.meta.url).pathname;

/** The modules of package.json's `exports` that have names of their own. */
const MODULES = {
  "ts/index": "downhill",
  "ts/random": "downhill/random",
  "ts/worker/inWorker": "downhill/worker",
  "ts/landscapes": "downhill/landscapes",
};

/** The families, in the order in which they stand, with the folders and files under ts/ that make them up; the longest that fits counts. */
const FAMILIES = {
  Models: ["training"],
  Layers: ["layers"],
  Losses: ["losses"],
  Metrics: ["metrics"],
  Optimizers: ["optimizers"],
  "Learning rates": ["schedules"],
  Initializers: ["initializers"],
  Regularizers: ["regularizers", "training/tied", "training/prune"],
  Constraints: ["constraints"],
  Augmentation: ["augment"],
  "Adversarial training": ["adversarial"],
  Ensembles: ["ensembles", "training/averagedWeights"],
  Callbacks: ["callbacks", "training/callbacks"],
  Data: ["data"],
  Files: ["formats"],
  Diagnostics: ["diagnostics", "training/profile", "training/explain"],
  "Your own layers, losses, metrics": ["custom"],
  Workers: ["worker"],
  Runtime: ["runtime"],
  Landscapes: ["landscapes"],
  "Values and errors": [""],
};

const homes = Object.entries(FAMILIES)
  .flatMap(([family, paths]) => paths.map((path) => [path, family]))
  .sort(([a], [b]) => b.length - a.length);

const familyOf = (file) => homes.find(([path]) => file.startsWith(`ts/${path}`))?.[1] ?? "Other";

/** Keeps what it is told. */
class Complaints extends Logger {
  level = LogLevel.Warn;
  found = [];

  log(text, level) {
    if (level >= LogLevel.Warn) this.found.push(text);
  }
}

/** A factory, `const dense: (units: number) => Layer`, is a function to who calls it. */
function factoriesAsFunctions() {
  const { getComment } = Context.prototype;
  Context.prototype.getComment = function (symbol, kind) {
    const comment = getComment.call(this, symbol, kind);
    if (kind === ReflectionKind.Variable) comment?.modifierTags.add("@function");
    return comment;
  };
}

/** The file of each of the pages under docs/, without its extension. */
const documentPages = new Map();

/** functions/dense.html, docs/dropout.html: addresses that stay, whatever a page is titled. */
class Addresses extends KindRouter {
  getIdealBaseName(reflection) {
    const page = documentPages.get(reflection);
    return page ? `docs/${page}` : super.getIdealBaseName(reflection).replace("/downhill.", "/");
  }
}

/** As if its docstring had the tag. */
function putInto(category, reflection) {
  reflection.comment ??= new Comment();
  reflection.comment.blockTags.push(new CommentTag("@category", [{ kind: "text", text: category }]));
}

const DISPOSE = "dispose "; // so it stands behind `dispose`; its name is [Symbol.dispose]

/** Modules have the names by which they are imported, exports the family of their file. */
function arrange({ project }) {
  for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
    module.name = MODULES[module.name === "ts" ? "ts/index" : module.name] ?? module.name;
    putInto("API", module);
    for (const child of module.children ?? []) {
      const of = child instanceof ReferenceReflection ? child.getTargetReflectionDeep() : child;
      const symbol = project.getSymbolIdFromReflection(of);
      putInto(familyOf(symbol.fileName.replace(root, "")), child);
    }
  }
  for (const reflection of Object.values(project.reflections))
    if (reflection.name === "[dispose]") reflection.name = DISPOSE;
  for (const document of project.documents ?? []) {
    const [, folder, file] = /([^/]+)\/([^/]+)$/.exec(document.name);
    documentPages.set(document, file === "README" ? folder : file);
    const [line, title] = /^# (.*)\n/.exec(document.content[0].text);
    document.name = title;
    document.frontmatter = { category: "Pages" };
    document.relevanceBoost = 4; // or names would leave none among the ten that a search shows
    document.content[0].text = document.content[0].text.slice(line.length);
  }
}

/** `#train?…` in a document is a run of the playground, to follow. */
function runsAsLinks(markdown) {
  const { code_inline: code } = markdown.renderer.rules;
  markdown.renderer.rules.code_inline = (tokens, i, ...rest) => {
    const { content } = tokens[i];
    const shown = code(tokens, i, ...rest);
    if (!/^#(train|descend|chapter)\b/.test(content)) return shown;
    return `<a href="../../playground/index.html${markdown.utils.escapeHtml(content)}">${shown}</a>`;
  };
}

/** What is written of a name, or on a page; what is inherited is written elsewhere. */
function textOf(reflection) {
  if (reflection.isDocument()) return reflection.content;
  if (reflection.inheritedFrom) return [];
  const { signatures = [], getSignature, setSignature } = reflection;
  const comments = [reflection, ...signatures, getSignature, setSignature].map((of) => of?.comment);
  return comments.flatMap((comment) => [
    ...(comment?.summary ?? []),
    ...(comment?.blockTags ?? []).flatMap((tag) => tag.content),
  ]);
}

/** The index for the search has, beside names, the words of docstrings and pages, each once, without code: TypeDoc's own has twice the size. */
function indexWords({ searchResults, searchFields, searchFieldWeights }) {
  searchFieldWeights.words = 1;
  for (const [i, reflection] of searchResults.entries()) {
    const text = textOf(reflection)
      .map((part) => part.text)
      .join("\n");
    const prose = text.replaceAll(/^ *```.*?^ *```$/gms, "").toLowerCase();
    const words = new Set(prose.match(/[\p{L}\p{N}]{3,}/gu));
    const longer = [...words].join(" "); // a search finds parts of words: "layers" stands for "layer"
    const kept = [...words].filter(
      (word) => !COMMON_WORDS.has(word) && longer.indexOf(word) === longer.lastIndexOf(word),
    );
    searchFields[i] = { words: kept.join(" ") };
  }
}

/** What is said once for several signatures of a function, as TypeDoc has it, stands at the first. */
function withoutRepetition({ signatures = [] }) {
  const said = new Set();
  for (const { comment } of signatures) {
    if (!comment) continue;
    const text = Comment.combineDisplayParts(comment.summary);
    if (said.has(text)) comment.summary = [];
    said.add(text);
  }
}

/** The way back to the site's other pages, above the names. */
function siteLinks(context) {
  const link = (name, page) => JSX.createElement("a", { href: context.relativeURL(`../${page}`, false) }, name);
  return JSX.createElement(
    "nav",
    { class: "site", "aria-label": "Site" },
    link("Playground", "playground/index.html"),
    link("Benchmark", "benchmark/index.html"),
  );
}

/** What the reference is of. */
const PACKAGE = {
  files: Object.keys(MODULES),
  tsconfig: "tsconfig.types.json",
  pages: ["docs/*.md", "examples/service/README.md"],
};

/** Nobody looks for them. */
const COMMON_WORDS = new Set(
  "all and are been but can does each else first for from goes has have how into its last many may more nor not nothing one only other others over own same see such than that the their them then there these they this those too two was what when where whether which who will with without".split(
    " ",
  ),
);

/** Writes the reference into a folder. Returns what there is to complain of: names without documentation, broken links, … */
export async function buildReference(out, { files, tsconfig, pages } = PACKAGE) {
  const logger = new Complaints();
  factoriesAsFunctions();
  const options = {
    name: "downhill",
    tsconfig: root + tsconfig,
    basePath: root,
    entryPoints: files.map((file) => `${root}${file}.ts`),
    sortEntryPoints: false,
    router: "addresses",
    readme: `${root}README.md`,
    projectDocuments: pages.map((page) => root + page),
    skipErrorChecking: true, // tsc -p . does that
    disableSources: true,
    categoryOrder: ["API", "Pages", ...Object.keys(FAMILIES)],
    includeHierarchySummary: false,
    navigation: { includeCategories: true },
    sort: ["documents-last", "alphabetical"],
    headings: { readme: false, document: true }, // the README has its own
    customCss: new URL("style.css", import.meta.url).pathname,
    validation: { notExported: true, invalidLink: true, invalidPath: true, rewrittenLink: true, notDocumented: true },
    favicon: `${root}examples/icon.svg`,
    hideGenerator: true,
    markdownItLoader: runsAsLinks,
    cleanOutputDir: true,
  };
  const app = await Application.bootstrap(options);
  app.logger = logger;
  app.renderer.defineRouter("addresses", Addresses);
  app.renderer.hooks.on("sidebar.begin", siteLinks);
  app.renderer.on(IndexEvent.PREPARE_INDEX, indexWords);
  app.renderer.on(PageEvent.END, (page) => {
    page.contents = page.contents?.replaceAll("&quot;[Symbol.dispose]&quot;", "[Symbol.dispose]"); // a name that is none in quotes
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, arrange, 1000);
  const project = await app.convert();
  if (project) {
    // a tag would count as documentation
    for (const { comment } of Object.values(project.reflections)) comment?.removeTags("@category");
    app.validate(project);
    for (const reflection of Object.values(project.reflections)) {
      if (reflection.name === DISPOSE) reflection.name = "[Symbol.dispose]";
      withoutRepetition(reflection);
    }
    await app.generateDocs(project, out);
  }
  return logger.found;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const complaints = await buildReference(process.argv[2] ?? `${root}build/site/reference`);
  for (const complaint of complaints) console.error(complaint);
  process.exitCode = complaints.length ? 1 : 0;
}
