/**
 * @file Turns the telemetry of ONNX Runtime off. From 1.30 on, its library looks up a host of its vendor, keeps a device id and an event database in
 * the user's cache folder, and writes files of fixed names into the temporary folder, unless this variable is set before it is loaded.
 *
 * Every module that loads the library, or starts a thread that does, imports this one first: a thread has a copy of the
 * environment that native code does not read.
 */

process.env["ORT_DISABLE_TELEMETRY"] = "1";
