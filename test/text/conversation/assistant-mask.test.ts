/** @file Which tokens of a conversation are trained on: those that transformers says the assistant wrote. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { ConversationEncoder } from "../../../src/text/conversation/assistant-mask.ts";
import { Tokenizer } from "../../../src/text/tokenizer/tokenizer.ts";
import { goldenPath } from "../../architectures/goldens.ts";
import { sharedDataPath, smolLM2Path, withoutSharedData, withoutSmolLM2 } from "../../fixtures/real-models.ts";
import { specialTokens, tinyTokenizer } from "../../fixtures/tiny-tokenizer.ts";
import { assertRefused } from "../../formats/expect-error.ts";
import { trainingGoldens } from "../../training/model/training-goldens.ts";

const golden = trainingGoldens();
const llama = openModel(goldenPath("llama"));
llama.weights.close();
const tokenizer = new Tokenizer(llama.tokenizer);
const isEnd = (id: number): boolean => id === 0;
const encoderOf = (chatTemplate: string): ConversationEncoder => new ConversationEncoder(tokenizer, { ...llama.tokenizer, chatTemplate });

describe("the assistant's tokens", () => {
  test("are those that transformers finds by {% generation %}", () => {
    const encoder = encoderOf(golden.template);
    for (const { messages, ids, mask } of golden.conversations) {
      const encoded = encoder.encode(messages, 0, isEnd);
      assert.deepEqual(encoded.ids, ids);
      assert.deepEqual(encoded.trained.map(Number), mask, JSON.stringify(messages));
    }
  });

  test("are the same by comparing renderings, where a template has no {% generation %}", () => {
    const encoder = encoderOf(golden.template.replaceAll(/\{% (end)?generation %\}/g, ""));
    for (const { messages, ids, mask } of golden.conversations)
      assert.deepEqual(encoder.encode(messages, 0, isEnd), { ids, trained: mask.map(Boolean) }, JSON.stringify(messages));
  });

  const tiny = tinyTokenizer();
  const tinyEncoder = new ConversationEncoder(new Tokenizer(tiny), tiny);
  const endOfTurn = specialTokens.indexOf("<|im_end|>");
  const text = fc.string({ unit: fc.constantFrom("a", " ", "\n", "é", "🙂", "<|im_end|>", "<|im_start|>", "the"), maxLength: 8 });
  const conversations = fc.array(fc.record({ role: fc.constantFrom("system", "user", "assistant"), content: text }), {
    minLength: 1,
    maxLength: 6,
  });

  test("decode to the assistant's texts, each closed by the end of its turn, whatever the texts hold", () => {
    const decoder = new Tokenizer(tiny);
    fc.assert(
      fc.property(conversations, (messages) => {
        const { ids, trained } = tinyEncoder.encode(messages, 0, (id) => id === endOfTurn);
        const decoded = decoder.decode(
          ids.filter((_, at) => trained[at]),
          { skipSpecialTokens: false },
        );
        const expected = messages.filter(({ role }) => role === "assistant").map(({ content }) => `${content}<|im_end|>`);
        assert.equal(decoded, expected.join(""));
      }),
    );
  });

  test("leave out turns before the first that is trained", () => {
    const messages = golden.conversations[1]!.messages;
    const { trained } = encoderOf(golden.template).encode(messages, 2, isEnd);
    assert.equal(trained.indexOf(true), golden.conversations[1]!.mask.lastIndexOf(1) - 1);
  });

  test("are found where a template always opens an answer at its end", () => {
    const eager = golden.template.replaceAll(/\{% (end)?generation %\}/g, "").replace("{% if add_generation_prompt %}", "{% if true %}");
    const encoder = encoderOf(eager);
    for (const { messages, ids, mask } of golden.conversations) {
      const encoded = encoder.encode(messages, 0, isEnd);
      assert.deepEqual(encoded.trained.map(Number).slice(0, ids.length), mask, JSON.stringify(messages));
      assert.ok(!encoded.trained.includes(true, ids.length));
    }
    assertRefused(
      () => encoder.encode(golden.conversations[1]!.messages, 0, () => false),
      "invalid_dataset",
      /message 1 differently once others/,
    );
  });

  const vectors = "vectors/chat-templates/vectors.json";
  test("hold the answers, and no question, by every real template that takes them", { skip: withoutSharedData(vectors) }, () => {
    type Vector = { chat_template: string };
    const templates = (JSON.parse(readFileSync(sharedDataPath(vectors)!, "utf8")) as Vector[]).map((vector) => vector.chat_template);
    const questions = ["Kwestion", "Querry"];
    const answers = ["Anser", "Reply"];
    const messages = questions.flatMap((content, at) => [{ role: "user", content }, { role: "assistant", content: answers[at]! }]); // prettier-ignore
    const decoder = new Tokenizer(tiny);
    let understood = 0;
    for (const chatTemplate of new Set(templates)) {
      const encoder = new ConversationEncoder(decoder, { ...tiny, chatTemplate });
      try {
        const { ids, trained } = encoder.encode(messages, 0, (id) => id === endOfTurn);
        const learnt = decoder.decode(ids.filter((_, at) => trained[at]), { skipSpecialTokens: false }); // prettier-ignore
        assert.ok(answers.every((answer) => learnt.includes(answer)) && !questions.some((question) => learnt.includes(question)), learnt);
        understood++;
      } catch (error) {
        assert.ok(error instanceof BonsaiError && ["invalid_dataset", "invalid_request"].includes(error.code), String(error));
      }
    }
    assert.ok(understood >= 30, `${understood} templates were understood`);
  });

  test("are found in SmolLM2's own template", { skip: withoutSmolLM2 }, () => {
    const model = openModel(smolLM2Path()!);
    model.weights.close();
    const real = new Tokenizer(model.tokenizer);
    const messages = [
      { role: "user", content: "Why do bears like honey?" },
      { role: "assistant", content: "It is sweet." },
    ];
    const { ids, trained } = new ConversationEncoder(real, model.tokenizer).encode(messages, 0, (id) => model.eosTokenIds.includes(id));
    const decode = (wanted: boolean): string =>
      real.decode(
        ids.filter((_, at) => trained[at] === wanted),
        { skipSpecialTokens: false },
      );
    assert.equal(decode(true), "It is sweet.<|im_end|>");
    assert.match(decode(false), /<\|im_start\|>assistant\n\n$/);
  });
});

describe("a template is refused", () => {
  const [{ messages: twoTurns }] = [golden.conversations[1]!];

  test("that changes earlier turns once others follow, with what to do", () => {
    const forgetful =
      "{% for m in messages %}{{ m.role }}:{% if loop.last or m.role == 'user' %}{{ m.content }}{% endif %};{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    assertRefused(
      () => encoderOf(forgetful).encode(twoTurns, 0, isEnd),
      "invalid_dataset",
      /message 1 differently once others follow.*generation/,
    );
    const { trained } = encoderOf(forgetful).encode(twoTurns.slice(0, 2), 0, isEnd);
    assert.ok(trained.includes(true));
  });

  test("that does not open an answer as it renders one", () => {
    const silent = "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}{% if add_generation_prompt %}model:{% endif %}";
    assertRefused(() => encoderOf(silent).encode(twoTurns, 0, isEnd), "invalid_dataset", /message 1 differently than it opens an answer/);
  });

  test("whose marks are not in pairs, or not one a message of the assistant", () => {
    const marked = (body: string): ConversationEncoder => encoderOf(`{% for m in messages %}${body}{% endfor %}`);
    assertRefused(() => marked("{% generation %}{{ m.content }}").encode(twoTurns, 0, isEnd), "invalid_dataset", /not in pairs/);
    assertRefused(
      () => marked("{% generation %}{{ m.content }}{% endgeneration %}").encode(twoTurns, 0, isEnd),
      "invalid_dataset",
      /marks 4 parts .* for 2 messages/,
    );
  });

  test("that is absent", () => {
    assertRefused(
      () => new ConversationEncoder(tokenizer, { ...llama.tokenizer, chatTemplate: undefined }),
      "invalid_tokenizer",
      /no chat template/,
    );
  });
});
