/**
 * Schemas with one voice: every file that people write is parsed here, and every mistake in one becomes one line,
 * `flows/x.yaml: model.layers[2].conv2d.kernel: got "five", want a whole number from 1 to 15`.
 *
 * A schema's message is the phrase after "want"; a message that begins with "is " stands as it is.
 */

import * as v from 'valibot';
import { parseDocument } from 'yaml';
import { InputError } from '../errors.ts';
import { nearest } from './suggest.ts';

/** A schema of anything that gives `Output`. */
export type Schema<Output> = v.GenericSchema<unknown, Output>;

type Entries = Record<string, v.GenericSchema>;

/** What schemas without a message of their own want: said when their key is missing. */
const wants = new WeakMap<object, string>();

/** An object that has these keys and no others. */
export function object<const Shape extends Entries>(
  entries: Shape,
): v.StrictObjectSchema<Shape, v.ErrorMessage<v.StrictObjectIssue>> {
  const keys = Object.keys(entries);
  return v.strictObject(entries, (issue) => {
    if (issue.expected === 'never') {
      const meant = nearest(String(issue.input), keys);
      return `is not a key here; ${meant === undefined ? `the keys are ${keys.join(', ')}` : `did you mean ${meant}?`}`;
    }
    if (issue.received === 'undefined' && issue.path !== undefined) {
      const want = wantOf(entries[String(issue.path.at(-1)!.key)]);
      return `is missing${want === undefined ? '' : `, want ${want}`}`;
    }
    return `a block with the keys ${keys.join(', ')}`;
  });
}

/** A whole number from `min` to `max`, both included. */
export function whole(min: number, max: number): Schema<number> {
  const want =
    max === Number.MAX_SAFE_INTEGER ? `a whole number, ${min} or more` : `a whole number from ${min} to ${max}`;
  return v.pipe(v.number(want), v.safeInteger(want), v.minValue(min, want), v.maxValue(max, want));
}

/** A finite number that `accept` says yes to. */
export function real(want: string, accept: (value: number) => boolean): Schema<number> {
  return v.pipe(v.number(want), v.finite(want), v.check(accept, want));
}

/** A text that matches. */
export function text(want: string, pattern: RegExp): Schema<string> {
  return v.pipe(v.string(want), v.regex(pattern, want));
}

/** Exactly this many, or with `min` at least that many, values. */
export function list<Item>(
  item: Schema<Item>,
  want: string,
  size: { readonly length?: number; readonly min?: number } = {},
): Schema<Item[]> {
  const fits = (items: readonly unknown[]): boolean =>
    (size.length === undefined || items.length === size.length) && items.length >= (size.min ?? 0);
  return v.pipe(v.array(item, want), v.check<Item[], string>(fits, want));
}

/** Picks the schema by looking at the value. @param want said when the value is missing */
export function choose<Output>(want: string, pick: (input: unknown) => Schema<Output>): Schema<Output> {
  const schema = v.lazy(pick);
  wants.set(schema, want);
  return schema;
}

/** A schema that nothing fits. @param message what is wanted instead, or a sentence that begins with "is " */
export function refuse(message: string): Schema<never> {
  return v.custom<never>(() => false, message);
}

/** Refuses what is promised but not there yet. */
export function stillToCome(today: string): Schema<never> {
  return refuse(`${STILL_TO_COME}; today: ${today}`);
}

const STILL_TO_COME = 'is still to come';

/** A name as topics carry it. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9-]{0,31}$/;

/** A name of a node, cluster or job. */
export function topicName(): Schema<string> {
  return text('1 to 32 small letters, digits or hyphens that do not begin with a hyphen', NAME_PATTERN);
}

/**
 * Parses a YAML file.
 * @param source the file's name in messages
 * @throws {InputError} `yamlInvalid`, `keyInvalid` or `stillToCome`, one line each
 */
export function parseFile<Output>(content: string, source: string, schema: Schema<Output>): Output {
  const value = readYaml(content, source);
  const result = naming(source, () => v.safeParse(schema, value));
  if (result.success) {
    return result.output;
  }
  const issue = tellingIssue(result.issues);
  throw new InputError(
    issue.message.startsWith(STILL_TO_COME) ? 'stillToCome' : 'keyInvalid',
    `${source}: ${describe(issue)}`,
  );
}

/** Runs `action` and names the file in the input errors that it throws. */
export function naming<Result>(source: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw error instanceof InputError
      ? new InputError(error.code, `${source}: ${error.message}`, { cause: error })
      : error;
  }
}

function readYaml(content: string, source: string): unknown {
  const document = parseDocument(content, { prettyErrors: true });
  const problem = document.errors[0];
  if (problem !== undefined) {
    throw new InputError('yamlInvalid', `${source}: is not valid YAML: ${firstLine(problem.message)}`, {
      cause: problem,
    });
  }
  try {
    return document.toJS();
  } catch (cause) {
    throw new InputError('yamlInvalid', `${source}: is not valid YAML: ${firstLine(String(cause))}`, { cause });
  }
}

/** What is still to come brings keys of its own, and a mistyped key is also a missing one: so these go before the rest. */
function tellingIssue(issues: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]]): v.BaseIssue<unknown> {
  const beginning = (words: string) => issues.find(({ message }) => message.startsWith(words));
  return beginning(STILL_TO_COME) ?? beginning('is not a key') ?? issues[0];
}

function describe(issue: v.BaseIssue<unknown>): string {
  const path = formatPath(issue.path ?? []);
  const at = path === '' ? '' : `${path}: `;
  // As it stands in the file: the issue itself may hold what a transformation made of it.
  const got = issue.path === undefined ? issue.input : issue.path.at(-1)!.value;
  if (issue.message.startsWith(STILL_TO_COME)) {
    return `${at}${show(got)} ${issue.message}`;
  }
  if (issue.message.startsWith('is ')) {
    return `${at}${issue.message}`;
  }
  return `${at}${got === undefined ? 'is missing' : `got ${show(got)}`}, want ${issue.message}`;
}

function formatPath(path: readonly { readonly key?: unknown }[]): string {
  return path.reduce(
    (text, { key }) => (typeof key === 'number' ? `${text}[${key}]` : `${text}${text && '.'}${String(key)}`),
    '',
  );
}

/** A value in few letters. */
function show(value: unknown): string {
  const json = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return json.length > 60 ? `${json.slice(0, 57)}...` : json;
}

function wantOf(schema: v.GenericSchema | undefined): string | undefined {
  if (schema === undefined) {
    return undefined;
  }
  const message = 'message' in schema ? schema.message : undefined;
  return wants.get(schema) ?? (typeof message === 'string' ? message : undefined);
}

function firstLine(message: string): string {
  return message.split('\n')[0]!.replace(/:$/, '');
}
