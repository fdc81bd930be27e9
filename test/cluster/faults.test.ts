import test, { type ExecutionContext } from 'ava';
import type { MemberResult } from '../../src/protocol/documents.ts';
import { Operator } from '../../src/session/operator.ts';
import { FaultWire, type Faults } from '../../src/transport/faults.ts';
import { digitsJob, scratch, someDigits } from '../support/digits.ts';
import { startNodes } from '../support/nodes.ts';
import { watchBroker } from '../support/watch.ts';

/** Trains 12 steps on four nodes whose wires have these faults. */
async function trained(t: ExecutionContext, faults?: Faults) {
  const directory = await scratch(t);
  const digits = await someDigits(directory, 800, 128);
  await using cluster = await startNodes(4, (rank) =>
    faults ? { wrap: (wire) => new FaultWire(wire, { ...faults, seed: faults.seed + rank }) } : {},
  );
  const seen = await watchBroker(t, cluster.nodes[1]!.port);
  await using operator = await Operator.connect(cluster.url, cluster.cluster);
  const job = digitsJob(digits, { steps: 12, epochs: undefined, checkpoint: { everySteps: 4, directory: 'run' } });
  const accepted = await operator.submit({
    text: JSON.stringify(job),
    directory,
    source: 'faults.yaml',
    resume: false,
    writers: 'first',
  });
  const results: ReadonlyMap<string, MemberResult> = await operator.follow(accepted, () => {});
  const checksums = new Set([...results.values()].map(({ weightsChecksum }) => weightsChecksum));
  t.is(results.size, 4);
  t.is(checksums.size, 1, 'all nodes hold the same weights');
  const network = seen.filter(({ topic }) => topic.endsWith('/network')).map(({ document }) => document);
  return { checksum: [...checksums][0]!, accuracy: results.get('node1')!.testAccuracy, network };
}

const sum = (documents: readonly Record<string, unknown>[], key: string) =>
  documents.reduce((total, document) => total + Number(document[key]), 0);

test.serial(
  'over real brokers, lost, doubled, late and damaged frames and broken connections change no bit',
  async (t) => {
    const calm = await trained(t);
    for (const faults of [
      { seed: 1, drop: 0.01, duplicate: 0.02, delay: 0.05, delayMs: 30 },
      { seed: 2, flip: 0.002, cut: 0.002, delay: 0.02 },
    ]) {
      const rough = await trained(t, faults);
      t.is(rough.checksum, calm.checksum);
      t.is(rough.accuracy, calm.accuracy);
      t.true(sum(rough.network, 'resent') > 0, 'something was sent again');
      t.log(
        `${JSON.stringify(faults)}: resent ${sum(rough.network, 'resent')}, duplicates ${sum(rough.network, 'duplicates')}`,
      );
    }
  },
);
