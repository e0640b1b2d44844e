/** @file One message of a conversation, for chat templates, policies, reward models, judges and training alike. */

export interface Message {
  /**
   * What the model's chat template takes: `system`, `user` and `assistant`; with some templates others such as
   * `developer` and `tool`.
   */
  role: string;
  content: string;
  /** Handed to the chat template. */
  name?: string | undefined;
}
