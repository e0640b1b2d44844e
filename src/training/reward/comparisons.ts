/**
 * @file Data sets of preferences as comparisons: token ids of answers to one prompt and their ranking, with a count of
 * what was cut.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { eachRow, encodingError, type RowPlace } from "../data/dataset-row.ts";
import type { ReadFile } from "../../formats/json-lines.ts";
import { readPreferenceRow, type PreferenceRow, type PromptAndAnswer } from "../data/preference-row.ts";
import type { Ranking } from "../data/ranking.ts";

/** An answer with what it answers, as the reward model reads it. */
export interface EncodedAnswer {
  ids: Int32Array<ArrayBuffer>;
  /** The type of each token, for models that tell what is answered from the answer. */
  types?: Int32Array<ArrayBuffer>;
}

/** Answers to one prompt. */
export interface Comparison {
  answers: readonly EncodedAnswer[];
  /**
   * Rankings by measure: the dimensions and, where there are several, last the whole. Undefined where none is known.
   */
  rankings: readonly (Ranking | undefined)[];
}

export interface Comparisons {
  comparisons: readonly Comparison[];
  files: readonly ReadFile[];
  /** Answers that had more tokens than the longest allowed, with their prompts, and lost some. */
  truncatedAnswers: number;
  /** Tokens that they lost. */
  truncatedTokens: number;
  /** Rows left out, since their answers are the same, perhaps only after they were cut. */
  identicalRows: number;
  /** Rows left out, since nothing that is trained is said in them. */
  unlabelledRows: number;
}

/** How a reward model reads an answer. */
export interface AnswerEncoder<Encoded extends EncodedAnswer = EncodedAnswer> {
  /**
   * @param maxLength tokens that are kept at most.
   * @returns the answer, and how many of its tokens were cut.
   * @throws BonsaiError `invalid_request` for a conversation that the model's template refuses.
   */
  encode(answer: PromptAndAnswer, maxLength: number): Encoded & { cutTokens: number };
}

/**
 * Reads and tokenises JSON Lines files of preferences.
 * @param dimensions names of the model's outputs; see `rankingsOf`.
 * @throws BonsaiError `file_not_found`, `invalid_tokenizer`, or `invalid_dataset` naming file, line and field; also
 *   where no row is left, or none says anything about a dimension.
 */
export function readComparisons(
  paths: readonly string[],
  encoder: AnswerEncoder,
  dimensions: readonly string[],
  maxLength: number,
): Comparisons {
  const comparisons: Comparison[] = [];
  const counting = new CountingEncoder(encoder, maxLength);
  let [identicalRows, unlabelledRows] = [0, 0];
  const files = eachRow(paths, (row, place) => {
    const parsed = readPreferenceRow(row, place);
    const answers = parsed.answers.map((answer) => counting.encode(answer, place));
    const rankings = rankingsOf(parsed, dimensions);
    if (answers.every((answer) => sameIds(answer, answers[0]!))) identicalRows++;
    else if (rankings.every((ranking) => ranking === undefined)) unlabelledRows++;
    else comparisons.push({ answers, rankings });
  });
  if (comparisons.length === 0) {
    const why =
      identicalRows > 0 ? `: in ${identicalRows} the first ${maxLength} tokens of all answers are the same; raise --max-length` : "";
    throw new BonsaiError("invalid_dataset", `${paths.join(", ")}: no row is left to compare answers by${why}.`);
  }
  const silent = dimensions.findIndex((_, measure) => comparisons.every(({ rankings }) => rankings[measure] === undefined));
  if (silent !== -1) {
    throw new BonsaiError(
      "invalid_dataset",
      `${paths.join(", ")}: no row says anything of the dimension ${JSON.stringify(dimensions[silent])} of --dimensions: name it in "preferences", or take it out.`,
      { param: "preferences" },
    );
  }
  const { truncatedAnswers, truncatedTokens } = counting;
  return { comparisons, files, truncatedAnswers, truncatedTokens, identicalRows, unlabelledRows };
}

/** How many measures answers are compared by: each dimension and, where there are several, the whole. */
export function measureCount(dimensions: readonly string[]): number {
  return dimensions.length === 1 ? 1 : dimensions.length + 1;
}

/**
 * A row's own ranking is that of the whole. Where there is one dimension, it ranks that, unless `preferences` does. The
 * rankings of `preferences` are by dimension.
 */
function rankingsOf({ ranking, dimensions: known }: PreferenceRow, dimensions: readonly string[]): (Ranking | undefined)[] {
  const [only] = dimensions;
  if (dimensions.length === 1) return [known.get(only!) ?? ranking];
  return [...dimensions.map((name) => known.get(name)), ranking];
}

/** Encodes answers, counts what is cut of them, and says where one stands that cannot be encoded. */
export class CountingEncoder<Encoded extends EncodedAnswer = EncodedAnswer> {
  readonly #encoder: AnswerEncoder<Encoded>;
  readonly #maxLength: number;
  truncatedAnswers = 0;
  truncatedTokens = 0;

  constructor(encoder: AnswerEncoder<Encoded>, maxLength: number) {
    this.#encoder = encoder;
    this.#maxLength = maxLength;
  }

  /** @throws BonsaiError `invalid_dataset`, `invalid_tokenizer`. */
  encode(answer: PromptAndAnswer, place: RowPlace): Omit<Encoded & { cutTokens: number }, "cutTokens"> {
    try {
      const { cutTokens, ...encoded } = this.#encoder.encode(answer, this.#maxLength);
      this.truncatedAnswers += Number(cutTokens > 0);
      this.truncatedTokens += cutTokens;
      return encoded;
    } catch (error) {
      throw encodingError(error, place);
    }
  }
}

function sameIds(a: EncodedAnswer, b: EncodedAnswer): boolean {
  return a.ids.length === b.ids.length && a.ids.every((id, at) => id === b.ids[at]);
}
