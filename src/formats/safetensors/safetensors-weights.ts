/**
 * @file The weights of a Hugging Face folder: model.safetensors, or the shards that model.safetensors.index.json names.
 */

import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { dequantize } from "../../tensor/blocks.ts";
import { dtypes } from "../../tensor/dtype.ts";
import { transposeBytes } from "../../tensor/transpose.ts";
import { BoundedFile } from "../bounded-file.ts";
import { isJsonObject, readJsonObject } from "../json-file.ts";
import type { WeightInfo, WeightSource } from "../model-file.ts";
import { isWeightType, readSafetensorsHeader, type SafetensorsEntry } from "./safetensors.ts";
import { fullWeightName, isStoredTransposed } from "../weight-names.ts";

const SINGLE_FILE = "model.safetensors";
const INDEX_FILE = "model.safetensors.index.json";
const LARGEST_INDEX_BYTES = 64 * 2 ** 20;

interface LocatedTensor {
  file: BoundedFile;
  entry: SafetensorsEntry;
  info: WeightInfo;
  /** Stored as [in, out]; `info.shape` is [out, in]. */
  transposed: boolean;
}

/**
 * The path of a folder's file by its plain name.
 * @throws BonsaiError `invalid_model_file` when the name is a path, or a symlink leads out of the folder. A link into
 * the `blobs` of a Hugging Face hub cache, next to the `snapshots` that holds the folder, is how that cache keeps
 * files.
 */
export function pathInFolder(folder: string, name: string): string {
  const path = join(folder, name);
  if (name === "" || name === "." || name === ".." || basename(name) !== name || name.includes("\\") || name.includes("\0")) {
    throw new BonsaiError("invalid_model_file", `${folder} names the file ${JSON.stringify(name)}, which is not a plain file name.`);
  }
  if (!existsSync(path)) return path;
  const realFolder = realpathSync(folder);
  const allowed = [realFolder];
  if (basename(dirname(realFolder)) === "snapshots") allowed.push(join(dirname(dirname(realFolder)), "blobs"));
  const realPath = realpathSync(path);
  if (allowed.some((parent) => realPath.startsWith(parent + sep))) return path;
  throw new BonsaiError("invalid_model_file", `${path} is a link to ${realPath}, outside of its folder.`);
}

/** Names of the weight files of a folder, in order: one, or the shards. */
function weightFiles(folder: string): { names: string[]; weightMap: ReadonlyMap<string, string> | undefined } {
  if (existsSync(join(folder, SINGLE_FILE))) return { names: [SINGLE_FILE], weightMap: undefined };
  const indexPath = pathInFolder(folder, INDEX_FILE);
  if (!existsSync(indexPath)) {
    throw new BonsaiError(
      "file_not_found",
      `${folder} holds neither ${SINGLE_FILE} nor ${INDEX_FILE}; weights in other formats (pytorch_model.bin) are not read: save them as safetensors.`,
    );
  }
  const { weight_map: weightMap } = readJsonObject(indexPath, LARGEST_INDEX_BYTES);
  if (!isJsonObject(weightMap)) throw new BonsaiError("invalid_model_file", `${indexPath} has no object "weight_map".`);
  const pairs = Object.entries(weightMap);
  for (const [name, shard] of pairs) {
    if (typeof shard !== "string")
      throw new BonsaiError("invalid_model_file", `${indexPath}: weight_map gives tensor ${JSON.stringify(name)} no file name.`);
  }
  const map = new Map(pairs as [string, string][]);
  return { names: [...new Set(map.values())].toSorted(), weightMap: map };
}

export interface FolderWeights {
  source: WeightSource;
  /** The weight files, in the order in which they count towards the content's hash. */
  files: readonly BoundedFile[];
}

/**
 * Opens the weights of a folder. Only headers are read; tensors are read when asked for.
 * @param modelType config.json's `model_type`, which decides the full names and GPT-2's transposed layers.
 * @throws BonsaiError `file_not_found`, `invalid_model_file` (naming tensor, shard or offset) or `unsupported_model`.
 */
export function openFolderWeights(folder: string, modelType: string): FolderWeights {
  const { names, weightMap } = weightFiles(folder);
  const files: BoundedFile[] = [];
  try {
    const tensors = new Map<string, LocatedTensor>();
    const unreadable = new Map<string, string>();
    const stored = new Map<string, string>();
    for (const fileName of names) {
      const file = new BoundedFile(pathInFolder(folder, fileName));
      files.push(file);
      for (const entry of readSafetensorsHeader(file).entries.values()) {
        const earlier = stored.get(entry.name);
        if (earlier !== undefined)
          throw new BonsaiError("invalid_model_file", `${file.path}: tensor ${JSON.stringify(entry.name)} is in ${earlier} too.`);
        stored.set(entry.name, fileName);
        const name = fullWeightName(modelType, entry.name);
        if (name === undefined) continue;
        if (tensors.has(name))
          throw new BonsaiError(
            "invalid_model_file",
            `${file.path}: tensor ${JSON.stringify(name)} is given both with and without its prefix.`,
          );
        if (!isWeightType(entry.dtype)) {
          unreadable.set(name, entry.dtype);
          continue;
        }
        const transposed = isStoredTransposed(modelType, name);
        if (transposed && entry.shape.length !== 2)
          throw new BonsaiError("invalid_model_file", `${file.path}: tensor ${JSON.stringify(name)} must be a matrix.`);
        const shape = transposed ? entry.shape.toReversed() : entry.shape;
        tensors.set(name, { file, entry, info: { name, dtype: entry.dtype, shape }, transposed });
      }
    }
    for (const [name, fileName] of weightMap ?? []) {
      if (stored.get(name) !== fileName)
        throw new BonsaiError(
          "invalid_model_file",
          `${join(folder, INDEX_FILE)}: tensor ${JSON.stringify(name)} is not in ${fileName}, where weight_map says it is.`,
        );
    }
    return { source: new SafetensorsWeights(folder, tensors, unreadable, files), files };
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
}

class SafetensorsWeights implements WeightSource {
  readonly infos: ReadonlyMap<string, WeightInfo>;
  readonly #folder: string;
  readonly #tensors: ReadonlyMap<string, LocatedTensor>;
  readonly #unreadable: ReadonlyMap<string, string>;
  readonly #files: readonly BoundedFile[];

  constructor(
    folder: string,
    tensors: ReadonlyMap<string, LocatedTensor>,
    unreadable: ReadonlyMap<string, string>,
    files: readonly BoundedFile[],
  ) {
    this.#folder = folder;
    this.#tensors = tensors;
    this.#unreadable = unreadable;
    this.#files = files;
    this.infos = new Map([...tensors].map(([name, tensor]) => [name, tensor.info]));
  }

  readRaw(name: string): Uint8Array<ArrayBuffer> {
    const { file, entry, info, transposed } = this.#tensor(name);
    const bytes = file.read(entry.offset, entry.byteLength, `tensor ${JSON.stringify(name)}`);
    return transposed ? transposeBytes(bytes, entry.shape[0]!, entry.shape[1]!, dtypes[info.dtype].blockBytes) : bytes;
  }

  readFloat32(name: string): Float32Array<ArrayBuffer> {
    const { info } = this.#tensor(name);
    const bytes = this.readRaw(name);
    if (info.dtype === "F32") return new Float32Array(bytes.buffer);
    return dequantize(info.dtype, bytes, bytes.byteLength / dtypes[info.dtype].blockBytes);
  }

  close(): void {
    for (const file of this.#files) file.close();
  }

  #tensor(name: string): LocatedTensor {
    const tensor = this.#tensors.get(name);
    if (tensor !== undefined) return tensor;
    const dtype = this.#unreadable.get(name);
    if (dtype !== undefined)
      throw new BonsaiError(
        "unsupported_model",
        `${this.#folder}: tensor ${JSON.stringify(name)} has type ${dtype}; weights can be F64, F32, F16 or BF16.`,
      );
    throw new BonsaiError("invalid_model_file", `${this.#folder} has no tensor ${JSON.stringify(name)}.`);
  }
}
