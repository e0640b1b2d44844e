/**
 * @file What a long task is given by the command that runs it: its name for reports, and where lines and progress go.
 */

import type { Progress, ProgressScale } from "./progress.ts";

export interface TaskContext {
  /** The command line as a person would type it, which reports name. */
  command: string;
  /** Takes lines for the person who waits, such as what is being downloaded. */
  log: (line: string) => void;
  /** Takes lines of the result. */
  print: (line: string) => void;
  /** Begins a progress line. */
  startProgress: (scale: ProgressScale) => Progress;
}
