/**
 * @file Loaded before every test file: properties draw the same values in each run, so that a commit passes or fails for everybody alike.
 * `BONSAI_TEST_SEED` names other values: a number, or `random` for new ones each time (a property that fails prints its seed).
 */

import fc from "fast-check";

const wanted = process.env["BONSAI_TEST_SEED"] ?? "1";
if (wanted !== "random") {
  const seed = Number(wanted);
  if (!Number.isInteger(seed)) throw new Error(`BONSAI_TEST_SEED is ${JSON.stringify(wanted)}; it must be a whole number or "random".`);
  fc.configureGlobal({ seed });
}
