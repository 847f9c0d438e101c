/** UTF-8, where there is no TextEncoder: as RFC 3629 has it, with U+FFFD for what is none. */

/** @param {string} text */
export function encode(text) {
  const bytes = [];
  for (const letter of text) {
    let code = /** @type {number} */ (letter.codePointAt(0));
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
  }
  return Uint8Array.from(bytes);
}

/** Of each first byte: how many follow, its own bits, and the least that may be said so. */
const FIRST = [
  [0x80, 0x00, 0, 0x7f, 0],
  [0xe0, 0xc0, 1, 0x1f, 0x80],
  [0xf0, 0xe0, 2, 0x0f, 0x800],
  [0xf8, 0xf0, 3, 0x07, 0x10000],
];

/** @param {ArrayLike<number>} bytes */
export function decode(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at];
    const form = FIRST.find(([mask, mark]) => (first & mask) === mark);
    let code = form ? first & form[3] : -1;
    let next = at + 1;
    for (let left = form ? form[2] : 0; left > 0; left -= 1, next += 1) {
      if (next >= bytes.length || (bytes[next] & 0xc0) !== 0x80) {
        code = -1;
        break;
      }
      code = code >= 0 ? (code << 6) | (bytes[next] & 0x3f) : code;
    }
    const sound = form && code >= form[4] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
    parts.push(sound ? String.fromCodePoint(code) : "\ufffd");
    at = sound ? next : at + 1;
  }
  return parts.join("");
}

/** How many bytes a text has. @param {string} text */
export function byteLength(text) {
  let count = 0;
  for (const letter of text) {
    const code = /** @type {number} */ (letter.codePointAt(0));
    count += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return count;
}
