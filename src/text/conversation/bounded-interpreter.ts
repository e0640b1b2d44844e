/**
 * @file Jinja's interpreter within a budget of counted work: what a template may cost depends on the conversation
 * alone, never on the machine's load.
 */

import { Interpreter } from "@huggingface/jinja";

/**
 * Evaluations, turns of loops and elements of ranges: some, more for each message, and more for each character.
 * Templates of models in use take about a hundred for a message.
 */
const [baseSteps, stepsOfMessage, stepsOfCharacter] = [100_000, 1000, 1 / 4];
/**
 * An operation that reads or makes a string takes one step for this many characters, one over a list for this many
 * elements.
 */
const [charactersOfStep, elementsOfStep] = [256, 8];
/**
 * A string that is sliced or searched costs more: one step for this many characters, or pairs of characters of text
 * and pattern.
 */
const [slicedCharactersOfStep, pairsOfStep] = [16, 4096];
/** A list is written at this many characters a step. */
const writtenCharactersOfStep = 16;
/**
 * To replace in a text or to join a list may make the product of two lengths: so many times the longest string at
 * most.
 */
const maxProductFactor = 64;
/** Most characters of a string that a template makes of a short conversation; of a long one, so many times its own. */
const [baseLength, lengthFactor] = [1024 * 1024, 8];

/** Thrown by a template through `raise_exception`, or by the bounds. */
export class TemplateRefusal extends Error {}

/** What the work on one conversation may cost. */
export class TemplateBudget {
  readonly maxLength: number;
  readonly #most: number;
  #left: number;

  /**
   * @param characters of the conversation and everything else that is given to the template
   * @param messages how many the conversation has
   */
  constructor(characters: number, messages: number) {
    this.maxLength = baseLength + lengthFactor * characters;
    this.#most = baseSteps + stepsOfMessage * messages + Math.floor(stepsOfCharacter * characters);
    this.#left = this.#most;
  }

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new TemplateRefusal(`it takes more than ${this.#most} steps`);
  }

  spendProduct(length: number, otherLength: number): void {
    this.checkLength((length * otherLength) / maxProductFactor);
    this.spend((length * otherLength) / pairsOfStep);
  }

  /** @param length of a text, or of what a list would be as one */
  checkLength(length: number): void {
    if (length > this.maxLength) throw new TemplateRefusal(`its output exceeds ${this.maxLength} characters`);
  }
}

/** What the library's interpreter works on; its own type declarations do not resolve under Node's module rules. */
export interface RuntimeValue {
  type: string;
  value: unknown;
}

/** A node of the program. */
interface Statement {
  type: string;
  operator?: { value: string };
  callee?: Statement;
  operand?: Statement;
  iterable?: Statement;
  lhs?: Statement;
  property?: Statement;
}

const LibraryInterpreter = Interpreter as unknown as new (environment: object) => {
  run(program: unknown): RuntimeValue;
  evaluate(statement: Statement | undefined, environment: unknown): RuntimeValue;
  evaluateBlock(statements: unknown, environment: unknown): RuntimeValue;
};

/** Statements whose cost grows with the size of their operands, which are paid for before the work begins. */
const operations = new Set([
  "BinaryExpression",
  "CallExpression",
  "CallStatement",
  "FilterExpression",
  "FilterStatement",
  "TestExpression",
]);

/**
 * How the statement around it reads a value: not at all, as a whole, as the list of a loop, by a slice of it, or to
 * write it.
 */
type Reading = "none" | "written" | "whole" | "loop" | "slice";

/** A statement that is evaluated. */
interface Frame {
  statement: Statement | undefined;
  /** Whether it names a method that is called, which reads the object that it belongs to. */
  isMethod: boolean;
  /** What its operation has read; a method shares that of its call. */
  operands: { longest: number };
}

const noFrame: Frame = { statement: undefined, isMethod: false, operands: { longest: 0 } };

export class BoundedInterpreter extends LibraryInterpreter {
  readonly #budget: TemplateBudget;
  /** Lengths of lists and objects as texts. */
  readonly #lengths = new WeakMap<object, number>();
  #frame = noFrame;

  constructor(environment: object, budget: TemplateBudget) {
    super(environment);
    this.#budget = budget;
  }

  /** Every turn of a loop runs its block, even where that is empty. */
  override evaluateBlock(statements: unknown, environment: unknown): RuntimeValue {
    this.#budget.spend(1);
    const outer = this.#frame;
    this.#frame = noFrame;
    try {
      const result = super.evaluateBlock(statements, environment);
      this.#payMade(result);
      return result;
    } finally {
      // A loop's `break` is an exception too.
      this.#frame = outer;
    }
  }

  override evaluate(statement: Statement | undefined, environment: unknown): RuntimeValue {
    this.#budget.spend(1);
    const outer = this.#frame;
    const isMethod = statement?.type === "MemberExpression" && statement === outer.statement?.callee;
    this.#frame = { statement, isMethod, operands: isMethod ? outer.operands : { longest: 0 } };
    try {
      const result = super.evaluate(statement, environment);
      if (isMade(statement)) this.#payMade(result);
      this.#payRead(result, statement, outer);
      return result;
    } finally {
      this.#frame = outer;
    }
  }

  /** Pays for a value that a statement has made. */
  #payMade({ type, value }: RuntimeValue): void {
    if (typeof value === "string") {
      this.#budget.checkLength(value.length);
      this.#budget.spend(value.length / charactersOfStep);
    } else if (typeof value === "object" && value !== null && type !== "NamespaceValue") {
      this.#budget.checkLength(this.#lengthOf(value));
      this.#budget.spend(sizeOf(value) / elementsOfStep);
    }
  }

  /** Pays for what an operation is about to read. */
  #payRead({ value }: RuntimeValue, operand: Statement | undefined, outer: Frame): void {
    const reading = readingOf(operand, outer);
    if (reading === "none") return;
    const { statement, operands } = outer;
    // The number that a filter is given may say how far to indent.
    const isArgument = statement?.type === "FilterExpression" && operand !== statement.operand;
    const size = isArgument && typeof value === "number" ? Math.abs(value) : sizeOf(value);
    if (reading === "loop") return this.#budget.spend(size);
    if (reading === "written") return this.#budget.spend(typeof value === "object" ? this.#lengthOf(value) / writtenCharactersOfStep : 0);
    if (reading === "slice") return this.#budget.spend(typeof value === "string" ? size / slicedCharactersOfStep : 0);
    this.#budget.spend(size / (typeof value === "object" ? elementsOfStep : charactersOfStep));
    if (mayMultiply(statement)) this.#budget.spendProduct(operands.longest, size);
    operands.longest = Math.max(operands.longest, size);
  }

  /** Length of a value as text: a list that stands twice in another counts twice. */
  #lengthOf(value: unknown): number {
    if (typeof value === "string") return value.length + 2;
    if (typeof value !== "object" || value === null) return 8;
    const known = this.#lengths.get(value);
    if (known !== undefined) return known;
    let length = 2;
    if (Array.isArray(value)) for (const element of value as RuntimeValue[]) length += this.#lengthOf(element.value) + 2;
    else if (value instanceof Map)
      for (const [key, element] of value as Map<string, RuntimeValue>) length += key.length + this.#lengthOf(element.value) + 4;
    this.#lengths.set(value, length);
    return length;
  }
}

/** How the statement around it reads what a statement evaluates to. */
function readingOf(statement: Statement | undefined, { statement: outer, isMethod }: Frame): Reading {
  if (outer === undefined) return "written";
  if (outer.type === "For") return statement === outer.iterable || statement === outer.iterable?.lhs ? "loop" : "none";
  if (outer.type !== "MemberExpression") return operations.has(outer.type) ? "whole" : "none";
  if (statement === outer.property) return "none";
  return isSlice(outer) ? "slice" : isMethod ? "whole" : "none";
}

/** Whether an operation may cost the product of its operands' lengths: to search, replace or join. */
function mayMultiply(statement: Statement | undefined): boolean {
  if (statement?.type === "BinaryExpression") return statement.operator?.value.endsWith("in") === true;
  // Calls of macros only pass values on.
  return statement?.type === "MemberExpression" || statement?.callee?.type === "MemberExpression" || statement?.type === "FilterExpression";
}

/** Whether a statement makes a value of its own, rather than name one that is there. */
function isMade(statement: Statement | undefined): boolean {
  if (statement?.type === "MemberExpression") return isSlice(statement);
  return statement !== undefined && statement.type !== "Identifier";
}

function isSlice({ property }: Statement): boolean {
  return property?.type === "SliceExpression";
}

/** Characters of a text, or elements of a list or object. */
function sizeOf(value: unknown): number {
  if (typeof value === "string" || Array.isArray(value)) return value.length;
  return value instanceof Map ? value.size : 0;
}
