/**
 * Writes the manifest of an Interlinker, and whether it migrates: what `static about` says, and JSON Schemas (2020-12) from the
 * JSDoc types of its methods. Run by node while it is built: `node describe.mjs FILE TYPESCRIPT`. Mistakes go to standard error, each
 * with its place.
 */

import { pathToFileURL } from "node:url";
import path from "node:path";
import process from "node:process";
import { CODE, NO_CODE } from "./codes.js";
import { docExamples, exampleTags } from "./doc-examples.mjs";

const [, , main, typescript] = process.argv;
const { default: ts } = await import(pathToFileURL(typescript).href);

/** The version of the manifest's shape. */
const FORMAT = 1;
const WORLD = "interlink:interlinker@1.1.0";
const SDK = "js 0.1.0";
const DRAFT = "https://json-schema.org/draft/2020-12/schema";
/** Types within types, at most: a type that contains itself is told, not followed. */
const DEPTH_MAX = 32;

/** Constraints that stand at the end of a comment: `How many. {minimum: 1, maximum: 1000}`. */
const CONSTRAINTS = /\{([^{}]*)\}\s*$/;
const KNOWN = ["minimum", "maximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "pattern", "format", "title", "default", "contentMediaType"];

const mistakes = [];

function placeIn(file, position) {
  const { line, character } = file.getLineAndCharacterOfPosition(position);
  return `${path.relative(process.cwd(), file.fileName)}:${line + 1}:${character + 1}`;
}

function mistake(node, message) {
  mistakes.push(`${placeIn(node.getSourceFile(), node.getStart())}: ${message}`);
}

const program = ts.createProgram([main], {
  allowJs: true,
  checkJs: true,
  strict: true,
  noEmit: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  skipLibCheck: true,
  types: [],
});
const checker = program.getTypeChecker();

/** The compiler's own findings in the author's files: a mistake in a type is a mistake in a form. */
for (const found of ts.getPreEmitDiagnostics(program)) {
  const name = found.file?.fileName ?? "";
  if (name.includes("/.interlink/") || name.includes("/node_modules/")) continue;
  const message = ts.flattenDiagnosticMessageText(found.messageText, "\n  ");
  if (!found.file) {
    mistakes.push(message);
    continue;
  }
  mistakes.push(`${placeIn(found.file, found.start ?? 0)}: ${message}`);
}

/** What a comment says, and what it constrains. */
function comment(symbol) {
  const parts = ts.displayPartsToString(symbol.getDocumentationComment(checker));
  const tags = symbol.getJsDocTags(checker).filter((tag) => tag.name === "property").map((tag) => ts.displayPartsToString(tag.text));
  const whole = (parts || tags.join(" ")).trim();
  const found = CONSTRAINTS.exec(whole);
  const description = whole.replace(CONSTRAINTS, "").replace(/\s+/g, " ").trim();
  return { ...(description ? { description } : {}), ...(found ? constraints(found[1], symbol) : {}) };
}

function constraints(written, symbol) {
  const read = {};
  for (const [, name, value] of written.matchAll(/([A-Za-z]+)\s*:\s*("(?:[^"\\]|\\.)*"|[^,]+)/g)) {
    const at = symbol.declarations?.[0];
    if (!KNOWN.includes(name) && at) mistake(at, `\`${name}\` constrains nothing: there are ${KNOWN.join(", ")}`);
    try {
      read[name] = JSON.parse(value.trim());
    } catch {
      if (at) mistake(at, `\`${name}: ${value.trim()}\` is no number, text in double quotes, true or false`);
    }
  }
  return read;
}

/** Whether a declared type names the SDK's `Integer`: to the compiler that is any number. */
function isInteger(node) {
  if (!node) return false;
  const type = node.typeExpression?.type ?? node.type ?? node;
  const name = type?.kind === ts.SyntaxKind.TypeReference ? type.typeName.getText() : "";
  const imported = type?.kind === ts.SyntaxKind.ImportType ? type.qualifier?.getText() : "";
  return name === "Integer" || imported === "Integer";
}

/** What a text is besides text: the SDK's `Markdown` and `Html` say so in a property that no text has. */
function mediaType(type, at) {
  const said = type.isIntersection() && type.getProperty("__mediaType");
  const kinds = said ? checker.getTypeOfSymbolAtLocation(said, at) : undefined;
  return [kinds, ...(kinds?.types ?? [])].find((kind) => kind?.isStringLiteral())?.value;
}

/** The declared type of an array's elements, where it is written as `Integer[]` or `Array<Integer>`. */
function elementOf(node) {
  const type = node?.typeExpression?.type ?? node?.type ?? node;
  if (type?.kind === ts.SyntaxKind.ArrayType) return type.elementType;
  if (type?.kind === ts.SyntaxKind.TypeReference && type.typeArguments?.length === 1) return type.typeArguments[0];
  return undefined;
}

/** The JSON Schema of a type; `node` is where it is declared. */
function schema(type, node, at, depth = 0) {
  if (depth > DEPTH_MAX) {
    mistake(at, "this type contains itself: a form cannot");
    return {};
  }
  const contentMediaType = mediaType(type, at);
  if (contentMediaType) return { type: "string", contentMediaType };
  const flags = type.getFlags();
  if (flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return {};
  if (flags & ts.TypeFlags.Null) return { type: "null" };
  if (flags & ts.TypeFlags.StringLiteral) return { const: type.value };
  if (flags & ts.TypeFlags.NumberLiteral) return { const: type.value };
  if (flags & ts.TypeFlags.BooleanLiteral) return { const: checker.typeToString(type) === "true" };
  if (flags & ts.TypeFlags.BooleanLike) return { type: "boolean" };
  if (flags & ts.TypeFlags.StringLike) return { type: "string" };
  if (flags & ts.TypeFlags.NumberLike) return { type: isInteger(node) ? "integer" : "number" };
  if (type.isUnion()) return union(type, node, at, depth);
  if (checker.isTupleType(type)) {
    const items = checker.getTypeArguments(type).map((item) => schema(item, undefined, at, depth + 1));
    return { type: "array", prefixItems: items, items: false, minItems: items.length };
  }
  if (checker.isArrayType(type)) {
    const [item] = checker.getTypeArguments(type);
    return { type: "array", items: schema(item, elementOf(node), at, depth + 1) };
  }
  if (type.getCallSignatures().length > 0) {
    mistake(at, `\`${checker.typeToString(type)}\` is a function: JSON cannot say it`);
    return {};
  }
  if (flags & ts.TypeFlags.Object) return object(type, at, depth);
  mistake(at, `\`${checker.typeToString(type)}\` is nothing that JSON can say`);
  return {};
}

function union(type, node, at, depth) {
  const parts = type.types.filter((part) => !(part.getFlags() & ts.TypeFlags.Undefined));
  if (parts.every((part) => part.getFlags() & ts.TypeFlags.BooleanLiteral) && parts.length === 2) return { type: "boolean" };
  if (parts.every((part) => part.isLiteral())) return { enum: parts.map((part) => part.value) };
  const booleans = parts.filter((part) => part.getFlags() & ts.TypeFlags.BooleanLiteral);
  const others = parts.filter((part) => !(part.getFlags() & ts.TypeFlags.BooleanLiteral));
  const schemas = others.map((part) => schema(part, node, at, depth + 1));
  if (booleans.length > 0) schemas.push({ type: "boolean" });
  return schemas.length === 1 ? schemas[0] : { anyOf: schemas };
}

function object(type, at, depth) {
  const values = checker.getIndexInfosOfType(type)[0];
  const properties = {};
  const required = [];
  for (const property of checker.getPropertiesOfType(type)) {
    const declared = property.declarations?.[0];
    const of = checker.getTypeOfSymbolAtLocation(property, declared ?? at);
    const optional = Boolean(property.flags & ts.SymbolFlags.Optional);
    properties[property.name] = { ...schema(of, declared, declared ?? at, depth + 1), ...comment(property) };
    if (!optional) required.push(property.name);
  }
  if (values && Object.keys(properties).length === 0) {
    return { type: "object", additionalProperties: schema(values.type, undefined, at, depth + 1) };
  }
  const needs = required.length > 0 ? { required } : {};
  return { type: "object", properties, ...needs, additionalProperties: false };
}

/** The class that the file exports by default. */
function exported() {
  const file = program.getSourceFile(main);
  const symbol = file && checker.getSymbolAtLocation(file);
  const found = symbol && checker.getExportsOfModule(symbol).find((one) => one.escapedName === "default");
  const target = found && found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
  const declared = target?.declarations?.find((one) => ts.isClassDeclaration(one) || ts.isClassExpression(one));
  if (!declared && file) mistake(file, "an Interlinker is a class: write `export default class … extends Interlinker`");
  return declared;
}

function method(declared, name) {
  return declared.members.find((member) => ts.isMethodDeclaration(member) && member.name.getText() === name);
}

/** Input and output of a method. What has no parameter takes an empty object. */
function forms(found) {
  const [parameter] = found.parameters;
  let input = { type: "object", properties: {}, additionalProperties: false };
  if (parameter) {
    const type = checker.getTypeAtLocation(parameter);
    if (type.getFlags() & ts.TypeFlags.Any) {
      mistake(parameter, `what \`${found.name.getText()}\` takes has no type: write \`@param {Type} ${parameter.name.getText()}\` above it`);
    }
    input = schema(type, parameter, parameter);
    if (input.type !== undefined && input.type !== "object") mistake(parameter, "an input is an object: its properties are the fields of the form");
  }
  const signature = checker.getSignatureFromDeclaration(found);
  const returned = signature && checker.getReturnTypeOfSignature(signature);
  const isNothing = !returned || returned.getFlags() & (ts.TypeFlags.Void | ts.TypeFlags.Undefined | ts.TypeFlags.Never);
  const output = isNothing ? { type: "null" } : schema(returned, undefined, found);
  return { input: { $schema: DRAFT, ...input }, output: { $schema: DRAFT, ...output } };
}

/** The schema of what an operator sets: the type that the class gives to the one it extends. */
function settings(declared) {
  const [written] = ts.getJSDocAugmentsTag(declared)?.class.typeArguments ?? [];
  if (!written) return undefined;
  const found = schema(checker.getTypeFromTypeNode(written), written, written);
  if (found.type !== "object") mistake(written, "settings are an object: its properties are what an operator sets");
  return { $schema: DRAFT, ...found };
}

/** What is asked for: no more than there is to ask for. */
function grants(declared, asked) {
  const known = ["http", "secrets", "people", "notify", "assets"];
  for (const name of Object.keys(asked)) {
    if (!known.includes(name)) mistake(declared, `\`${name}\` cannot be granted: there are ${known.join(", ")}`);
  }
  return { http: [], secrets: [], ...asked };
}

/** Where each example of a method stands, for those that stand above it. */
const places = {};

/** What can be tried of a form, where there is something: what `static about` has, then what stands above the method. */
function examples(says, found) {
  const file = found?.getSourceFile();
  const above = found ? docExamples(ts, found, (position, message) => mistakes.push(`${placeIn(file, position)}: ${message}`)) : [];
  const all = [...(says.examples ?? []), ...above.map(({ example }) => example)];
  if (above.length > 0) places[found.name.getText()] = [...(says.examples ?? []).map(() => null), ...above.map(({ at }) => placeIn(file, at))];
  return all.length > 0 ? { examples: all } : {};
}

/** Examples are of what people fill in: elsewhere nothing would run them. */
function refuseExamples(found, name) {
  for (const tag of found ? exampleTags(ts, found) : []) {
    mistake(tag, `\`${name}\` has no examples: actions and \`instantiate\` have`);
  }
}

function help(found) {
  const symbol = found.symbol && ts.displayPartsToString(found.symbol.getDocumentationComment(checker)).replace(/\s+/g, " ").trim();
  return symbol ? { en: symbol } : {};
}

/** The manifest, of a class and what it says of itself. */
function manifest(declared, about) {
  const of = (name, isNeeded) => {
    const found = method(declared, name);
    if (!found && isNeeded) mistake(declared, `there is no method \`${name}\`${isNeeded === true ? "" : `: ${isNeeded}`}`);
    return found && { found, ...forms(found) };
  };
  const instantiate = of("instantiate", "it is called once, to make an asset");
  const view = of("view", "it shows the asset");
  const actions = Object.entries(about.actions ?? {}).map(([name, says]) => {
    const action = of(name, "`static about` has it among its actions");
    if (!action) return undefined;
    return {
      name,
      title: says.title ?? {},
      help: says.help ?? help(action.found),
      input: action.input,
      output: action.output,
      allow: says.allow ?? [],
      anonymous: says.anonymous ?? false,
      ...examples(says, action.found),
    };
  });
  const alarms = about.alarms ?? [];
  for (const name of alarms) {
    if (!method(declared, name)) mistake(declared, `there is no method \`${name}\`: \`static about\` has it among its alarms`);
  }
  for (const name of ["view", "migrate", ...alarms]) refuseExamples(method(declared, name), name);
  const languages = new Set([about.title, about.description].flatMap((text) => Object.keys(text ?? {})));
  return {
    manifest: FORMAT,
    name: about.name,
    version: about.version,
    world: WORLD,
    sdk: SDK,
    nature: "software",
    title: about.title ?? {},
    description: about.description ?? {},
    languages: [...languages],
    licence: about.licence ?? "",
    problem_profiles: about.problems ?? [],
    instantiate: { title: about.instantiate?.title ?? {}, input: instantiate?.input ?? {}, ...examples(about.instantiate ?? {}, instantiate?.found) },
    actions: actions.filter((action) => action !== undefined),
    view: { query: view?.input ?? {}, output: view?.output ?? {} },
    grants: grants(declared, about.grants ?? {}),
    ...(alarms.length > 0 ? { alarms } : {}),
    settings: settings(declared),
  };
}

function finish(written) {
  if (mistakes.length > 0) {
    process.stderr.write(`${mistakes.join("\n")}\n`);
    process.exit(1);
  }
  process.stdout.write(`${JSON.stringify(written, null, 2)}\n`);
}

/** What a code of a problem is. Of another a server makes `refused`. */
function checkCode(node) {
  const written = node.arguments.filter(ts.isObjectLiteralExpression).flatMap((more) => [...more.properties]);
  const code = written.find((property) => ts.isPropertyAssignment(property) && property.name.text === "code")?.initializer;
  if (code && ts.isStringLiteralLike(code) && !CODE.test(code.text)) mistake(code, `\`${code.text}\` ${NO_CODE}`);
}

/** Checks the codes that are written out where something is refused. */
function checkCodes(node) {
  const name = (ts.isCallExpression(node) || ts.isNewExpression(node)) && node.expression.getText();
  if (["ensure", "refuse", "Refusal"].includes(name) && node.arguments) checkCode(node);
  ts.forEachChild(node, checkCodes);
}

for (const file of program.getSourceFiles()) {
  const isOwn = !file.isDeclarationFile && !file.fileName.includes("/.interlink/") && !file.fileName.includes("/node_modules/");
  if (isOwn && !file.fileName.startsWith(".interlink/")) checkCodes(file);
}

const declared = exported();
if (mistakes.length > 0 || !declared) {
  finish(undefined);
} else {
  const { default: Kind } = await import(pathToFileURL(path.resolve(main)).href);
  const about = Kind.about;
  for (const field of ["name", "version"]) {
    if (typeof about?.[field] !== "string") mistake(declared, `\`static about\` has no \`${field}\``);
  }
  // Whether it has a migration is no part of the manifest: its component has the export, or not.
  finish(about && { manifest: manifest(declared, about), migrates: Boolean(method(declared, "migrate")), places });
}
