/** PyTorch, where Debian's python3-torch is installed: what MQTile is compared with. It is never needed to build or to train. */

import { spawnSync } from 'node:child_process';

export const PYTHON = '/usr/bin/python3';

/** Why there is nothing to compare with, or undefined where there is. */
export function whyNoPytorch(): string | undefined {
  const probe = spawnSync(PYTHON, ['-c', 'import torch, numpy']);
  return probe.status === 0
    ? undefined
    : `no PyTorch in ${PYTHON}: apt-get install python3-torch python3-numpy libopenblas0`;
}
