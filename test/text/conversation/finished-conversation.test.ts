/** @file Answers that are encoded after one prompt have the ids of each whole conversation. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ChatTemplate } from "../../../src/text/conversation/chat-template.ts";
import { encodeChat } from "../../../src/text/conversation/encode-chat.ts";
import { FinishedConversationEncoder, type FinishedConversation } from "../../../src/text/conversation/finished-conversation.ts";
import type { Message } from "../../../src/text/conversation/message.ts";
import { runSlices } from "../../../src/text/slices.ts";
import { Tokenizer } from "../../../src/text/tokenizer/tokenizer.ts";
import { filesOf, smallTokenizers } from "../goldens.ts";

const { texts, kinds } = smallTokenizers();
const tokenizer = new Tokenizer(filesOf(kinds.find((kind) => kind.name === "gpt2")!.tokenizerJson));
const endId = tokenizer.idOf("<|im_end|>")!;

const templates = {
  chatml:
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
  "that trims":
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + (m.content | trim) + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
  "without control tokens": "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}",
  "that writes earlier turns anew":
    "{% for m in messages %}{{ '<|im_start|>' + m.role + (' (last)' if loop.last else '') + '\n' + m.content + '<|im_end|>' }}{% endfor %}",
};

/** Both conversations rendered and encoded as wholes. */
function naiveEncode(template: ChatTemplate, prompt: readonly Message[], answer: Message): FinishedConversation {
  const now = new Date(2025, 0, 1);
  const ids = encodeChat(tokenizer, template, [...prompt, answer], { now, addGenerationPrompt: false });
  const opened = prompt.length === 0 ? [] : encodeChat(tokenizer, template, prompt, { now, addGenerationPrompt: true });
  const differing = ids.findIndex((id, at) => id !== opened[at]);
  const promptTokens = differing < 0 ? ids.length : differing;
  const end = ids.lastIndexOf(endId);
  return { ids, promptTokens, fedTokens: Math.max(1, end >= promptTokens ? end : ids.length) };
}

describe("answers encoded after one prompt have the ids of each whole conversation", () => {
  const content = fc.oneof(
    fc.constantFrom(...texts.filter((text) => text.length < 400)),
    fc
      .array(fc.constantFrom("<|im_end|>", "<|im_start|>", "user", " ", "\n", "Yes", ", ", "it's"), { maxLength: 8 })
      .map((all) => all.join("")),
  );
  const prompt = fc.array(fc.record({ role: fc.constantFrom("system", "user", "assistant"), content }), { maxLength: 4 });
  for (const [name, source] of Object.entries(templates)) {
    it(`by a template ${name}`, () => {
      const template = new ChatTemplate(source, {});
      const encoder = new FinishedConversationEncoder(tokenizer, template, (id) => id === endId);
      fc.assert(
        fc.property(prompt, fc.array(content, { minLength: 1, maxLength: 4 }), (messages, answers) => {
          const opened = runSlices(encoder.open(messages));
          for (const text of answers) {
            const answer = { role: "assistant", content: text };
            assert.deepEqual(runSlices(encoder.finish(opened, answer)), naiveEncode(template, messages, answer));
          }
        }),
      );
    });
  }
});
