/** @file SIGINT and SIGTERM: the first asks a command to stop in order, a later one ends the process. */

/**
 * npm passes the terminal's signal on to a process that already received it. A signal this soon after the first is the
 * same one.
 */
const sameSignalMs = 1000;

export type StopSignal = {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Resolves at the first SIGINT or SIGTERM. */
  readonly requested: Promise<undefined>;
  /**
   * Stops listening, after a signal only once its repetition cannot come any more: then the next has its default
   * effect.
   */
  readonly release: () => void;
};

/**
 * Listens until `release`. A signal more than a second after the first prints `farewell` to stderr and ends the process
 * at once.
 */
export function stopSignal(farewell: string): StopSignal {
  const stop = new AbortController();
  const requested = new Promise<undefined>((resolve) => {
    stop.signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  let firstAtMs = 0;
  const onSignal = (name: NodeJS.Signals): void => {
    if (!stop.signal.aborted) {
      firstAtMs = performance.now();
      stop.abort();
    } else if (performance.now() - firstAtMs > sameSignalMs) {
      process.stderr.write(`${farewell}\n`);
      // Without a handler the signal ends the process itself. process.exit would first stop the compute worker, and
      // ONNX Runtime aborts when it is stopped within a step.
      process.removeAllListeners(name);
      process.kill(process.pid, name);
    }
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const stopListening = (): void => void process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  const release = (): void => {
    if (stop.signal.aborted) setTimeout(stopListening, sameSignalMs).unref();
    else stopListening();
  };
  return { signal: stop.signal, requested, release };
}
