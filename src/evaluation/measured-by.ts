/** @file The line of a report that says by which command and on what machine it was measured. */

import { availableParallelism, cpus } from "node:os";

export function measuredBy(command: string): string {
  return `Measured by \`${command}\` on ${availableParallelism()} cores (${cpus()[0]?.model.trim()}).`;
}
