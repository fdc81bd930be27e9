/** Command: what every sub-command offers to the dispatcher. */

import { parseArgs, type ParseArgsConfig } from 'node:util';
import { InputError } from '../errors.ts';

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The whole text of `mqtile <name> --help`, with an example. */
  readonly help: string;
  /** @returns the exit code; @throws {InputError} for bad input */
  run(args: readonly string[]): Promise<number>;
}

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Parses the arguments of a sub-command.
 * @throws {InputError} `arguments` for an unknown option or one without its value, or for more positionals than `most`
 */
export function parseArguments<const O extends Options>(args: readonly string[], options: O, most: number) {
  try {
    const parsed = parseArgs({ args: [...args], options, allowPositionals: true });
    const extra = parsed.positionals[most];
    if (extra !== undefined) throw new Error(`got one argument too many: ${extra}`);
    return parsed;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.split('. ')[0]! : String(cause);
    throw new InputError('arguments', `${message}; see --help`, { cause });
  }
}

/** A whole number from `least` up. @throws {InputError} `arguments` */
export function wholeNumber(option: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least) {
    throw new InputError('arguments', `--${option}: got ${text}, want a whole number from ${least} up`);
  }
  return value;
}
