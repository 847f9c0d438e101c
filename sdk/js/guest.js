/** An Interlinker as a component: the imports of the world `interlink:interlinker`, and its export. */

import clock from "interlink:interlinker/clock@0.1.1";
import context from "interlink:interlinker/context@0.1.1";
import http from "interlink:interlinker/http@0.1.1";
import log from "interlink:interlinker/log@0.1.1";
import outcome from "interlink:interlinker/outcome@0.1.1";
import random from "interlink:interlinker/random@0.1.1";
import secrets from "interlink:interlinker/secrets@0.1.1";
import state from "interlink:interlinker/state@0.1.1";
import { Refusal, perform } from "./index.js";
import { decode, encode } from "./utf8.js";

const host = {
  get: (key) => {
    const value = state.get(key);
    return value === null || value === undefined ? undefined : decode(value);
  },
  set: (key, value) => state.set(key, encode(value)),
  delete: (key) => state.delete(key),
  range: (prefix, after, limit) => state.range(prefix, after ?? null, limit).map(([key, value]) => [key, decode(value)]),
  count: (prefix) => Number(state.count(prefix)),
  context: () => JSON.parse(context.get()),
  declareOutcome: (declared) => outcome.declare(declared),
  log: (level, message) => log.write(level, message),
  now: () => Number(clock.now()),
  random: (count) => Uint8Array.from(random.bytes(count)),
  secret: (name) => secrets.get(name) ?? undefined,
  http: (request, body) => {
    let answered;
    try {
      answered = http.send(JSON.stringify(request), encode(body));
    } catch (problem) {
      if (typeof problem?.code !== "string") throw problem;
      throw new Refusal(problem.detail, { code: problem.code });
    }
    const { status, headers } = JSON.parse(answered[0]);
    return { status, headers, body: decode(answered[1]) };
  },
};

/** The class and its methods in which a call went wrong, for the author. */
function told(error) {
  if (!(error instanceof Error)) return `thrown: ${JSON.stringify(error)}`;
  return `${error.name}: ${error.message}\n${error.stack ?? ""}`.trimEnd();
}

/** What the component exports: an Interlinker behind the functions of its world. */
export function serve(Kind) {
  const run = (what, action, input) => {
    try {
      return perform(Kind, host, what, action, input);
    } catch (error) {
      if (error instanceof Refusal) {
        const data = error.data === undefined ? null : JSON.stringify(error.data);
        throw { code: error.code, detail: error.message, pointer: error.at ?? null, data };
      }
      // What is said last as an error is what a call that fails is told with.
      log.write("error", told(error));
      throw error;
    }
  };
  return {
    instantiate: (input) => run("instantiate", undefined, input),
    call: (action, input) => run("call", action, input),
    view: (query) => run("view", undefined, query),
  };
}
