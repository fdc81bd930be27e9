import { readFile, readdir } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import { MEASURES } from '../../nodes/telemetry/measures.ts';

const ROOT = new URL('../../', import.meta.url);
const LOCALES = ['en-US', 'de'];

/** Types of Node-RED itself that flows may use besides ours and those of the dashboard. */
const CORE = ['tab', 'comment', 'inject', 'debug', 'catch', 'status', 'switch', 'change', 'function'];

/** What every flow with a dashboard brings along, and of which a workspace has one. */
const SHARED = ['mqtile-ui-base', 'mqtile-ui-theme'];

interface Manifest {
  readonly description: string;
  readonly license: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly keywords: readonly string[];
  readonly engines: { readonly node: string };
  readonly files: readonly string[];
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly 'node-red': { readonly version: string; readonly nodes: Readonly<Record<string, string>> };
}

const read = (path: string) => readFile(new URL(path, ROOT), 'utf8');
const manifest = JSON.parse(await read('package.json')) as Manifest;
const types = Object.keys(manifest['node-red'].nodes);
const dashboard = JSON.parse(await read('node_modules/@flowfuse/node-red-dashboard/package.json')) as Manifest;
const known = [...types, ...CORE, ...Object.keys(dashboard['node-red'].nodes)];
const flows = (await readdir(new URL('flows/', ROOT))).filter((name) => name.endsWith('.json'));

test('the package says what Node-RED’s library of palettes asks for', async (t) => {
  t.true(manifest.keywords.includes('node-red'));
  t.is(manifest['node-red'].version, '>=5');
  t.regex(manifest.engines.node, /^>=\d+$/);
  t.truthy(manifest.description);
  t.is(manifest.license, 'MIT');
  for (const page of ['README.md', 'LICENSE', 'CHANGELOG.md']) t.true((await read(page)).length > 200, page);
  // Palettes are installed on computers without compilers, and from the editor without a terminal.
  for (const script of ['preinstall', 'install', 'postinstall']) t.false(Object.hasOwn(manifest.scripts, script));
  t.true(Object.keys(manifest.dependencies).length <= 6);
  t.false(Object.hasOwn(manifest.dependencies, 'node-red'));
  for (const folder of ['dist', 'examples']) t.true(manifest.files.includes(folder));
});

test('every node file of the palette is listed, with a name that begins with mqtile-', async (t) => {
  const sources = (await readdir(new URL('nodes/', ROOT)))
    .filter((name) => name.endsWith('.html'))
    .map((name) => name.slice(0, -'.html'.length));
  t.deepEqual([...types].toSorted(), sources.toSorted());
  for (const type of types) {
    t.regex(type, /^mqtile-[a-z-]+$/);
    t.is(manifest['node-red'].nodes[type], `dist/nodes/${type}.js`);
    t.regex(await read(`nodes/${type}.ts`), new RegExp(`registerType\\('${type}'`));
  }
});

test('every type has a dialog, and those with wires an icon that exists', async (t) => {
  for (const type of types) {
    const html = await read(`nodes/${type}.html`);
    t.true(html.includes(`data-template-name="${type}"`));
    t.true(html.includes(`RED.nodes.registerType('${type}'`));
    if (html.includes("category: 'config'")) continue;
    const icon = /icon: '([^']+)'/.exec(html)?.[1];
    t.true((await read(`nodes/icons/${icon}`)).includes('<svg'), type);
  }
});

test('every type has help with an example, in every language', async (t) => {
  for (const locale of LOCALES) {
    for (const type of types) {
      const help = await read(`nodes/locales/${locale}/${type}.html`);
      t.true(help.includes(`data-help-name="${type}"`));
      t.true(help.includes('<pre>'), `${locale}/${type}: no example`);
      const examples = [...help.matchAll(/<pre>([^<]*)<\/pre>/g)].map(([, text]) => text!.trim());
      for (const example of examples.filter((text) => text.startsWith('{'))) t.notThrows(() => JSON.parse(example));
    }
  }
});

test('every language has the same files, settings and messages', async (t) => {
  const outline = (help: string) => ({
    sections: [...help.matchAll(/<h3>/g)].length,
    settings: [...help.matchAll(/<dt/g)].length,
    messages: [...help.matchAll(/<pre>\s*(\{[^<]*)<\/pre>/g)].map(([, text]) => JSON.parse(text!) as unknown),
  });
  const [first, ...others] = LOCALES;
  const files = (await readdir(new URL(`nodes/locales/${first}/`, ROOT))).toSorted();
  t.deepEqual(files, types.flatMap((type) => [`${type}.html`, `${type}.json`]).toSorted());
  for (const locale of others) {
    t.deepEqual((await readdir(new URL(`nodes/locales/${locale}/`, ROOT))).toSorted(), files);
    for (const type of types) {
      const [mine, theirs] = [
        await read(`nodes/locales/${first}/${type}.html`),
        await read(`nodes/locales/${locale}/${type}.html`),
      ];
      t.deepEqual(outline(theirs), outline(mine), `${locale}/${type}`);
    }
  }
});

test('the help of a node with wires has a message for every input and output', async (t) => {
  for (const type of types) {
    const html = await read(`nodes/${type}.html`);
    const count = (what: string) => Number(new RegExp(`${what}: (\\d)`).exec(html)?.[1] ?? 0);
    const help = await read(`nodes/locales/en-US/${type}.html`);
    t.true(help.split('<pre>\n{').length + help.split('<pre>{').length - 2 >= count('inputs') + count('outputs'), type);
  }
});

test('labels are complete: each that a dialog uses is there in every language, and none is left over', async (t) => {
  for (const locale of LOCALES) {
    for (const type of types) {
      const catalogue = JSON.parse(await read(`nodes/locales/${locale}/${type}.json`)) as object;
      const html = await read(`nodes/${type}.html`);
      const named = [...html.matchAll(new RegExp(`["'\\]](${type}(?:\\.\\w+)+)["']`, 'g'))].map(([, key]) => key!);
      const used = new Set(type === 'mqtile-telemetry' ? [...named, ...measureKeys()] : named);
      t.deepEqual(keysOf(catalogue).toSorted(), [...used].toSorted(), `${locale}/${type}`);
    }
  }
});

test('the dialog of mqtile-telemetry offers the measures that the node knows', async (t) => {
  const html = await read('nodes/mqtile-telemetry.html');
  const offered = [...html.matchAll(/^ {6}(\w+): \[([^\]]+)\],$/gm)].map(
    ([, kind, list]) => [kind!, [...list!.matchAll(/'(\w+)'/g)].map(([, name]) => name!)] as const,
  );
  t.true(isDeepStrictEqual(Object.fromEntries(offered), MEASURES), JSON.stringify(offered));
});

test('every flow uses only types that are there, wires that lead somewhere, and places on its tab', async (t) => {
  t.true(flows.length > 0);
  for (const name of flows) {
    const nodes = JSON.parse(await read(`flows/${name}`)) as readonly Record<string, unknown>[];
    const ids = new Set(nodes.map(({ id }) => id));
    t.is(ids.size, nodes.length, `${name}: an id is there twice`);
    for (const { id, type, z, x, y, wires } of nodes) {
      t.true(known.includes(type as string), `${name}: ${String(type)}`);
      if (z !== undefined) t.true(typeof x === 'number' && typeof y === 'number', `${name}: ${String(id)}`);
      for (const target of ((wires ?? []) as readonly (readonly string[])[]).flat()) t.true(ids.has(target), target);
    }
  }
});

test('ids are unique across all flows, but for the base and the theme of the dashboard, which are the same in each', async (t) => {
  const seen = new Map<unknown, { readonly name: string; readonly node: object }>();
  for (const name of flows) {
    const number = /^(\d\d)-[a-z-]+\.json$/.exec(name)?.[1];
    for (const node of JSON.parse(await read(`flows/${name}`)) as readonly Record<string, unknown>[]) {
      const id = String(node['id']);
      const other = seen.get(id);
      seen.set(id, { name, node });
      if (SHARED.includes(id)) t.deepEqual(node, other?.node ?? node, `${name} and ${other?.name}: ${id}`);
      else t.true(id.startsWith(`mqtile-${number}-`), `${name}: ${id}`);
    }
  }
});

test('every comment node of a flow has a title and an explanation', async (t) => {
  for (const name of flows) {
    const nodes = JSON.parse(await read(`flows/${name}`)) as readonly Record<string, unknown>[];
    const comments = nodes.filter(({ type }) => type === 'comment');
    t.true(comments.length > 0, `${name}: no comment node explains it`);
    for (const { id, name: title, info } of comments) {
      t.regex(String(title), /\w{3}/, String(id));
      t.regex(String(info), /\w{3}/, String(id));
    }
  }
});

test('every type is used by an example flow', async (t) => {
  const used = new Set<string>();
  for (const name of flows) {
    for (const { type } of JSON.parse(await read(`flows/${name}`)) as readonly { type: string }[]) used.add(type);
  }
  t.deepEqual(
    types.filter((type) => !used.has(type)),
    [],
  );
});

function measureKeys(): readonly string[] {
  return Object.entries(MEASURES).flatMap(([kind, measures]) =>
    [kind, ...measures].map((measure) => `mqtile-telemetry.measure.${measure}`),
  );
}

function keysOf(catalogue: object, path: readonly string[] = []): readonly string[] {
  return Object.entries(catalogue).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null ? keysOf(value as object, [...path, key]) : [[...path, key].join('.')],
  );
}
