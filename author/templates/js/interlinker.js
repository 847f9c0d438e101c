/** A list on which people put themselves down, until it is full. */

import { Interlinker, ensure } from "./.interlink/js/index.js";

/** @typedef {import("./.interlink/js/index.js").Integer} Integer */

/**
 * What people fill in to make one. Each property is a field of their form; what is said of it is its help.
 * @typedef {object} Open
 * @property {string} title What the list is for. {minLength: 1, maxLength: 200}
 * @property {Integer} places How many people it takes. {minimum: 1, maximum: 1000}
 */

/**
 * What people fill in to be on it.
 * @typedef {object} Join
 * @property {string} [note] A word to the others. {maxLength: 500}
 */

/**
 * What people see.
 * @typedef {object} Shown
 * @property {string} title
 * @property {Integer} places
 * @property {string[]} notes
 */

export default class __Type__ extends Interlinker {
  static about = {
    name: "__name__",
    version: "0.1.0",
    title: { en: "__Title__" },
    description: { en: "A list on which people put themselves down, until it is full." },
    licence: "EUPL-1.2",
    instantiate: { title: { en: "Make a list" } },
    actions: { join: { title: { en: "Put yourself down" }, allow: ["contributor"] } },
  };

  // Each entry of a map is a key of its own: a long list costs no more than a short one.
  joined = this.state.map("joined");

  /**
   * @param {Open} input
   * @example <caption>Cleaning the river</caption>
   * instantiate({ title: "Cleaning the river", places: 2 })
   */
  instantiate(input) {
    this.state.set("open", input);
  }

  /**
   * @param {Join} input
   * @returns {{places_left: Integer}}
   * @example <caption>With a word to the others</caption>
   * join({ note: "I bring gloves" }) // => { places_left: 1 }
   */
  join(input) {
    const { places } = this.state.get("open");
    ensure(this.joined.size < places, `all ${places} places are taken`, { code: "full" });
    ensure(!this.joined.has(this.person), "you are on the list", { code: "already-joined" });
    this.joined.set(this.person, input.note ?? "");
    if (this.joined.size === places) {
      // The task that this list is for has what it needed.
      this.declareOutcome({ people: places });
    }
    return { places_left: places - this.joined.size };
  }

  /** @returns {Shown} */
  view() {
    const { title, places } = this.state.get("open");
    return { title, places, notes: [...this.joined.values()] };
  }
}
