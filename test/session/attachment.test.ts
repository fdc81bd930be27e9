import { chmod } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { startNode, type Node } from '../../src/node.ts';
import { Attachment } from '../../src/session/attachment.ts';
import { digitsJob, scratch, someDigits } from '../support/digits.ts';
import { until } from '../support/processes.ts';

/** A node with a socket and a peer that never comes. */
function daemon(socket: string, name = 'pi1'): Promise<Node> {
  const listen = { host: '127.0.0.1', port: 0 };
  const peers = [{ name: 'pi2', host: '127.0.0.1', port: 1 }];
  return startNode({ name, cluster: 'home', listen, socket, peers, insecure: false });
}

test('an attachment learns who the daemon is, and comes back with it', async (t) => {
  const path = join(await scratch(t), 'node.sock');
  await using attachment = new Attachment(path);
  await attachment.tried;
  t.is(attachment.away, `no daemon at ${path}: start mqtile node`);
  t.is(attachment.identity, undefined);
  await t.throwsAsync(attachment.request('stop'), { code: 'noDaemon', message: /: start mqtile node$/ });
  const heard: string[] = [];
  attachment.on('mqtile/+/node/+/state', (topic, document, old) =>
    heard.push(`${topic.split('/')[3]} ${(document as { state: string }).state} ${old}`),
  );
  const present: boolean[] = [];
  attachment.onPresence(() => present.push(attachment.away === undefined));

  const first = await daemon(path);
  await until(() => attachment.away === undefined, 'the daemon to be found');
  t.deepEqual(attachment.identity, {
    name: 'pi1',
    cluster: 'home',
    peers: [{ name: 'pi2', address: '127.0.0.1:1' }],
  });
  t.deepEqual(heard, ['pi1 online true']);
  const again: string[] = [];
  attachment.on('mqtile/home/node/pi1/state', (topic) => again.push(topic));
  t.is(again.length, 1, 'what was heard before is told at once');
  await first.close();
  await until(() => attachment.away !== undefined, 'the loss to be noticed');

  await using _ = await daemon(path, 'pi3');
  await until(() => attachment.away === undefined, 'the daemon to be found again');
  t.is(attachment.identity!.name, 'pi3');
  t.is(heard.at(-1), 'pi3 online true');
  t.deepEqual(present, [true, false, true]);
});

test('what the daemon answers to a job is thrown with its own code', async (t) => {
  const directory = await scratch(t);
  const path = join(directory, 'node.sock');
  const listen = { host: '127.0.0.1', port: 0 };
  await using _ = await startNode({ name: 'pi1', cluster: 'home', listen, socket: path, peers: [], insecure: false });
  await using attachment = new Attachment(path);
  await attachment.tried;
  const text = JSON.stringify(digitsJob(await someDigits(directory, 64, 64), { plan: { grid: '1x2' } }));
  const submission = { text, directory, source: 'job.yaml', resume: false, writers: 'first' as const };
  await t.throwsAsync(attachment.submit(submission), { code: 'gridMismatch' });
  const padded = { ...submission, text: `${text}\n#${'x'.repeat(65_000)}` };
  await t.throwsAsync(attachment.submit(padded), { code: 'jobTooLong' });
  t.is(attachment.away, undefined, 'the connection outlives a refusal');
});

test('a request that was under way when the daemon went away fails, and leaves nothing behind', async (t) => {
  const path = join(await scratch(t), 'node.sock');
  const node = await daemon(path);
  await using attachment = new Attachment(path);
  await attachment.tried;
  const directory = await scratch(t);
  const text = JSON.stringify(digitsJob(await someDigits(directory, 64, 64), { plan: { grid: '1x2' } }));
  // The peer never comes, so the answer would take 10 s.
  const asked = attachment.submit({ text, directory, source: 'job.yaml', resume: false, writers: 'first' });
  const gone = t.throwsAsync(asked, { code: 'nodeGone' });
  await node.close();
  await gone;
});

test('a socket of another user, and something that is no node, are told apart from a daemon that is away', async (t) => {
  const path = join(await scratch(t), 'node.sock');
  const server = createServer((socket) => socket.end('hello')).listen(path);
  t.teardown(() => server.close());
  await chmod(path, 0);
  {
    await using attachment = new Attachment(path);
    await attachment.tried;
    // Root may open it all the same.
    const expected = process.getuid?.() === 0 ? /^no daemon at / : /belongs to another user/;
    t.regex(attachment.away!, expected);
  }
});
