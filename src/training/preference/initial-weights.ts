/** @file The weights that a policy begins with where they are not its reference's: those of the round before. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { openModel } from "../../formats/open-model.ts";
import type { TrainablePolicy } from "./model.ts";
import type { StateTensor } from "../run/trainable-model.ts";

export interface InitialWeights {
  /** Hash of the model's content, hex. */
  hash: string;
  /** Replaces the weights of a policy that trains all of them. */
  applyTo: (policy: Pick<TrainablePolicy, "state" | "trainedWeights" | "restore">) => void;
}

/**
 * @param model the reference.
 * @throws BonsaiError as `openModel`; `invalid_model_file` for a model of another shape.
 */
export function readInitialWeights(folder: string, model: ModelFile): InitialWeights {
  const initial = openModel(folder);
  try {
    const weights = new Map([...initial.weights.infos.keys()].map((name) => [name, initial.weights.readFloat32(name)]));
    for (const { name, shape } of model.weights.infos.values()) {
      if (initial.weights.infos.get(name)?.shape.join() === shape.join()) continue;
      const problem = `${folder} does not have the weight ${name} as [${shape.join(", ")}]: it is no tuned form of ${model.path}`;
      throw new BonsaiError("invalid_model_file", `${problem}.`);
    }
    return {
      hash: initial.contentHash,
      applyTo: (policy) => {
        const state = new Map<string, StateTensor>(policy.state());
        for (const [name, { shape }] of policy.trainedWeights()) state.set(name, { shape, data: weights.get(name)! });
        policy.restore(state);
      },
    };
  } finally {
    initial.weights.close();
  }
}
