/**
 * A server for the tests of one asset: people, a clock, a state, and a world outside.
 *
 * It treats an Interlinker as the server does: input is checked against its types first, each call starts from the state alone,
 * and what a refused call changed is undone. `interlink interlinker test` runs the same tests twice: with the class itself, and
 * with the component that is made of it, under the host that servers have.
 */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import process from "node:process";
import { CODE, NO_CODE } from "./codes.js";
import { Refusal, perform } from "./index.js";

/** The clock at the beginning: 2026-01-01T09:00:00Z, in microseconds since 1970. */
const MORNING = Date.UTC(2026, 0, 1, 9) * 1000;
const SECOND = 1_000_000;
/** A word of the registry of usage, and the name of an alarm. */
const WORD = /^[A-Za-z0-9._-]+$/;
/** A media type, with parameters. */
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+\s*(;[ -~]*)?$/;

/** The component that tests are run with, where they are; the program that runs it; where the manifest is; tools. */
const { INTERLINK_TEST_COMPONENT, INTERLINK_TEST_BINARY, INTERLINK_TEST_MANIFEST, INTERLINK_TEST_AJV } = process.env;

/** A call that failed: an exception in the Interlinker, or a limit that it crossed. */
export class Failure extends Error {
  /**
   * @param {string} detail
   * @param {string} limit
   */
  constructor(detail, limit) {
    super(detail);
    this.name = "Failure";
    this.limit = limit;
  }
}

/** What a service answers: a status and a body, which is JSON unless it is a text. */
/** @typedef {{status?: number, headers?: [string, string][], body?: unknown}} Answered */

/** One asset of an Interlinker. Who was given no roles may do everything. */
export class TestHost {
  #Kind;
  #roles = new Map();
  #services = new Map();
  #secrets = new Map();
  #settings = {};
  #people = [];
  #others = new Map();
  #seed = 0n;
  #now = MORNING;
  #runner;
  /** Outcomes that were declared, in order. @type {any[]} */
  outcomes = [];
  /** Lines that were logged. @type {[string, string][]} */
  logs = [];
  /** Requests that were sent. @type {{method: string, url: string, headers: [string, string][], body: string}[]} */
  requests = [];
  /** Messages that were sent to people, in order. @type {{to: string[], title: string, text: string}[]} */
  messages = [];
  /** What the Interlinker said happened, in order: words and amounts. @type {[string, number][]} */
  noted = [];
  /** Alarms that are set, by name: their time in microseconds since 1970, and with what. @type {Record<string, {at: number, input: any}>} */
  alarms = {};
  /** Blobs that calls put, by digest. @type {Record<string, {mediaType: string, sizeBytes: number}>} */
  blobs = {};

  /** @param {any} Kind The Interlinker. */
  constructor(Kind) {
    this.#Kind = Kind;
    this.#runner = INTERLINK_TEST_COMPONENT ? new Component(this) : new Here(this, Kind);
  }

  /**
   * Makes an asset, by the server itself.
   * @param {any} Kind The Interlinker.
   * @param {unknown} input
   */
  static async open(Kind, input) {
    const host = new TestHost(Kind);
    await host.instantiate(input);
    return host;
  }

  /**
   * Has an asset, with a state that an earlier version left, move to this version. What is refused rejects.
   * @param {any} Kind The Interlinker.
   * @param {Record<string, unknown>} state Every key with its value.
   * @param {string} version The earlier one, as semver.
   */
  static async migrate(Kind, state, version) {
    const host = new TestHost(Kind);
    await host.#runner.keep(state);
    await host.#call("migrate", version, undefined, undefined);
    return host;
  }

  /** @param {unknown} input */
  instantiate(input) {
    return this.#call("instantiate", undefined, undefined, input);
  }

  /**
   * Someone runs an action. What is refused rejects with a {@link Refusal}, which has a `code`.
   * @param {string} person
   * @param {string} action
   * @param {unknown} [input]
   * @returns {Promise<any>}
   */
  act(person, action, input = {}) {
    const allow = this.#Kind.about.actions?.[action]?.allow ?? [];
    const roles = this.#roles.get(person);
    if (roles && allow.length > 0 && !roles.some((role) => allow.includes(role))) {
      return Promise.reject(new Refusal(`\`${action}\` is for ${allow.join(", ")}`, { code: "not-allowed" }));
    }
    const isAnonymous = Boolean(this.#Kind.about.actions?.[action]?.anonymous);
    return this.#call("call", action, person, input, isAnonymous);
  }

  /**
   * What the asset shows.
   * @param {unknown} [query]
   * @param {string} [person]
   * @returns {Promise<any>}
   */
  view(query = {}, person = undefined) {
    return this.#call("view", undefined, person, query);
  }

  /** Lets the alarm ring that is next, and the clock go on to its time. */
  async ring() {
    const [next] = Object.entries(this.alarms).sort(([, one], [, other]) => one.at - other.at);
    if (!next) throw new Error("no alarm is set");
    const [name, { at, input }] = next;
    this.#now = Math.max(this.#now, at);
    return this.#call("ring", name, undefined, input);
  }

  /** The outcome that was declared last. */
  get outcome() {
    return this.outcomes.at(-1);
  }

  /** The state: every key with its value. */
  get state() {
    return this.#runner.state();
  }

  /** The id of the person that tests name so. @param {string} name */
  static person(name) {
    return `person-${name}`;
  }

  /**
   * Gives someone these roles, and no others.
   * @param {string} person
   * @param {...string} roles
   */
  giveRoles(person, ...roles) {
    this.#roles.set(person, roles);
  }

  /** Moves the clock on. @param {number} seconds */
  waitSeconds(seconds) {
    this.#now += seconds * SECOND;
  }

  /**
   * Sets a secret. One that `static about` does not ask for is not given.
   * @param {string} name
   * @param {string} secret
   */
  secret(name, secret) {
    this.#secrets.set(name, secret);
  }

  /**
   * Says what a service answers to `METHOD URL`, the URL without its query, from now on.
   * @param {string} request
   * @param {(request: {method: string, url: string, headers: [string, string][], body: string}) => Answered} answer
   */
  http(request, answer) {
    this.#services.set(request, answer);
  }

  /**
   * Says that `METHOD URL` comes to nothing from now on: `timeout`, `unreachable`.
   * @param {string} request
   * @param {string} code
   */
  httpFails(request, code) {
    this.#services.set(request, () => ({ problem: code }));
  }

  /** Says what an operator has set for this Interlinker. @param {Record<string, unknown>} settings */
  settings(settings) {
    this.#settings = settings;
  }

  /** Says who takes part in the process, by the names that the test gives them. @param {...string} names */
  people(...names) {
    this.#people = names;
  }

  /**
   * Says what an action of another asset answers from now on. A {@link Refusal} that it throws is the other's.
   * @param {string} asset
   * @param {string} action
   * @param {(input: any) => unknown} answer
   */
  asset(asset, action, answer) {
    this.#others.set(`${asset} ${action}`, answer);
  }

  /**
   * Someone puts a blob there, as the API lets them; answers what it is known by.
   * @param {string} mediaType
   * @param {string | Uint8Array} content
   * @returns {Promise<string>}
   */
  putBlob(mediaType, content) {
    return this.#runner.put(mediaType, typeof content === "string" ? new TextEncoder().encode(content) : content);
  }

  async #call(what, name, person, input, isAnonymous = false) {
    const called = await this.#runner.call(what, name, input, this.#context(person, isAnonymous));
    this.logs.push(...called.logs);
    if (called.refused) {
      const { code, detail, pointer, data } = called.refused;
      // A server makes `refused` of such a one, and a test would not see it.
      if (!CODE.test(code)) throw new Failure(`it was refused with the code ${JSON.stringify(code)}, which ${NO_CODE}`, "code");
      throw new Refusal(detail, { code, at: pointer ?? undefined, data: data ?? undefined });
    }
    if (called.failed) throw new Failure(called.failed.detail, called.failed.limit);
    if (called.outcome !== null && called.outcome !== undefined) this.outcomes.push(called.outcome);
    // It rings once; what it sets is taken in after it.
    if (what === "ring") delete this.alarms[name];
    this.#takeIn(called.besides ?? {});
    return called.done;
  }

  /** What a call wanted besides. */
  #takeIn({ noted = [], messages = [], alarms = {}, blobs = {} }) {
    this.noted.push(...noted.map(({ word, amount }) => /** @type {[string, number]} */ ([word, amount])));
    this.messages.push(...messages);
    for (const [name, alarm] of Object.entries(alarms)) {
      if (alarm) this.alarms[name] = alarm;
      else delete this.alarms[name];
    }
    for (const [digest, { media_type: mediaType, size_bytes: sizeBytes }] of Object.entries(blobs)) {
      this.blobs[digest] = { mediaType, sizeBytes };
    }
  }

  /** The id that an anonymous action sees of the person that tests name so. @param {string} name */
  static pseudonym(name) {
    return `pseudonym:${createHash("sha256").update(name).digest("hex").slice(0, 32)}`;
  }

  #context(name, isAnonymous) {
    this.#now += SECOND;
    const at = new Date((this.#now - SECOND) / 1000).toISOString();
    const known = () => ({ id: TestHost.person(name), roles: this.#roles.get(name) ?? [] });
    const person = name === undefined ? null : isAnonymous ? { id: TestHost.pseudonym(name), roles: [] } : known();
    return { person, process: "process-1", task: "task-1", asset: "asset-1", language: "en", at };
  }

  // The world outside, for both ways of running.

  /** @internal */
  now() {
    return this.#now;
  }

  /** @internal A sequence that is the same in every test (SplitMix64). @param {number} count */
  bytes(count) {
    const drawn = [];
    while (drawn.length < count) {
      this.#seed = (this.#seed + 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn;
      let mixed = this.#seed;
      mixed = ((mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n) & 0xffffffffffffffffn;
      mixed = ((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn) & 0xffffffffffffffffn;
      mixed ^= mixed >> 31n;
      for (let byte = 0n; byte < 8n && drawn.length < count; byte += 1n) drawn.push(Number((mixed >> (byte * 8n)) & 0xffn));
    }
    return drawn;
  }

  /** @internal @param {string} name */
  secretOf(name) {
    return this.#secrets.get(name);
  }

  /** @internal */
  settingsOf() {
    return this.#settings;
  }

  /** @internal */
  peopleOf() {
    return this.#people.map((name) => ({ id: TestHost.person(name), roles: this.#roles.get(name) ?? ["contributor"] }));
  }

  /** @internal What another asset answers, as the component's host is told it. */
  other(asset, action, input) {
    const answer = this.#others.get(`${asset} ${action}`);
    if (!answer) throw new Error(`nobody answers \`${action}\` of \`${asset}\`: say what does with \`asset\``);
    try {
      return { output: answer(input) ?? null };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { problem: { code: error.code, detail: error.message } };
    }
  }

  /** @internal @param {{method: string, url: string, headers: [string, string][], body: string}} request */
  exchange(request) {
    const url = request.url.split("?")[0];
    const answer = this.#services.get(`${request.method} ${url}`);
    if (!answer) throw new Error(`nobody answers ${request.method} ${url}: say what does with \`http\``);
    this.requests.push(request);
    const { status = 200, headers = [], body, problem } = /** @type {any} */ (answer(request));
    return problem ? { problem } : { status, headers, body: typeof body === "string" ? body : JSON.stringify(body ?? null) };
  }
}

/** Checks an input as the server does, with the manifest that the build wrote. */
async function checkerOf() {
  if (!INTERLINK_TEST_MANIFEST || !INTERLINK_TEST_AJV) return { check: () => undefined, grants: undefined };
  const { readFileSync } = await import("node:fs");
  const { createRequire } = await import("node:module");
  const manifest = JSON.parse(readFileSync(INTERLINK_TEST_MANIFEST, "utf8"));
  const Ajv = createRequire(import.meta.url)(INTERLINK_TEST_AJV).default;
  const ajv = new Ajv({ strict: false });
  const schemas = { instantiate: manifest.instantiate.input, view: manifest.view.query };
  for (const { name, input } of manifest.actions) schemas[`call ${name}`] = input;
  const compiled = Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, ajv.compile(schema)]));
  const check = (name, input) => {
    const valid = compiled[name];
    if (valid && !valid(input)) {
      const { instancePath, message } = valid.errors[0];
      return { code: "invalid-input", detail: message, pointer: instancePath };
    }
    return undefined;
  };
  return { check, grants: manifest.grants };
}

/** What a blob is known by. @param {Uint8Array} content */
function digestOf(content) {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

/** What the manifest asks for is granted, and nothing else is. */
function ensureGranted(granted, what) {
  if (!granted) throw new Refusal(`${what} is not granted: \`static about\` does not ask for it`, { code: "not-granted" });
}

/** The class itself, in this program. */
class Here {
  #test;
  #Kind;
  #state = new Map();
  #blobs = new Map();
  #checker = checkerOf();

  constructor(test, Kind) {
    this.#test = test;
    this.#Kind = Kind;
  }

  state() {
    return Object.fromEntries([...this.#state].sort().map(([key, text]) => [key, JSON.parse(text)]));
  }

  async keep(state) {
    this.#state = new Map(Object.entries(state).map(([key, value]) => [key, JSON.stringify(value)]));
  }

  async put(mediaType, content) {
    const digest = digestOf(content);
    this.#blobs.set(digest, { mediaType, content });
    return digest;
  }

  async call(what, name, input, context) {
    const { check, grants } = await this.#checker;
    const misfit = check(what === "call" ? `call ${name}` : what, input);
    if (misfit) return { refused: misfit, logs: [] };
    const after = new Map(this.#state);
    const wanted = { noted: [], messages: [], alarms: {}, blobs: new Map() };
    const logs = [];
    const declared = [];
    const host = {
      ...this.#memory(after, logs, declared, context),
      ...this.#outside(grants),
      ...this.#besides(grants, wanted),
    };
    try {
      const given = JSON.stringify(what === "migrate" ? name : input);
      const done = JSON.parse(perform(this.#Kind, host, what, name, given));
      if (what === "view") {
        const changed = after.size !== this.#state.size || [...after].some(([key, text]) => this.#state.get(key) !== text);
        if (changed) return { failed: { limit: "view-changes", detail: "a view changed the state" }, logs };
      }
      this.#state = after;
      for (const [digest, put] of wanted.blobs) this.#blobs.set(digest, put);
      const blobs = [...wanted.blobs].map(([digest, { mediaType, content }]) => [
        digest,
        { media_type: mediaType, size_bytes: content.length },
      ]);
      return { done, outcome: declared.at(-1), besides: { ...wanted, blobs: Object.fromEntries(blobs) }, logs };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { code, message: detail, at: pointer, data } = error;
      return { refused: { code, detail, pointer, data }, logs };
    }
  }

  /** The state, and what a call says. */
  #memory(state, logs, declared, context) {
    return {
      get: (key) => state.get(key),
      set: (key, value) => state.set(key, value),
      delete: (key) => state.delete(key),
      range: (prefix, after, limit) =>
        [...state]
          .filter(([key]) => key.startsWith(prefix) && (after === undefined || key > after))
          .sort(([one], [other]) => (one < other ? -1 : 1))
          .slice(0, limit),
      count: (prefix) => [...state.keys()].filter((key) => key.startsWith(prefix)).length,
      context: () => context,
      declareOutcome: (outcome) => declared.push(JSON.parse(outcome)),
      log: (level, message) => logs.push([level, message]),
    };
  }

  /** What is asked of the world outside. */
  #outside(grants) {
    const test = this.#test;
    return {
      now: () => test.now(),
      random: (count) => Uint8Array.from(test.bytes(count)),
      secret: (name) => {
        const granted = !grants || grants.secrets.some((secret) => secret.name === name);
        return granted ? test.secretOf(name) : undefined;
      },
      http: (request, body) => {
        const origin = new URL(request.url).origin;
        const granted = !grants || grants.http.some((http) => http.origin === origin && http.methods.includes(request.method));
        ensureGranted(granted, `${request.method} ${origin}`);
        const answered = test.exchange({ method: request.method, url: request.url, headers: request.headers, body });
        if (answered.problem) throw new Refusal("the test has it so", { code: answered.problem });
        return answered;
      },
      settings: () => structuredClone(test.settingsOf()),
      people: () => {
        ensureGranted(!grants || grants.people, "to know the people of the process");
        return test.peopleOf();
      },
      actOn: (asset, action, input) => {
        const granted = !grants || (grants.assets ?? []).some((one) => one.actions.includes(action));
        ensureGranted(granted, `to run \`${action}\` of another asset`);
        const { output, problem } = test.other(asset, action, JSON.parse(input));
        if (problem) throw new Refusal(problem.detail, { code: problem.code });
        return JSON.stringify(output);
      },
    };
  }

  /** What a call wants besides, and the blobs that are there. */
  #besides(grants, wanted) {
    const found = (digest) => (wanted.blobs.get(digest) ?? this.#blobs.get(digest))?.content;
    return {
      notify: (message) => {
        ensureGranted(!grants || grants.notify, "to tell people something");
        const { to, title, text } = JSON.parse(message);
        const isFit = to.length > 0 && title.trim() !== "";
        if (!isFit) throw new Refusal("a message is for somebody, and has a title", { code: "invalid-message" });
        wanted.messages.push({ to, title, text });
      },
      note: (word, amount) => {
        if (!WORD.test(word)) throw new Refusal(`\`${word}\` is no word: letters, digits, \`-\`, \`_\` and \`.\``, { code: "not-a-word" });
        wanted.noted.push({ word, amount });
      },
      setAlarm: (name, at, input) => {
        const rings = (this.#Kind.about.alarms ?? []).length > 0;
        if (!rings) throw new Refusal("`static about` has no alarms", { code: "no-alarms" });
        if (!WORD.test(name)) throw new Refusal(`\`${name}\` names no alarm`, { code: "invalid-alarm" });
        wanted.alarms[name] = { at, input: JSON.parse(input) };
      },
      cancelAlarm: (name) => {
        const wasSet = Boolean(name in wanted.alarms ? wanted.alarms[name] : this.#test.alarms[name]);
        wanted.alarms[name] = null;
        return wasSet;
      },
      putBlob: (mediaType, content) => {
        if (!MEDIA_TYPE.test(mediaType)) throw new Refusal(`\`${mediaType}\` is no media type`, { code: "not-a-media-type" });
        const digest = digestOf(content);
        if (!found(digest)) wanted.blobs.set(digest, { mediaType, content: Uint8Array.from(content) });
        return digest;
      },
      blobSize: (digest) => found(digest)?.length,
      blob: (digest, offset, limit) => found(digest)?.slice(offset, offset + limit),
    };
  }
}

/** The component, in a program that has the host of servers. */
class Component {
  #test;
  #process;
  #lines;
  #state = {};
  #begun;

  constructor(test) {
    this.#test = test;
    const args = ["interlinker", "run", INTERLINK_TEST_COMPONENT];
    this.#process = spawn(/** @type {string} */ (INTERLINK_TEST_BINARY), args, { stdio: ["pipe", "pipe", "inherit"] });
    // A test that ends does not wait for it.
    this.#process.unref();
    this.#process.stdin.unref?.();
    this.#process.stdout.unref?.();
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    this.#begun = this.#read();
  }

  state() {
    return this.#state;
  }

  async #read() {
    this.#process.stdout.ref?.();
    const { value, done } = await this.#lines.next();
    this.#process.stdout.unref?.();
    if (done) throw new Error("the component's host has gone: what it said stands above");
    return JSON.parse(value);
  }

  #say(value) {
    this.#process.stdin.write(`${JSON.stringify(value)}\n`);
  }

  async keep(state) {
    await this.#does({ do: "keep", state });
  }

  async put(mediaType, content) {
    return (await this.#does({ do: "blob", media_type: mediaType, content: [...content] })).done;
  }

  call(what, name, input, context) {
    const named = what === "call" ? { action: name } : what === "migrate" ? { version: name } : { name };
    return this.#does({ do: what, ...named, input, context, settings: this.#test.settingsOf() });
  }

  async #does(asked) {
    await this.#begun;
    this.#say(asked);
    for (;;) {
      const said = await this.#read();
      if (said.ask === undefined) {
        if (said.state) this.#state = said.state;
        return said;
      }
      this.#say({ answer: this.#answer(said) });
    }
  }

  #answer({ ask, count, name, request, asset, action, input }) {
    switch (ask) {
      case "clock":
        return this.#test.now();
      case "random":
        return this.#test.bytes(count);
      case "secret":
        return this.#test.secretOf(name) ?? null;
      case "people":
        return this.#test.peopleOf();
      case "asset":
        return this.#test.other(asset, action, input);
      default: {
        const body = new TextDecoder().decode(Uint8Array.from(request.body));
        // What the host adds names the call, which no test knows.
        const headers = request.headers.filter(([header]) => header !== "idempotency-key");
        return this.#test.exchange({ ...request, headers, body });
      }
    }
  }
}
