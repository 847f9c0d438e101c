/**
 * UTF-8, where there is no TextEncoder: as RFC 3629 has it, with U+FFFD for what is none.
 *
 * What is sound goes through functions of the language itself, which are not interpreted letter by letter: `encodeURIComponent`
 * says UTF-8 as `%XX`, and `unescape` makes one letter of each. From letters to bytes and back it goes by way of Base64, where
 * there is that for arrays of bytes: `atob` and `btoa` have one letter for each byte. What is not sound is read by hand.
 */

/** Letters that are made of bytes at once: so many arguments a call may have. */
const AT_ONCE = 4096;
const ASCII = /^[\x00-\x7f]*$/;

/** A text with one letter for each byte. @param {string} text */
function asBytes(text) {
  if (ASCII.test(text)) return text;
  try {
    return unescape(encodeURIComponent(text));
  } catch {
    // Half of a pair stands alone: so many are none.
    return unescape(encodeURIComponent(Array.from(text, (letter) => (isHalf(letter) ? "\ufffd" : letter)).join("")));
  }
}

/** @param {string} letter */
function isHalf(letter) {
  const code = letter.charCodeAt(0);
  return letter.length === 1 && code >= 0xd800 && code <= 0xdfff;
}

/** What an array of bytes has for Base64: not everywhere. @type {{fromBase64?: (text: string) => Uint8Array}} */
const OfBytes = /** @type {any} */ (Uint8Array);

/** @param {string} text */
export function encode(text) {
  const letters = asBytes(text);
  if (OfBytes.fromBase64) return OfBytes.fromBase64(btoa(letters));
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at += 1) bytes[at] = letters.charCodeAt(at);
  return bytes;
}

/** A text with one letter for each byte. @param {ArrayLike<number> & {toBase64?: () => string}} bytes */
function asLetters(bytes) {
  if (bytes.toBase64) return atob(bytes.toBase64());
  let letters = "";
  for (let at = 0; at < bytes.length; at += AT_ONCE) {
    letters += String.fromCharCode.apply(null, Array.prototype.slice.call(bytes, at, at + AT_ONCE));
  }
  return letters;
}

/** @param {ArrayLike<number>} bytes */
export function decode(bytes) {
  const letters = asLetters(bytes);
  if (ASCII.test(letters)) return letters;
  try {
    return decodeURIComponent(escape(letters));
  } catch {
    return decodeByHand(bytes);
  }
}

/** Of each first byte: how many follow, its own bits, and the least that may be said so. */
const FIRST = [
  [0x80, 0x00, 0, 0x7f, 0],
  [0xe0, 0xc0, 1, 0x1f, 0x80],
  [0xf0, 0xe0, 2, 0x0f, 0x800],
  [0xf8, 0xf0, 3, 0x07, 0x10000],
];

/** @param {ArrayLike<number>} bytes */
function decodeByHand(bytes) {
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
  return asBytes(text).length;
}
