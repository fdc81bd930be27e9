import test from 'ava';
import { nearest } from '../../src/job/suggest.ts';

const WORDS = ['kernel', 'stride', 'padding', 'everySteps', 'batch', 'maxPool'];

for (const [word, meant] of [
  ['kernal', 'kernel'],
  ['Kernel', 'kernel'],
  ['strides', 'stride'],
  ['pading', 'padding'],
  ['every_steps', 'everySteps'],
  ['maxpool', 'maxPool'],
  ['size', undefined],
  ['x', undefined],
  ['', undefined],
] as const) {
  test(`"${word}" is taken for ${meant ?? 'nothing that there is'}`, (t) => {
    t.is(nearest(word, WORDS), meant);
  });
}
