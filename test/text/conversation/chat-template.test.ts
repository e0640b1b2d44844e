/**
 * @file Chat templates of real models render as Hugging Face's do, within bounds, and refuse in words for the caller.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import type { ErrorCode } from "../../../src/errors/registry.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { ChatTemplate, specialTokenTexts } from "../../../src/text/conversation/chat-template.ts";
import { sharedFile, smollm2Path } from "../goldens.ts";

interface Vector {
  name: string;
  chat_template: string;
  data: { messages: object[]; add_generation_prompt?: boolean } & Record<string, unknown>;
  target: string;
}

const hello = [{ role: "user", content: "hello" }];
const render = (source: string, messages: object[] = hello): string => new ChatTemplate(source, {}).render(messages);

function assertError(action: () => unknown, code: ErrorCode, message: RegExp): void {
  assert.throws(action, (error) => error instanceof BonsaiError && error.code === code && message.test(error.message));
}

describe("ChatTemplate", () => {
  const vectorFile = sharedFile("vectors/chat-templates/vectors.json");
  const vectors = vectorFile === undefined ? [] : (JSON.parse(readFileSync(vectorFile, "utf8")) as Vector[]);
  it("has all 53 vectors of real models' templates", { skip: vectorFile === undefined && "../shared/data is absent" }, () => {
    assert.equal(vectors.length, 53);
  });
  for (const { name, chat_template, data, target } of vectors) {
    it(`renders as the vector says: ${name}`, () => {
      const { messages, add_generation_prompt: addGenerationPrompt, ...extra } = data;
      // The vector that prints the date was made on this day.
      const now = new Date(2025, 6, 10);
      assert.equal(new ChatTemplate(chat_template, {}).render(messages, { addGenerationPrompt, extra, now }), target);
    });
  }

  const smollm2 = smollm2Path();
  const greedy = sharedFile("vectors/smollm2/greedy.json");
  it(
    "renders SmolLM2's prompts with the template of its file",
    { skip: (smollm2 === undefined || greedy === undefined) && "SmolLM2 or ../shared/data is absent" },
    () => {
      const model = openModel(smollm2!);
      model.weights.close();
      const { chatTemplate, tokenizerConfig } = model.tokenizer;
      const template = new ChatTemplate(chatTemplate!, specialTokenTexts(tokenizerConfig));
      const { cases } = JSON.parse(readFileSync(greedy!, "utf8")) as { cases: { prompt: string; rendered: string }[] };
      for (const { prompt, rendered } of cases) {
        assert.equal(template.render([{ role: "user", content: prompt }], { addGenerationPrompt: true }), rendered);
      }
    },
  );

  it("passes on what a template says with raise_exception", () => {
    assertError(
      () => render("{{ raise_exception('Roles must alternate.') }}"),
      "invalid_request",
      /refuses these messages: Roles must alternate\.$/,
    );
  });

  it("tells of messages that the template cannot render", () => {
    assertError(() => render("{{ messages[0]['content'] + none_such }}"), "invalid_request", /cannot render these messages/);
  });

  it("refuses a source that is no template", () => {
    for (const source of ["{% if %}", "{{ 'open }}", "{% for x in y %}", `{{ ${"(".repeat(1e4)}`]) {
      assertError(() => new ChatTemplate(source, {}), "invalid_tokenizer", /chat template is not valid Jinja/);
    }
  });

  it("stops a template that runs on, writes without end or calls itself", () => {
    const nested = `${"{% for i in range(99999) %}".repeat(3)}{% endfor %}{% endfor %}{% endfor %}`;
    assertError(() => render(nested), "invalid_request", /more than \d+ steps/);
    const doubling = `{% set ns = namespace(text='0123456789abcdef') %}{% for i in range(40) %}{% set ns.text = ns.text + ns.text %}{% endfor %}`;
    assertError(() => render(doubling), "invalid_request", /exceeds \d+ characters/);
    assertError(() => render("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"), "invalid_request", /cannot render/);
    assertError(() => render("{% for i in range(1000000000) %}{% endfor %}"), "invalid_request", /range/);
    assertError(() => render("{% for i in range(0, 5, 0) %}{% endfor %}"), "invalid_request", /range/);
  });

  it("counts ranges as Python does", () => {
    assert.equal(
      render("{{ range(3) | list }} {{ range(1, 7, 2) | list }} {{ range(3, 0, -1) | list }} {{ range(2, 2) | list }}"),
      "[0, 1, 2] [1, 3, 5] [3, 2, 1] []",
    );
  });

  it("knows a field that is undefined as absent", () => {
    const source = "{% for m in messages %}{{ 'name' in m }}{{ m.name is defined }}{% endfor %}";
    assert.equal(render(source, [{ role: "user", content: "", name: undefined }]), render(source, [{ role: "user", content: "" }]));
  });

  it("sets add_generation_prompt only when told", () => {
    const template = new ChatTemplate("{{ add_generation_prompt is defined }}", {});
    assert.equal(template.render(hello), "false");
    assert.equal(template.render(hello, { addGenerationPrompt: false }), "true");
  });

  it("formats dates as strftime does in the C locale", () => {
    const template = new ChatTemplate("{{ strftime_now('%Y-%m-%d %H:%M:%S %b %B %a %A %e %I %p %y %F %T %% %q') }}", {});
    const text = template.render(hello, { now: new Date(2026, 2, 5, 13, 4, 9) });
    assert.equal(text, "2026-03-05 13:04:09 Mar March Thu Thursday  5 01 PM 26 2026-03-05 13:04:09 % %q");
  });

  it("takes special tokens from the configuration, as strings or objects", () => {
    const config = {
      bos_token: "<s>",
      eos_token: { content: "</s>", lstrip: false },
      unk_token: null,
      add_bos_token: true,
      model_max_length: 5,
    };
    const specials = specialTokenTexts(config);
    assert.deepEqual(specials, { bos_token: "<s>", eos_token: "</s>" });
    assert.equal(new ChatTemplate("{{ bos_token }}{{ eos_token }}{{ unk_token is defined }}", specials).render([]), "<s></s>false");
  });
});
