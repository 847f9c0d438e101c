/** A box for suggestions: people send them and support each other's, an operator answers, and whoever sent one is told. */

import { Interlinker, ensure } from "./.interlink/js/index.js";

/** @typedef {import("./.interlink/js/index.js").Integer} Integer */
/** @typedef {import("./.interlink/js/index.js").Markdown} Markdown */

/**
 * What an operator sets.
 * @typedef {object} Settings
 * @property {string[]} [categories] What suggestions are about. {maxItems: 50}
 */

/**
 * @typedef {object} Open
 * @property {string} title What suggestions are asked for. {minLength: 1, maxLength: 200}
 */

/**
 * @typedef {object} Send
 * @property {string} category What it is about.
 * @property {string} text What you suggest. {minLength: 1, maxLength: 2000}
 */

/**
 * @typedef {object} Which
 * @property {Integer} number The suggestion's number. {minimum: 1}
 */

/**
 * @typedef {object} Answer
 * @property {Integer} number The suggestion's number. {minimum: 1}
 * @property {string} text What is answered, in Markdown. {minLength: 1, maxLength: 2000}
 */

/**
 * @typedef {object} Query
 * @property {Integer} [before] Those with a lower number than this. {minimum: 1}
 * @property {Integer} [limit] How many, the newest first. {minimum: 1, maximum: 100}
 */

/**
 * @typedef {object} Suggestion
 * @property {Integer} number
 * @property {string} category
 * @property {string} text
 * @property {Integer} supporters
 * @property {boolean} supported Whether whoever looks supports it.
 * @property {Markdown} answer Empty until there is one.
 */

/**
 * @typedef {object} Shown
 * @property {string} title
 * @property {string[]} categories
 * @property {Integer} total
 * @property {Suggestion[]} suggestions
 * @property {Integer | null} next What to ask for as `before`, where there are more.
 */

const CATEGORIES = ["streets", "parks", "other"];

/** @extends {Interlinker<Settings>} */
export default class Suggestions extends Interlinker {
  static about = {
    name: "suggestions",
    version: "1.0.0",
    title: { en: "Suggestions", es: "Sugerencias" },
    description: {
      en: "People suggest, support what others suggest, and are answered.",
      es: "La gente sugiere, apoya lo que otras personas sugieren y recibe respuesta.",
    },
    licence: "EUPL-1.2",
    problems: ["collect-feedback"],
    instantiate: { title: { en: "Open a box", es: "Abrir un buzón" } },
    actions: {
      send: { title: { en: "Suggest something", es: "Sugerir algo" } },
      support: { title: { en: "Support it", es: "Apoyarla" } },
      answer: { title: { en: "Answer", es: "Responder" }, allow: ["operator"] },
    },
    grants: {
      notify: { reason: { en: "Tells people of the answer to what they suggested.", es: "Avisa de la respuesta a una sugerencia." } },
    },
  };

  suggestions = this.state.map("suggestions");

  /**
   * @param {Open} input
   * @example <caption>A box for a square</caption>
   * instantiate({ title: "The square" })
   */
  instantiate(input) {
    this.state.set("open", input);
  }

  /**
   * Sends a suggestion.
   * @param {Send} input
   * @returns {{number: Integer}}
   * @example <caption>A bench for a park</caption>
   * send({ category: "parks", text: "A bench" }) // => { number: 1 }
   * @example <caption>About nothing that is asked</caption>
   * send({ category: "moon", text: "A bench" }) // problem: no-such-category
   */
  send(input) {
    const categories = this.#categories();
    ensure(categories.includes(input.category), `a suggestion is about one of: ${categories.join(", ")}`, {
      code: "no-such-category",
      at: "/category",
      data: { categories },
    });
    const number = this.suggestions.size + 1;
    this.suggestions.set(String(number), { ...input, person: this.person, answer: "" });
    this.note("suggestion-sent");
    return { number };
  }

  /**
   * Supports a suggestion: once each, and not one's own.
   * @param {Which} input
   * @returns {{supporters: Integer}}
   * @example <caption>What nobody suggested</caption>
   * support({ number: 7 }) // problem: no-such-suggestion
   */
  support({ number }) {
    ensure(this.#found(number).person !== this.person, "this is your own suggestion", { code: "own", at: "/number" });
    const supporters = this.#supporters(number);
    ensure(!supporters.has(this.person), "you support it", { code: "already-supported", at: "/number" });
    supporters.set(this.person, this.call.at);
    this.note("suggestion-supported");
    return { supporters: supporters.size };
  }

  /**
   * Answers a suggestion, and tells whoever sent it.
   * @param {Answer} input
   */
  answer({ number, text }) {
    const found = this.#found(number);
    this.suggestions.set(String(number), { ...found, answer: text });
    this.notify(found.person, "Your suggestion was answered", text);
  }

  /**
   * @param {Query} query
   * @returns {Shown}
   */
  view({ before, limit = 20 }) {
    const total = this.suggestions.size;
    const newest = Math.min(before ?? total + 1, total + 1) - 1;
    const oldest = Math.max(newest - limit + 1, 1);
    const suggestions = [];
    for (let number = newest; number >= oldest; number -= 1) suggestions.push(this.#shown(number));
    const next = oldest > 1 && newest > 0 ? oldest : null;
    return { title: this.state.get("open").title, categories: this.#categories(), total, suggestions, next };
  }

  /** @param {number} number @returns {Suggestion} */
  #shown(number) {
    const { category, text, answer } = this.#found(number);
    const supporters = this.#supporters(number);
    const looks = this.call.person?.id;
    return { number, category, text, supporters: supporters.size, supported: looks !== undefined && supporters.has(looks), answer };
  }

  #categories() {
    return this.settings().categories ?? CATEGORIES;
  }

  /** @param {number} number */
  #supporters(number) {
    return this.state.map(`supporters/${number}`);
  }

  /** @param {number} number */
  #found(number) {
    const found = this.suggestions.get(String(number));
    ensure(found, `there is no suggestion ${number}`, { code: "no-such-suggestion", at: "/number" });
    return found;
  }
}
