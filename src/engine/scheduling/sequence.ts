/**
 * @file One answer as it grows: its tokens, its text up to what may still turn into a stop string, and why it ended.
 */

import type { DecodeRow } from "../../runtime/device.ts";
import type { Detokenizer } from "../../text/streaming/detokenizer.ts";
import { StopStrings } from "../../text/streaming/stop-strings.ts";
import { candidateSeed, uniform } from "../../random/philox.ts";
import type { TokenConstraint } from "../constraints/token-constraint.ts";
import type { FinishReason, GenerateRequest, SequenceEnd } from "../contract/request.ts";
import { TokenHistory } from "../sampling/penalties.ts";

export interface SequenceLimits {
  maxTokens: number;
  eosTokenIds: ReadonlySet<number>;
}

export class Sequence {
  readonly index: number;
  readonly history: TokenHistory;
  /** Present while the sequence decodes. */
  row: DecodeRow | undefined;
  /** Present from the first step on where the request has a grammar. */
  constraint: TokenConstraint | undefined;
  /** What the next step feeds. */
  nextToken: number;
  /** Tokens generated. */
  length = 0;
  finished: SequenceEnd | undefined;
  /** Whether its last token ended it, and not a stop string, a limit or a grammar. */
  endedItself = false;
  /** Whether it is to end before the next step. */
  dropped = false;
  readonly #seed: number;
  readonly #limits: SequenceLimits;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings;

  constructor(
    request: GenerateRequest,
    index: number,
    promptIds: readonly number[],
    promptTokens: ReadonlySet<number>,
    detokenizer: Detokenizer,
    limits: SequenceLimits,
  ) {
    this.index = index;
    this.history = new TokenHistory(promptTokens);
    this.nextToken = promptIds.at(-1) as number;
    this.#seed = candidateSeed(request.seed, index);
    this.#limits = request.ignoreEos ? { ...limits, eosTokenIds: new Set() } : limits;
    this.#detokenizer = detokenizer;
    this.#stops = new StopStrings(request.stop);
    if (limits.maxTokens === 0) this.finished = "length";
  }

  /** Whether it came to its own end: not dropped, and not failed. */
  get endedNaturally(): boolean {
    return this.finished === "stop" || this.finished === "length";
  }

  /** The draw of the next token, uniform in [0, 1): a function of the request's seed and this place alone. */
  draw(): number {
    return uniform(this.#seed, this.length);
  }

  /** Takes the next token; returns the text that it makes certain. */
  push(tokenId: number): string {
    this.length++;
    this.nextToken = tokenId;
    this.history.push(tokenId);
    if (this.#limits.eosTokenIds.has(tokenId)) {
      this.endedItself = true;
      return this.#end("stop", "");
    }
    this.constraint?.accept(tokenId);
    const { emit, stopped } = this.#stops.push(this.#detokenizer.push(tokenId));
    if (stopped) this.finished = "stop";
    else if (this.constraint?.isComplete === true) return this.#end("stop", emit);
    else if (this.length >= this.#limits.maxTokens) return this.#end("length", emit);
    return emit;
  }

  /** Adds what was held back for half a character, or for a stop string that did not come. */
  #end(reason: FinishReason, text: string): string {
    const tail = this.#stops.push(this.#detokenizer.flush());
    const rest = tail.stopped ? { emit: "", stopped: true } : this.#stops.flush();
    this.finished = rest.stopped ? "stop" : reason;
    this.endedItself &&= !rest.stopped;
    return text + tail.emit + rest.emit;
  }
}
