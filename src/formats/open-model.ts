/** @file Opens a model by its path, whatever its format. */

import { openHuggingFaceFolder } from "./hugging-face-folder.ts";
import type { ModelFile } from "./model-file.ts";

/**
 * Opens a Hugging Face folder (it holds config.json). Weights are read when asked for; `weights.close()` ends that.
 * @throws BonsaiError `file_not_found` when nothing like that is at the path; what the format's reader throws otherwise.
 */
export function openModel(path: string): ModelFile {
  return openHuggingFaceFolder(path);
}
