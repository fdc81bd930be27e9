/** The devices file of `mqtile plan --devices`: today only names are used; measured rates are checked and wait for `plan: auto`. */

import * as v from 'valibot';
import { InputError } from '../errors.ts';
import { list, object, parseFile, real, text, topicName, whole } from './schema.ts';

const positive = real('a number above 0', (value) => value > 0);

const device = object({
  name: topicName(),
  gflops: v.optional(positive),
  cores: v.optional(whole(1, 1024)),
  memoryMB: v.optional(positive),
  profile: v.optional(text('the path of a file', /./)),
});

const devicesFile = object({
  network: v.optional(
    object({
      kind: v.optional(v.picklist(['wired', 'wifi'], 'wired or wifi')),
      bandwidthMbit: v.optional(positive),
      latencyMs: v.optional(real('a number, 0 or more', (value) => value >= 0)),
    }),
  ),
  devices: list(device, 'a list of devices, e.g. [{name: pi1}, {name: pi2}]', { min: 1 }),
});

/**
 * Names by rank.
 * @param source the file's name in messages
 * @throws {InputError} `yamlInvalid`, `keyInvalid`
 */
export function parseDevices(content: string, source: string): readonly string[] {
  const names = parseFile(content, source, devicesFile).devices.map(({ name }) => name);
  const again = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (again >= 0) {
    throw new InputError(
      'keyInvalid',
      `${source}: devices[${again}].name: got ${names[again]} twice, want names that differ`,
    );
  }
  return names;
}
