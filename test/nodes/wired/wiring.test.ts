import test from 'ava';
import { nameOf, rolesOf } from '../../../nodes/wired/role.ts';
import { checkStage, checkWiring, layersOf } from '../../../nodes/wired/wiring.ts';

const PLAN = {
  stages: [
    { layers: [0, 2], partition: 'tiles', owned: [], needed: [] },
    { layers: [2, 5], partition: 'samples', owned: [], needed: [] },
  ],
} as const;

const all = rolesOf(2).map((role) => ({ role, layers: '' }));

test('a step has its roles in order, and people count stages from 1', (t) => {
  t.deepEqual(rolesOf(2).map(nameOf), [
    'mqtile-dataset',
    'mqtile-forward of stage 1',
    'mqtile-forward of stage 2',
    'mqtile-loss',
    'mqtile-backward of stage 2',
    'mqtile-backward of stage 1',
    'mqtile-all-reduce',
    'mqtile-optimizer',
  ]);
  t.is(layersOf(PLAN, 1), '2-4');
  t.is(layersOf(PLAN, 2), undefined);
});

test('a flow with every role passes, in any order', (t) => {
  t.notThrows(() => checkWiring(all.toReversed(), PLAN, 'digits'));
});

test('whatever is missing is named', (t) => {
  for (const { role } of all) {
    const others = all.filter((part) => part.role !== role);
    const error = t.throws(() => checkWiring(others, PLAN, 'digits'), { code: 'wiringIncomplete' });
    t.true(error.message.startsWith(`the flow of job digits has no ${nameOf(role)};`), error.message);
  }
});

test('a stage that the plan does not have, or has otherwise than when it was chosen, is refused', (t) => {
  t.throws(() => checkStage({ role: { kind: 'forward', stage: 2 }, layers: '' }, PLAN), { code: 'stageUnknown' });
  t.throws(() => checkStage({ role: { kind: 'backward', stage: 1 }, layers: '2-3' }, PLAN), { code: 'planChanged' });
  t.notThrows(() => checkStage({ role: { kind: 'backward', stage: 1 }, layers: '2-4' }, PLAN));
  t.notThrows(() => checkStage({ role: { kind: 'loss' }, layers: '' }, PLAN));
});
