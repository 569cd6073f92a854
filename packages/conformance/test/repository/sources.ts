import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../../..');

const notOurs = new Set(['node_modules', 'dist', 'build', 'prebuilds', 'coverage', '.git', '.turbo']);

/** Files below a folder of the repository, as paths from its root with forward slashes. */
export function filesBelow(folder: string, suffixes: readonly string[]): string[] {
  const found: string[] = [];
  const walk = (absolute: string) => {
    for (const entry of readdirSync(absolute, { withFileTypes: true })) {
      const path = join(absolute, entry.name);
      if (entry.isDirectory()) {
        if (!notOurs.has(entry.name) && !entry.name.startsWith('build-')) walk(path);
      } else if (suffixes.some((suffix) => entry.name.endsWith(suffix))) {
        found.push(relative(root, path).split(sep).join('/'));
      }
    }
  };
  walk(join(root, folder));
  return found.sort();
}

export function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** Every module a TypeScript or JavaScript file names: imports, re-exports, dynamic imports, require and import types. */
export function importsOf(file: string): string[] {
  return modulesNamedIn(read(file), file);
}

export function modulesNamedIn(text: string, file: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const names: string[] = [];
  const add = (node: ts.Node | undefined) => {
    if (node !== undefined && ts.isStringLiteralLike(node)) names.push(node.text);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    else if (ts.isExternalModuleReference(node)) add(node.expression);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal);
    else if (ts.isCallExpression(node) && isImportOrRequire(node.expression)) add(node.arguments[0]);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

/** The modules that are loaded with a file: it imports or re-exports more of them than types, and not by `import()`. */
export function modulesLoadedWith(text: string, file: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  return source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    if (moduleSpecifier === undefined || !ts.isStringLiteralLike(moduleSpecifier)) return [];
    const hasValues = ts.isExportDeclaration(statement)
      ? !statement.isTypeOnly
      : statement.importClause === undefined || valueNames(statement.importClause).length > 0;
    return hasValues ? [moduleSpecifier.text] : [];
  });
}

/** What a file imports by name, as values, from one of the modules; '*' for a default, namespace or dynamic import. */
export function valuesImported(text: string, file: string, modules: ReadonlySet<string>): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const isListed = (node: ts.Node | undefined) =>
    node !== undefined && ts.isStringLiteralLike(node) && modules.has(node.text);
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && isListed(node.moduleSpecifier))
      names.push(...valueNames(node.importClause));
    else if (ts.isExportDeclaration(node) && isListed(node.moduleSpecifier)) names.push('*');
    else if (ts.isCallExpression(node) && isImportOrRequire(node.expression) && isListed(node.arguments[0])) {
      names.push('*');
    } else ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

function valueNames(clause: ts.ImportClause | undefined): string[] {
  if (clause === undefined || clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return [];
  const named = clause.namedBindings;
  if (clause.name !== undefined || named === undefined || ts.isNamespaceImport(named)) return ['*'];
  return named.elements
    .filter((element) => !element.isTypeOnly)
    .map((element) => (element.propertyName ?? element.name).text);
}

function isImportOrRequire(callee: ts.Expression): boolean {
  return (
    callee.kind === ts.SyntaxKind.ImportKeyword ||
    (ts.isIdentifier(callee) && callee.text.startsWith('require'))
  );
}

/** True when the file has `export * from`, under a name or not. */
export function exportsEverything(text: string): boolean {
  const source = ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, true);
  return source.statements.some(
    (statement) =>
      ts.isExportDeclaration(statement) &&
      statement.moduleSpecifier !== undefined &&
      (statement.exportClause === undefined || ts.isNamespaceExport(statement.exportClause)),
  );
}

/** The file or folder a relative import leads to, from the root of the repository. */
export function targetOf(file: string, specifier: string): string {
  return posix.join(posix.dirname(file), specifier);
}

export interface Include {
  readonly name: string;
  /** <name> is looked for in the system, "name" in native/. */
  readonly system: boolean;
}

export function includesOf(file: string): Include[] {
  return includesNamedIn(read(file));
}

export function includesNamedIn(text: string): Include[] {
  return [...text.matchAll(/^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]/gm)].map(([, open, name]) => ({
    name: name ?? '',
    system: open === '<',
  }));
}
