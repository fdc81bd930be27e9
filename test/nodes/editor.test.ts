import { readFile } from 'node:fs/promises';
import test from 'ava';
import { hasChromium } from '../support/browser.ts';
import { scratch } from '../support/digits.ts';
import { openEditor } from '../support/editor.ts';
import { launch, writeNodes } from '../support/launch.ts';
import { freePorts } from '../support/node-red.ts';

const ROOT = new URL('../../', import.meta.url);
const { 'node-red': palette } = JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8')) as {
  readonly 'node-red': { readonly nodes: Readonly<Record<string, string>> };
};
const TYPES = Object.keys(palette.nodes);

/** What a dialog needs to begin with, where the default would not do; every other property begins with its default. */
const BEGINNINGS = { listen: '127.0.0.1:0', path: 'flows/lenet5-mnist.yaml', grid: '1x1', layers: '0-1' };

/** A node of a type on a tab, or a configuration node: `<type>-1` uses `…-1` of what it needs, and there are two of each to choose from. */
const IMPORT = `(() => {
  const beginnings = ${JSON.stringify(BEGINNINGS)};
  const made = (type, number) => {
    const { defaults, category } = RED.nodes.getType(type);
    const node = { id: type + '-' + number, type, ...(category === 'config' ? {} : { z: 'tab', x: 200 * number, y: 100, wires: [] }) };
    for (const [property, { value, required, type: needs }] of Object.entries(defaults)) {
      const target = needs && needs.replace('[]', '') + '-' + number;
      node[property] = target ?? beginnings[property] ?? (required && value === '' ? 'first' : value);
    }
    return node;
  };
  const nodes = ${JSON.stringify(TYPES)}.flatMap((type) => [made(type, 1), made(type, 2)]);
  RED.nodes.import(nodes, { generateIds: false });
  RED.nodes.dirty(true);
})()`;

const stored = (id: string) =>
  `(() => { const node = RED.nodes.node('${id}');
    return Object.fromEntries(Object.keys(dialog.defaultsOf(node.type)).map((property) => [property, JSON.stringify(node[property])])); })()`;

test('every dialog opens without blank labels and keeps what is changed in it, through a deploy and a reload', async (t) => {
  if (!hasChromium()) return t.pass('skipped: chromium is not installed');
  const folder = await scratch(t);
  const [port] = await freePorts(1);
  await writeNodes(folder, [{ id: 'tab', type: 'tab', label: 'test' }]);
  const { url } = await launch(t, ['--port', String(port), '--user-dir', folder]);
  const editor = await openEditor(t, url);
  const { page } = editor;
  await page.evaluate(IMPORT);
  await editor.deploy();
  await editor.reload();

  const unchanged = new Set<string>();
  for (const type of TYPES) {
    await editor.open(`${type}-1`);
    const texts = (await page.evaluate(`dialog.texts()`)) as readonly string[];
    t.true(texts.length >= 2, type);
    for (const text of texts) t.regex(text, /^(?!mqtile-)(?!\s*$)/, `${type}: ${JSON.stringify(texts)}`);
    await editor.done();
    t.false(await page.evaluate(`RED.nodes.dirty()`), `${type}: Done changed what nobody touched`);
    const before = (await page.evaluate(stored(`${type}-1`))) as object;
    for (const property of Object.keys(before)) unchanged.add(`${type}.${property}`);
  }

  // Twice, because one choice hides the fields of another.
  for (const round of [1, 2]) {
    const shown = new Map<string, unknown>();
    for (const type of TYPES) {
      const id = `${type}-1`;
      const before = (await page.evaluate(stored(id))) as Record<string, string>;
      await editor.open(id);
      await editor.change(id);
      shown.set(type, await page.evaluate(`dialog.shown('${type}')`));
      await editor.done();
      const after = (await page.evaluate(stored(id))) as Record<string, string>;
      for (const [property, value] of Object.entries(after)) {
        if (value !== before[property]) unchanged.delete(`${type}.${property}`);
      }
    }
    await editor.deploy();
    await editor.reload();
    for (const type of TYPES) {
      await editor.open(`${type}-1`);
      t.deepEqual(await page.evaluate(`dialog.shown('${type}')`), shown.get(type), `${type}, round ${round}`);
      await editor.done();
    }
  }
  t.deepEqual([...unchanged], [], 'no field of a dialog changes these');
  t.deepEqual(page.errors, []);
});
