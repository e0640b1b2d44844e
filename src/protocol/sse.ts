/** @file Server-sent events as OpenAI writes them (WHATWG HTML, section 9.2: one `data:` line, then an empty one). */

/** An event. JSON has no line breaks outside of strings, and escapes those inside, so one line holds it. */
export const encodeData = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;

/** What ends a stream that went well. */
export const doneEvent = "data: [DONE]\n\n";

/** A comment, which clients skip: it shows proxies and clients that the connection lives. */
export const keepAliveComment = ": keep-alive\n\n";
