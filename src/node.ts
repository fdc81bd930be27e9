/** startNode: the composition root. The one file that wires broker, bridges, kernels and jobs into a node. */

import { randomBytes } from 'node:crypto';
import { availableParallelism, totalmem } from 'node:os';
import type { Engine } from './kernels/engine.ts';
import { createEngine } from './kernels/wasm-engine.ts';
import type { NodeConfig, PeerAddress } from './job/node-config.ts';
import { parseNodeInfo, type NodeInfo } from './protocol/documents.ts';
import { nodeInfoTopic } from './protocol/topics.ts';
import { PROTOCOL_VERSION } from './protocol/version.ts';
import type { Drive } from './session/context.ts';
import { JobServer, type AcceptedRun } from './session/serve.ts';
import type { Submission } from './session/submission.ts';
import type { KernelRates } from './tensor/rates.ts';
import { createMqttTransport, type MqttTransport } from './transport/mqtt.ts';
import type { Bulletin } from './transport/transport.ts';
import type { Wire } from './transport/wire.ts';
import { VERSION } from './version.ts';

export interface NodeOptions {
  /** One line for people for each thing that happens to jobs on this node. */
  readonly log?: (line: string) => void;
  /** Brings runs to their end instead of the trainer, through the same calls: a person with wires. */
  readonly drive?: Drive;
  /** Whether to try AVX2 by V8's revectorization, a flag of the whole process; by default on x64, unless MQTILE_REVECTORIZE is 0. */
  readonly revectorize?: boolean;
  /** What this machine's kernels take, measured; peers hear of it, and plans are made by it. */
  readonly rates?: KernelRates;
  /** Puts something between delivery and connections, e.g. faults. */
  readonly wrap?: (wire: Wire) => Wire;
}

/** A running node. Closing it ends its part in a run, says `offline` to its peers and stops its broker. */
export interface Node extends AsyncDisposable {
  readonly name: string;
  /** Port of its broker. */
  readonly port: number;
  /** Path of the Unix socket on which its broker listens besides. */
  readonly socket: string | undefined;
  /** Bridges to more peers; those in the configuration are connected already. */
  connect(peers: readonly PeerAddress[]): void;
  /** What the nodes of the cluster say: documents by topic. */
  readonly bulletin: Bulletin;
  /** Hands a job in, to this node and all its peers. @throws {InputError} of `parseJob`, `busy`, `peerUnreachable`, `versionMismatch` */
  submit(submission: Submission): Promise<AcceptedRun>;
  /** Ends the run that this node takes part in, if there is one, on all its nodes. */
  stop(): void;
  /** Lets no step of that run begin here, from the end of the open step on: the other nodes wait. Idempotent. */
  pause(): void;
  /** Goes on after `pause`. Idempotent. */
  continue(): void;
  close(): Promise<void>;
}

/**
 * Starts a node: its broker, the bridges to its peers, and its kernel threads.
 * @throws {InputError} `portInUse`, `socketInUse`, `cannotListen`; {KernelError} `kernelsMissing`
 */
export async function startNode(config: NodeConfig, options: NodeOptions = {}): Promise<Node> {
  const { name, cluster, listen } = config;
  const socket = config.socket ?? undefined;
  const { revectorize } = options;
  const engine = await createEngine({
    threads: config.threads ?? availableParallelism(),
    ...(revectorize === undefined ? {} : { revectorize }),
  });
  const info = describeNode(options.rates);
  try {
    const mqtt = await createMqttTransport({
      cluster,
      name,
      info,
      listen,
      ...(socket === undefined ? {} : { socket }),
      ...(options.wrap ? { wrap: options.wrap } : {}),
    });
    return assemble({ config, options, engine, info, mqtt });
  } catch (error) {
    await engine.close();
    throw error;
  }
}

interface Parts {
  readonly config: NodeConfig;
  readonly options: NodeOptions;
  readonly engine: Engine;
  readonly info: NodeInfo;
  readonly mqtt: MqttTransport;
}

function assemble({ config, options, engine, info, mqtt }: Parts): Node {
  const { name } = config;
  const peers: PeerAddress[] = [];
  const jobs = serveJobs({ config, options, engine, info, mqtt }, peers);
  const connect = (more: readonly PeerAddress[]) => {
    peers.push(...more.filter((one) => !peers.some((known) => known.name === one.name)));
    mqtt.connect(more);
  };
  connect(config.peers);
  let closing: Promise<void> | undefined;
  const end = async () => {
    await jobs.close();
    await mqtt.close();
    await engine.close();
  };
  const close = () => (closing ??= end());
  return {
    name,
    port: mqtt.port,
    socket: config.socket ?? undefined,
    connect,
    bulletin: mqtt.bulletin,
    submit: (submission) => jobs.submit(submission),
    stop: () => void jobs.stop(),
    pause: () => void jobs.pause(),
    continue: () => void jobs.resume(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** @param peers known so far; may grow */
function serveJobs({ config, options, engine, info, mqtt }: Parts, peers: readonly PeerAddress[]): JobServer {
  const { name, cluster } = config;
  const { log = () => {}, drive = (run) => run.train() } = options;
  const infos = new Map<string, NodeInfo>();
  mqtt.bulletin.on(nodeInfoTopic(cluster, '+'), (_, document, from) => {
    const peer = parseNodeInfo(document);
    if (peer && from !== undefined) infos.set(from, peer);
  });
  return new JobServer({
    name,
    cluster,
    info,
    transport: mqtt.transport,
    bulletin: mqtt.bulletin,
    engine,
    peers: () => peers.map((peer) => peer.name),
    addressOf: (name) => {
      const peer = peers.find((one) => one.name === name);
      return peer ? `${peer.host}:${peer.port}` : 'no address';
    },
    peerInfo: (peer) => infos.get(peer),
    peersMissing: () => mqtt.peersMissing(),
    drive,
    log,
  });
}

function describeNode(kernels: KernelRates | undefined): NodeInfo {
  return {
    version: VERSION,
    protocol: PROTOCOL_VERSION,
    instance: randomBytes(8).toString('hex'),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    ...(kernels ? { kernels } : {}),
  };
}
