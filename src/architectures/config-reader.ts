/** @file Reads typed values out of a config.json, and names the key when one is missing, malformed or out of range. */

import { BonsaiError } from "../errors/bonsai-error.ts";

export class ConfigReader {
  readonly #json: Record<string, unknown>;
  readonly #path: string;

  constructor(json: Record<string, unknown>, path: string) {
    this.#json = json;
    this.#path = path;
  }

  /** A positive integer of at most `max`. */
  size(key: string, max: number, fallback?: number): number {
    const value = this.#get(key) ?? fallback;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > max) {
      throw this.#invalid(key, `an integer from 1 to ${max}`, value);
    }
    return value;
  }

  /** A positive number of at most `max`: graphs compute with 32 bits, in which a large one is infinite. */
  positive(key: string, fallback?: number, max = 1e12): number {
    const value = this.#get(key) ?? fallback;
    if (typeof value !== "number" || !(value > 0 && value <= max)) throw this.#invalid(key, `a positive number of at most ${max}`, value);
    return value;
  }

  /** A place in a list of `length`. */
  index(key: string, length: number, fallback: number): number {
    const value = this.#get(key) ?? fallback;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value >= length) {
      throw this.#invalid(key, `an integer from 0 to ${length - 1}`, value);
    }
    return value;
  }

  /** A probability below 1. */
  share(key: string, fallback: number): number {
    const value = this.#get(key) ?? fallback;
    if (typeof value !== "number" || !(value >= 0 && value < 1)) throw this.#invalid(key, "a number from 0 to below 1", value);
    return value;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.#get(key) ?? fallback;
    if (typeof value !== "boolean") throw this.#invalid(key, "true or false", value);
    return value;
  }

  object(key: string): Record<string, unknown> | undefined {
    const value = this.#get(key) ?? undefined;
    if (value === undefined) return undefined;
    if (typeof value !== "object" || Array.isArray(value)) throw this.#invalid(key, "an object", value);
    return value as Record<string, unknown>;
  }

  choice<const T extends string>(key: string, choices: readonly T[], fallback?: T): T {
    const value = this.#get(key) ?? fallback;
    const known = choices.find((choice) => choice === value);
    if (known === undefined) throw this.#unsupported(key, choices.join(", "), value);
    return known;
  }

  /** Refuses a variant of the architecture that the graphs do not compute. */
  mustBe(key: string, expected: boolean): void {
    const value = this.#get(key) ?? expected;
    if (value !== expected) throw this.#unsupported(key, String(expected), value);
  }

  /** The same checks on an object inside this one. */
  within(key: string, json: Record<string, unknown>): ConfigReader {
    return new ConfigReader(json, `${this.#path}: ${key}`);
  }

  #get(key: string): unknown {
    return Object.hasOwn(this.#json, key) ? this.#json[key] : undefined;
  }

  #invalid(key: string, expected: string, value: unknown): BonsaiError {
    return new BonsaiError("invalid_model_file", `${this.#path}: ${key} must be ${expected}, not ${shown(value)}.`, { param: key });
  }

  #unsupported(key: string, supported: string, value: unknown): BonsaiError {
    return new BonsaiError("unsupported_model", `${this.#path}: ${key} is ${shown(value)}; supported: ${supported}.`, { param: key });
  }
}

function shown(value: unknown): string {
  return value === undefined ? "absent" : (JSON.stringify(value)?.slice(0, 60) ?? typeof value);
}
