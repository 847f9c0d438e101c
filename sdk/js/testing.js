/**
 * A server for the tests of one asset: people, a clock, a state, and a world outside.
 *
 * It treats an Interlinker as the server does: input is checked against its types first, each call starts from the state alone,
 * and what a refused call changed is undone. `interlink interlinker test` runs the same tests twice: with the class itself, and
 * with the component that is made of it, under the host that servers have.
 */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import process from "node:process";
import { Refusal, perform } from "./index.js";

/** The clock at the beginning: 2026-01-01T09:00:00Z, in microseconds since 1970. */
const MORNING = Date.UTC(2026, 0, 1, 9) * 1000;
const SECOND = 1_000_000;

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
  #seed = 0n;
  #now = MORNING;
  #runner;
  /** Outcomes that were declared, in order. @type {any[]} */
  outcomes = [];
  /** Lines that were logged. @type {[string, string][]} */
  logs = [];
  /** Requests that were sent. @type {{method: string, url: string, headers: [string, string][], body: string}[]} */
  requests = [];

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
    return this.#call("call", action, person, input);
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

  async #call(what, action, person, input) {
    const called = await this.#runner.call(what, action, input, this.#context(person));
    this.logs.push(...called.logs);
    if (called.refused) {
      const { code, detail, pointer, data } = called.refused;
      throw new Refusal(detail, { code, at: pointer ?? undefined, data: data ?? undefined });
    }
    if (called.failed) throw new Failure(called.failed.detail, called.failed.limit);
    if (called.outcome !== null && called.outcome !== undefined) this.outcomes.push(called.outcome);
    return called.done;
  }

  #context(name) {
    this.#now += SECOND;
    const at = new Date((this.#now - SECOND) / 1000).toISOString();
    const person = name === undefined ? null : { id: TestHost.person(name), roles: this.#roles.get(name) ?? [] };
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

/** The class itself, in this program. */
class Here {
  #test;
  #Kind;
  #state = new Map();
  #checker = checkerOf();

  constructor(test, Kind) {
    this.#test = test;
    this.#Kind = Kind;
  }

  state() {
    return Object.fromEntries([...this.#state].sort().map(([key, text]) => [key, JSON.parse(text)]));
  }

  async call(what, action, input, context) {
    const { check, grants } = await this.#checker;
    const misfit = check(what === "call" ? `call ${action}` : what, input);
    if (misfit) return { refused: misfit, logs: [] };
    const after = new Map(this.#state);
    const logs = [];
    const declared = [];
    const host = this.#host(after, logs, declared, context, grants, what === "view");
    try {
      const done = JSON.parse(perform(this.#Kind, host, what, action, JSON.stringify(input)));
      if (what === "view") {
        const changed = after.size !== this.#state.size || [...after].some(([key, text]) => this.#state.get(key) !== text);
        if (changed) return { failed: { limit: "view-changes", detail: "a view changed the state" }, logs };
      }
      this.#state = after;
      return { done, outcome: declared.at(-1), logs };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { code, message: detail, at: pointer, data } = error;
      return { refused: { code, detail, pointer, data }, logs };
    }
  }

  #host(state, logs, declared, context, grants, isView) {
    const test = this.#test;
    const outside = () => {
      if (isView) throw new Failure("a view asks nobody", "not-granted");
    };
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
      now: () => (outside(), test.now()),
      random: (count) => (outside(), Uint8Array.from(test.bytes(count))),
      secret: (name) => {
        outside();
        const granted = !grants || grants.secrets.some((secret) => secret.name === name);
        return granted ? test.secretOf(name) : undefined;
      },
      http: (request, body) => {
        outside();
        const origin = new URL(request.url).origin;
        const granted = !grants || grants.http.some((http) => http.origin === origin && http.methods.includes(request.method));
        if (!granted) throw new Refusal(`${request.method} ${origin} is not granted`, { code: "not-granted" });
        const answered = test.exchange({ method: request.method, url: request.url, headers: request.headers, body });
        if (answered.problem) throw new Refusal("the test has it so", { code: answered.problem });
        return answered;
      },
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

  async call(what, action, input, context) {
    await this.#begun;
    this.#say({ do: what, action, input, context });
    for (;;) {
      const said = await this.#read();
      if (said.ask === undefined) {
        if (said.state) this.#state = said.state;
        return said;
      }
      this.#say({ answer: this.#answer(said) });
    }
  }

  #answer({ ask, count, name, request }) {
    switch (ask) {
      case "clock":
        return this.#test.now();
      case "random":
        return this.#test.bytes(count);
      case "secret":
        return this.#test.secretOf(name) ?? null;
      default: {
        const body = new TextDecoder().decode(Uint8Array.from(request.body));
        // What the host adds names the call, which no test knows.
        const headers = request.headers.filter(([header]) => header !== "idempotency-key");
        return this.#test.exchange({ ...request, headers, body });
      }
    }
  }
}
