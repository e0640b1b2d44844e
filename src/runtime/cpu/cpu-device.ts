/**
 * @file The CPU as a device: chooses how a model's weights and caches are stored, prepares its graph on disk, and loads
 * it.
 */

import { isByteCache, longestByteCache } from "../../architectures/decoder/cached-attention.ts";
import type { LinearScheme } from "../../architectures/quantization/linear.ts";
import type { Quantization } from "../../config/options.ts";
import { prepareArtifacts, type QuantizationPlan } from "../artifacts/decoder-artifacts.ts";
import { prepareEncoderArtifacts } from "../artifacts/encoder-artifacts.ts";
import type { DecoderLoadOptions, DecoderModel, Device } from "../device.ts";
import { CpuDecoder } from "./cpu-decoder.ts";
import { CpuEncoder } from "./cpu-encoder.ts";
import { probeKernels } from "./integer-products.ts";
import { quantizationPlan, quantizationPlans } from "./quantization-plan.ts";

/** Outliers of activations are not moved into an encoder's weights, so that its rows are not multiplied in 8 bits. */
const encoderSchemes: Readonly<Record<Quantization, LinearScheme>> = { fp32: "fp32", q8: "blocks8", q4: "blocks8", w8a8: "blocks8" };

export const cpuDevice: Device = {
  name: "cpu",
  async loadDecoder(model, options) {
    const { file, config, adapters, withoutHead } = model;
    const plan = await choosePlan(model, options);
    const { graph, hash } = await prepareArtifacts(file, config, plan, { ...options, ...model });
    const { cacheType } = plan;
    return { model: await CpuDecoder.load({ ...options, config, cacheType, graph, adapters: adapters.length, withoutHead }), hash };
  },
  async loadEncoder({ file, config }, options) {
    const { graph, hash } = await prepareEncoderArtifacts(file, config, encoderSchemes[options.quantization], options);
    return { model: await CpuEncoder.load(graph, config, options), hash };
  },
};

/** Says where the processor or the model's context forbids what the mode would do. */
async function choosePlan({ id, config }: DecoderModel, { quantization, log }: DecoderLoadOptions): Promise<QuantizationPlan> {
  const kernels = await probeKernels();
  const plan = quantizationPlan(quantization, config.contextLength, kernels);
  if (isByteCache(quantizationPlans[quantization].cacheType) && !isByteCache(plan.cacheType)) {
    const why = kernels.exactCaches === undefined ? "this processor" : `contexts of more than ${longestByteCache} tokens`;
    log(`${id} keeps keys and values in ${plan.cacheType}: ${why} cannot be served with 8-bit ones.`);
  }
  if (!kernels.exactWeights && quantization === "w8a8") {
    log(`${id} is served in 8-bit blocks: this processor's products of 8-bit rows are not exact.`);
  }
  return plan;
}
