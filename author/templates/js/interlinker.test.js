import assert from "node:assert/strict";
import { test } from "node:test";
import { TestHost } from "./.interlink/js/testing.js";
import __Type__ from "./__name__.js";

test("a list is full when its places are taken", async () => {
  const list = await TestHost.open(__Type__, { title: "Cleaning the river", places: 2 });
  await list.act("ana", "join", { note: "I bring gloves" });
  await assert.rejects(list.act("ana", "join"), { code: "already-joined" });
  assert.equal(list.outcome, undefined);
  await list.act("boris", "join");
  assert.deepEqual(list.outcome, { people: 2 });
  await assert.rejects(list.act("carla", "join"), { code: "full" });
  assert.deepEqual((await list.view()).notes, ["I bring gloves", ""]);
});

test("a list takes somebody", async () => {
  await assert.rejects(TestHost.open(__Type__, { title: "Nobody", places: 0 }), { at: "/places" });
});
