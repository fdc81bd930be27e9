#!/usr/bin/env node
/** mqtile: the command. This file is plain enough for any Node to parse, so that an old one gets a sentence instead of a stack. */

const WANTED = 24;
const major = Number(process.versions.node.split('.')[0]);

if (major < WANTED) {
  process.stderr.write(
    `mqtile: got Node ${process.versions.node}, want ${WANTED} or later; in a clone, npm start and npx mqtile bring their own\n`,
  );
  process.exitCode = 2;
} else {
  const { runCommand } = await import('./commands.ts');
  process.exitCode = await runCommand(process.argv.slice(2));
}
