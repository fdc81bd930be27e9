import test from 'ava';
import { daemonSocket, type SocketPlace } from '../../src/job/daemon-socket.ts';
import { parseNodeConfig } from '../../src/job/node-config.ts';

const TEMPORARY: SocketPlace = { session: undefined, system: undefined, temporary: '/tmp', user: 1000 };

const cases: readonly (readonly [
  what: string,
  file: string,
  place: Partial<SocketPlace>,
  wanted: string | undefined,
])[] = [
  ['of a session', 'name: pi1', { session: '/run/user/1000', system: '/run' }, '/run/user/1000/mqtile/home-pi1.sock'],
  ['of the system', 'name: pi1', { system: '/run' }, '/run/mqtile/home-pi1.sock'],
  ['without either', '{name: pi1, cluster: lab}', {}, '/tmp/mqtile-1000/lab-pi1.sock'],
  ['that the file names', '{name: pi1, socket: /a/b.sock}', { system: '/run' }, '/a/b.sock'],
  ['that the file switches off', '{name: pi1, socket: none}', { system: '/run' }, undefined],
];

for (const [what, file, place, wanted] of cases) {
  test(`the socket of a daemon ${what}`, (t) => {
    t.is(daemonSocket(parseNodeConfig(file, 'node.yaml'), { ...TEMPORARY, ...place }), wanted);
  });
}

test('a relative path is no socket: it would depend on where the daemon was started', (t) => {
  t.throws(() => parseNodeConfig('{name: pi1, socket: pi1.sock}', 'node.yaml'), {
    code: 'keyInvalid',
    message: 'node.yaml: socket: got "pi1.sock", want an absolute path, or none',
  });
});
