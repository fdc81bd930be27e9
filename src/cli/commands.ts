/** Commands: picks the sub-command, and turns what it throws into one line and an exit code. */

import { InputError, MqtileError, VERSION } from '../index.ts';
import { benchCommand } from './bench.ts';
import type { Command } from './command.ts';
import { flowCommand } from './flow.ts';
import { nodeCommand } from './node.ts';
import { planCommand } from './plan.ts';
import { predictCommand } from './predict.ts';
import { trainCommand } from './train.ts';

const COMMANDS: readonly Command[] = [
  trainCommand,
  planCommand,
  flowCommand,
  predictCommand,
  nodeCommand,
  benchCommand,
];

/** Commands that the design promises. */
const STILL_TO_COME = ['simulate', 'watch'];

const HELP = `mqtile ${VERSION}: trains convolutional networks exactly on a cluster of small computers, over MQTT

Usage: mqtile <command> [options]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(9)}${summary}`).join('\n')}

  mqtile <command> --help    options and an example
  mqtile --version

Example: mqtile train flows/lenet5-mnist.yaml --local 4
`;

/** @returns the exit code: 0 done, 1 failed, 2 bad input */
export async function runCommand(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  try {
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      process.stdout.write(HELP);
      return name === undefined ? 2 : 0;
    }
    if (name === '--version' || name === '-v') {
      process.stdout.write(`${VERSION}\n`);
      return 0;
    }
    const command = COMMANDS.find((candidate) => candidate.name === name);
    if (!command) throw unknownCommand(name);
    if (rest.includes('--help') || rest.includes('-h')) {
      process.stdout.write(command.help);
      return 0;
    }
    return await command.run(rest);
  } catch (error) {
    return report(error);
  }
}

function unknownCommand(name: string): InputError {
  const known = COMMANDS.map((command) => command.name).join(', ');
  return STILL_TO_COME.includes(name)
    ? new InputError('stillToCome', `mqtile ${name} is still to come; today: ${known}`)
    : new InputError('arguments', `got the command ${name}, want one of ${known}; see mqtile --help`);
}

function report(error: unknown): number {
  if (error instanceof MqtileError) {
    process.stderr.write(`mqtile: ${error.message}\n`);
    return error instanceof InputError ? 2 : 1;
  }
  // Not a person's mistake but ours: show everything.
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`mqtile: internal error: ${text}\n`);
  return 1;
}
