/** @file Turns the telemetry of ONNX Runtime off. */

/**
 * Turns the telemetry of ONNX Runtime's library off for this process and the threads that it starts later. From 1.30 on
 * it looks up a host of its vendor, keeps a device id and an event database in the user's cache folder, and writes
 * files of fixed names into the temporary folder. It reads the process's own environment when it is loaded; a thread
 * has a copy of it that native code does not see, so whoever starts a thread that loads the library calls this first.
 */
export function turnTelemetryOff(): void {
  process.env["ORT_DISABLE_TELEMETRY"] = "1";
}
