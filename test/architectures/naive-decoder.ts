/**
 * @file The slow, obvious twin of the decoder graphs: one float64 loop after the other, no cache, no batch, every token
 * computed anew.
 */

import { rotaryFrequencies } from "../../src/architectures/decoder/rotary.ts";
import type { DecoderConfig } from "../../src/architectures/decoder/decoder-config.ts";
import type { WeightSource } from "../../src/formats/model-file.ts";

type Vector = Float64Array;

export class NaiveDecoder {
  readonly #config: DecoderConfig;
  readonly #source: WeightSource;
  readonly #read = new Map<string, Vector>();

  constructor(config: DecoderConfig, source: WeightSource) {
    this.#config = config;
    this.#source = source;
  }

  /** The logits after each token: [ids.length][V]. */
  logits(ids: readonly number[]): Vector[] {
    const head = this.#weight(this.#config.tiedEmbeddings ? this.#embedding : "lm_head.weight");
    return this.hidden(ids).map((state) => multiply(head, state));
  }

  /** The state of each token after the final norm: [ids.length][H]. */
  hidden(ids: readonly number[]): Vector[] {
    const { layers, hiddenSize, position } = this.#config;
    const isGpt2 = this.#isGpt2;
    let states = ids.map((id) => this.#row(this.#embedding, id, hiddenSize));
    if (position.kind === "learned") states = states.map((state, at) => add(state, this.#row("transformer.wpe.weight", at, hiddenSize)));
    for (let layer = 0; layer < layers; layer++) {
      const prefix = isGpt2 ? `transformer.h.${layer}` : `model.layers.${layer}`;
      const attended = this.#attention(
        prefix,
        states.map((state) => this.#norm(`${prefix}.${isGpt2 ? "ln_1" : "input_layernorm"}`, state)),
      );
      states = states.map((state, at) => add(state, attended[at]!));
      states = states.map((state) =>
        add(state, this.#mlp(prefix, this.#norm(`${prefix}.${isGpt2 ? "ln_2" : "post_attention_layernorm"}`, state))),
      );
    }
    return states.map((state) => this.#norm(isGpt2 ? "transformer.ln_f" : "model.norm", state));
  }

  get #isGpt2(): boolean {
    return this.#config.family === "gpt2";
  }

  get #embedding(): string {
    return this.#isGpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight";
  }

  /** The most likely tokens after `ids`, one after the other, the lowest id of several. */
  greedy(ids: readonly number[], count: number): number[] {
    const answer: number[] = [];
    while (answer.length < count) {
      const last = this.logits([...ids, ...answer]).at(-1)!;
      answer.push(last.indexOf(Math.max(...last)));
    }
    return answer;
  }

  #weight(name: string): Vector {
    const known = this.#read.get(name);
    if (known !== undefined) return known;
    const weight = Float64Array.from(this.#source.readFloat32(name));
    this.#read.set(name, weight);
    return weight;
  }

  #row(name: string, row: number, length: number): Vector {
    return this.#weight(name).slice(row * length, (row + 1) * length);
  }

  #linear(name: string, x: Vector): Vector {
    const product = multiply(this.#weight(`${name}.weight`), x);
    return this.#source.infos.has(`${name}.bias`) ? add(product, this.#weight(`${name}.bias`)) : product;
  }

  #norm(name: string, x: Vector): Vector {
    const { kind, epsilon } = this.#config.norm;
    const weight = this.#weight(`${name}.weight`);
    if (kind === "rms") return rmsNorm(x, weight, epsilon);
    const bias = this.#weight(`${name}.bias`);
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
    const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
    return x.map((value, at) => ((value - mean) / Math.sqrt(variance + epsilon)) * weight[at]! + bias[at]!);
  }

  #mlp(prefix: string, x: Vector): Vector {
    if (this.#config.mlp.kind === "gated") {
      const up = this.#linear(`${prefix}.mlp.up_proj`, x);
      const gate = this.#linear(`${prefix}.mlp.gate_proj`, x);
      return this.#linear(
        `${prefix}.mlp.down_proj`,
        gate.map((value, at) => (value / (1 + Math.exp(-value))) * up[at]!),
      );
    }
    const inner = this.#linear(`${prefix}.mlp.c_fc`, x);
    return this.#linear(
      `${prefix}.mlp.c_proj`,
      inner.map((value) => 0.5 * value * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (value + 0.044715 * value ** 3)))),
    );
  }

  /** Each token's heads look at every token up to it. */
  #attention(prefix: string, states: readonly Vector[]): Vector[] {
    const { heads, kvHeads, headDim, family } = this.#config;
    const isGpt2 = family === "gpt2";
    const projected = states.map((state, position) => {
      const all = isGpt2
        ? this.#linear(`${prefix}.attn.c_attn`, state)
        : Float64Array.of(...["q", "k", "v"].flatMap((part) => Array.from(this.#linear(`${prefix}.self_attn.${part}_proj`, state))));
      const head = (index: number): Vector => all.slice(index * headDim, (index + 1) * headDim);
      const range = (count: number, from: number): Vector[] => Array.from({ length: count }, (_, index) => head(from + index));
      const placed = (vectors: Vector[], normName: string): Vector[] =>
        vectors.map((vector) => this.#rotate(this.#headNorm(`${prefix}.self_attn.${normName}`, vector), position));
      return {
        queries: placed(range(heads, 0), "q_norm"),
        keys: placed(range(kvHeads, heads), "k_norm"),
        values: range(kvHeads, heads + kvHeads),
      };
    });
    return projected.map(({ queries }, token) => {
      const seen = projected.slice(0, token + 1);
      const outputs = queries.map((query, index) => {
        const shared = Math.floor(index / (heads / kvHeads));
        const scores = seen.map(({ keys }) => dot(query, keys[shared]!) / Math.sqrt(headDim));
        const largest = Math.max(...scores);
        const exponentials = scores.map((score) => Math.exp(score - largest));
        const total = exponentials.reduce((sum, value) => sum + value, 0);
        const output = new Float64Array(headDim);
        seen.forEach(({ values }, at) =>
          values[shared]!.forEach((value, channel) => (output[channel]! += (exponentials[at]! / total) * value)),
        );
        return output;
      });
      const joined = Float64Array.from(outputs.flatMap((output) => Array.from(output)));
      return this.#linear(isGpt2 ? `${prefix}.attn.c_proj` : `${prefix}.self_attn.o_proj`, joined);
    });
  }

  #headNorm(name: string, head: Vector): Vector {
    return this.#config.queryKeyNorm ? rmsNorm(head, this.#weight(`${name}.weight`), this.#config.norm.epsilon) : head;
  }

  /** Turns each pair (i, i + headDim / 2) by position times its frequency. */
  #rotate(head: Vector, position: number): Vector {
    if (this.#config.position.kind !== "rotary") return head;
    const half = head.length / 2;
    const frequencies = rotaryFrequencies(this.#config.position.rotary, head.length);
    return head.map((value, at) => {
      const angle = position * frequencies[at % half]!;
      return at < half
        ? value * Math.cos(angle) - head[at + half]! * Math.sin(angle)
        : value * Math.cos(angle) + head[at - half]! * Math.sin(angle);
    });
  }
}

function add(a: Vector, b: Vector): Vector {
  return a.map((value, at) => value + b[at]!);
}

function dot(a: Vector, b: Vector): number {
  return a.reduce((sum, value, at) => sum + value * b[at]!, 0);
}

/** W x, W [outputs, inputs]. */
function multiply(weights: Vector, x: Vector): Vector {
  const inputs = x.length;
  return Float64Array.from({ length: weights.length / inputs }, (_, output) => {
    let sum = 0;
    for (let input = 0; input < inputs; input++) sum += weights[output * inputs + input]! * x[input]!;
    return sum;
  });
}

function rmsNorm(x: Vector, weight: Vector, epsilon: number): Vector {
  const meanSquare = dot(x, x) / x.length;
  return x.map((value, at) => (value / Math.sqrt(meanSquare + epsilon)) * weight[at]!);
}
