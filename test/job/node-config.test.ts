import test from 'ava';
import { InputError } from '../../src/errors.ts';
import { parseDevices } from '../../src/job/devices.ts';
import { parseNodeConfig } from '../../src/job/node-config.ts';

test('a node listens on loopback in the cluster home unless its file says otherwise', (t) => {
  t.deepEqual(parseNodeConfig('name: pi1', 'node.yaml'), {
    name: 'pi1',
    cluster: 'home',
    listen: { host: '127.0.0.1', port: 1883 },
    peers: [],
    insecure: false,
  });
});

test('peers have names and addresses, and insecure opens the network', (t) => {
  const text = `
name: pi1
cluster: attic
threads: 3
listen: 0.0.0.0:1884
peers: [{name: pi2, address: pi2.local:1883}, {name: pi3, address: '[fe80::1]:1883'}]
insecure: true
`;
  t.deepEqual(parseNodeConfig(text, 'node.yaml'), {
    name: 'pi1',
    cluster: 'attic',
    listen: { host: '0.0.0.0', port: 1884 },
    peers: [
      { name: 'pi2', host: 'pi2.local', port: 1883 },
      { name: 'pi3', host: 'fe80::1', port: 1883 },
    ],
    threads: 3,
    insecure: true,
  });
});

const wrong: readonly (readonly [text: string, code: string, message: RegExp])[] = [
  ['name: Pi_1', 'keyInvalid', /^node\.yaml: name: got "Pi_1", want 1 to 32 small letters/],
  [
    '{name: a, listen: 0.0.0.0:1883}',
    'insecureAddress',
    /^node\.yaml: listen: got 0\.0\.0\.0, .*want 127\.0\.0\.1, or insecure: true/,
  ],
  [
    '{name: a, peers: [{name: b, address: 192.168.0.7:1883}]}',
    'insecureAddress',
    /peers\[0\]\.address: got 192\.168\.0\.7/,
  ],
  ['{name: a, listen: 127.0.0.1.example.org:1883}', 'insecureAddress', /not this machine/],
  ['{name: a, listen: 1883}', 'keyInvalid', /listen: got 1883, want host:port/],
  ['{name: a, listen: localhost:70000}', 'keyInvalid', /listen: got .*70000.*, want host:port/],
  ['{name: a, peers: [{name: b, address: localhost:0}]}', 'keyInvalid', /peers\[0\]\.address: got .*, want host:port/],
  ['{name: a, peers: [{name: a, address: localhost:1}]}', 'keyInvalid', /peers\[0\]\.name: got a, which is this node/],
  [
    '{name: a, peers: [{name: b, address: localhost:1}, {name: b, address: localhost:2}]}',
    'keyInvalid',
    /peers\[1\]\.name: got b, which peers\[0\] is called already/,
  ],
  ['{name: a, peer: []}', 'keyInvalid', /peer: is not a key here; did you mean peers\?/],
  ['{name: a, threads: 0}', 'keyInvalid', /threads: got 0, want a whole number from 1 to 256/],
  ['{name: a, insecure: maybe}', 'keyInvalid', /insecure: got "maybe", want true or false/],
];

for (const [text, code, message] of wrong) {
  test(`one line answers the node file ${text}`, (t) => {
    const error = t.throws(() => parseNodeConfig(text, 'node.yaml'), { instanceOf: InputError, code, message });
    t.false(error.message.includes('\n'));
  });
}

test('a devices file gives names by rank, and its measured rates are accepted', (t) => {
  const text = `
network: {bandwidthMbit: 100, latencyMs: 0.5}
devices:
  - {name: pi1, gflops: 6, cores: 4, memoryMB: 900}
  - {name: pi2, profile: pi2.json}
`;
  t.deepEqual(parseDevices(text, 'devices.yaml'), ['pi1', 'pi2']);
  t.throws(() => parseDevices('devices: [{name: a}, {name: a}]', 'd.yaml'), {
    message: /devices\[1\]\.name: got a twice/,
  });
  t.throws(() => parseDevices('devices: []', 'd.yaml'), {
    message: /^d\.yaml: devices: got \[\], want a list of devices/,
  });
  t.throws(() => parseDevices('devices: [{name: a, gflop: 6}]', 'd.yaml'), { message: /did you mean gflops\?/ });
});
