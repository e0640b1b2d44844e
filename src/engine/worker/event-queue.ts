/** @file Events of one request between the worker that makes them and the response that takes them, in order. */

/** An async iterable that is pushed to. After `fail`, what was pushed before is still delivered, then the error. */
export class EventQueue<T> implements AsyncIterable<T> {
  readonly #events: T[] = [];
  #failure: { error: Error } | undefined;
  #wake: (() => void) | undefined;

  push(event: T): void {
    if (this.#failure !== undefined) return;
    this.#events.push(event);
    this.#wake?.();
  }

  fail(error: Error): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) yield event;
      if (this.#failure !== undefined) throw this.#failure.error;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }
}
