/**
 * Examples in JSDoc: an `@example` above a method is a call of it, with what comes of it in a comment behind.
 *
 *     @example <caption>A bench for a park</caption>
 *     send({ category: "parks", text: "A bench" }) // => { number: 1 }
 *     @example
 *     send({ category: "moon", text: "A bench" }) // problem: no-such-category
 *
 * Nothing of it is run when it is read: values are written out, as in JSON.
 */

import { CODE, NO_CODE } from "./codes.js";

const CAPTION = /^\s*<caption>([\s\S]*?)<\/caption>/;
const BEHIND = "behind the call stands what comes of it: `// => ANSWER`, `// problem: CODE`, or nothing where it only has to be done";

/** What is wrong with an example, and how far into its text. */
class Mistake extends Error {
  /**
   * @param {number} offset
   * @param {string} message
   */
  constructor(offset, message) {
    super(message);
    this.offset = offset;
  }
}

/** A text of the same length in which a part is blank; lines stay lines. */
function without(text, part) {
  return text.replace(part, (found) => found.replace(/[^\n]/g, " "));
}

/** The same text without what a comment puts before its lines and at its end. */
function unframed(text) {
  return without(without(text, /(?<=\n)[ \t]*\*(?!\/)/g), /[ \t]*\*\/\s*$/);
}

/** Reads JavaScript. What is no JavaScript is a mistake at its place. */
function parsed(ts, text) {
  const source = ts.createSourceFile("example.js", text, ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS);
  const [wrong] = source.parseDiagnostics;
  if (wrong) throw new Mistake(Math.min(wrong.start, text.trimEnd().length), `the example is no JavaScript: ${ts.flattenDiagnosticMessageText(wrong.messageText, " ")}`);
  return source.statements;
}

/** The value that is written out. */
function literal(ts, node) {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isNumericLiteral(node)) return Number(node.text);
  if (node.kind === ts.SyntaxKind.TrueKeyword) return true;
  if (node.kind === ts.SyntaxKind.FalseKeyword) return false;
  if (node.kind === ts.SyntaxKind.NullKeyword) return null;
  if (ts.isArrayLiteralExpression(node)) return node.elements.map((element) => literal(ts, element));
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.MinusToken && ts.isNumericLiteral(node.operand)) {
    return -Number(node.operand.text);
  }
  if (ts.isObjectLiteralExpression(node)) {
    return Object.fromEntries(node.properties.map((property) => [property.name?.text, propertyValue(ts, property)]));
  }
  throw new Mistake(node.getStart(), `\`${node.getText()}\` is no value that is written out, as in JSON`);
}

function propertyValue(ts, property) {
  const isPlain = ts.isPropertyAssignment(property) && property.name.text !== undefined;
  if (!isPlain) throw new Mistake(property.getStart(), `\`${property.getText()}\` is no value that is written out, as in JSON`);
  return literal(ts, property.initializer);
}

/** The input of the one call that an example is, and where it ends. */
function call(ts, code, name) {
  const wanted = `an example is a call of its method: \`${name}({…})\``;
  const [statement, more] = parsed(ts, code);
  if (!statement) throw new Mistake(Math.max(code.search(/\S/), 0), wanted);
  if (more) throw new Mistake(more.getStart(), `${wanted}, and one alone; ${BEHIND}`);
  const called = ts.isExpressionStatement(statement) && ts.isCallExpression(statement.expression) && statement.expression;
  if (!called || called.expression.getText() !== name) throw new Mistake(statement.getStart(), wanted);
  const [input, other] = called.arguments;
  if (other) throw new Mistake(other.getStart(), `${wanted}: it takes one input`);
  return { input: input ? literal(ts, input) : {}, end: statement.end };
}

/** What the comment behind a call says: `{output}`, `{problem}` or nothing. */
function outcome(ts, code, end) {
  const rest = " ".repeat(end) + code.slice(end);
  const said = rest.replace(/^([^\S\n]*)\/\//gm, "$1  ");
  const at = said.search(/\S/);
  if (at < 0) return {};
  const problem = /^\s*problem:\s*(.*?)\s*$/s.exec(said);
  if (problem && !CODE.test(problem[1])) {
    throw new Mistake(at, `\`${problem[1]}\` ${NO_CODE}`);
  }
  if (problem) return { problem: problem[1] };
  if (!said.startsWith("=>", at)) throw new Mistake(at, BEHIND);
  // The same places as in the comment: the bracket stands where the arrow ended.
  const [answer] = parsed(ts, `${said.replace("=>", " (")}\n)`);
  return { output: literal(ts, answer.expression.expression) };
}

/** One example, of the text behind its tag. */
function read(ts, text, name) {
  const framed = unframed(text);
  const caption = CAPTION.exec(framed);
  const code = without(framed, CAPTION);
  const { input, end } = call(ts, code, name);
  const title = caption ? caption[1] : code.slice(0, end).replace(/;$/, "");
  return { title: title.replace(/\s+/g, " ").trim(), input, ...outcome(ts, code, end) };
}

/** The tags above a method that are examples. */
export function exampleTags(ts, method) {
  return ts.getJSDocTags(method).filter((tag) => tag.tagName.text === "example");
}

/**
 * The examples above a method, each with where it begins in its file; `mistake` is told the place of what is wrong.
 * @param {(position: number, message: string) => void} mistake
 */
export function docExamples(ts, method, mistake) {
  const source = method.getSourceFile().text;
  return exampleTags(ts, method).flatMap((tag) => {
    const from = tag.tagName.end;
    try {
      return [{ example: read(ts, source.slice(from, tag.end), method.name.getText()), at: tag.getStart() }];
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      mistake(from + error.offset, error.message);
      return [];
    }
  });
}
