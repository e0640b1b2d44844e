/** @file Chaos of commands that go on where they stopped: they are killed at any moment, and run again. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { runAndKill, runToEnd } from "./killed-program.ts";
import { differences, filesOf, type Draw, type RoundOutcome, type Scenario } from "./scenario.ts";

export interface ResumableCommand {
  name: string;
  about: string;
  environment: Readonly<Record<string, string>>;
  /** The command's words, module first. @param isResumed whether it was run into this folder before */
  words: (output: string, isResumed: boolean) => readonly string[];
  /** Which of the files that it leaves do not depend on when it ran. */
  isCompared: (path: string) => boolean;
}

/** Most kills of a round, before the command may end. */
const mostKills = 3;

/** @param folder where the undisturbed result is kept */
export function resumable({ name, about, environment, words, isCompared }: ResumableCommand, folder: string): Scenario {
  const whole = join(folder, `${name}-undisturbed`);
  let durationMs = 0;
  return {
    name,
    about,
    async prepare(): Promise<void> {
      mkdirSync(whole, { recursive: true });
      durationMs = await runToEnd(words(whole, false), environment);
    },
    async round(draw: Draw, output: string): Promise<RoundOutcome> {
      let kills = 0;
      const tries = 1 + Math.floor(draw(0) * mostKills);
      for (let attempt = 0; attempt < tries; attempt++) {
        if (await runAndKill(words(output, attempt > 0), environment, draw(1 + attempt) * durationMs)) kills++;
      }
      await runToEnd(words(output, true), environment);
      return { kills, losses: differences(filesOf(output, isCompared), filesOf(whole, isCompared)) };
    },
  };
}
