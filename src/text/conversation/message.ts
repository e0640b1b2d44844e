/** @file The messages of a conversation, as chat completions and TRL's data sets spell them. */

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}
