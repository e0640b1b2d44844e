/**
 * @file Regular expressions of model files, matched by backtracking in a counted number of steps: the engine of
 * JavaScript has no limit, and a pattern such as `(a+)+$` keeps it busy for hours over forty letters.
 */

import { RegExpParser, type AST } from "@eslint-community/regexpp";
import { invalidTokenizer } from "./tokenizer-fields.ts";

/** Steps that a text may take, and for each of its characters: patterns of models in use take some 50 a character. */
const [baseSteps, stepsOfCharacter] = [4_000_000, 256];

/** Instructions of a program: `a{1000}{1000}` would have a million. */
const maxInstructions = 20_000;

/** Code points whose membership in a class is kept: those of 16 bits. */
const keptCodePoints = 0x10000;

/**
 * One step of matching. `save` notes the place of a group's border or of a loop's turn; `moved` fails where the turn
 * has read nothing; `look` runs the instructions up to `end` on the side.
 */
type Instruction =
  | { op: "read"; has: (codePoint: number) => boolean; backward: boolean }
  | { op: "fork"; first: number; second: number }
  | { op: "go"; to: number }
  | { op: "save"; slot: number }
  | { op: "moved"; slot: number }
  | { op: "repeat"; slot: number; backward: boolean }
  | { op: "look"; end: number; negate: boolean }
  | { op: "edge"; kind: "start" | "end" }
  | { op: "end" };

export class CountedPattern {
  readonly #program: readonly Instruction[];
  readonly #slots: number;
  readonly #field: string;

  /**
   * @param pattern as JavaScript would compile it, with flag u
   * @param field where it stands in tokenizer.json
   * @throws BonsaiError `invalid_tokenizer` for what cannot be matched here
   */
  constructor(pattern: RegExp, field: string) {
    this.#field = field;
    const compiler = new Compiler(pattern, field);
    this.#program = compiler.program;
    this.#slots = compiler.slots;
  }

  /**
   * The matches from left to right, empty ones left out.
   * @throws BonsaiError `invalid_tokenizer` where they take too many steps
   */
  *matchAll(text: string): Generator<{ 0: string; index: number }> {
    const run = new Run(this.#program, this.#slots, text, this.#field);
    for (let index = 0; index < text.length;) {
      const end = run.from(0, index);
      if (end > index) {
        yield { 0: text.slice(index, end), index };
        index = end;
      } else index += text.codePointAt(index)! > 0xffff ? 2 : 1;
    }
  }
}

/** A pattern that is sought everywhere in a text: of JavaScript, with flag g, or of a model file. */
export type Pattern = RegExp | CountedPattern;

/** The matches from left to right. */
export function allMatches(text: string, pattern: Pattern): Iterable<{ 0: string; index: number }> {
  return pattern instanceof RegExp ? text.matchAll(pattern) : pattern.matchAll(text);
}

/** Matching of one text. */
class Run {
  readonly #program: readonly Instruction[];
  readonly #text: string;
  readonly #field: string;
  readonly #slots: Int32Array;
  readonly #most: number;
  #left: number;

  constructor(program: readonly Instruction[], slots: number, text: string, field: string) {
    this.#program = program;
    this.#text = text;
    this.#field = field;
    this.#slots = new Int32Array(slots).fill(-1);
    this.#most = this.#left = baseSteps + stepsOfCharacter * text.length;
  }

  /** Where the match ends that the instruction `start` begins at offset `from`, or -1 for none. */
  from(start: number, from: number): number {
    const text = this.#text;
    const slots = this.#slots;
    /** Where to go on after a failure: pairs of an instruction and an offset, or of ~slot and its earlier value. */
    const choices: number[] = [];
    let next = start;
    let at = from;
    for (;;) {
      if (--this.#left < 0)
        throw invalidTokenizer(this.#field, `takes more than ${this.#most} steps on a text of ${text.length} characters`);
      const instruction = this.#program[next]!;
      let matches = true;
      switch (instruction.op) {
        case "read": {
          const length = instruction.backward ? lengthBefore(text, at) : lengthAt(text, at);
          const first = instruction.backward ? at - length : at;
          matches = length > 0 && instruction.has(text.codePointAt(first)!);
          at += instruction.backward ? -length : length;
          next++;
          break;
        }
        case "fork":
          choices.push(instruction.second, at);
          next = instruction.first;
          break;
        case "go":
          next = instruction.to;
          break;
        case "save":
          choices.push(~instruction.slot, slots[instruction.slot]!);
          slots[instruction.slot] = at;
          next++;
          break;
        case "moved":
          matches = slots[instruction.slot] !== at;
          next++;
          break;
        case "repeat": {
          const [one, other] = [slots[instruction.slot]!, slots[instruction.slot + 1]!];
          const group = one < 0 || other < 0 ? "" : text.slice(Math.min(one, other), Math.max(one, other));
          const first = instruction.backward ? at - group.length : at;
          matches = first >= 0 && text.startsWith(group, first);
          at = instruction.backward ? first : at + group.length;
          this.#left -= group.length;
          next++;
          break;
        }
        case "look":
          // What it saves stays: a group inside is repeated right after it, if at all.
          matches = this.from(next + 1, at) >= 0 !== instruction.negate;
          next = instruction.end;
          break;
        case "edge":
          matches = at === (instruction.kind === "start" ? 0 : text.length);
          next++;
          break;
        case "end":
          return at;
        default:
          return instruction satisfies never;
      }
      while (!matches) {
        const value = choices.pop();
        if (value === undefined) return -1;
        const choice = choices.pop()!;
        if (choice < 0) slots[~choice] = value;
        else {
          next = choice;
          at = value;
          matches = true;
        }
      }
    }
  }
}

/** UTF-16 units of the character at an offset, 0 at the end. */
function lengthAt(text: string, at: number): number {
  return at >= text.length ? 0 : text.codePointAt(at)! > 0xffff ? 2 : 1;
}

/** UTF-16 units of the character before an offset, 0 at the beginning. */
function lengthBefore(text: string, at: number): number {
  return at <= 0 ? 0 : at > 1 && text.codePointAt(at - 2)! > 0xffff ? 2 : 1;
}

class Compiler {
  readonly program: Instruction[] = [];
  slots = 0;
  readonly #pattern: RegExp;
  readonly #field: string;
  readonly #groups = new Map<AST.CapturingGroup, number>();
  readonly #classes = new Map<string, (codePoint: number) => boolean>();

  constructor(pattern: RegExp, field: string) {
    this.#pattern = pattern;
    this.#field = field;
    this.#alternatives(new RegExpParser().parsePattern(pattern.source, 0, undefined, { unicode: true }).alternatives, false);
    this.#add({ op: "end" });
  }

  #add<Added extends Instruction>(instruction: Added): Added {
    if (this.program.length >= maxInstructions) throw invalidTokenizer(this.#field, `has more than ${maxInstructions} parts`);
    this.program.push(instruction);
    return instruction;
  }

  /** @param backward whether they are matched from their end to their beginning, as behind the text's offset */
  #alternatives(alternatives: readonly AST.Alternative[], backward: boolean): void {
    const exits: { to: number }[] = [];
    for (const [index, { elements }] of alternatives.entries()) {
      const isLast = index === alternatives.length - 1;
      const fork = isLast ? undefined : this.#add({ op: "fork", first: this.program.length + 1, second: 0 });
      for (const element of backward ? elements.toReversed() : elements) this.#element(element, backward);
      if (fork === undefined) continue;
      exits.push(this.#add({ op: "go", to: 0 }));
      fork.second = this.program.length;
    }
    for (const exit of exits) exit.to = this.program.length;
  }

  #element(element: AST.Element, backward: boolean): void {
    switch (element.type) {
      case "Character":
      case "CharacterSet":
      case "CharacterClass":
        this.#add({ op: "read", has: this.#classOf(element.raw), backward });
        return;
      case "Group":
        return this.#alternatives(element.alternatives, backward);
      case "CapturingGroup": {
        const slot = this.#slotsOf(element);
        this.#add({ op: "save", slot });
        this.#alternatives(element.alternatives, backward);
        this.#add({ op: "save", slot: slot + 1 });
        return;
      }
      case "Backreference":
        if (Array.isArray(element.resolved)) break;
        this.#add({ op: "repeat", slot: this.#slotsOf(element.resolved), backward });
        return;
      case "Quantifier":
        return this.#quantifier(element, backward);
      case "Assertion":
        if (element.kind === "word") break;
        if (element.kind === "lookahead" || element.kind === "lookbehind") {
          const look = this.#add({ op: "look", end: 0, negate: element.negate });
          this.#alternatives(element.alternatives, element.kind === "lookbehind");
          this.#add({ op: "end" });
          look.end = this.program.length;
        } else this.#add({ op: "edge", kind: element.kind });
        return;
      case "ExpressionCharacterClass":
      default:
    }
    throw invalidTokenizer(this.#field, `has ${JSON.stringify(element.raw.slice(0, 40))}, which is not supported`);
  }

  #quantifier({ min, max, greedy, element }: AST.Quantifier, backward: boolean): void {
    for (let count = 0; count < min; count++) this.#element(element, backward);
    const skips: { first: number; second: number }[] = [];
    const fork = (): void => {
      const next = this.program.length + 1;
      skips.push(this.#add({ op: "fork", first: next, second: next }));
    };
    if (max === Infinity) {
      const [start, slot] = [this.program.length, this.slots++];
      fork();
      this.#add({ op: "save", slot });
      this.#element(element, backward);
      this.#add({ op: "moved", slot });
      this.#add({ op: "go", to: start });
    } else {
      for (let count = min; count < max; count++) {
        fork();
        this.#element(element, backward);
      }
    }
    for (const skip of skips) skip[greedy ? "second" : "first"] = this.program.length;
  }

  #slotsOf(group: AST.CapturingGroup): number {
    let slot = this.#groups.get(group);
    if (slot === undefined) {
      this.#groups.set(group, (slot = this.slots));
      this.slots += 2;
    }
    return slot;
  }

  /**
   * Whether a code point is in a class, as JavaScript has it: one character against one class takes no backtracking.
   */
  #classOf(raw: string): (codePoint: number) => boolean {
    let found = this.#classes.get(raw);
    if (found === undefined) {
      const pattern = new RegExp(`^${raw}$`, this.#pattern.flags.replaceAll(/[gy]/g, ""));
      const known = new Uint8Array(keptCodePoints);
      found = (codePoint) => {
        if (codePoint >= keptCodePoints) return pattern.test(String.fromCodePoint(codePoint));
        return (known[codePoint] ||= pattern.test(String.fromCodePoint(codePoint)) ? 1 : 2) === 1;
      };
      this.#classes.set(raw, found);
    }
    return found;
  }
}
