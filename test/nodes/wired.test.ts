import test, { type ExecutionContext } from 'ava';
import { train } from '../support/command.ts';
import { digitsJob, scratch, someDigits, writeJob } from '../support/digits.ts';
import { startRuntime, type Runtime } from '../support/node-red.ts';
import { wiredFlow } from '../support/wired-flow.ts';

const STEPS = 20;

/** A job file of LeNet-5 on 6,000 digits. */
async function jobFile(t: ExecutionContext, steps = STEPS, more: object = {}): Promise<string> {
  const directory = await scratch(t);
  const digits = await someDigits(directory, 6000, 256);
  return writeJob(directory, digitsJob(digits, { steps, epochs: undefined, ...more }));
}

async function start(runtime: Runtime, payload = 'start'): Promise<void> {
  await runtime.status('dataset', ({ text }) => text !== undefined);
  runtime.inject('dataset', { payload, asked: 'by hand' });
}

function payloadOf(message: Record<string, unknown>): Record<string, unknown> {
  return message['payload'] as Record<string, unknown>;
}

/** The last message of the dataset's second output, which has the finished model. */
function finished(runtime: Runtime): Promise<Record<string, unknown>> {
  return runtime.until(() => runtime.messages('epoch').find((message) => 'weightsChecksum' in payloadOf(message)));
}

test.serial('a flow that is wired by hand trains to the weights of mqtile train', async (t) => {
  const job = await jobFile(t);
  const runtime = await startRuntime(t);
  await runtime.load(wiredFlow({ job }));
  await start(runtime);
  const model = await finished(runtime);
  const reference = await train(t, [job, '--local', '1', '--grid', '1x1']);
  t.is(payloadOf(model)['weightsChecksum'], reference.weightsChecksum);
  t.is(runtime.messages('errors').length, 0);
  const steps = runtime.messages('steps');
  t.is(steps.length, STEPS);
  t.deepEqual(
    steps.map((message) => (message['mqtile'] as { step: number }).step),
    Array.from({ length: STEPS }, (_, k) => k + 1),
  );
  t.true(steps.every((message) => Number.isFinite(payloadOf(message)['loss'])));
  t.is(steps.at(-1)!['asked'], 'by hand', 'other properties pass through all wires');
  const epoch = runtime.messages('epoch').find((message) => 'testAccuracy' in payloadOf(message))!;
  t.is(payloadOf(epoch)['testAccuracy'], reference.testAccuracy);
});
