/**
 * Runs the examples of an Interlinker, each on an asset of its own: `node examples.mjs FILE`, with the manifest that has them named by
 * `INTERLINK_TEST_MANIFEST`. The asset is made by the first example of `instantiate`, where there is one. What comes to something else
 * than its example says goes to standard error.
 */

import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { pathToFileURL } from "node:url";
import path from "node:path";
import process from "node:process";
import { Refusal } from "./index.js";
import { TestHost } from "./testing.js";

const { default: Kind } = await import(pathToFileURL(path.resolve(process.argv[2])).href);
const { instantiate, actions } = JSON.parse(readFileSync(process.env.INTERLINK_TEST_MANIFEST ?? "", "utf8"));
const openings = instantiate.examples ?? [];
const opening = openings[0]?.input ?? {};
let failed = 0;
let run = 0;

/** What a call came to. */
async function came(call) {
  try {
    return { answer: (await call()) ?? null };
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code, detail: error.message };
    throw error;
  }
}

async function check(of, { title, output, problem }, call) {
  run += 1;
  const { answer, code, detail } = await came(call);
  const isSo = problem ? code === problem : code === undefined && (output == null || isDeepStrictEqual(output, answer));
  if (isSo) return;
  failed += 1;
  const expected = problem ? `to be refused with \`${problem}\`` : output == null ? "to be done" : `to answer ${JSON.stringify(output)}`;
  const found = code === undefined ? `it answered ${JSON.stringify(answer)}` : `it was refused with \`${code}\`: ${detail}`;
  process.stderr.write(`the example ${JSON.stringify(title)} of \`${of}\` was ${expected}, and ${found}\n`);
}

for (const example of openings) {
  await check("instantiate", example, () => new TestHost(Kind).instantiate(example.input));
}
for (const { name, examples = [] } of actions) {
  for (const example of examples) {
    await check(name, example, async () => (await TestHost.open(Kind, opening)).act("somebody", name, example.input));
  }
}
if (run > 0) process.stdout.write(`${run - failed} of ${run} examples come to what they say\n`);
process.exit(failed > 0 ? 1 : 0);
