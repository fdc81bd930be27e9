import test from 'ava';
import { RunError } from '../../src/errors.ts';
import { StepOrder } from '../../src/training/order.ts';

type Call = (order: StepOrder) => void;

const CALLS: Readonly<Record<string, Call>> = {
  'the next batch': (order) => order.begin(),
  'forward of stage 1': (order) => order.forward(0),
  'forward of stage 2': (order) => order.forward(1),
  loss: (order) => order.loss(),
  'backward of stage 2': (order) => order.backward(1),
  'reduce of stage 2': (order) => order.reduce(1),
  'backward of stage 1': (order) => order.backward(0),
  'reduce of stage 1': (order) => order.reduce(0),
  update: (order) => order.update(),
};

/** The calls of a step of two stages, and after each of them which calls may come next and which one is asked for. */
const STEP: readonly (readonly [call: string, may: readonly string[], wanted: string])[] = [
  ['the next batch', ['forward of stage 1'], 'forward of stage 1'],
  ['forward of stage 1', ['forward of stage 2'], 'forward of stage 2'],
  ['forward of stage 2', ['loss'], 'loss'],
  ['loss', ['backward of stage 2'], 'backward of stage 2'],
  ['backward of stage 2', ['backward of stage 1', 'reduce of stage 2'], 'backward of stage 1'],
  ['reduce of stage 2', ['backward of stage 1'], 'backward of stage 1'],
  ['backward of stage 1', ['reduce of stage 1'], 'reduce of stage 1'],
  ['reduce of stage 1', ['update'], 'update'],
  ['update', ['the next batch'], 'the next batch'],
];

function after(calls: number): StepOrder {
  const order = new StepOrder(2);
  for (const [call] of STEP.slice(0, calls)) CALLS[call]!(order);
  return order;
}

for (const [k, [call, may, wanted]] of STEP.entries()) {
  test(`after ${call} only ${may.join(' or ')} may come, and every other call is told what is wanted`, (t) => {
    t.is(after(k + 1).describe(), wanted);
    for (const [name, make] of Object.entries(CALLS)) {
      const order = after(k + 1);
      if (may.includes(name)) {
        t.notThrows(() => make(order), name);
        continue;
      }
      const error = t.throws(() => make(order), { instanceOf: RunError }, name);
      t.is(error.code, 'outOfOrder');
      t.true(error.message.startsWith(`got ${name}, want ${wanted}:`), error.message);
      t.is(order.describe(), wanted, 'a refused call changes nothing');
    }
  });
}

test('stages may be reduced later, in any order, but all of them before the update', (t) => {
  const order = after(5);
  order.backward(0);
  t.is(order.describe(), 'reduce of stage 2');
  t.throws(() => order.update(), { message: /want reduce of stage 2/ });
  order.reduce(0);
  order.reduce(1);
  t.throws(() => order.reduce(1), { message: /got reduce of stage 2, want update/ });
  order.update();
  t.false(order.open);
});

test('a step may follow a step, and stages that do not exist are refused', (t) => {
  const order = after(STEP.length);
  for (const [call] of STEP) CALLS[call]!(order);
  order.begin();
  t.true(order.open);
  t.throws(() => order.forward(2), { instanceOf: RunError });
  t.throws(() => order.reduce(2), { instanceOf: RunError });
});
