import { mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { hasChromium, openPage, type Page } from '../support/browser.ts';
import { scratch } from '../support/digits.ts';
import { greyPng } from '../support/images.ts';
import { launch, publishedFlow, writeNodes, type Launched } from '../support/launch.ts';
import { freePorts } from '../support/node-red.ts';
import { testDigits, trainDigits } from '../support/trained.ts';

const IMAGE = new URL('../../docs/images/predict.png', import.meta.url);

type Point = readonly [x: number, y: number];

/** Strokes in a square of 1 x 1. */
const STROKES: readonly { readonly digit: number; readonly strokes: readonly (readonly Point[])[] }[] = [
  {
    digit: 1,
    strokes: [
      [
        [0.5, 0.15],
        [0.48, 0.85],
      ],
    ],
  },
  {
    digit: 7,
    strokes: [
      [
        [0.25, 0.2],
        [0.72, 0.2],
        [0.6, 0.5],
        [0.45, 0.85],
      ],
    ],
  },
  { digit: 0, strokes: [circle([0.5, 0.5], [0.22, 0.33])] },
  { digit: 3, strokes: [[...arc([0.47, 0.33], 0.17, -160, 90), ...arc([0.47, 0.67], 0.19, -90, 150)]] },
];

function arc([x, y]: Point, radius: number, from: number, to: number): readonly Point[] {
  return Array.from({ length: 25 }, (_, i) => {
    const angle = ((from + ((to - from) * i) / 24) * Math.PI) / 180;
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
  });
}

function circle([x, y]: Point, [a, b]: Point): readonly Point[] {
  return arc([0, 0], 1, -90, 270).map(([u, v]) => [x + a * u, y + b * v]);
}

/** Flow 04 as it is published, in a user folder without a checkpoint. */
async function digitsPage(t: ExecutionContext, folder: string): Promise<Launched> {
  const [editor] = await freePorts(1);
  await writeNodes(folder, await publishedFlow('04-predict.json'));
  return launch(t, ['--port', String(editor), '--user-dir', folder]);
}

/** Moves the mouse along strokes on the page's board. */
async function draw(page: Page, strokes: readonly (readonly Point[])[]): Promise<void> {
  const { left, top, width } = (await page.evaluate(
    `(({ left, top, width }) => ({ left, top, width }))(document.querySelector('.mqtile-digit-input > canvas').getBoundingClientRect())`,
  )) as { left: number; top: number; width: number };
  const mouse = (type: string, [x, y]: Point) =>
    page.call('Input.dispatchMouseEvent', {
      type,
      x: left + x * width,
      y: top + y * width,
      button: 'left',
      buttons: 1,
      clickCount: 1,
    });
  for (const stroke of strokes) {
    await mouse('mousePressed', stroke[0]!);
    for (const point of stroke.slice(1)) await mouse('mouseMoved', point);
    await mouse('mouseReleased', stroke.at(-1)!);
  }
}

const SAID = `document.querySelector('[data-answer]').innerText`;
const clear = `[...document.querySelectorAll('.mqtile-digit button')].find((one) => one.innerText === 'Clear')`;

/** Chooses a file as a person does with the button. */
async function choose(page: Page, file: Buffer): Promise<void> {
  await page.evaluate(`(() => {
    const bytes = Uint8Array.from(atob('${file.toString('base64')}'), (letter) => letter.charCodeAt(0));
    const chosen = new DataTransfer();
    chosen.items.add(new File([bytes], 'digit.png', { type: 'image/png' }));
    const input = document.querySelector('.mqtile-digit input[type=file]');
    input.files = chosen.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  })()`);
}

test('on the page of flow 04, digits that are drawn or chosen as files are recognised', async (t) => {
  if (!hasChromium()) return t.pass('skipped: chromium is not installed');
  const folder = await scratch(t);
  const training = await scratch(t);
  const { url, printed } = await digitsPage(t, folder);
  const page = await openPage(t, new URL('dashboard/digits', url).href);
  await page.until(`Boolean(document.querySelector('.mqtile-digit-input > canvas'))`);
  await draw(page, STROKES[0]!.strokes);
  await page.until(`/lenet5-mnist: does not exist; train one first/.test(document.body.innerText)`);
  t.is(await page.evaluate(SAID), '–');

  await trainDigits(training, 12_800, 100);
  await renameRun(training, folder);
  for (const { digit, strokes } of STROKES) {
    await page.click(clear);
    t.is(await page.evaluate(SAID), '–');
    await draw(page, strokes);
    await page.until(`${SAID} === '${digit}'`);
    const bars = (await page.evaluate(
      `[...document.querySelectorAll('.mqtile-digit li')].map((bar) => parseFloat(bar.lastElementChild.innerText))`,
    )) as readonly number[];
    t.is(bars.length, 10);
    t.is(bars.indexOf(Math.max(...bars)), digit);
    t.true(Math.abs(bars.reduce((a, b) => a + b) - 100) < 1, JSON.stringify(bars));
  }
  for (const { label, pixels } of await testDigits(4)) {
    await page.click(clear);
    await choose(page, greyPng(pixels));
    await page.until(`${SAID} === '${label}'`);
  }
  const [seven] = await testDigits(1);
  await page.click(clear);
  await choose(page, greyPng(seven!.pixels.map((byte) => 255 - byte)));
  await page.click(`document.querySelector('.mqtile-digit-check')`);
  await page.until(`${SAID} === '7'`);
  t.deepEqual(page.errors, []);
  t.notRegex(printed(), /\[error\]/);

  if (process.env['MQTILE_SCREENSHOTS'] === undefined) return;
  await page.click(clear);
  await page.resize(900, 630);
  await draw(page, STROKES[3]!.strokes);
  await page.until(`${SAID} === '3'`);
  await page.until(`document.getAnimations().every(({ playState }) => playState !== 'running')`);
  await page.screenshot(IMAGE);
  t.true((await stat(IMAGE)).size < 200_000);
});

/** Puts the checkpoints where the flow looks for them, all at once. */
async function renameRun(from: string, folder: string): Promise<void> {
  await mkdir(join(folder, 'runs'));
  await rename(join(from, 'run'), join(folder, 'runs', 'lenet5-mnist'));
}
