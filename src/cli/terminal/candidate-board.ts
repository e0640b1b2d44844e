/**
 * @file Shows the candidates of a Best-of-N answer: lines that are redrawn on a terminal while they grow, and one line
 * on the choice at the end.
 */

import type { BestOf, BestOfProgress } from "../../protocol/wire/best-of-response.ts";
import type { ProgressStream } from "../../progress/progress.ts";

/** More would push the conversation off the screen. */
const mostLines = 16;
/** Tokens that one block of a bar stands for. */
const tokensPerBlock = 8;

const rewardText = (reward: number | null | undefined): string => (typeof reward === "number" ? reward.toFixed(2) : "");

/** A line for each candidate, those with the highest rewards first, as wide as the terminal lets them be. */
export function boardLines({ candidates }: BestOfProgress, columns: number): string[] {
  const ordered = candidates.toSorted((a, b) => (b.reward ?? -Infinity) - (a.reward ?? -Infinity) || a.index - b.index);
  const lines = ordered.slice(0, mostLines).map(({ index, tokens, state, reward }) => {
    const head = `  ${String(index).padStart(3)} ${state.padEnd(10)} ${rewardText(reward).padStart(6)} ${String(tokens).padStart(5)} `;
    const room = Math.max(0, columns - head.length - 1);
    return `${head}${"#".repeat(Math.min(room, Math.ceil(tokens / tokensPerBlock)))}`.slice(0, Math.max(0, columns - 1));
  });
  return ordered.length > mostLines ? [...lines, `  and ${ordered.length - mostLines} more`] : lines;
}

/** One line on the choice: the chosen candidate, the number of candidates and their rewards. */
export function boardSummary(report: BestOf): string {
  const [winner] = report.rewards;
  const by = report.reward_model === null ? report.strategy : `${report.strategy} of ${report.reward_model}`;
  const others = report.rewards.slice(1, 4).map(({ reward }) => rewardText(reward) || "none");
  const next = others.length === 0 ? "" : `, before ${others.join(", ")}`;
  const chosen = winner === undefined ? "" : `: candidate ${winner.index} with ${rewardText(winner.reward) || "no score"}${next}`;
  return `[best of ${report.sampled} by ${by}${chosen}; ${report.tokens_generated} tokens]`;
}

/** Draws lines over those that it drew before; draws nothing where the output is no terminal. */
export class CandidateBoard {
  readonly #stream: ProgressStream;
  #drawn = 0;

  constructor(stream: ProgressStream) {
    this.#stream = stream;
  }

  draw(progress: BestOfProgress): void {
    if (this.#stream.isTTY !== true) return;
    const lines = boardLines(progress, this.#stream.columns ?? 80);
    this.erase();
    this.#stream.write(lines.map((line) => `${line}\n`).join(""));
    this.#drawn = lines.length;
  }

  /** Makes room for the answer. */
  erase(): void {
    if (this.#drawn > 0) this.#stream.write(`\u001B[${this.#drawn}A\u001B[J`);
    this.#drawn = 0;
  }
}
