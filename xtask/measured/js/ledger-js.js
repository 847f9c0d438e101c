/** What is measured of a language: an asset that can be filled, and one entry of which is read and written. */

import { Interlinker, ensure } from "./.interlink/js/index.js";

/** @typedef {import("./.interlink/js/index.js").Integer} Integer */

/**
 * @typedef {object} Fill
 * @property {Integer} entries Entries of a kibibyte each that are added.
 */

/**
 * @typedef {object} Shown
 * @property {Integer} entries
 * @property {Integer} touched
 */

export default class Ledger extends Interlinker {
  static about = {
    name: "ledger-js",
    version: "0.1.0",
    title: { en: "Ledger" },
    licence: "EUPL-1.2",
    instantiate: { title: { en: "Open" } },
    actions: { fill: { title: { en: "Fill" } }, touch: { title: { en: "Touch" } } },
  };

  entries = this.state.map("entries");

  instantiate() {
    this.state.set("touched", 0);
  }

  /** @param {Fill} input */
  fill(input) {
    const entry = "x".repeat(1022);
    for (let left = input.entries; left > 0; left--) {
      this.entries.set(String(this.entries.size), entry);
    }
  }

  /** @returns {Shown} */
  touch() {
    ensure((this.entries.get("0") ?? "").length > 0, "fill it first");
    this.state.set("touched", this.state.get("touched") + 1);
    return this.view();
  }

  /** @returns {Shown} */
  view() {
    return { entries: this.entries.size, touched: this.state.get("touched") };
  }
}
