/**
 * @file The model's own chat template: Jinja source from the model file, rendered over a conversation within bounds.
 */

import { Environment, parse, tokenize } from "@huggingface/jinja";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { BoundedInterpreter, TemplateBudget, TemplateRefusal } from "./bounded-interpreter.ts";
import { formatDate } from "./format-date.ts";

/** Characters of a template's source; those of models in use have at most some 50,000. */
const maxSourceLength = 256 * 1024;
/** The parser's time grows with the square of a run of white space. */
const maxSpaces = 500;
const tooManySpaces = new RegExp(`\\s{${maxSpaces + 1}}`);
/** As in Jinja's own sandbox. */
const maxRangeLength = 100_000;

export interface RenderOptions {
  /** `add_generation_prompt`: end with the opening of an assistant's turn. Not set where undefined. */
  addGenerationPrompt?: boolean | undefined;
  /** Further variables for the template, such as `tools` or `enable_thinking`. They cannot replace the template. */
  extra?: Readonly<Record<string, unknown>> | undefined;
  /** What `strftime_now` calls now. */
  now?: Date | undefined;
}

/** A parsed template. It comes from the model file only, never from a request. */
export class ChatTemplate {
  readonly source: string;
  readonly #program: unknown;
  readonly #specials: Readonly<Record<string, string>>;

  /**
   * @param source Jinja source, parsed with trim_blocks and lstrip_blocks as Hugging Face does.
   * @param specials `bos_token`, `eos_token` and the like, as the template names them: see `specialTokenTexts`.
   * @throws BonsaiError `invalid_tokenizer` where the source is no template.
   */
  constructor(source: string, specials: Readonly<Record<string, string>>) {
    this.source = source;
    this.#specials = specials;
    const refuse = (problem: string, cause?: unknown): BonsaiError =>
      new BonsaiError("invalid_tokenizer", `The model's chat template ${problem}.`, { param: "chat_template", cause });
    if (source.length > maxSourceLength) throw refuse(`has ${source.length} characters; at most ${maxSourceLength} are possible`);
    if (tooManySpaces.test(source)) throw refuse(`has more than ${maxSpaces} white-space characters in a row`);
    try {
      this.#program = parse(tokenize(source, { trim_blocks: true, lstrip_blocks: true }));
    } catch (error) {
      throw refuse(`is not valid Jinja: ${messageOf(error)}`, error);
    }
  }

  /**
   * The prompt's text.
   *
   * @throws BonsaiError `invalid_request` (param `messages`) where the template refuses the conversation, with the
   * template's own words, or cannot render it.
   */
  render(messages: readonly object[], options: RenderOptions = {}): string {
    const variables: Record<string, unknown> = {
      ...this.#specials,
      ...options.extra,
      messages: messages.map(withoutUndefined),
      ...(options.addGenerationPrompt === undefined ? {} : { add_generation_prompt: options.addGenerationPrompt }),
    };
    try {
      const budget = new TemplateBudget(charactersOf(variables), messages.length);
      const environment = createEnvironment(options.now ?? new Date(), budget);
      for (const [name, value] of Object.entries(variables)) environment.set(name, value);
      return String(new BoundedInterpreter(environment, budget).run(this.#program).value);
    } catch (error) {
      const refused = error instanceof TemplateRefusal;
      throw new BonsaiError(
        "invalid_request",
        `The model's chat template ${refused ? "refuses" : "cannot render"} these messages: ${messageOf(error)}.`,
        { param: "messages", cause: error },
      );
    }
  }
}

/** The globals that Hugging Face gives a template. */
function createEnvironment(now: Date, budget: TemplateBudget): { set(name: string, value: unknown): void } {
  const environment = new Environment();
  const globals = {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    raise_exception: (message: unknown) => {
      throw new TemplateRefusal(String(message));
    },
    strftime_now: (format: unknown) => formatDate(now, String(format)),
    range: (first: number, second?: number, step?: number) => {
      const elements = boundedRange(first, second, step);
      budget.spend(elements.length);
      return elements;
    },
  };
  for (const [name, value] of Object.entries(globals)) environment.set(name, value);
  return environment;
}

/** Python's range. */
function boundedRange(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= maxRangeLength)) throw new TemplateRefusal(`a range of it has more than ${maxRangeLength} elements`);
  return Array.from({ length }, (_, index) => start + index * step);
}

/** Characters of all strings in a value that came as JSON. */
function charactersOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  return Object.entries(value).reduce((sum, [key, element]) => sum + key.length + charactersOf(element), 0);
}

/** A field that is absent and a field that is undefined are one to TypeScript, but not to Jinja's `in`. */
function withoutUndefined(message: object): object {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined));
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
}

/**
 * The texts of a tokenizer_config.json's named special tokens (`bos_token`, `eos_token`, `unk_token` …), each written
 * there as a string or as an object with `content`. What is absent or null stays undefined, as in Hugging Face.
 */
export function specialTokenTexts(tokenizerConfig: Readonly<Record<string, unknown>>): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(tokenizerConfig)) {
    if (!name.endsWith("_token")) continue;
    const content = typeof value === "object" && value !== null ? (value as { content?: unknown }).content : value;
    if (typeof content === "string") texts[name] = content;
  }
  return texts;
}
