/** @file What models under training have in common: their weights and all that a step changes lie in graphs. */

import type { StateTensor } from "../run/trainable-model.ts";
import type { TrainingGraphs } from "./training-graphs.ts";

/** See `SteppedModel`. */
export abstract class GraphModel {
  protected readonly graphs: TrainingGraphs;

  constructor(graphs: TrainingGraphs) {
    this.graphs = graphs;
  }

  trainedWeights(): ReadonlyMap<string, StateTensor> {
    return this.graphs.trainedWeights();
  }

  state(): ReadonlyMap<string, StateTensor> {
    return this.graphs.state();
  }

  restore(state: ReadonlyMap<string, StateTensor>): void {
    this.graphs.restore(state);
  }

  async dispose(): Promise<void> {
    await this.graphs.dispose();
  }
}
