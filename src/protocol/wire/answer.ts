/** @file The fields that the answers of all generation routes begin with. */

/** The fields that an answer, or each chunk of it, begins with. */
export interface AnswerHead {
  /** Unique; ends with the request's own id, which the log has too. */
  id: string;
  /** Seconds since the epoch, when the request came. */
  created: number;
  model: string;
  /** Answers can change only when this does. */
  system_fingerprint: string;
}
