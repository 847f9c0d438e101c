import assert from "node:assert/strict";
import { test } from "node:test";
import { TestHost } from "./.interlink/js/testing.js";
import Suggestions from "./suggestions.js";

const open = () => TestHost.open(Suggestions, { title: "The square" });

test("a suggestion is supported once by each of the others", async () => {
  const box = await open();
  await box.act("ana", "send", { category: "parks", text: "A bench" });
  await assert.rejects(box.act("ana", "support", { number: 1 }), { code: "own" });
  assert.deepEqual(await box.act("boris", "support", { number: 1 }), { supporters: 1 });
  await assert.rejects(box.act("boris", "support", { number: 1 }), { code: "already-supported" });
  await assert.rejects(box.act("boris", "support", { number: 2 }), { code: "no-such-suggestion", at: "/number" });
  assert.deepEqual(box.noted, [["suggestion-sent", 1], ["suggestion-supported", 1]]);
  assert.equal((await box.view({}, "boris")).suggestions[0].supported, true);
});

test("whoever sent a suggestion is told of the answer", async () => {
  const box = await open();
  box.giveRoles("eva", "operator");
  box.giveRoles("boris", "contributor");
  await box.act("ana", "send", { category: "streets", text: "A crossing" });
  await assert.rejects(box.act("boris", "answer", { number: 1, text: "No" }), { code: "not-allowed" });
  await box.act("eva", "answer", { number: 1, text: "In May" });
  assert.deepEqual(box.messages, [
    { to: [TestHost.person("ana")], title: "Your suggestion was answered", text: "In May" },
  ]);
  assert.equal((await box.view()).suggestions[0].answer, "In May");
});

test("an operator sets what suggestions are about", async () => {
  const box = await open();
  box.settings({ categories: ["library"] });
  await assert.rejects(box.act("ana", "send", { category: "parks", text: "A bench" }), { code: "no-such-category" });
  await box.act("ana", "send", { category: "library", text: "Open on Sundays" });
  assert.deepEqual((await box.view()).categories, ["library"]);
});

test("suggestions are shown page by page, the newest first", async () => {
  const box = await open();
  for (const text of ["one", "two", "three"]) await box.act("ana", "send", { category: "other", text });
  const first = await box.view({ limit: 2 });
  assert.deepEqual([first.suggestions.map(({ text }) => text), first.next], [["three", "two"], 2]);
  const second = await box.view({ limit: 2, before: first.next });
  assert.deepEqual([second.suggestions.map(({ text }) => text), second.next], [["one"], null]);
});
