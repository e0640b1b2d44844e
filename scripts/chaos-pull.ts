/** @file The pull that chaos kills: `chaos-pull.ts FOLDER CATALOG-FILE NAME`, with the endpoint in HF_ENDPOINT. */

import { readCatalog } from "../src/catalog/catalog.ts";
import { pullModel } from "../src/catalog/pull.ts";

const [modelsFolder, catalogFile, name] = process.argv.slice(2);
await pullModel(name!, console.log, { modelsFolder, catalog: await readCatalog(catalogFile) });
