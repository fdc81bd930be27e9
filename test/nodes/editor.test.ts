import test from 'ava';
import { hasChromium, openPage, type Page } from '../support/browser.ts';
import { scratch } from '../support/digits.ts';
import { launch, writeFlow } from '../support/launch.ts';
import { freePorts } from '../support/node-red.ts';

/** Nodes of the example flow whose dialogs are opened, and how. */
const DIALOGS = [
  { type: 'mqtile-train', open: `RED.editor.edit(RED.nodes.node('mqtile-02-train'))` },
  { type: 'mqtile-telemetry', open: `RED.editor.edit(RED.nodes.node('mqtile-02-telemetry'))` },
  { type: 'mqtile-node', open: `RED.editor.editConfig('', 'mqtile-node', 'mqtile-02-node')` },
  { type: 'mqtile-job', open: `RED.editor.editConfig('', 'mqtile-job', 'mqtile-02-job')` },
];

const TEXTS = `$('.red-ui-tray').find('[data-i18n*="mqtile"], .form-row > label').map(function () {
  return $(this).text().trim() || $(this).attr('placeholder') || '';
}).get()`;

/** Opens a dialog, reads its texts, and closes it with Done. */
async function visit(page: Page, open: string): Promise<readonly string[]> {
  await page.evaluate(`void ${open}`);
  // Trays slide in and out; two of them at once would be read together.
  await page.until(`$('.red-ui-tray .form-row').length > 0 && !$('.red-ui-tray').is(':animated')`);
  const texts = (await page.evaluate(TEXTS)) as readonly string[];
  await page.evaluate(`void $('.red-ui-tray .red-ui-tray-toolbar .primary').last().trigger('click')`);
  await page.until(`$('.red-ui-tray').length === 0`);
  return texts;
}

test('in a browser, the palette shows the nodes and every dialog opens and closes without blank labels or errors', async (t) => {
  if (!hasChromium()) return t.pass('skipped: chromium is not installed');
  const folder = await scratch(t);
  const [editor, broker] = await freePorts(2);
  await writeFlow(folder, broker!);
  const { url } = await launch(t, ['--port', String(editor), '--user-dir', folder]);
  const page = await openPage(t, url);
  await page.until(`typeof RED !== 'undefined' && Boolean(RED.nodes?.node?.('mqtile-02-train'))`);
  await page.until(`$('[data-palette-type="mqtile-train"], [data-palette-type="mqtile-telemetry"]').length === 2`);
  await page.until(`$('.red-ui-loading-container, #red-ui-loading-progress').filter(':visible').length === 0`);
  for (const { type, open } of DIALOGS) {
    const texts = await visit(page, open);
    t.true(texts.length >= 3, type);
    for (const text of texts) t.regex(text, /^(?!mqtile-)(?!\s*$)/, `${type}: ${JSON.stringify(texts)}`);
  }
  t.false(await page.evaluate(`RED.nodes.dirty()`), 'a dialog changed what nobody touched');
  t.deepEqual(page.errors, []);
});
