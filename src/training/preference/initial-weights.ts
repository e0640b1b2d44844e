/** @file Weights that a policy begins with where they are not its reference's: those of the round before. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { openModel } from "../../formats/open-model.ts";
import type { TrainablePolicy } from "./policy-trainable.ts";
import type { StateTensor } from "../run/trainable-model.ts";

export interface PolicyBeginning {
  /** Of the model's content, hex. */
  hash: string;
  /** Gives a policy that trains all weights these in place of those that it was made with. */
  begin: (policy: Pick<TrainablePolicy, "state" | "trainedWeights" | "restore">) => void;
}

/** @param model the reference. @throws BonsaiError as `openModel`; `invalid_model_file` for a model of another shape. */
export function readBeginning(folder: string, model: ModelFile): PolicyBeginning {
  const begun = openModel(folder);
  try {
    const weights = new Map([...begun.weights.infos.keys()].map((name) => [name, begun.weights.readFloat32(name)]));
    for (const { name, shape } of model.weights.infos.values()) {
      if (begun.weights.infos.get(name)?.shape.join() === shape.join()) continue;
      const problem = `${folder} does not have the weight ${name} as [${shape.join(", ")}]: it is no tuned form of ${model.path}`;
      throw new BonsaiError("invalid_model_file", `${problem}.`);
    }
    return {
      hash: begun.contentHash,
      begin: (policy) => {
        const state = new Map<string, StateTensor>(policy.state());
        for (const [name, { shape }] of policy.trainedWeights()) state.set(name, { shape, data: weights.get(name)! });
        policy.restore(state);
      },
    };
  } finally {
    begun.weights.close();
  }
}
