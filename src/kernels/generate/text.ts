/** Text of generated sources. */

/** 0 to count - 1. */
export function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}

export function lines(text: readonly string[]): string {
  return `${text.join('\n')}\n`;
}
