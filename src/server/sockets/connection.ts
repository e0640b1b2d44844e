/** @file One WebSocket connection: its answers by stream, what may be asked of it, and every way that it ends. */

import type { RawData, WebSocket } from "ws";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { checkedJsonText } from "../../protocol/wire/json-body.ts";
import { parseFrame, streamIdOf, type ClientFrame } from "../../protocol/wire/frames.ts";
import type { Lifecycle } from "../lifecycle.ts";
import { Outbox } from "./outbox.ts";

/** Close codes of RFC 6455, section 7.4.1, and of its registry. */
export const closeCodes = { normal: 1000, goingAway: 1001, unsupportedData: 1003, policy: 1008, internal: 1011, tryAgain: 1013 } as const;

/** What a route's frames mean. */
export interface SocketDialect {
  /** Type of the frame that asks for an answer. */
  create: string;
  /** Type of the frame that ends one. */
  cancel: string;
  /** Whether every frame names its stream. Otherwise one answer at a time may have no name. */
  namesStreams: boolean;
  /** The frames of an answer. What it throws ends the stream with an error frame. */
  answer(frame: ClientFrame, streamId: string | undefined, signal: AbortSignal): AsyncIterable<object>;
  /** An error that ends a stream or, without one, refuses a frame. */
  failure(error: BonsaiError, streamId: string | undefined): object;
}

export interface ConnectionOptions {
  lifecycle: Lifecycle;
  maxStreams: number;
  pingIntervalMs: number;
  idleTimeoutMs: number;
  /** A client that takes nothing for this long is dropped. */
  stallTimeoutMs: number;
  /** Logs a failure, and gives the error that the client may read. */
  reportFailure: (failure: unknown, frame: ClientFrame | undefined) => BonsaiError;
  /** Hears of each frame before it is acted upon. */
  onFrame: (frame: ClientFrame) => void;
  /** Hears of each answer that ended, by "done" or the code of its error. */
  onEnd: (outcome: string, streamId: string | undefined, durationMs: number) => void;
}

export class Connection {
  readonly #socket: WebSocket;
  readonly #dialect: SocketDialect;
  readonly #options: ConnectionOptions;
  readonly #outbox: Outbox;
  readonly #streams = new Map<string | undefined, AbortController>();
  readonly #pings: NodeJS.Timeout;
  readonly #idle: NodeJS.Timeout;
  /** Whether anything came since the last ping. */
  #isHeard = true;
  #isDraining = false;

  constructor(socket: WebSocket, dialect: SocketDialect, options: ConnectionOptions) {
    this.#socket = socket;
    this.#dialect = dialect;
    this.#options = options;
    this.#outbox = new Outbox(socket, options.stallTimeoutMs, () => socket.terminate());
    this.#pings = setInterval(() => this.#ping(), options.pingIntervalMs);
    this.#idle = setTimeout(() => this.#closeIdle(), options.idleTimeoutMs);
    const hear = (): void => {
      this.#isHeard = true;
    };
    socket.on("pong", hear);
    socket.on("ping", hear);
    socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    socket.on("close", () => this.#closed());
  }

  /** @param reason Told to the client, at most 123 bytes. */
  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  /** Closes as soon as nothing runs; what is asked for meanwhile is refused by the lifecycle. */
  drain(): void {
    this.#isDraining = true;
    if (this.#streams.size === 0) this.close(closeCodes.goingAway, "The server is shutting down.");
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#isHeard = true;
    this.#idle.refresh();
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (isBinary) return this.close(closeCodes.unsupportedData, "Frames must be text.");
    try {
      const frame = parseFrame(checkedJsonText(data as Buffer, "The frame"));
      this.#options.onFrame(frame);
      this.#obey(frame);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #obey(frame: ClientFrame): void {
    const { create, cancel, namesStreams } = this.#dialect;
    if (frame.type !== create && frame.type !== cancel) {
      throw new BonsaiError("invalid_request", `type must be ${JSON.stringify(create)} or ${JSON.stringify(cancel)}.`, { param: "type" });
    }
    const streamId = streamIdOf(frame);
    if (streamId === undefined && namesStreams) throw new BonsaiError("invalid_request", "stream_id is missing.", { param: "stream_id" });
    const running = this.#streams.get(streamId);
    if (frame.type === cancel) {
      running?.abort(new BonsaiError("cancelled", "The client cancelled the answer."));
      return;
    }
    if (running !== undefined) {
      throw new BonsaiError("invalid_request", "An answer of this stream_id still runs: wait for its end, or name another stream.", {
        param: "stream_id",
      });
    }
    if (this.#streams.size >= this.#options.maxStreams) {
      throw new BonsaiError("overloaded", `${this.#streams.size} answers run on this connection; more wait for one to end.`, {
        param: "stream_id",
      });
    }
    void this.#run(frame, streamId);
  }

  /** Streams an answer to its end. Never rejects. */
  async #run(frame: ClientFrame, streamId: string | undefined): Promise<void> {
    const startedMs = performance.now();
    const { controller, end } = this.#options.lifecycle.begin();
    const { signal } = controller;
    this.#streams.set(streamId, controller);
    let outcome = "done";
    try {
      for await (const told of this.#dialect.answer(frame, streamId, signal)) await this.#outbox.send(told, signal);
    } catch (failure) {
      const error = this.#options.reportFailure(signal.aborted ? signal.reason : failure, frame);
      outcome = error.code;
      this.#notify(this.#dialect.failure(error, streamId));
    } finally {
      this.#streams.delete(streamId);
      end();
      if (this.#socket.readyState === this.#socket.OPEN) this.#idle.refresh();
      this.#options.onEnd(outcome, streamId, performance.now() - startedMs);
      if (this.#isDraining) this.drain();
    }
  }

  #refuse(failure: unknown): void {
    this.#notify(this.#dialect.failure(this.#options.reportFailure(failure, undefined), undefined));
  }

  /** Errors do not wait for room, so those who cause them without reading are cut off. */
  #notify(notice: object): void {
    if (this.#outbox.isFlooded) this.#socket.terminate();
    else this.#outbox.push(notice);
  }

  /**
   * While the client has not taken what was sent, a ping would wait behind it: the outbox then decides how long is too
   * long.
   */
  #ping(): void {
    if (this.#outbox.isBlocked) return;
    if (!this.#isHeard) return this.#socket.terminate();
    this.#isHeard = false;
    this.#socket.ping();
  }

  #closeIdle(): void {
    if (this.#streams.size > 0) this.#idle.refresh();
    else this.close(closeCodes.normal, "Nothing was asked for in a while.");
  }

  #closed(): void {
    clearInterval(this.#pings);
    clearTimeout(this.#idle);
    for (const controller of this.#streams.values()) controller.abort(new BonsaiError("cancelled", "The client left."));
    this.#outbox.close();
  }
}
