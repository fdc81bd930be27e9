import test from 'ava';
import type { FlowNode } from '../../nodes/red.ts';
import { safely } from '../../nodes/safely.ts';

/** A node that keeps what is reported to it. */
function reporting(): { readonly node: FlowNode; readonly errors: unknown[]; readonly texts: string[] } {
  const errors: unknown[] = [];
  const texts: string[] = [];
  const node: FlowNode = {
    id: 'n',
    status: ({ text }) => texts.push(text),
    error: (error) => errors.push(error),
    log: () => {},
    send: () => {},
    on: () => {},
  };
  return { node, errors, texts };
}

const failures: readonly (readonly [what: string, thrown: unknown])[] = [
  ['an error', new Error('went wrong')],
  ['a text', 'went wrong'],
  ['nothing at all', undefined],
];

for (const [what, thrown] of failures) {
  test(`${what} that is thrown or rejected becomes a status and an error, and goes no further`, async (t) => {
    const { node, errors, texts } = reporting();
    t.notThrows(() =>
      safely(node, {}, () => {
        throw thrown;
      }),
    );
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors
    safely(node, {}, () => Promise.reject(thrown));
    await new Promise(setImmediate);
    t.deepEqual(errors, [thrown, thrown]);
    t.is(texts.length, 2);
  });
}

test.serial('a report that itself fails becomes a warning of the process', async (t) => {
  const { node } = reporting();
  const broken: FlowNode = {
    ...node,
    error: () => {
      throw new Error('the Catch node is broken too');
    },
  };
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  t.notThrows(() => safely(broken, {}, () => Promise.reject(new Error('went wrong'))));
  t.is((await warned).message, 'the Catch node is broken too');
});
