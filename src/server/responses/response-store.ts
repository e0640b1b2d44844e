/**
 * @file The conversations that `previous_response_id` can continue: bounded in bytes, each for a while, the least
 * recently used first to go.
 */

import { LRUCache } from "lru-cache";
import type { PlainMessage } from "../../protocol/mapping/responses/request.ts";

/** What an entry takes besides its texts, roughly. */
const entryBytes = 256;
const messageBytes = 64;

export type StoredConversation = readonly PlainMessage[];

/** Who may continue a conversation: the client that began it. */
interface Entry {
  client: string;
  messages: StoredConversation;
}

export class ResponseStore {
  readonly #conversations: LRUCache<string, Entry>;

  /** @param maxBytes 0 keeps nothing. */
  constructor({ maxBytes, lifetimeMs }: { maxBytes: number; lifetimeMs: number }) {
    this.#conversations = new LRUCache({
      maxSize: Math.max(1, maxBytes),
      sizeCalculation: ({ messages }) => entryBytes + messages.reduce((sum, { content }) => sum + messageBytes + 2 * content.length, 0),
      ttl: lifetimeMs,
    });
  }

  /** Keeps a conversation, unless it is larger than all that may be kept. */
  keep(id: string, messages: StoredConversation, client: string): void {
    this.#conversations.set(id, { client, messages });
  }

  /** Undefined also where it is another client's: nobody learns which ids there are. */
  find(id: string, client: string): StoredConversation | undefined {
    const found = this.#conversations.get(id);
    return found?.client === client ? found.messages : undefined;
  }

  get bytes(): number {
    return this.#conversations.calculatedSize;
  }
}
