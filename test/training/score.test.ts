import test from 'ava';
import { scoreOf } from '../../src/training/score.ts';

test('batches of different sizes count by their samples', (t) => {
  const score = scoreOf([
    { loss: 1, correct: 3, samples: 4 },
    { loss: 4, correct: 1, samples: 2 },
  ]);
  t.deepEqual(score, { loss: 2, accuracy: 4 / 6, samples: 6 });
});

test('a loss without classes has no accuracy', (t) => {
  const score = scoreOf([
    { loss: 1, correct: undefined, samples: 4 },
    { loss: 4, correct: undefined, samples: 2 },
  ]);
  t.deepEqual(score, { loss: 2, accuracy: undefined, samples: 6 });
});
