/**
 * Write an Interlinker: a small tool for people who make something together, run by an Interlink server.
 *
 * An Interlinker is a class. `static about` says what it is; `instantiate`, the actions and `view` are its methods, and the
 * JSDoc types of their parameters become the forms that people fill in. Each call runs in a fresh instance that has no files, no
 * network, no clock and no randomness of its own. What it changes in `this.state` is kept together with its outcome, or, when it
 * refuses or fails, not at all.
 */

import { byteLength, decode, encode } from "./utf8.js";

// Between bytes and text, where there is no TextDecoder.
export { decode, encode };

/** The largest value of a key, in bytes of JSON. Larger content does not belong into a state. */
export const VALUE_BYTES_MAX = 64 * 1024;
/** The longest key, in bytes. */
export const KEY_BYTES_MAX = 256;
/** Entries that are read at once. */
const PAGE = 1000;
/** What is read of a blob at once, unless more is asked for: bytes. */
const PART_BYTES = 64 * 1024;

/**
 * A whole number. In a form, nothing else is taken.
 * @typedef {number} Integer
 */

/**
 * A text in Markdown. Whoever reads an answer has it as it is, and beside it the safe HTML that the server makes of it.
 * @typedef {string & {__mediaType?: "text/markdown"}} Markdown
 */

/**
 * A text in HTML. In an answer, the server leaves of it what is safe: no scripts, styles, forms or images. A test of the code
 * itself sees it as it was written.
 * @typedef {string & {__mediaType?: "text/html"}} Html
 */

/**
 * What `static about` says of an Interlinker.
 * @typedef {object} About
 * @property {string} name The name that it is published under.
 * @property {string} version Its version, as semver.
 * @property {Text} [title] Its name for people.
 * @property {Text} [description] What it does.
 * @property {string} [licence] Its licence, as SPDX identifier.
 * @property {string[]} [problems] The problem profiles that it helps with.
 * @property {{title?: Text, examples?: Example[]}} [instantiate] The title of its first form, and examples of it.
 * @property {Record<string, {title?: Text, help?: Text, allow?: string[], anonymous?: boolean, examples?: Example[]}>} actions Its actions: methods of these
 *   names. In an anonymous one `this.person` is a pseudonym: the same for one person in one asset, and no other's.
 * @property {string[]} [alarms] Its alarms: methods of these names, called when an alarm rings that was set under theirs.
 * @property {Grants} [grants] What it asks the operator for, each with a reason in plain words.
 */

/**
 * What can be tried, and what comes of it: `interlink interlinker test` runs it on an asset of its own, which the first example of
 * `instantiate` makes. Above a method it is said as `@example`, with a call of it and what comes of that:
 * `join({ places: 2 }) // => { left: 3 }` or `// problem: full`.
 * @typedef {object} Example
 * @property {string} title What it shows, in a line.
 * @property {object} input What is given.
 * @property {unknown} [output] What is answered.
 * @property {string} [problem] The code with which it is refused.
 */

/**
 * What an Interlinker asks the operator for.
 * @typedef {object} Grants
 * @property {{origin: string, methods: string[], reason: Text}[]} [http] Where its requests go.
 * @property {{name: string, reason: Text}[]} [secrets] The secrets that it reads.
 * @property {{reason: Text}} [people] To know who takes part in the process.
 * @property {{reason: Text}} [notify] To tell people something.
 * @property {{interlinker: string, actions: string[], reason: Text}[]} [assets] Actions of other Interlinkers that it runs.
 */

/**
 * A text in some languages, by BCP 47 tag.
 * @typedef {Record<string, string>} Text
 */

/** Why an Interlinker refuses, for people and for programs. Nothing is changed. */
export class Refusal extends Error {
  /**
   * @param {string} detail A sentence for people.
   * @param {{code?: string, at?: string, data?: unknown}} [more] A slug for programs (`already-voted`); a JSON pointer into the input; facts.
   */
  constructor(detail, { code = "refused", at, data } = {}) {
    super(detail);
    this.name = "Refusal";
    this.code = code;
    this.at = at;
    this.data = data;
  }
}

/**
 * Refuses the call.
 * @param {string} detail A sentence for people.
 * @param {{code?: string, at?: string, data?: unknown}} [more]
 * @returns {never}
 */
export function refuse(detail, more) {
  throw new Refusal(detail, more);
}

/**
 * Refuses the call unless a condition holds.
 * @param {unknown} condition
 * @param {string} detail A sentence for people.
 * @param {{code?: string, at?: string, data?: unknown}} [more]
 * @returns {asserts condition}
 */
export function ensure(condition, detail, more) {
  if (!condition) throw new Refusal(detail, more);
}

/**
 * Whether a text has so many bytes at most. They are counted only where they could be too many: a letter has three at most.
 * @param {string} text
 * @param {number} max
 */
function fits(text, max) {
  return text.length * 3 <= max || byteLength(text) <= max;
}

/** The state of one asset, by key: UTF-8, segments separated by `/`. Values are what JSON can say. */
export class State {
  #host;

  /** @param {Host} host */
  constructor(host) {
    this.#host = host;
  }

  /**
   * The value of a key, or undefined.
   * @param {string} key
   * @returns {any}
   */
  get(key) {
    // One that is too long to be there is not there: the host would stop the call.
    const text = fits(key, KEY_BYTES_MAX) ? this.#host.get(key) : undefined;
    return text === undefined ? undefined : JSON.parse(text);
  }

  /**
   * Gives a key a value.
   * @param {string} key
   * @param {unknown} value
   */
  set(key, value) {
    const text = JSON.stringify(value);
    if (text === undefined) refuse(`\`${key}\` cannot be set to what JSON cannot say`, { code: "no-json" });
    if (!fits(key, KEY_BYTES_MAX)) refuse(`the key \`${key}\` is longer than ${KEY_BYTES_MAX} bytes`, { code: "key-too-long" });
    if (!fits(text, VALUE_BYTES_MAX)) {
      refuse(`the value of \`${key}\` has more than ${VALUE_BYTES_MAX} bytes`, { code: "value-too-large" });
    }
    this.#host.set(key, text);
  }

  /**
   * Removes a key, if it is there.
   * @param {string} key
   */
  delete(key) {
    if (fits(key, KEY_BYTES_MAX)) this.#host.delete(key);
  }

  /**
   * How many keys begin with a prefix, which is empty or ends in `/`. It costs the same however many there are.
   * @param {string} [prefix]
   */
  count(prefix = "") {
    return this.#host.count(prefix);
  }

  /**
   * Entries whose key begins with a prefix, in the order of their keys.
   * @param {string} [prefix]
   * @returns {Generator<[string, any]>}
   */
  *entries(prefix = "") {
    let after;
    for (;;) {
      const page = this.#host.range(prefix, after, PAGE);
      for (const [key, text] of page) yield [key, JSON.parse(text)];
      if (page.length < PAGE) return;
      after = page[page.length - 1][0];
    }
  }

  /**
   * A map whose every entry is a key of its own, below a name: a large one costs no more than a small one.
   * @param {string} name
   */
  map(name) {
    return new StateMap(this, `${name}/`);
  }
}

/** A map in the state. Its keys are any texts that are not empty. */
export class StateMap {
  #state;
  #prefix;

  /**
   * @param {State} state
   * @param {string} prefix
   */
  constructor(state, prefix) {
    this.#state = state;
    this.#prefix = prefix;
  }

  /** How many entries it has. */
  get size() {
    return this.#state.count(this.#prefix);
  }

  /** @param {string} key */
  #key(key) {
    ensure(key !== "", "a key is not empty", { code: "empty-key" });
    return this.#prefix + encodeURIComponent(key);
  }

  /** @param {string} key */
  has(key) {
    return this.get(key) !== undefined;
  }

  /**
   * @param {string} key
   * @returns {any}
   */
  get(key) {
    return this.#state.get(this.#key(key));
  }

  /**
   * @param {string} key
   * @param {unknown} value
   */
  set(key, value) {
    this.#state.set(this.#key(key), value);
  }

  /** @param {string} key */
  delete(key) {
    this.#state.delete(this.#key(key));
  }

  /** @returns {Generator<[string, any]>} */
  *entries() {
    for (const [key, value] of this.#state.entries(this.#prefix)) {
      yield [decodeURIComponent(key.slice(this.#prefix.length)), value];
    }
  }

  /** @returns {Generator<string>} */
  *keys() {
    for (const [key] of this.entries()) yield key;
  }

  /** @returns {Generator<any>} */
  *values() {
    for (const [, value] of this.entries()) yield value;
  }
}

/** What a service outside answered. */
export class Response {
  /**
   * @param {number} status
   * @param {[string, string][]} headers
   * @param {string} body
   */
  constructor(status, headers, body) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  /** Whether the status is one of success. */
  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  /** The body as JSON. */
  json() {
    try {
      return JSON.parse(this.body);
    } catch (error) {
      return refuse(`the service answered no JSON: ${error}`, { code: "no-json" });
    }
  }

  /** This, where the status is one of success; otherwise the call is refused. */
  success() {
    ensure(this.ok, `the service answered ${this.status}`, { code: "bad-status", data: { status: this.status } });
    return this;
  }
}

/**
 * What an Interlinker is: extend it. `@extends {Interlinker<Settings>}` above a class says what an operator sets for it. A method
 * `migrate(version)`, where there is one, brings the state that an earlier version left to what this one reads.
 * @template [Settings=Record<string, any>]
 */
export class Interlinker {
  /** @type {About} */
  static about;

  #host;
  /** The state of this asset, as the call has changed it so far. */
  state;
  #call;

  /** @param {Host} host */
  constructor(host) {
    this.#host = host;
    this.state = new State(host);
  }

  /**
   * Who calls, when, and on what. Where the server itself calls there is no person.
   * @type {{person: {id: string, roles: string[]} | null, process: string, task: string, asset: string, language: string, at: string, by?: string}}
   */
  get call() {
    this.#call ??= this.#host.context();
    return this.#call;
  }

  /** The id of the person who calls. A call without one is refused. */
  get person() {
    const person = this.call.person;
    ensure(person, "a person does this", { code: "no-person" });
    return person.id;
  }

  /** The asset that runs this action for whoever called that one; nothing where a person calls. */
  get by() {
    return this.call.by ?? undefined;
  }

  /**
   * Says that the task has what it needed. A fact once the call has ended well.
   * @param {unknown} outcome
   */
  declareOutcome(outcome) {
    this.#host.declareOutcome(JSON.stringify(outcome ?? null));
  }

  /**
   * A line for whoever operates or writes this Interlinker.
   * @param {string} message
   * @param {"debug" | "info" | "warn" | "error"} [level]
   */
  log(message, level = "info") {
    this.#host.log(level, String(message));
  }

  /** The time. As all that comes from outside it is recorded: a call that was cut off is run again with the same answer. */
  now() {
    return new Date(this.#host.now() / 1000);
  }

  /**
   * Bytes that nobody can guess.
   * @param {Integer} count
   */
  random(count) {
    return this.#host.random(count);
  }

  /**
   * A secret that the operator has set and granted, or undefined.
   * @param {string} name
   */
  secret(name) {
    return this.#host.secret(name);
  }

  /**
   * Sends a request to what the operator has granted. What does not come through refuses the call.
   * @param {string} url
   * @param {{method?: string, headers?: [string, string][], body?: string, json?: unknown, timeoutMs?: number}} [request]
   */
  http(url, { method, headers = [], body, json, timeoutMs } = {}) {
    const isJson = json !== undefined;
    const sent = isJson ? JSON.stringify(json) : body ?? "";
    const all = isJson ? [...headers, /** @type {[string, string]} */ (["content-type", "application/json"])] : headers;
    const request = { method: method ?? (sent === "" ? "GET" : "POST"), url, headers: all, timeout_ms: timeoutMs };
    const { status, headers: received, body: answer } = this.#host.http(request, sent);
    return new Response(status, received, answer);
  }

  /**
   * What an operator has set for this Interlinker; where nothing was set, an empty object. It stays the same for the whole of a
   * call, and `view` has it, too.
   * @returns {Settings}
   */
  settings() {
    return this.#host.settings();
  }

  /**
   * Who takes part in the process, where the operator has granted it.
   * @returns {{id: string, roles: string[]}[]}
   */
  people() {
    return this.#host.people();
  }

  /**
   * Runs an action of another asset of the same process, where the operator has granted it, for the person who makes this call. It
   * is done once, and stays done whatever becomes of this call. What the other refuses refuses this call, too, unless it is caught.
   * @param {string} asset
   * @param {string} action
   * @param {unknown} [input]
   * @returns {any}
   */
  actOn(asset, action, input = {}) {
    return JSON.parse(this.#host.actOn(asset, action, JSON.stringify(input)));
  }

  /**
   * Tells people something, where the operator has granted it: with what the call changes, it is in their notifications.
   * @param {string | string[]} to Ids of people.
   * @param {string} title
   * @param {string} text
   */
  notify(to, title, text) {
    this.#host.notify(JSON.stringify({ to: [to].flat(), title, text }));
  }

  /**
   * Says what happened in a word of its own, for the registry of usage and for adoption. It says nothing that a person wrote.
   * @param {string} word Letters, digits, `-`, `_` and `.`: `meal-booked`.
   * @param {Integer} [amount]
   */
  note(word, amount = 1) {
    this.#host.note(word, amount);
  }

  /**
   * Sets the alarm of this name, one of `static about`, in place of one that was set. It rings once; one that has passed comes at
   * once.
   * @param {string} name
   * @param {Date | Integer} at When, as a date or in microseconds since 1970-01-01T00:00:00Z.
   * @param {unknown} [input] What its method takes.
   */
  setAlarm(name, at, input = null) {
    const micros = at instanceof Date ? at.getTime() * 1000 : Math.round(at);
    ensure(Number.isSafeInteger(micros), "an alarm is set to a time", { code: "invalid-alarm" });
    this.#host.setAlarm(name, micros, JSON.stringify(input));
  }

  /**
   * Takes an alarm away; says whether it was set.
   * @param {string} name
   */
  cancelAlarm(name) {
    return this.#host.cancelAlarm(name);
  }

  /**
   * Keeps what is too large for the state, and answers by what it is known: `sha256:` and 64 hex digits.
   * @param {string} mediaType
   * @param {string | Uint8Array} content A text is kept as UTF-8.
   */
  putBlob(mediaType, content) {
    return this.#host.putBlob(mediaType, typeof content === "string" ? encode(content) : content);
  }

  /**
   * How many bytes a blob has, or undefined where it is not there; `view` can ask, too.
   * @param {string} digest
   */
  blobSize(digest) {
    return this.#host.blobSize(digest);
  }

  /**
   * At most `limit` bytes of a blob from `offset` on, or undefined where it is not there; `view` can ask, too.
   * @param {string} digest
   * @param {Integer} [offset]
   * @param {Integer} [limit]
   */
  blob(digest, offset = 0, limit = PART_BYTES) {
    return this.#host.blob(digest, offset, limit);
  }
}

/**
 * What a call reaches: the imports of its world, or a test. Texts are UTF-8.
 * @typedef {object} Host
 * @property {(key: string) => string | undefined} get
 * @property {(key: string, value: string) => void} set
 * @property {(key: string) => void} delete
 * @property {(prefix: string, after: string | undefined, limit: number) => [string, string][]} range
 * @property {(prefix: string) => number} count
 * @property {() => any} context
 * @property {(outcome: string) => void} declareOutcome
 * @property {(level: string, message: string) => void} log
 * @property {() => number} now Microseconds since 1970.
 * @property {(count: number) => Uint8Array} random
 * @property {(name: string) => string | undefined} secret
 * @property {(request: object, body: string) => {status: number, headers: [string, string][], body: string}} http
 * @property {() => any} settings
 * @property {() => {id: string, roles: string[]}[]} people
 * @property {(asset: string, action: string, input: string) => string} actOn
 * @property {(message: string) => void} notify
 * @property {(word: string, amount: number) => void} note
 * @property {(name: string, at: number, input: string) => void} setAlarm Microseconds since 1970.
 * @property {(name: string) => boolean} cancelAlarm
 * @property {(mediaType: string, content: Uint8Array) => string} putBlob
 * @property {(digest: string) => number | undefined} blobSize
 * @property {(digest: string, offset: number, limit: number) => Uint8Array | undefined} blob
 */

/** What neither a view nor a migration can ask of its host, in words. */
const ASKED = {
  now: "the clock",
  random: "randomness",
  secret: "a secret",
  http: "HTTP",
  people: "the people of the process",
  actOn: "another asset",
  notify: "telling people something",
  note: "the registry of usage",
  setAlarm: "an alarm",
  cancelAlarm: "an alarm",
  putBlob: "a blob",
};

/** A host of which nothing can be asked but what is there. @param {Host} host */
function looking(host) {
  const refused = Object.entries(ASKED).map(([name, what]) => {
    const detail = `a view looks at the asset, a migration at its state: neither can ask for ${what}`;
    return [name, () => refuse(detail, { code: "not-in-a-view" })];
  });
  return { ...host, ...Object.fromEntries(refused) };
}

/** The name of the method that a call runs. @param {any} Kind @param {string} what @param {string | undefined} name */
function methodOf(Kind, what, name = "") {
  const known = what === "call" ? Object.keys(Kind.about.actions ?? {}) : Kind.about.alarms ?? [];
  if (what === "call" && !known.includes(name)) refuse(`there is no action \`${name}\``, { code: "no-such-action", data: { known } });
  if (what === "ring" && !known.includes(name)) refuse(`there is no alarm \`${name}\``, { code: "no-such-alarm", data: { known } });
  return what === "call" || what === "ring" ? name : what;
}

/**
 * Runs one call.
 * @param {any} Kind The Interlinker.
 * @param {Host} host
 * @param {"instantiate" | "call" | "view" | "ring" | "migrate"} what
 * @param {string | undefined} name Of the action, or the alarm.
 * @param {string} input JSON.
 * @returns {string} JSON.
 */
export function perform(Kind, host, what, name, input) {
  const given = JSON.parse(input);
  const method = methodOf(Kind, what, name);
  const it = new Kind(what === "view" || what === "migrate" ? looking(host) : host);
  const answer = it[method]?.(given);
  if (typeof answer?.then === "function") {
    throw new TypeError(`\`${method}\` is asynchronous: there is nothing to wait for here, leave \`async\` out`);
  }
  return JSON.stringify(answer ?? null);
}
