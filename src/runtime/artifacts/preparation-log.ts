/** @file The log line about a model that is prepared, with the reason for the wait in the first line of each log. */

const explained = new WeakSet<(line: string) => void>();

/**
 * Logs that a model is being prepared. The first line of a log adds that later starts need not prepare it again.
 * @param model its path and how it is quantised
 */
export function logPreparation(log: (line: string) => void, model: string): void {
  log(`Preparing ${model}${explained.has(log) ? "" : "; each model is prepared once, and later starts use the result"}.`);
  explained.add(log);
}
