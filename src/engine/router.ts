/** @file All backends as one engine: each request goes to the backend that runs its model. */

import { BonsaiError } from "../errors/bonsai-error.ts";
import type { Backend } from "./contract/request.ts";
import { ensembleInfos, type NamedEnsemble } from "./contract/ensembles.ts";
import type { Engine, EngineStats, GenerateRequest, Generating, Prompt, ServedModel } from "./contract/request.ts";
import type { ScoreRequest, ScoreResult } from "./contract/score-request.ts";

export class Router implements Engine {
  readonly #backends: readonly Backend[];
  readonly #ensembles: readonly NamedEnsemble[];
  /** The backends' lists that `#models` was made of. */
  #lists: readonly unknown[] = [];
  #models: readonly ServedModel[] = [];

  /**
   * @param backends at least one, all ready
   * @param ensembles reward models that are made of the backends' own
   * @throws BonsaiError `usage` for two models of one name, and for an ensemble over a model that is not served
   */
  constructor(backends: readonly Backend[], ensembles: readonly NamedEnsemble[] = []) {
    this.#backends = backends;
    this.#ensembles = ensembles;
    const taken = new Set<string>();
    for (const { id } of backends.flatMap(({ models }) => models)) {
      if (taken.has(id))
        throw new BonsaiError("usage", `Two models are called ${id}: give one of them another name.`, { param: "--model" });
      taken.add(id);
    }
    this.#models = this.#list();
  }

  get models(): readonly ServedModel[] {
    if (this.#backends.some(({ models }, at) => models !== this.#lists[at])) this.#models = this.#list();
    return this.#models;
  }

  /** Undefined while at least one backend takes requests. */
  get unavailable(): BonsaiError | undefined {
    const reasons = this.#backends.map(({ unavailable }) => unavailable);
    return reasons.includes(undefined) ? undefined : reasons[0];
  }

  /** Resolves when one backend is lost: its models will not answer again. */
  get lost(): Promise<BonsaiError> {
    return Promise.race(this.#backends.flatMap(({ lost }) => lost ?? []));
  }

  /** @throws BonsaiError `model_not_found` */
  generate(request: GenerateRequest, signal?: AbortSignal): Generating {
    return this.#backendOf(request.model).generate(request, signal);
  }

  async score(request: ScoreRequest, signal?: AbortSignal): Promise<ScoreResult> {
    const backend = this.#backendOf(request.model);
    if (backend.score === undefined)
      throw new BonsaiError("invalid_request", `The backend of the model ${request.model} scores no answers.`, { param: "model" });
    return backend.score(request, signal);
  }

  async tokenize(model: string, prompt: Prompt): Promise<number[]> {
    const backend = this.#backendOf(model);
    if (backend.tokenize === undefined)
      throw new BonsaiError("invalid_request", `The backend of the model ${model} does not tell its tokens.`, { param: "model" });
    return backend.tokenize(model, prompt);
  }

  stats(): EngineStats {
    const [first, ...others] = this.#backends.map((backend) => backend.stats()) as [EngineStats, ...EngineStats[]];
    const total = { ...first };
    for (const stats of others) for (const name of Object.keys(total) as (keyof EngineStats)[]) total[name] += stats[name];
    return total;
  }

  async close(): Promise<void> {
    await Promise.all(this.#backends.map((backend) => backend.close()));
  }

  #backendOf(model: string): Backend {
    const backend = this.#backends.find(({ models }) => models.some(({ id }) => id === model));
    if (backend !== undefined) return backend;
    throw new BonsaiError("model_not_found", `The model "${model}" does not exist; GET /v1/models lists those that do.`, {
      param: "model",
    });
  }

  #list(): ServedModel[] {
    this.#lists = this.#backends.map(({ models }) => models);
    const own = this.#backends.flatMap(({ models, capabilities }) => models.map((model): ServedModel => ({ ...model, capabilities })));
    return [...own, ...ensembleInfos(own, this.#ensembles)];
  }
}
