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
  JSX,
  KindRouter,
  Logger,
  LogLevel,
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
    if (reflection.name === "[dispose]") reflection.name = "[Symbol.dispose]";
  for (const document of project.documents ?? []) {
    documentPages.set(document, document.name.replace("docs/", ""));
    const [line, title] = /^# (.*)\n/.exec(document.content[0].text);
    document.name = title;
    document.frontmatter = { category: "Pages" };
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
  pages: ["docs/*.md"],
};

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
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, arrange, 1000);
  const project = await app.convert();
  if (project) {
    // a tag would count as documentation
    for (const { comment } of Object.values(project.reflections)) comment?.removeTags("@category");
    app.validate(project);
    await app.generateDocs(project, out);
  }
  return logger.found;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const complaints = await buildReference(process.argv[2] ?? `${root}build/site/reference`);
  for (const complaint of complaints) console.error(complaint);
  process.exitCode = complaints.length ? 1 : 0;
}
