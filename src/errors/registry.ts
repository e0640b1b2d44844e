/**
 * @file Every error code of the program: HTTP status, OpenAI `type`, what happened and what to do. docs/ERRORS.md is
 * generated from it.
 */

export interface ErrorDefinition {
  /** HTTP status; for errors that never reach HTTP, the status a route would answer with. */
  status: number;
  /** OpenAI's `error.type`. */
  type: "invalid_request_error" | "authentication_error" | "rate_limit_error" | "server_error" | "unavailable_error";
  /** What happened, as one clause. */
  what: string;
  /** What the reader can do, as one clause. */
  remedy: string;
}

export const registry = {
  invalid_request: {
    status: 400,
    type: "invalid_request_error",
    what: "a field of the request is missing, malformed or out of range",
    remedy: "correct the field that `param` names",
  },
  unsupported_field: {
    status: 400,
    type: "invalid_request_error",
    what: "a field of the request is not supported",
    remedy: "remove the field that `param` names",
  },
  context_length_exceeded: {
    status: 400,
    type: "invalid_request_error",
    what: "prompt and answer do not fit the model's context",
    remedy: "shorten the prompt or lower `max_tokens`",
  },
  previous_response_not_found: {
    status: 400,
    type: "invalid_request_error",
    what: "the server has no response of this id, or no longer keeps it",
    remedy: "send the whole conversation as `input`, or raise --response-lifetime or --response-store-bytes",
  },
  request_too_large: {
    status: 400,
    type: "invalid_request_error",
    what: "the request could never be admitted under the server's limits",
    remedy: "ask for fewer sequences or fewer tokens, or raise the limit that the message names",
  },
  invalid_api_key: {
    status: 401,
    type: "authentication_error",
    what: "the API key is missing or wrong",
    remedy: "send `Authorization: Bearer KEY` with a key of the server",
  },
  host_not_allowed: {
    status: 421,
    type: "invalid_request_error",
    what: "the request is for a host whose name is not one of the server's",
    remedy: "use the server's address, or add the name with --allowed-host",
  },
  origin_not_allowed: {
    status: 403,
    type: "invalid_request_error",
    what: "the browser's Origin is not on the allow-list",
    remedy: "add the origin with --cors-origin",
  },
  not_found: { status: 404, type: "invalid_request_error", what: "no such route", remedy: "see /docs for the routes" },
  method_not_allowed: {
    status: 405,
    type: "invalid_request_error",
    what: "the route does not know this method",
    remedy: "see /docs for the routes",
  },
  model_not_found: {
    status: 404,
    type: "invalid_request_error",
    what: "no such model is served",
    remedy: "list the models with GET /v1/models",
  },
  request_timeout: {
    status: 408,
    type: "invalid_request_error",
    what: "the request did not arrive completely in time",
    remedy: "send the whole body within --request-timeout",
  },
  body_too_large: {
    status: 413,
    type: "invalid_request_error",
    what: "the request's body is larger than the server takes",
    remedy: "shorten it, or raise --body-limit",
  },
  unsupported_media_type: {
    status: 415,
    type: "invalid_request_error",
    what: "the body is not JSON",
    remedy: "send Content-Type: application/json",
  },
  upgrade_required: {
    status: 426,
    type: "invalid_request_error",
    what: "the route speaks WebSocket, and the request asked for no upgrade",
    remedy: "connect with a WebSocket client, or send the request by POST",
  },
  overloaded: { status: 429, type: "rate_limit_error", what: "the queue is full", remedy: "retry after the seconds in Retry-After" },
  cancelled: { status: 499, type: "invalid_request_error", what: "the client disconnected", remedy: "nothing: this is only logged" },
  internal: { status: 500, type: "server_error", what: "a bug in the server", remedy: "report it with the request id from the log" },
  loading: {
    status: 503,
    type: "unavailable_error",
    what: "the models are still loading",
    remedy: "retry after the seconds in Retry-After",
  },
  draining: { status: 503, type: "unavailable_error", what: "the server is shutting down", remedy: "send the request to another instance" },
  engine_failed: {
    status: 503,
    type: "unavailable_error",
    what: "the compute worker stopped",
    remedy: "retry: the worker is restarted; the server's log has the cause",
  },
  usage: {
    status: 400,
    type: "invalid_request_error",
    what: "a command-line flag, environment variable or config file is wrong",
    remedy: "see --help",
  },
  listen_failed: {
    status: 500,
    type: "server_error",
    what: "the server cannot listen on its address",
    remedy: "choose another address or port with --host and --port",
  },
  file_not_found: {
    status: 500,
    type: "server_error",
    what: "a file or folder is absent or unreadable",
    remedy: "check the path that the message names",
  },
  invalid_model_file: {
    status: 500,
    type: "server_error",
    what: "a model file is truncated, damaged or hostile",
    remedy: "fetch the file again; the message names the offset or tensor",
  },
  unsupported_model: {
    status: 500,
    type: "server_error",
    what: "the model uses a format, type or architecture that is not supported",
    remedy: "convert the model, or use one of the supported kinds that the message lists",
  },
  invalid_tokenizer: {
    status: 500,
    type: "server_error",
    what: "the tokenizer or chat template cannot be used",
    remedy: "check the file that the message names",
  },
  write_failed: {
    status: 500,
    type: "server_error",
    what: "a file cannot be written: the disk is full, or the system does not permit it",
    remedy: "make room or choose another place; files that were written before are complete",
  },
  invalid_dataset: {
    status: 400,
    type: "invalid_request_error",
    what: "a row of a dataset has a form that training does not accept",
    remedy: "correct the file, line and field that the message names",
  },
  training_diverged: {
    status: 500,
    type: "server_error",
    what: "a loss, gradient or weight of a training run is no longer a finite number",
    remedy: "start again with a lower --learning-rate or --max-grad-norm; the checkpoints before it are complete",
  },
  upstream_failed: {
    status: 502,
    type: "server_error",
    what: "another server, which samples or judges, cannot be reached or does not answer with a completion",
    remedy: "check --base-url or --judge-url and that server's log; what was collected before is kept",
  },
  download_failed: {
    status: 500,
    type: "server_error",
    what: "no source of the catalog delivered the file",
    remedy: "check the network, or place the file by hand as the message says",
  },
  checksum_mismatch: {
    status: 500,
    type: "server_error",
    what: "a downloaded file does not have the SHA-256 of the catalog",
    remedy: "delete it and pull again",
  },
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorCode = keyof typeof registry;
