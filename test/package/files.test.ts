import { access, readFile, readdir } from 'node:fs/promises';
import { posix } from 'node:path';
import test from 'ava';
import { pack } from '../support/npm.ts';

const ROOT = new URL('../../', import.meta.url);

const packed = await pack();
const paths = packed.files.map(({ path }) => path);

/** Where a compiled file comes from; the other files of the nodes are copied as they are. */
function sourcesOf(path: string): readonly string[] {
  const inside = path.slice('dist/'.length);
  const folder = inside.startsWith('nodes/') ? '' : 'src/';
  if (/\.(html|json|svg)$/.test(path)) return [folder + inside];
  if (path.endsWith('.wasm')) return ['src/kernels/assembly/index.ts'];
  return [folder + inside.replace(/\.(d\.ts|js)$/, '.ts')];
}

test('the package holds what is built, documentation, flows and nothing else', (t) => {
  const allowed = [
    /^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
    /^dist\/.+\.(js|d\.ts|wasm)$/,
    /^dist\/nodes\/([a-z-]+\.html|icons\/[a-z-]+\.svg|locales\/[a-zA-Z-]+\/[a-z-]+\.(html|json))$/,
    /^docs\/.+\.(md|svg|png)$/,
    /^examples\/\d\d-[a-z-]+\.json$/,
    /^flows\/(README\.md|\d\d-[a-z-]+\.json|[a-z\d-]+\.yaml)$/,
  ];
  t.deepEqual(
    paths.filter((path) => !allowed.some((pattern) => pattern.test(path))),
    [],
  );
  t.log(`${packed.files.length} files, ${packed.size} bytes packed, ${packed.unpackedSize} unpacked`);
  t.true(packed.unpackedSize < 4_000_000, String(packed.unpackedSize));
});

test('every built file has its source: nothing is left over from earlier builds', async (t) => {
  for (const path of paths.filter((one) => one.startsWith('dist/'))) {
    for (const source of sourcesOf(path)) await t.notThrowsAsync(access(new URL(source, ROOT)), path);
  }
});

test('everything that package.json names is in the package', async (t) => {
  const manifest = JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8')) as {
    readonly bin: Readonly<Record<string, string>>;
    readonly exports: { readonly '.': Readonly<Record<string, string>> };
    readonly 'node-red': { readonly nodes: Readonly<Record<string, string>> };
  };
  const { bin, exports, 'node-red': palette } = manifest;
  const modules = Object.values(palette.nodes);
  const named = [...Object.values(bin), ...Object.values(exports['.']), ...modules];
  for (const path of [...named, ...modules.map((module) => module.replace(/\.js$/, '.html'))]) {
    t.true(paths.includes(posix.normalize(path)), path);
  }
});

test('what a page of the documentation links to is in the package, or is source code', async (t) => {
  const pages = paths.filter((path) => path.endsWith('.md'));
  t.true(pages.includes('README.md'));
  for (const page of pages) {
    const text = await readFile(new URL(page, ROOT), 'utf8');
    const links = [...text.matchAll(/\]\(([^)#\s]+)/g)].map(([, target]) => target!);
    for (const link of links.filter((target) => !/^[a-z]+:/.test(target))) {
      const target = posix.normalize(posix.join(posix.dirname(page), link)).replace(/\/$/, '');
      await t.notThrowsAsync(access(new URL(target, ROOT)), `${page}: ${link}`);
      if (page !== 'README.md') continue;
      t.true(
        paths.some((path) => path === target || path.startsWith(`${target}/`)),
        `${page}: ${link}`,
      );
    }
  }
});

test('the Examples menu has every flow, as it is in flows/', async (t) => {
  const flows = (await readdir(new URL('flows/', ROOT))).filter((name) => name.endsWith('.json'));
  const examples = paths.filter((path) => path.startsWith('examples/')).map((path) => posix.basename(path));
  t.deepEqual(examples.toSorted(), flows.toSorted());
  for (const name of flows) {
    t.is(
      await readFile(new URL(`examples/${name}`, ROOT), 'utf8'),
      await readFile(new URL(`flows/${name}`, ROOT), 'utf8'),
    );
  }
});
