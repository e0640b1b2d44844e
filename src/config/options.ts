/**
 * @file Every option of the server as one TypeBox schema: types, validation, --help, environment, config file and
 * docs/CONFIG.md come from it.
 */

import { Type, type Static } from "typebox";
import { annotations, defaultsOf, oneOf, optionsOf, type Option } from "./option.ts";

/** Ways to store weights and multiply by them; docs/BENCHMARKS.md has the quality and speed of each. */
export const quantizations = ["fp32", "q8", "q4", "w8a8"] as const;
export type Quantization = (typeof quantizations)[number];

/** Devices that `--device` knows. */
export const devices = ["cpu", "webgpu", "cuda"] as const;
export type Device = (typeof devices)[number];

/** Devices that this version runs on. */
export const supportedDevices: readonly Device[] = ["cpu"];

export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

/** How log lines are written; auto: pretty on a terminal, else json. */
export const logFormats = ["auto", "json", "pretty"] as const;

/** The headings under which --help and docs/CONFIG.md list the options, in this order. */
export const optionGroups = ["Models", "Network", "Access", "Limits", "Operation"] as const;

const annotate = annotations<(typeof optionGroups)[number]>();

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

export const ConfigSchema = Type.Object(
  {
    model: Type.Array(
      Type.String({ minLength: 1 }),
      annotate({
        group: "Models",
        metavar: "NAME|PATH|ALIAS=PATH",
        description:
          "Model or reward model to serve: a name of the catalog, a GGUF file, or a folder in Hugging Face's or PEFT's layout; ALIAS=PATH sets the name that requests use. May be repeated",
        default: [],
        defaultText: "the models that are present, else the catalog's first, which is then pulled",
      }),
    ),
    rewardModel: Type.String(
      annotate({
        group: "Models",
        metavar: "NAME",
        description: "Reward model for requests with best_of that name none, where the policy has none of its own",
        default: "",
        defaultText: "the only one that is served",
      }),
    ),
    rewardEnsemble: Type.Array(
      Type.String({ minLength: 1 }),
      annotate({
        group: "Models",
        metavar: "NAME=MODEL+MODEL[:RULE]",
        description:
          "Reward model made of several served ones, as in careful=rm-1+rm-2:minimum; RULE is mean, minimum, or mean-K: the mean minus K standard deviations. May be repeated",
        default: [],
        defaultText: "none",
      }),
    ),
    quantization: oneOf(
      quantizations,
      annotate({
        group: "Models",
        description:
          "How weights are stored and multiplied. fp32: 32-bit floats; q8: 8-bit blocks; q4: the file's own 4-bit blocks; w8a8: 8-bit weights by 8-bit activations",
        default: "w8a8",
      }),
    ),
    device: oneOf(devices, annotate({ group: "Models", description: "Where the models run; this version has cpu only", default: "cpu" })),
    threads: Type.Integer({
      minimum: 0,
      maximum: 1024,
      ...annotate({ group: "Models", description: "Compute threads; 0 takes one for each core", default: 0 }),
    }),
    cacheDir: Type.String(
      annotate({
        group: "Models",
        metavar: "DIR",
        description: "Folder for quantised weights, bounded and safe to delete",
        default: "",
        defaultText: "$XDG_CACHE_HOME/bonsai, or ~/.cache/bonsai",
      }),
    ),

    port: Type.Integer({
      minimum: 0,
      maximum: 65535,
      ...annotate({ group: "Network", description: "TCP port; 0 takes a free one", default: 8000 }),
    }),
    host: Type.String({
      minLength: 1,
      ...annotate({
        group: "Network",
        description: "Address to listen on; the default is reachable from this machine only",
        default: "127.0.0.1",
      }),
    }),
    allowedHost: Type.Array(
      Type.String({ pattern: "^(\\*|(\\*\\.)?[A-Za-z0-9_.-]+)$" }),
      annotate({
        group: "Network",
        metavar: "NAME",
        description:
          "Name by which clients may reach the server, besides IP addresses, localhost and --host; *.NAME for all names below one, * for every name. May be repeated",
        values: "a name without scheme and port, such as bonsai.example.com or *.example.com",
        default: [],
        defaultText: "none",
      }),
    ),
    corsOrigin: Type.Array(
      Type.String({ minLength: 1 }),
      annotate({
        group: "Network",
        metavar: "ORIGIN",
        description: "Browser origin that may call the API, such as https://app.example.com, or * for all. May be repeated",
        default: [],
        defaultText: "none",
      }),
    ),
    requestTimeoutSeconds: Type.Integer({
      minimum: 1,
      maximum: 3600,
      ...annotate({
        group: "Network",
        flag: "request-timeout",
        unit: "seconds",
        description: "Longest time for a request to arrive completely",
        default: 60,
      }),
    }),
    streamStallTimeoutSeconds: Type.Integer({
      minimum: 1,
      maximum: 86400,
      ...annotate({
        group: "Network",
        flag: "stream-stall-timeout",
        unit: "seconds",
        description: "A streaming client that reads nothing for this long is disconnected",
        default: 120,
      }),
    }),
    websocketPingIntervalSeconds: Type.Integer({
      minimum: 1,
      maximum: 3600,
      ...annotate({
        group: "Network",
        flag: "websocket-ping-interval",
        unit: "seconds",
        description: "Time between two pings of a WebSocket; a connection that has not answered by the next ping is dropped",
        default: 30,
      }),
    }),
    websocketIdleTimeoutSeconds: Type.Integer({
      minimum: 1,
      maximum: 86400,
      ...annotate({
        group: "Network",
        flag: "websocket-idle-timeout",
        unit: "seconds",
        description: "A WebSocket without a running answer and without a request for this long is closed",
        default: 600,
      }),
    }),

    apiKey: Type.Array(
      Type.String({ minLength: 1, pattern: "^[\\x21-\\x7e]+$" }),
      annotate({
        group: "Access",
        metavar: "KEY",
        description:
          "Key that requests must carry as a bearer token; prefer the environment or the config file, since a command line is visible to others on the machine. May be repeated",
        default: [],
        defaultText: "none: no key is asked for",
        secret: true,
      }),
    ),

    bodyLimitBytes: Type.Integer({
      minimum: KiB,
      maximum: GiB,
      ...annotate({ group: "Limits", flag: "body-limit", unit: "bytes", description: "Largest request body", default: 2 * MiB }),
    }),
    headerLimitBytes: Type.Integer({
      minimum: KiB,
      maximum: MiB,
      ...annotate({ group: "Limits", flag: "header-limit", unit: "bytes", description: "Largest request head", default: 16 * KiB }),
    }),
    maxN: Type.Integer({
      minimum: 1,
      maximum: 4096,
      ...annotate({ group: "Limits", description: "Most sequences of one request (n, times the prompts of /v1/completions)", default: 64 }),
    }),
    maxInputs: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      ...annotate({
        group: "Limits",
        description: "Most conversations of a /v1/rewards request, or documents of a /v1/rerank request",
        default: 256,
      }),
    }),
    maxStopSequences: Type.Integer({
      minimum: 1,
      maximum: 256,
      ...annotate({ group: "Limits", description: "Most stop strings of one request", default: 16 }),
    }),
    maxWebsockets: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      ...annotate({ group: "Limits", description: "WebSocket connections at once; more are closed with 1013", default: 1024 }),
    }),
    maxWebsocketStreams: Type.Integer({
      minimum: 1,
      maximum: 4096,
      ...annotate({ group: "Limits", description: "Answers that one WebSocket connection may stream at once", default: 64 }),
    }),
    defaultMaxTokens: Type.Integer({
      minimum: 1,
      maximum: 1 << 24,
      ...annotate({
        group: "Limits",
        unit: "tokens",
        description: "Longest answer of a request that sets no max_tokens; the end of the context may cut it earlier",
        default: 1024,
      }),
    }),
    maxSequences: Type.Integer({
      minimum: 1,
      maximum: 4096,
      ...annotate({ group: "Limits", description: "Sequences that decode at once, shared equally by all requests", default: 64 }),
    }),
    maxQueuedSequences: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      ...annotate({ group: "Limits", description: "Sequences that may wait; more are refused with 429", default: 256 }),
    }),
    kvCacheBytes: Type.Integer({
      minimum: MiB,
      maximum: Number.MAX_SAFE_INTEGER,
      ...annotate({
        group: "Limits",
        unit: "bytes",
        description: "Memory for keys and values of running sequences; reward models use up to a quarter of it in addition",
        default: GiB,
      }),
    }),
    prefixCacheBytes: Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      ...annotate({
        group: "Limits",
        unit: "bytes",
        description: "Memory for prompts kept between requests; 0 keeps none",
        default: 32 * MiB,
      }),
    }),
    responseStoreBytes: Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      ...annotate({
        group: "Limits",
        unit: "bytes",
        description: "Memory for the conversations that previous_response_id of /v1/responses can continue; 0 keeps none",
        default: 64 * MiB,
      }),
    }),
    responseLifetimeSeconds: Type.Integer({
      minimum: 1,
      maximum: 30 * 86400,
      ...annotate({
        group: "Limits",
        flag: "response-lifetime",
        unit: "seconds",
        description: "How long these conversations are kept",
        default: 3600,
      }),
    }),

    shutdownGraceSeconds: Type.Integer({
      minimum: 0,
      maximum: 86400,
      ...annotate({
        group: "Operation",
        flag: "shutdown-grace",
        unit: "seconds",
        description: "Time for running requests to finish after SIGTERM",
        default: 30,
      }),
    }),
    maxEventLoopDelayMs: Type.Integer({
      minimum: 0,
      maximum: 60_000,
      ...annotate({
        group: "Operation",
        flag: "max-event-loop-delay",
        unit: "milliseconds",
        description: "New work is refused with 429 while the event loop lags by more than this; 0 never refuses",
        default: 1000,
      }),
    }),
    logFormat: oneOf(
      logFormats,
      annotate({
        group: "Operation",
        description:
          "Form of the log lines: json is one object a line, pretty is for people; auto takes pretty on a terminal and json elsewhere",
        default: "auto",
      }),
    ),
    logLevel: oneOf(logLevels, annotate({ group: "Operation", description: "Least severe log line to write", default: "info" })),
    logPrompts: Type.Boolean(
      annotate({ group: "Operation", description: "Write request bodies to the log, at level debug", default: false }),
    ),
  },
  { additionalProperties: false },
);

/** Every option with its value. */
export type Config = Static<typeof ConfigSchema>;
export type OptionName = keyof Config;

/** All options, in the order of the schema. */
export const options: readonly Option<OptionName>[] = optionsOf(ConfigSchema.properties);

/** A fresh configuration in which every option has its default. */
export function defaultConfig(): Config {
  return defaultsOf(options) as Config;
}
