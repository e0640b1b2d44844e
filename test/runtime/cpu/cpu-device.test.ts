/** @file The CPU conforms to what any device must do, and the registry knows it by its word. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { devices, supportedDevices } from "../../../src/config/options.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { deviceNamed } from "../../../src/runtime/devices.ts";
import { describeConformance } from "../device-conformance.ts";

describeConformance("cpu", 1e-4);

test("the devices that the configuration accepts are those that can be opened", () => {
  for (const name of devices) {
    if (supportedDevices.includes(name)) assert.equal(deviceNamed(name).name, name);
    else
      assert.throws(
        () => deviceNamed(name),
        (error) => error instanceof BonsaiError && error.code === "usage",
      );
  }
});
