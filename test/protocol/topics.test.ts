import test from 'ava';
import {
  isDocumentFilter,
  isName,
  jobTopic,
  matches,
  memberTopic,
  nodeInfoTopic,
  nodeStateTopic,
  parseTopic,
  requestTopic,
  responseTopic,
  telemetryTopic,
  tensorTopic,
} from '../../src/protocol/topics.ts';

test('every topic that is built reads as the table says and is parsed again', (t) => {
  const cases = [
    [nodeStateTopic('home', 'pi1'), 'mqtile/home/node/pi1/state', { kind: 'nodeState', node: 'pi1' }],
    [nodeInfoTopic('home', 'pi1'), 'mqtile/home/node/pi1/info', { kind: 'nodeInfo', node: 'pi1' }],
    [jobTopic('home', 'j', 'plan'), 'mqtile/home/job/j/plan', { kind: 'job', job: 'j', document: 'plan' }],
    [memberTopic('home', 'j', 'pi1'), 'mqtile/home/job/j/member/pi1', { kind: 'member', job: 'j', node: 'pi1' }],
    [
      telemetryTopic('home', 'j', 'pi1', 'step'),
      'mqtile/home/job/j/telemetry/pi1/step',
      { kind: 'telemetry', job: 'j', node: 'pi1', telemetry: 'step' },
    ],
    [requestTopic('home', 'start'), 'mqtile/home/request/start', { kind: 'request', command: 'start' }],
    [responseTopic('home', 'start'), 'mqtile/home/response/start', { kind: 'response', command: 'start' }],
    [
      tensorTopic('home', { job: 'j', to: 'pi1', from: 'pi2', channel: 'ack' }),
      'mqtile-tensor/home/j/pi1/pi2/ack',
      { kind: 'tensor', job: 'j', to: 'pi1', from: 'pi2', channel: 'ack' },
    ],
  ] as const;
  for (const [built, text, parsed] of cases) {
    t.is(built, text);
    t.deepEqual(parseTopic(built), { cluster: 'home', ...parsed });
  }
});

test('what is not in the table is no topic of ours', (t) => {
  const foreign = [
    '',
    'mqtile',
    'mqtile/home',
    'other/home/node/pi1/state',
    'mqtile/home/node/pi1/state/more',
    'mqtile/home/node/Pi1/state',
    'mqtile/Home/node/pi1/state',
    'mqtile/home/node/pi1/mood',
    'mqtile/home/job/j/secret',
    'mqtile/home/job/j/member',
    'mqtile/home/job/j/telemetry/pi1/pixels',
    'mqtile/home/request/start/now',
    'mqtile-tensor/home/j/pi1/pi2/labels',
    'mqtile-tensor/home/j/pi1/pi2',
    'mqtile-tensor/home/j/pi1/+/ack',
  ];
  for (const topic of foreign) t.is(parseTopic(topic), undefined, topic);
});

test('names are lower-case letters, digits and hyphens, at most 32, not starting with a hyphen', (t) => {
  for (const name of ['a', '0', 'pi-1', 'x'.repeat(32)]) t.true(isName(name), name);
  for (const name of ['', '-a', 'A', 'a_b', 'a/b', 'a+', 'ü', 'x'.repeat(33), 'a\n']) t.false(isName(name), name);
});

test('filters match as MQTT says', (t) => {
  const cases: readonly [string, string, boolean][] = [
    ['a/b', 'a/b', true],
    ['a/+', 'a/b', true],
    ['a/+', 'a/b/c', false],
    ['a/+', 'a', false],
    ['a/#', 'a/b/c', true],
    ['a/#', 'a', true],
    ['+/b', 'a/b', true],
    ['#', 'a/b', true],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['a/+/c', 'a//c', true],
  ];
  for (const [filter, topic, wanted] of cases) t.is(matches(filter, topic), wanted, `${filter} ${topic}`);
});

test('only filters that begin with the document root are document filters', (t) => {
  for (const filter of ['mqtile/#', 'mqtile/+/node/+/state']) t.true(isDocumentFilter(filter), filter);
  for (const filter of ['#', '+/#', 'mqtile-tensor/#', 'mqtile', '$share/g/mqtile/#', '+/home/#']) {
    t.false(isDocumentFilter(filter), filter);
  }
});
