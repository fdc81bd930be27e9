/** dial: an operator's MQTT connection to a node's broker, over TCP or over the Unix socket of a daemon on this computer. */

import { randomBytes } from 'node:crypto';
import { connect as connectSocket } from 'node:net';
import { MqttClient, connect, type IClientOptions } from 'mqtt';

/** A connection, open or not. */
export interface Dialled {
  readonly client: MqttClient;
  /** Why there is none, as far as is known; `code` is the system's, e.g. ENOENT. */
  readonly failure: () => { readonly code: string; readonly reason: string };
}

/** @returns the path in `unix:PATH` or `mqtt+unix://PATH`; undefined for other addresses */
export function socketPathOf(address: string): string | undefined {
  return /^(?:unix:|mqtt\+unix:\/\/)(\/.+)$/.exec(address)?.[1];
}

/**
 * @param address `mqtt://host:port` or `unix:PATH`
 * @param reconnectMs time between attempts to connect; 0: there is only one
 */
export function dial(address: string, reconnectMs: number): Dialled {
  const path = socketPathOf(address);
  const options: IClientOptions = {
    clientId: `operator-${randomBytes(4).toString('hex')}`,
    reconnectPeriod: reconnectMs,
    connectTimeout: 5000,
    protocolVersion: 4,
    resubscribe: false,
    timerVariant: 'native',
  };
  let failure = { code: '', reason: 'connection refused' };
  const failed = (error: Error & { readonly code?: unknown }) => {
    const code = typeof error.code === 'string' ? error.code : '';
    failure = { code, reason: error.message === '' ? failure.reason : error.message };
  };
  // MQTT.js itself says nothing of a path that is not there or may not be opened.
  const open = (socket: string) => connectSocket(socket).on('error', failed);
  const client = path === undefined ? connect(address, options) : new MqttClient(() => open(path), options);
  client.on('error', failed);
  return { client, failure: () => failure };
}
