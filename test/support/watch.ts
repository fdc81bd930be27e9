/** Somebody with an MQTT client at a node's broker, who writes down all that comes by. */

import type { ExecutionContext } from 'ava';
import { connectAsync } from 'mqtt';

export interface Seen {
  readonly topic: string;
  readonly document: Record<string, unknown>;
  /** performance.now() of this process. */
  readonly at: number;
  readonly retained: boolean;
}

/** Subscribes to `mqtile/#` at a broker on this machine until the test is over. */
export async function watchBroker(t: ExecutionContext, port: number, filter = 'mqtile/#'): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, reconnectPeriod: 0 });
  client.on('error', () => {});
  client.on('message', (topic, payload, { retain }) => {
    const document = JSON.parse(payload.toString()) as Record<string, unknown>;
    seen.push({ topic, document, at: performance.now(), retained: retain });
  });
  t.teardown(() => client.endAsync(true));
  await client.subscribeAsync(filter);
  return seen;
}
