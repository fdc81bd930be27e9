/** Requests: what an operator asks of a node, and the answers. */

import { randomBytes } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import { InputError, RunError, TransportError } from '../errors.ts';
import { requestTopic, responseTopic } from '../protocol/topics.ts';
import { packetLimitBytes } from '../transport/authorize.ts';
import type { AcceptedRun, StartResponse } from './serve.ts';
import type { Submission } from './submission.ts';

/** A node answers within this time: to a submission it may first wait for its peers. */
const ANSWER_MS = 20_000;

/** Most bytes of a request: what a broker takes from a local client, less the topic and the packet's own fields. */
const REQUEST_BYTES = packetLimitBytes({ kind: 'local' }) - 512;

/** A way to a node that is open. */
export interface Line {
  readonly client: MqttClient;
  readonly cluster: string;
  /** As a person gave it. */
  readonly address: string;
}

/** Says something to a node and does not wait for its answer. */
export async function tell({ client, cluster }: Line, command: string, body: object = {}): Promise<void> {
  const transaction = randomBytes(8).toString('hex');
  await client.publishAsync(requestTopic(cluster, command), JSON.stringify({ transaction, ...body }), { qos: 1 });
}

/** Asks a node. @throws {TransportError} `noAnswer`, `nodeGone` */
export async function ask(line: Line, command: string, body: object = {}): Promise<Record<string, unknown>> {
  const transaction = randomBytes(8).toString('hex');
  const topic = responseTopic(line.cluster, command);
  const answered = answer(line, topic, transaction);
  const subscribed = line.client.subscribeAsync(topic, { qos: 1 });
  // Where the connection breaks the broker acknowledges nothing, and the answer's own failure says so.
  subscribed.then(() => tell(line, command, { transaction, ...body })).catch(() => {});
  return answered;
}

/** Hands a job in. @throws {InputError} or {RunError} with the node's own code and words; `jobTooLong` */
export async function submitTo(line: Line, submission: Submission): Promise<AcceptedRun> {
  const bytes = Buffer.byteLength(JSON.stringify({ submission }));
  if (bytes > REQUEST_BYTES) {
    throw new InputError(
      'jobTooLong',
      `${submission.source}: is ${bytes} bytes long as a message, want at most ${REQUEST_BYTES}; shorten it`,
    );
  }
  const response = (await ask(line, 'start', { submission })) as unknown as StartResponse;
  if ('failure' in response) throw errorOf(response.failure);
  return response;
}

/** The error of a node, as it was there. */
export function errorOf({ code, reason, input }: { code: string; reason: string; input: boolean }): Error {
  return input ? new InputError(code, reason) : new RunError(code, reason);
}

export function nodeGone(address: string): TransportError {
  return new TransportError('nodeGone', `the node at ${address} went away`);
}

/** A JSON object in bytes that came from elsewhere; undefined when it is none. */
export function asRecord(payload: Buffer): Record<string, unknown> | undefined {
  try {
    const document: unknown = JSON.parse(payload.toString());
    return typeof document === 'object' && document !== null ? (document as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function answer(
  { client, cluster, address }: Line,
  topic: string,
  transaction: string,
): Promise<Record<string, unknown>> {
  const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
  const late = `the node at ${address} did not answer within ${ANSWER_MS / 1000} s; is it of cluster ${cluster}?`;
  const timer = setTimeout(() => reject(new TransportError('noAnswer', late)), ANSWER_MS);
  const gone = () => reject(nodeGone(address));
  const heard = (from: string, payload: Buffer) => {
    const response = from === topic ? asRecord(payload) : undefined;
    if (response?.['transaction'] === transaction) resolve(response);
  };
  client.on('close', gone);
  client.on('message', heard);
  return promise.finally(() => {
    clearTimeout(timer);
    client.off('close', gone);
    client.off('message', heard);
  });
}
