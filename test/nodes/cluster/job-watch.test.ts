import test from 'ava';
import fc from 'fast-check';
import { JobWatch, type JobEvent } from '../../../nodes/cluster/job-watch.ts';
import type { DocumentListener, Listening } from '../../../nodes/cluster/listening.ts';

const RUN = '83f1e56685433967';
const TOPIC = 'mqtile/home/job/digits';

type Post = (path: string, document: unknown) => void;

/** A watch of the job `digits` at node pi1, and a way to post documents that it hears. */
function watched(retained: readonly (readonly [path: string, document: unknown])[] = []): {
  readonly watch: JobWatch;
  readonly post: Post;
} {
  const listeners = new Set<DocumentListener>();
  const on: Listening['on'] = (_, listener) => {
    listeners.add(listener);
    for (const [path, document] of retained) listener(`${TOPIC}/${path}`, document, true);
    return () => listeners.delete(listener);
  };
  const post: Post = (path, document) => {
    for (const listener of listeners) listener(`${TOPIC}/${path}`, document, false);
  };
  return { watch: new JobWatch({ name: 'pi1', on }, 'digits'), post };
}

function kinds(watch: JobWatch): readonly string[] & { readonly events: readonly JobEvent[] } {
  const seen: string[] & { events?: JobEvent[] } = [];
  const events: JobEvent[] = (seen.events = []);
  watch.on((event) => {
    seen.push(event.kind);
    events.push(event);
  });
  return seen as string[] & { events: JobEvent[] };
}

const result = { weightsChecksum: 'ddbfae2eee3a2128', testAccuracy: 0.98, checkpoint: '/runs/step-000938.safetensors' };
const done = { run: RUN, state: 'done', result };

test('a run is followed from its preparation to the model, whichever of its two last documents comes first', (t) => {
  for (const last of [['state', 'member/pi1'] as const, ['member/pi1', 'state'] as const]) {
    const { watch, post } = watched();
    const seen = kinds(watch);
    post('state', { run: RUN, state: 'preparing' });
    t.true(watch.active);
    post('state', { run: RUN, state: 'training' });
    post('telemetry/pi1/step', { run: RUN, epoch: 0, step: 7, steps: 20 });
    post('telemetry/pi2/step', { run: RUN, epoch: 0, step: 8, steps: 20 });
    t.is(watch.view.step, 7);
    for (const path of last) post(path, path === 'state' ? { run: RUN, state: 'done' } : done);
    t.false(watch.active);
    t.deepEqual([...seen], ['changed', 'changed', 'progress', 'changed', 'finished']);
    t.deepEqual(watch.view.finished, result);
  }
});

test('the end of a run that nobody heard is told to the first who listens again, once', (t) => {
  const { watch, post } = watched();
  post('state', { run: RUN, state: 'training' });
  post('state', { run: RUN, state: 'failed', code: 'peerLost', reason: 'lost pi2' });
  t.deepEqual([...kinds(watch)], ['failed']);
  t.deepEqual([...kinds(watch)], []);
});

test('retained documents of a run that is over are shown and not told', (t) => {
  const { watch } = watched([
    ['state', { run: RUN, state: 'done' }],
    ['member/pi1', done],
    ['telemetry/pi1/step', { run: RUN, epoch: 0, step: 20, steps: 20 }],
  ]);
  t.is(watch.view.phase, 'done');
  t.deepEqual(watch.view.finished, result);
  t.deepEqual([...kinds(watch)], []);
});

test('what peers publish again at a connect is no news', (t) => {
  const { watch, post } = watched();
  const seen = kinds(watch);
  post('state', { run: RUN, state: 'training' });
  post('state', { run: 'aaaaaaaaaaaaaaaa', state: 'failed', code: 'peerLost', reason: 'long ago' });
  post('state', { run: RUN, state: 'training' });
  t.true(watch.active);
  post('state', { run: RUN, state: 'failed', code: 'stopped', reason: 'on request' });
  post('state', { run: RUN, state: 'failed', code: 'stopped', reason: 'on request' });
  t.deepEqual([...seen], ['changed', 'changed', 'failed']);
});

test('no document that a peer could send throws', (t) => {
  const { watch, post } = watched();
  kinds(watch);
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom(RUN, 'training', 'done', 'failed'));
  const document = fc.oneof(
    fc.jsonValue(),
    fc.record({ run: value, state: value, result: value, code: value, step: value }, { requiredKeys: [] }),
  );
  const path = fc.constantFrom('state', 'spec', 'plan', 'member/pi1', 'member', 'telemetry/pi1/step', 'telemetry', '');
  fc.assert(
    fc.property(path, document, (where, what) => {
      t.notThrows(() => post(where, what));
    }),
    { numRuns: 500 },
  );
});
