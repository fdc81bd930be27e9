/** Topics: the public names of everything that nodes publish. Builders, one parser, and what MQTT filters match. */

/** Root of documents, which everybody may watch. */
export const ROOT = 'mqtile';

/** Root of tensors, apart from {@link ROOT} so that telemetry subscribers never receive pixels. */
export const TENSOR_ROOT = 'mqtile-tensor';

const TENSOR_CHANNELS = ['activation', 'gradient', 'weights'] as const;

/** What a tensor message carries: halos of activations and gradients, or boxes of parameters and their gradients. */
export type TensorChannel = (typeof TENSOR_CHANNELS)[number];

/** Channels below a tensor topic: tensors travel on the data connection, `ack` on the control connection. */
export type WireChannel = TensorChannel | 'ack';

const JOB_DOCUMENTS = ['spec', 'plan', 'state'] as const;
export type JobDocument = (typeof JOB_DOCUMENTS)[number];

const TELEMETRY_KINDS = ['step', 'epoch', 'memory', 'network'] as const;
export type TelemetryKind = (typeof TELEMETRY_KINDS)[number];

/** A topic, taken apart. */
export type Topic =
  | { readonly kind: 'nodeState' | 'nodeInfo'; readonly cluster: string; readonly node: string }
  | { readonly kind: 'job'; readonly cluster: string; readonly job: string; readonly document: JobDocument }
  | { readonly kind: 'member'; readonly cluster: string; readonly job: string; readonly node: string }
  | {
      readonly kind: 'telemetry';
      readonly cluster: string;
      readonly job: string;
      readonly node: string;
      readonly telemetry: TelemetryKind;
    }
  | { readonly kind: 'request' | 'response'; readonly cluster: string; readonly command: string }
  | {
      readonly kind: 'tensor';
      readonly cluster: string;
      readonly job: string;
      readonly to: string;
      readonly from: string;
      readonly channel: WireChannel;
    };

/** Whether a text may name a cluster, a node, a job or a command: lower-case letters, digits and hyphens, at most 32. */
export function isName(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,31}$/.test(text);
}

/** `mqtile/<cluster>/node/<node>/state`: online, training, offline; retained. */
export function nodeStateTopic(cluster: string, node: string): string {
  return `${ROOT}/${cluster}/node/${node}/state`;
}

/** `mqtile/<cluster>/node/<node>/info`: versions, cores, memory; retained. */
export function nodeInfoTopic(cluster: string, node: string): string {
  return `${ROOT}/${cluster}/node/${node}/info`;
}

/** `mqtile/<cluster>/job/<job>/{spec,plan,state}`; retained. */
export function jobTopic(cluster: string, job: string, document: JobDocument): string {
  return `${ROOT}/${cluster}/job/${job}/${document}`;
}

/** `mqtile/<cluster>/job/<job>/member/<node>`: what a member is doing for the job; retained. */
export function memberTopic(cluster: string, job: string, node: string): string {
  return `${ROOT}/${cluster}/job/${job}/member/${node}`;
}

/** `mqtile/<cluster>/job/<job>/telemetry/<node>/{step,epoch,memory,network}`; the latest is retained. */
export function telemetryTopic(cluster: string, job: string, node: string, telemetry: TelemetryKind): string {
  return `${ROOT}/${cluster}/job/${job}/telemetry/${node}/${telemetry}`;
}

/** `mqtile/<cluster>/request/<command>`: JSON with a transaction id, never retained. */
export function requestTopic(cluster: string, command: string): string {
  return `${ROOT}/${cluster}/request/${command}`;
}

/** `mqtile/<cluster>/response/<command>`: the answer, with the same transaction id. */
export function responseTopic(cluster: string, command: string): string {
  return `${ROOT}/${cluster}/response/${command}`;
}

/** `mqtile-tensor/<cluster>/<job>/<to>/<from>/<channel>`: binary frames, never retained. */
export function tensorTopic(cluster: string, address: Omit<Topic & { kind: 'tensor' }, 'kind' | 'cluster'>): string {
  return `${TENSOR_ROOT}/${cluster}/${address.job}/${address.to}/${address.from}/${address.channel}`;
}

/** Takes a topic apart; undefined when it is none of ours or a name in it breaks the rule. */
export function parseTopic(topic: string): Topic | undefined {
  const [root, cluster = '', ...levels] = topic.split('/');
  if (!isName(cluster)) return undefined;
  if (root === TENSOR_ROOT) return parseTensor(cluster, levels);
  if (root !== ROOT) return undefined;
  const [family, name = '', third, fourth = '', fifth] = levels;
  if (!isName(name)) return undefined;
  if (levels.length === 2 && (family === 'request' || family === 'response')) {
    return { kind: family, cluster, command: name };
  }
  if (levels.length === 3 && family === 'node') {
    if (third === 'state') return { kind: 'nodeState', cluster, node: name };
    return third === 'info' ? { kind: 'nodeInfo', cluster, node: name } : undefined;
  }
  if (family !== 'job') return undefined;
  if (levels.length === 3) {
    const document = oneOf(JOB_DOCUMENTS, third);
    return document && { kind: 'job', cluster, job: name, document };
  }
  if (!isName(fourth)) return undefined;
  if (levels.length === 4 && third === 'member') return { kind: 'member', cluster, job: name, node: fourth };
  const telemetry = levels.length === 5 && third === 'telemetry' ? oneOf(TELEMETRY_KINDS, fifth) : undefined;
  return telemetry && { kind: 'telemetry', cluster, job: name, node: fourth, telemetry };
}

/** Whether an MQTT filter matches a topic [MQTT-4.7.1]; `#` and `+` at the start do not match topics that begin with `$` [MQTT-4.7.2-1]. */
export function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  if (topic.startsWith('$') && (wanted[0] === '#' || wanted[0] === '+')) return false;
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '#') return true;
    if (i >= levels.length || (wanted[i] !== '+' && wanted[i] !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}

/** Whether everything that a filter can match lies under `mqtile/`: the first level is that word, not a wildcard. */
export function isDocumentFilter(filter: string): boolean {
  return filter.startsWith(`${ROOT}/`);
}

function parseTensor(cluster: string, levels: readonly string[]): Topic | undefined {
  const [job = '', to = '', from = '', last] = levels;
  const channel = last === 'ack' ? last : oneOf(TENSOR_CHANNELS, last);
  if (levels.length !== 4 || !channel || !isName(job) || !isName(to) || !isName(from)) return undefined;
  return { kind: 'tensor', cluster, job, to, from, channel };
}

function oneOf<T extends string>(options: readonly T[], text: string | undefined): T | undefined {
  return options.find((option) => option === text);
}
