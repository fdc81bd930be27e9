import test from 'ava';
import { scratch } from '../support/digits.ts';
import { growthOf, redeployWhileTraining } from '../support/redeploy.ts';

/** Noise of timers that are on or off at the moment. */
const FEW = 4;

/** Buffers of sockets come and go; whatever a deploy left behind would be there ten times. */
const NOISE_BYTES = 5e6;

test('ten full deploys of a wired flow while it trains change no weights and leave nothing behind', async (t) => {
  const { holdings, errors, weightsChecksum, undisturbed } = await redeployWhileTraining({
    folder: await scratch(t),
    deploys: 10,
  });
  t.is(weightsChecksum, undisturbed);
  t.deepEqual(errors, []);
  const growth = growthOf(holdings);
  t.log(growth);
  t.true(growth.threads <= 0, String(growth.threads));
  // A connection that was made anew, or not yet, is none that a deploy left behind.
  t.true(growth.sockets <= 0, String(growth.sockets));
  t.true(growth.resources <= FEW, JSON.stringify(holdings.map(({ resources }) => resources)));
  t.true(growth.externalBytes < NOISE_BYTES, String(growth.externalBytes));
  t.true(growth.heapBytes < NOISE_BYTES, String(growth.heapBytes));
});
