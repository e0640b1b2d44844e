/** @file ONNX Runtime, loaded with its telemetry off. Nothing else imports the package. */

import { createRequire } from "node:module";
import type * as library from "onnxruntime-node";
import { turnTelemetryOff } from "./telemetry.ts";

turnTelemetryOff();

export const { InferenceSession, Tensor } = createRequire(import.meta.url)("onnxruntime-node") as typeof library;
export type InferenceSession = library.InferenceSession;
export type Tensor = library.Tensor;
