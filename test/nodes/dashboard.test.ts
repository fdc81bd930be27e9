import { stat } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { hasChromium, openPage, type Page } from '../support/browser.ts';
import { digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import { launch, publishedFlow, writeNodes, type Launched } from '../support/launch.ts';
import { freePorts } from '../support/node-red.ts';

const IMAGE = new URL('../../docs/images/dashboard.png', import.meta.url);

/** The charts of the dashboard put themselves there for its own tests. */
const SHOW_CHARTS = `window.Cypress = true;`;

const chart = (id: string) => `window.uiCharts?.['mqtile-03-${id}']?.chart`;
const button = (label: string) =>
  `[...document.querySelectorAll('button')].find((one) => one.innerText.trim().toLowerCase() === '${label}')`;

type Point = readonly [x: number, y: number];

/** The lines of a chart as they are drawn, by name. */
async function lines(page: Page, id: string): Promise<Readonly<Record<string, readonly Point[]>>> {
  const series = (await page.evaluate(
    `(${chart(id)}?.getOption().series ?? []).map(({ name, data }) => [name, data])`,
  )) as [string, readonly (readonly [number, number | string])[]][];
  const points = series.map(([name, data]) => [name, data.filter(([, y]) => typeof y === 'number')] as const);
  return Object.fromEntries(points) as Readonly<Record<string, readonly Point[]>>;
}

/** Flow 03 as it is published, but on four nodes in one process, with a job that learns slowly enough to watch. */
async function dashboard(t: ExecutionContext): Promise<Launched> {
  const folder = await scratch(t);
  const [editor, ...brokers] = await freePorts(5);
  const digits = await someDigits(folder, 6400, 500);
  const slow = { kind: 'sgd', rate: 0.004, momentum: 0.9 };
  const path = await writeJob(folder, digitsJob(digits, { epochs: 3, optimizer: slow }));
  const addresses = brokers.map((port, rank) => ({ name: `node${rank + 1}`, address: `127.0.0.1:${port}` }));
  const flow = await publishedFlow('03-dashboard.json');
  const nodes = flow.flatMap((node) => {
    if (node.type === 'mqtile-job') return [{ ...node, path, grid: '2x2' }];
    if (node.type !== 'mqtile-node') return [node];
    return addresses.map(({ name, address }, rank) => ({
      ...node,
      id: rank === 0 ? node.id : `${node.id}-${rank}`,
      node: name,
      listen: address,
      peers: addresses.filter((peer) => peer.name !== name),
    }));
  });
  await writeNodes(folder, nodes);
  return launch(t, ['--port', String(editor), '--user-dir', folder]);
}

test('on the dashboard the loss falls while it trains, and every device has its tile, its memory and its bytes', async (t) => {
  if (!hasChromium()) return t.pass('skipped: chromium is not installed');
  const { url, printed } = await dashboard(t);
  const page = await openPage(t, new URL('dashboard/training', url).href, SHOW_CHARTS);
  await page.until(`document.body.innerText.includes('ready')`);
  await page.click(button('start'));
  await page.until(`/training step \\d+/.test(document.body.innerText)`);
  await page.click(button('pause'));
  await page.until(`/paused at step \\d+/.test(document.body.innerText)`);
  await page.click(button('resume'));
  await page.until(
    `/done, [\\d.]+ % right/.test(document.body.innerText)`,
    `document.body.innerText + ${JSON.stringify(url)}`,
  );

  const { 'training, latest batch': loss = [], 'test set': tested = [] } = await lines(page, 'loss-chart');
  t.true(loss.length >= 2, JSON.stringify(loss));
  t.deepEqual(
    loss,
    loss.toSorted(([a], [b]) => a - b),
  );
  t.true(loss.at(-1)![1] < loss[0]![1], JSON.stringify(loss));
  t.is(tested.at(-1)?.[0], 300);
  const right = await lines(page, 'right-chart');
  t.true(right['test set']![0]![1] > 50 && right['test set']![0]![1] <= 100, JSON.stringify(right));

  const devices = ['node1', 'node2', 'node3', 'node4'];
  for (const id of ['memory-chart', 'sent-chart']) {
    const figures = await lines(page, id);
    t.deepEqual(Object.keys(figures), devices, id);
    for (const [device, points] of Object.entries(figures)) t.true(points.at(-1)![1] > 0, `${id}: ${device}`);
  }
  const tiles = (await page.evaluate(
    `[...document.querySelectorAll('.mqtile-map svg > g')].map((tile) => tile.querySelector('title').textContent)`,
  )) as readonly string[];
  t.deepEqual(
    tiles,
    [
      'rows 0 to 6, columns 0 to 6',
      'rows 0 to 6, columns 7 to 13',
      'rows 7 to 13, columns 0 to 6',
      'rows 7 to 13, columns 7 to 13',
    ].map((place, rank) => `${devices[rank]}: samples 0 to 63, channels 0 to 5, ${place}`),
  );
  t.deepEqual(page.errors, []);
  t.notRegex(printed(), /\[error\]/);

  if (process.env['MQTILE_SCREENSHOTS'] === undefined) return;
  await page.screenshot(IMAGE);
  t.true((await stat(IMAGE)).size < 200_000);
});
