/** @file The interface of models under training: batches in, loss and new weights out. */

/** Rows of packed documents, all of one length. Places are row-major: [rows * length]. */
export interface TokenBatch {
  rows: number;
  length: number;
  ids: Int32Array;
  /** The token that each place must predict, or -1 where none is trained. */
  targets: Int32Array;
  /**
   * The document of each place: a place sees itself and the earlier places of its own document. Padding is a document
   * of its own, -1.
   */
  segments: Int32Array;
  /** Counted from the beginning of each document. */
  positions: Int32Array;
}

/** What one optimiser step did, over all the batches that it accumulated. */
export interface StepOutcome {
  /** Mean over what the step trains on (tokens, labels of comparisons), nats. */
  loss: number;
  /** Euclidean norm of the gradient of that mean, before clipping. */
  gradNorm: number;
}

/** A step of a language model; the loss is the mean over the trained tokens of all batches. */
export interface TrainStep extends StepOutcome {
  /** Tokens that were trained on. */
  trainedTokens: number;
  /** Share of them that were the likeliest token. */
  meanTokenAccuracy: number;
  /** Mean entropy of the predictions at the trained tokens, nats. */
  entropy: number;
}

/** Sums over a batch's trained tokens, so that batches add up. */
export interface EvaluationSums {
  loss: number;
  correct: number;
  trainedTokens: number;
}

/** A tensor of a training state, by name. */
export interface StateTensor {
  shape: readonly number[];
  data: Float32Array<ArrayBuffer>;
}

/**
 * A model under training: weights, optimiser and the graphs that change them. It trains on a `Batch`; a step returns
 * `Step`, and an evaluation returns `Sums`, which add up over batches.
 */
export interface SteppedModel<Batch, Step extends StepOutcome, Sums> {
  /**
   * One optimiser step. The batches are accumulated: 8 of 1 row give what 1 of 8 rows gives. Where loss or norm is not
   * finite, nothing changes.
   */
  step(batches: readonly Batch[], learningRate: number): Promise<Step>;
  evaluate(batch: Batch): Promise<Sums>;
  /** The trained weights by their names in the model's own files (full) or in PEFT's (LoRA). */
  trainedWeights(): ReadonlyMap<string, StateTensor>;
  /**
   * All that a step changes (weights, moments, counters): a model restored from it continues bit for bit as this one.
   */
  state(): ReadonlyMap<string, StateTensor>;
  /** Throws `invalid_model_file` naming the tensor that is missing or of another shape. */
  restore(state: ReadonlyMap<string, StateTensor>): void;
  dispose(): Promise<void>;
}

/** A language model under training. */
export type TrainableModel = SteppedModel<TokenBatch, TrainStep, EvaluationSums>;
