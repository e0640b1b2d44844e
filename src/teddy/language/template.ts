/**
 * @file Templates of text: `[a|b]` chooses, `{slot}` is filled, and one parse serves both the generator, which expands
 * it, and the judge, which compiles it into its graph of sentences.
 */

export type TemplateNode =
  | { kind: "text"; text: string }
  | { kind: "slot"; slot: string }
  | { kind: "choice"; choices: TemplateNode[] }
  | { kind: "sequence"; parts: TemplateNode[] };

/** What fills slots, by name. A capitalised slot name (`{Bear}`) asks for the same value with a capital. */
export type Slots = Readonly<Record<string, string>>;

const parsed = new Map<string, TemplateNode>();

/** The parse of a template, made once. The inventories are finite, so the cache is. */
export function parseTemplate(source: string): TemplateNode {
  let node = parsed.get(source);
  if (node === undefined) {
    const { node: whole, end } = parseChoices(source, 0);
    if (end !== source.length) throw new SyntaxError(`The template has a bracket too many at ${end}: ${source}`);
    node = whole;
    parsed.set(source, node);
  }
  return node;
}

/** Alternatives up to the end of the template or the bracket that closes them. */
function parseChoices(source: string, start: number): { node: TemplateNode; end: number } {
  const choices: TemplateNode[] = [];
  let parts: TemplateNode[] = [];
  let at = start;
  while (at < source.length) {
    const next = /[[\]|{]/.exec(source.slice(at));
    const until = next === null ? source.length : at + next.index;
    if (until > at) parts.push({ kind: "text", text: source.slice(at, until) });
    at = until;
    if (next === null) break;
    if (next[0] === "]") break;
    if (next[0] === "|") {
      choices.push(sequence(parts));
      parts = [];
      at++;
    } else if (next[0] === "[") {
      const inner = parseChoices(source, at + 1);
      if (source[inner.end] !== "]") throw new SyntaxError(`The template lacks a closing bracket: ${source}`);
      parts.push(inner.node);
      at = inner.end + 1;
    } else {
      const close = source.indexOf("}", at);
      if (close < 0) throw new SyntaxError(`The template lacks a closing brace: ${source}`);
      parts.push({ kind: "slot", slot: source.slice(at + 1, close) });
      at = close + 1;
    }
  }
  choices.push(sequence(parts));
  return { node: choices.length === 1 ? choices[0]! : { kind: "choice", choices }, end: at };
}

function sequence(parts: TemplateNode[]): TemplateNode {
  return parts.length === 1 ? parts[0]! : { kind: "sequence", parts };
}

/** Chooses among alternatives: an integer in [0, count). */
export type Choose = (count: number) => number;

/** One expansion of a template. @throws RangeError for a slot without a value. */
export function expandTemplate(source: string, slots: Slots, choose: Choose): string {
  return tidy(expandNode(parseTemplate(source), slots, choose));
}

function expandNode(node: TemplateNode, slots: Slots, choose: Choose): string {
  if (node.kind === "text") return node.text;
  if (node.kind === "slot") return fill(node.slot, slots);
  if (node.kind === "choice") return expandNode(node.choices[choose(node.choices.length)]!, slots, choose);
  return node.parts.map((part) => expandNode(part, slots, choose)).join("");
}

function fill(slot: string, slots: Slots): string {
  const value = slots[slot];
  if (value !== undefined) return value;
  const lower = slots[slot.charAt(0).toLowerCase() + slot.slice(1)];
  if (lower === undefined) throw new RangeError(`The template asks for a slot {${slot}} that nothing fills.`);
  return capitalised(lower);
}

/**
 * Alternatives may be empty, which leaves doubled spaces and spaces before punctuation; and the article follows what
 * was chosen.
 */
function tidy(text: string): string {
  return text
    .replaceAll(/ {2,}/g, " ")
    .replaceAll(/ (?=[.,;:?!])/g, "")
    .replaceAll(/\b([Aa]) (?=[aeio](?!ne\b))/g, "$1n ")
    .trim();
}

export function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** How many ways a template can be expanded, slots apart. */
export function countExpansions(source: string): number {
  return countNode(parseTemplate(source));
}

function countNode(node: TemplateNode): number {
  if (node.kind === "choice") return node.choices.reduce((sum, choice) => sum + countNode(choice), 0);
  if (node.kind === "sequence") return node.parts.reduce((product, part) => product * countNode(part), 1);
  return 1;
}
