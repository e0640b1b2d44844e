/** @file One ONNX Runtime session, with the options that were measured to matter (docs/LOG.md). */

import { BonsaiError } from "../errors/bonsai-error.ts";
import type { ElementArray, ElementType } from "../onnx/data-type.ts";
import { InferenceSession, Tensor } from "./onnx-runtime.ts";

export type { Tensor };

export interface SessionOptions {
  threads: number;
  /** Whether idle threads wait in a loop: faster, at the price of the cores. */
  spinning: boolean;
  /**
   * Runs the graph as it is written. Rewriting merges equal nodes, which would undo the recomputation of activations in
   * training.
   */
  asWritten?: boolean;
}

export interface Session {
  readonly outputNames: readonly string[];
  /** Runs the graph; only the outputs asked for are copied, into the tensor given for one or into a fresh one. */
  run(feeds: Record<string, Tensor>, outputs: Readonly<Record<string, Tensor | null>>): Promise<Record<string, Tensor>>;
  dispose(): Promise<void>;
}

/** Loads a model from its file, whose external data is mapped, not copied, or from its bytes. */
export async function loadSession(model: string | Uint8Array, options: SessionOptions): Promise<Session> {
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(model as string, {
      executionProviders: ["cpu"],
      intraOpNumThreads: options.threads,
      interOpNumThreads: 1,
      // Shapes change at every step: planning memory by shape costs more than it saves.
      enableMemPattern: false,
      graphOptimizationLevel: options.asWritten === true ? "disabled" : "all",
      logSeverityLevel: 3,
      extra: {
        session: {
          // A place that attention may not look at weighs exp(-104), a denormal, on which each of these processors'
          // operations stalls: zero is as right.
          set_denormal_as_zero: "1",
          intra_op: { allow_spinning: options.spinning ? "1" : "0" },
        },
      },
    });
  } catch (cause) {
    const name = typeof model === "string" ? model : "A graph in memory";
    throw new BonsaiError("invalid_model_file", `${name}: ONNX Runtime cannot load the graph: ${(cause as Error).message}`, { cause });
  }
  return {
    outputNames: session.outputNames,
    run: async (feeds, outputs) => await session.run(feeds, outputs),
    dispose: async () => session.release(),
  };
}

export function tensor(type: ElementType, data: ElementArray, shape: readonly number[]): Tensor {
  return new Tensor(type as "float32", data as Float32Array, shape);
}

export function int64Tensor(values: readonly number[], shape: readonly number[]): Tensor {
  return new Tensor("int64", BigInt64Array.from(values, BigInt), shape);
}
