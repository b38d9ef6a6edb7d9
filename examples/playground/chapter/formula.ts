// Formulas: a little of TeX into MathML, which browsers draw by themselves and screen readers read.
//
//   x_i  x^2  x_{ij}^k   indices and powers, of a letter or of {…}
//   \frac{a}{b}  \sqrt{a}  \hat{x}  \bar{x}  \tilde{x}
//   \log  \text{data}    names upright
//
// Letters are names of one letter, digits a number, all else is an operator; blanks part tokens.

const ACCENTS: Record<string, string> = { hat: "^", bar: "¯", tilde: "~" };

/** The formula as MathML. */
export function mathml(tex: string): string {
  let at = 0;
  const tokens = tex.match(/\\[a-z]+|[\d.]+|\S/g) ?? [];
  const texts = [...tex.matchAll(/\\text\{([^}]*)\}/g)].map(([, text]) => text!);
  const escaped = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

  /** What stands between braces. */
  const group = (): string => {
    if (tokens[at] !== "{") return atom();
    at++;
    const inner = row("}");
    at++;
    return inner;
  };
  const atom = (): string => {
    const token = tokens[at++] ?? "";
    if (token === "{") {
      at--;
      return group();
    }
    if (token === "\\frac") return `<mfrac>${group()}${group()}</mfrac>`;
    if (token === "\\sqrt") return `<msqrt>${group()}</msqrt>`;
    if (token === "\\text") {
      while (tokens[at++] !== "}"); // as it was written, blanks too
      return `<mtext>${escaped(texts.shift()!)}</mtext>`;
    }
    const name = token.slice(1);
    if (ACCENTS[name] && token[0] === "\\")
      return `<mover accent="true">${group()}<mo stretchy="false">${ACCENTS[name]}</mo></mover>`;
    if (token[0] === "\\") return `<mi>${name}</mi>`;
    if (/^[\d.]*\d[\d.]*$/.test(token)) return `<mn>${token}</mn>`;
    if (/^\p{L}$/u.test(token) && token !== "Σ") return `<mi>${token}</mi>`;
    const bar = /[|‖]/.test(token) ? ' lspace="0" rspace="0"' : "";
    return `<mo stretchy="false"${bar}>${escaped(token)}</mo>`;
  };
  const row = (end?: string): string => {
    let out = "";
    let count = 0;
    while (at < tokens.length && tokens[at] !== end) {
      const base = atom();
      const marks: Record<string, string> = {};
      while (tokens[at] === "_" || tokens[at] === "^") marks[tokens[at++]!] = group();
      const { _: below, "^": above } = marks;
      if (below && above) out += `<msubsup>${base}${below}${above}</msubsup>`;
      else if (below) out += `<msub>${base}${below}</msub>`;
      else out += above ? `<msup>${base}${above}</msup>` : base;
      count++;
    }
    return count === 1 ? out : `<mrow>${out}</mrow>`;
  };
  return `<math displaystyle="true">${row()}</math>`;
}
