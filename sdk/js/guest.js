/** An Interlinker as a component: the imports of the world `interlink:interlinker`, and its exports. */

import assets from "interlink:interlinker/assets@1.1.0";
import blobs from "interlink:interlinker/blobs@1.1.0";
import clock from "interlink:interlinker/clock@1.1.0";
import context from "interlink:interlinker/context@1.1.0";
import http from "interlink:interlinker/http@1.1.0";
import log from "interlink:interlinker/log@1.1.0";
import notify from "interlink:interlinker/notify@1.1.0";
import outcome from "interlink:interlinker/outcome@1.1.0";
import people from "interlink:interlinker/people@1.1.0";
import random from "interlink:interlinker/random@1.1.0";
import schedule from "interlink:interlinker/schedule@1.1.0";
import secrets from "interlink:interlinker/secrets@1.1.0";
import settings from "interlink:interlinker/settings@1.1.0";
import state from "interlink:interlinker/state@1.1.0";
import texts from "interlink:interlinker/texts@1.1.0";
import usage from "interlink:interlinker/usage@1.1.0";
import { Refusal, perform } from "./index.js";
import { decode, encode } from "./utf8.js";

/** What the host answers; its problem refuses the call. */
function asked(ask) {
  try {
    return ask();
  } catch (problem) {
    if (typeof problem?.code !== "string") throw problem;
    const { code, detail, pointer, data } = problem;
    throw new Refusal(detail, { code, at: pointer ?? undefined, data: typeof data === "string" ? JSON.parse(data) : undefined });
  }
}

const host = {
  get: (key) => texts.get(key) ?? undefined,
  set: (key, value) => texts.set(key, value),
  delete: (key) => state.delete(key),
  range: (prefix, after, limit) => texts.range(prefix, after ?? null, limit),
  count: (prefix) => Number(state.count(prefix)),
  context: () => JSON.parse(context.get()),
  declareOutcome: (declared) => outcome.declare(declared),
  log: (level, message) => log.write(level, message),
  now: () => Number(clock.now()),
  random: (count) => Uint8Array.from(random.bytes(count)),
  secret: (name) => secrets.get(name) ?? undefined,
  http: (request, body) => {
    const answered = asked(() => http.send(JSON.stringify(request), encode(body)));
    const { status, headers } = JSON.parse(answered[0]);
    return { status, headers, body: decode(answered[1]) };
  },
  settings: () => JSON.parse(settings.get()),
  people: () => JSON.parse(asked(() => people.all())),
  actOn: (asset, action, input) => asked(() => assets.call(asset, action, input)),
  notify: (message) => asked(() => notify.send(message)),
  note: (word, amount) => asked(() => usage.note(word, amount)),
  setAlarm: (name, at, input) => asked(() => schedule.set(name, at, input)),
  cancelAlarm: (name) => schedule.cancel(name),
  putBlob: (mediaType, content) => asked(() => blobs.put(mediaType, content)),
  blobSize: (digest) => {
    const size = blobs.size(digest);
    return size === null || size === undefined ? undefined : Number(size);
  },
  blob: (digest, offset, limit) => {
    const part = blobs.get(digest, offset, limit);
    return part === null || part === undefined ? undefined : Uint8Array.from(part);
  },
};

/** The class and its methods in which a call went wrong, for the author. */
function told(error) {
  if (!(error instanceof Error)) return `thrown: ${JSON.stringify(error)}`;
  return `${error.name}: ${error.message}\n${error.stack ?? ""}`.trimEnd();
}

/** What a call can allocate before garbage is looked for, about: bytes. */
const COLLECT_AFTER_BYTES = 3 * 1024 * 1024;

/**
 * Has garbage looked for now, while the component is made, and not in each call: whoever looks writes to every object, and a call
 * would do that to all that was there before it. It is looked for where what is allocated has grown by half since the last time,
 * so that something large is, that time. What no longer refers to anything is freed at once, as ever.
 */
function settle() {
  let room = new ArrayBuffer((COLLECT_AFTER_BYTES * 2) / 3);
  // Where an object is made, it is seen whether it is time.
  for (let made = 0; made < 3; made += 1) ({ room });
  room = null;
}

/** What the component exports: an Interlinker behind the functions of its world, by interface. It has those that its class needs. */
export function serve(Kind) {
  const run = (what, name, input) => {
    try {
      return perform(Kind, host, what, name, input);
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
  const asset = {
    instantiate: (input) => run("instantiate", undefined, input),
    call: (action, input) => run("call", action, input),
    view: (query) => run("view", undefined, query),
  };
  const migration = { migrate: (version) => run("migrate", undefined, JSON.stringify(version)) };
  const alarms = { ring: (name, input) => run("ring", name, input) };
  settle();
  return { asset, migration, alarms };
}
