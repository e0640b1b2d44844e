/** @file The devices that this version has, by the word of `--device`. */

import type { Device as DeviceName } from "../config/options.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { cpuDevice } from "./cpu/cpu-device.ts";
import type { Device } from "./device.ts";

const implementations: Partial<Record<DeviceName, Device>> = { cpu: cpuDevice };

/** @throws BonsaiError `usage` where this version has no such device */
export function deviceNamed(name: DeviceName): Device {
  const device = implementations[name];
  if (device !== undefined) return device;
  throw new BonsaiError("usage", `This version has no device ${name}; it has ${Object.keys(implementations).join(", ")}.`, {
    param: "--device",
  });
}
