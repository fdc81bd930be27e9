/** What a node's resident memory may grow by over an idle node: the plan's figure + 15 % + 20 MB. */

export function allowed(predictedBytes: number): number {
  return 1.15 * predictedBytes + 20e6;
}
