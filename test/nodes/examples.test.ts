import { readdir, stat } from 'node:fs/promises';
import test from 'ava';
import { hasChromium, type Page } from '../support/browser.ts';
import { scratch } from '../support/digits.ts';
import { openEditor } from '../support/editor.ts';
import { launch, publishedFlow, writeNodes } from '../support/launch.ts';
import { freePorts } from '../support/node-red.ts';

const FLOWS = new URL('../../flows/', import.meta.url);
const NAMES = (await readdir(FLOWS)).filter((name) => name.endsWith('.json')).toSorted();

/** The flow that the README shows. */
const PICTURED = '01-train-by-hand.json';
const IMAGE = new URL('../../docs/images/editor.png', import.meta.url);

/** How many types of ours have a place in the palette. */
const WIRED = `$('[data-palette-type^="mqtile-"]').length`;

/** The tab of this label. */
const tab = (label: string) =>
  `RED.nodes.getWorkspaceOrder().map((id) => RED.nodes.workspace(id)).find((one) => one.label === ${JSON.stringify(label)})`;

/** A line of the tree in the Import dialog. */
const line = (text: string) =>
  `$('#red-ui-clipboard-dialog .red-ui-treeList-label-text:visible').filter((_, one) => $(one).text().trim() === '${text}')[0]`;

test.serial('every example flow imports from the Examples menu and deploys without an error', async (t) => {
  if (!hasChromium()) return t.pass('skipped: chromium is not installed');
  t.true(NAMES.length > 0);
  const folder = await scratch(t);
  const [port, ...brokers] = await freePorts(1 + NAMES.length);
  await writeNodes(folder, []);
  const { url, printed } = await launch(t, ['--port', String(port), '--user-dir', folder]);
  const editor = await openEditor(t, url);
  const { page } = editor;
  for (const [index, name] of NAMES.entries()) {
    await page.evaluate(`RED.actions.invoke('core:show-examples-import-dialog')`);
    await page.click(line('mqtile'));
    await page.click(line(name.slice(0, -'.json'.length)));
    await page.click(`document.querySelector('#red-ui-clipboard-dialog-ok')`);
    const flow = await publishedFlow(name);
    const label = String(flow.find(({ type }) => type === 'tab')!['label']);
    await page.until(`Boolean(${tab(label)})`);
    await page.evaluate(`RED.workspaces.show(${tab(label)}.id)`);
    t.deepEqual(await page.evaluate(`RED.nodes.filterNodes({ type: 'unknown' }).map(({ name }) => name)`), [], name);
    const placed = flow.filter(({ z }) => z !== undefined).length;
    t.is(await page.evaluate(`RED.nodes.filterNodes({ z: ${tab(label)}.id }).length`), placed, name);
    // Another port, because something may listen on the published one here.
    await page.evaluate(
      `RED.nodes.eachConfig((node) => { if (node.type === 'mqtile-node') node.listen = '127.0.0.1:${brokers[index]}'; })`,
    );
    await editor.deploy();
    await page.until(`RED.nodes.filterNodes({ z: ${tab(label)}.id }).some(({ status }) => status?.text)`);
    t.notRegex(printed(), /\[error\]/, name);
    if (process.env['MQTILE_SCREENSHOTS'] !== undefined && name === PICTURED) await takePicture(page);
    await fetch(new URL('flows', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '[]',
    });
    await editor.reload();
  }
  t.deepEqual(page.errors, []);
});

/** The whole flow beside our part of the palette, without passing notices. */
async function takePicture(page: Page): Promise<void> {
  await page.resize(1680, 780);
  await page.evaluate(`RED.actions.invoke('core:toggle-right-sidebar'); $('.red-ui-notification').remove()`);
  await page.evaluate(`void $('#red-ui-palette-search input').searchBox('value', 'mqtile')`);
  await page.until(`$('#red-ui-palette-container .red-ui-palette-node:visible').length === ${WIRED}`);
  await page.screenshot(IMAGE);
  await page.resize(1280, 900);
}

test.serial('the pictures in the documentation are small enough to load at once', async (t) => {
  for (const image of ['editor.png', 'dashboard.png'])
    t.true((await stat(new URL(image, IMAGE))).size < 200_000, image);
});
