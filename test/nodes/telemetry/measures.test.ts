import test from 'ava';
import { MEASURES, measured } from '../../../nodes/telemetry/measures.ts';
import { parseJob, planOf } from '../../../src/index.ts';

const ALL = Object.entries(MEASURES).flatMap(([kind, measures]) => [kind, ...measures]);

const JOB = `
model: lenet5
data: { kind: idx, images: a, labels: b, testImages: c, testLabels: d }
batch: 64
steps: 1
optimizer: { kind: sgd, rate: 0.05 }
plan: { grid: 1x2 }
`;

test('of a telemetry document, each chosen figure is one message that names its node', (t) => {
  const topic = 'mqtile/home/job/digits/telemetry/pi2/network';
  const document = { run: 'r', bytesSent: 5, bytesReceived: 7, resent: 0 };
  t.deepEqual(measured(topic, document, ['bytesSent', 'resent', 'loss']), [
    { topic: 'pi2/bytesSent', payload: 5, node: 'pi2', mqtile: about('r', 'pi2') },
    { topic: 'pi2/resent', payload: 0, node: 'pi2', mqtile: about('r', 'pi2') },
  ]);
  t.deepEqual(measured(topic, document, ['network']), [
    {
      topic: 'pi2/network',
      payload: { bytesSent: 5, bytesReceived: 7, resent: 0 },
      node: 'pi2',
      mqtile: about('r', 'pi2'),
    },
  ]);
});

test('of a plan, tiles are the boxes of the first stage by device, and plan those of every stage', (t) => {
  const plan = planOf(parseJob(JOB, '/', 'digits'), ['pi1', 'pi2']);
  const document = { run: 'r', planHash: 'h', plan: JSON.parse(JSON.stringify(plan)) as unknown };
  const messages = measured('mqtile/home/job/digits/plan', document, ['tiles', 'plan', 'loss']);
  const [whole, tiles] = messages as readonly { topic: string; payload: Record<string, unknown> }[];
  const first = plan.stages[0]!;
  t.is(messages.length, 2);
  t.like(tiles, { topic: 'digits/tiles', job: 'digits', mqtile: { run: 'r' } });
  t.deepEqual(tiles!.payload, {
    partition: 'tiles',
    extent: [64, 6, 14, 14],
    owned: { pi1: first.owned[0], pi2: first.owned[1] },
  });
  t.like(whole, { topic: 'digits/plan', payload: { model: 'lenet5', batch: 64, planHash: 'h' } });
  t.deepEqual(
    whole!.payload['stages'],
    plan.stages.map(({ layers, partition, grid, owned: [pi1, pi2] }) => ({
      layers,
      partition,
      ...(grid ? { grid: grid.join('x') } : {}),
      owned: { pi1, pi2 },
    })),
  );
});

const strange: readonly (readonly [what: string, topic: string, document: Record<string, unknown>])[] = [
  ['a kind that nobody knows', 'mqtile/home/job/digits/telemetry/pi1/weather', { loss: 1 }],
  ['a figure that is no number', 'mqtile/home/job/digits/telemetry/pi1/step', { loss: 'much' }],
  ['a plan without stages', 'mqtile/home/job/digits/plan', { plan: { devices: ['pi1'], stages: [] } }],
  ['a plan with a device too few', 'mqtile/home/job/digits/plan', { plan: { devices: [], stages: [{ owned: [1] }] } }],
  ['no plan at all', 'mqtile/home/job/digits/plan', { plan: 'later' }],
];

for (const [what, topic, document] of strange) {
  test(`${what} makes no message`, (t) => {
    const figures = ALL.filter((measure) => measure !== 'step');
    t.deepEqual(measured(topic, document, figures), []);
  });
}

function about(run: string, device: string): object {
  return { run, epoch: undefined, step: undefined, device };
}
