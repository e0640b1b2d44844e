/** @file What transformers made of conversations and schedules (test/oracle/training-data.py). */

import { readFileSync } from "node:fs";
import type { Schedule } from "../../../src/training/run/learning-rate.ts";
import type { Message } from "../../../src/text/conversation/message.ts";

export interface TrainingGoldens {
  template: string;
  conversations: { messages: Message[]; ids: number[]; mask: number[] }[];
  /** Over the assistant's tokens of all conversations, by models/llama. */
  evaluation: { loss: number; accuracy: number; tokens: number };
  schedules: (Schedule & { rates: number[] })[];
}

export function trainingGoldens(): TrainingGoldens {
  return JSON.parse(readFileSync(new URL("../../oracle/training-data.json", import.meta.url), "utf8")) as TrainingGoldens;
}
