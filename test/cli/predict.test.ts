import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test from 'ava';
import { runCommand, type Outcome } from '../support/command.ts';
import { temporaryDirectory } from '../support/idx.ts';
import { greyPng, jpegOf, paint } from '../support/images.ts';
import { testDigits, trainDigits, type LabelledDigit } from '../support/trained.ts';

const DIGITS = 200;

let home: string;
let checkpoint: string;
let testAccuracy: number;

/** The digits that the cluster was tested on, and their files. */
let digits: readonly LabelledDigit[];
let files: readonly string[];

test.before('two nodes train LeNet-5, and the digits that they are tested on are written as PNG files', async () => {
  home = await temporaryDirectory();
  const result = await trainDigits(home, 6400, DIGITS);
  checkpoint = result.checkpoint!;
  testAccuracy = result.testAccuracy!;
  digits = await testDigits(DIGITS);
  files = digits.map((_, i) => join('digits', `${i}.png`));
  await mkdir(join(home, 'digits'));
  await Promise.all(files.map((file, i) => writeFile(join(home, file), greyPng(digits[i]!.pixels))));
});

test.after.always(() => rm(home, { recursive: true, force: true }));

function linesOf({ stdout }: Outcome): readonly Record<string, unknown>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('predict recognises as many digits from their PNG files as the cluster did in its test', async (t) => {
  const outcome = await runCommand(t, ['predict', '--checkpoint', dirname(checkpoint), ...files, '--json'], {
    cwd: home,
  });
  t.is(outcome.code, 0, outcome.stderr);
  const lines = linesOf(outcome);
  t.deepEqual(
    lines.map(({ file }) => file),
    files,
  );
  const right = lines.filter((line, i) => line['class'] === digits[i]!.label).length;
  t.is(right / DIGITS, testAccuracy);
  t.true(testAccuracy > 0.8);
  t.deepEqual(Object.keys(lines[0]!), ['event', 'file', 'class', 'probability', 'top', 'ms']);
});

test('a checkpoint’s two files and its directory say the same, and --top orders all classes', async (t) => {
  const answers = [];
  for (const path of [checkpoint, checkpoint.replace('.safetensors', '.json'), dirname(checkpoint)]) {
    const outcome = await runCommand(t, ['predict', '--checkpoint', path, files[0]!, '--json', '--top', '12'], {
      cwd: home,
    });
    const { ms, ...answer } = linesOf(outcome)[0]!;
    t.true(Number(ms) > 0);
    answers.push(answer);
  }
  t.deepEqual(answers[1], answers[0]);
  t.deepEqual(answers[2], answers[0]);
  const top = answers[0]!['top'] as readonly { class: number; probability: number }[];
  t.deepEqual(
    top.map((guess) => guess.class).toSorted((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  t.deepEqual(
    top,
    top.toSorted((a, b) => b.probability - a.probability),
  );
  t.true(Math.abs(top.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-9);
});

test('--invert takes a pen on paper for what it is, and --fit contain keeps its proportions', async (t) => {
  const { pixels } = digits.find(({ label }) => label === 0)!;
  const at = (x: number, y: number) => (x < 28 && y < 28 ? pixels[y * 28 + x]! : 0);
  // Ten times as large, dark on light, and with empty paper to both sides.
  const paper = paint(300, 280, (x, y) => {
    const value = 255 - at(x < 10 ? 28 : Math.floor((x - 10) / 10), Math.floor(y / 10));
    return [value, value, value, 255];
  });
  await writeFile(join(home, 'photo.jpg'), jpegOf(paper, [300, 280]));
  const args = ['predict', '--checkpoint', checkpoint, 'photo.jpg', '--invert', '--fit', 'contain', '--json'];
  const [line] = linesOf(await runCommand(t, args, { cwd: home }));
  t.is(line!['class'], 0);
  const [negative] = linesOf(
    await runCommand(
      t,
      args.filter((arg) => arg !== '--invert'),
      { cwd: home },
    ),
  );
  t.not(negative!['probability'], line!['probability']);
});

test('people get a table with a line for each image and likely class', async (t) => {
  const args = ['predict', '--checkpoint', checkpoint, files[0]!, files[1]!, '--top', '2'];
  const { code, stdout } = await runCommand(t, args, { cwd: home, env: { NO_COLOR: '1' } });
  t.is(code, 0);
  const lines = stdout.split('\n');
  t.regex(lines[0]!, /^ {2}image +class +probability +ms$/);
  t.regex(lines[1]!, /^ {2}digits\/0\.png +\d +\d+\.\d\d % +\d+\.\d$/);
  t.regex(lines[2]!, /^ +\d +\d+\.\d\d %$/);
  t.is(lines.length, 6);
});

const BAD: readonly (readonly [what: string, args: () => readonly string[], says: RegExp])[] = [
  ['no checkpoint', () => ['digits/0.png'], /--checkpoint: is missing/],
  ['no image', () => ['--checkpoint', checkpoint], /the image is missing/],
  [
    'a checkpoint that is not there',
    () => ['--checkpoint', 'absent', 'digits/0.png'],
    /absent: does not exist; train one first/,
  ],
  ['a directory without checkpoints', () => ['--checkpoint', 'digits', 'digits/0.png'], /digits: holds no checkpoint/],
  ['an image that is not there', () => ['--checkpoint', checkpoint, 'absent.png'], /absent\.png: does not exist/],
  ['a folder for an image', () => ['--checkpoint', checkpoint, 'digits'], /digits: is no file/],
  ['an image that is none', () => ['--checkpoint', checkpoint, 'job.yaml'], /job\.yaml: is neither PNG nor JPEG/],
  [
    'no classes at all',
    () => ['--checkpoint', checkpoint, 'digits/0.png', '--top', '0'],
    /--top: got 0, want a whole number/,
  ],
  [
    'a fit that there is not',
    () => ['--checkpoint', checkpoint, 'digits/0.png', '--fit', 'crop'],
    /--fit: got crop, want stretch/,
  ],
];

for (const [what, args, says] of BAD) {
  test(`predict refuses ${what} with one line`, async (t) => {
    const { code, stdout, stderr } = await runCommand(t, ['predict', ...args()], { cwd: home });
    t.is(code, 2, stderr);
    t.is(stdout, '');
    t.is(stderr.split('\n').length, 2, stderr);
    t.regex(stderr, says);
  });
}
