/** Least squares with coefficients that are not negative: costs from times. */

/**
 * The coefficients with which the sums of `rows` come nearest to `values`, relative to each value. One that would be negative is 0.
 * @param rows as many numbers each as there are coefficients
 */
export function fitCosts(rows: readonly (readonly number[])[], values: readonly number[]): readonly number[] {
  const scaled = rows.map((row, k) => row.map((one) => one / values[k]!));
  const size = rows[0]!.length;
  let active = Array.from({ length: size }, (_, i) => i);
  for (;;) {
    const found = solve(normal(scaled, active));
    const lowest = found.indexOf(Math.min(...found));
    if (active.length === 0 || found[lowest]! >= 0) {
      return Array.from({ length: size }, (_, i) => found[active.indexOf(i)] ?? 0);
    }
    active = active.filter((_, k) => k !== lowest);
  }
}

/** The normal equations of those columns, for values of 1, with the right side as the last column. */
function normal(rows: readonly (readonly number[])[], columns: readonly number[]): number[][] {
  const sum = (of: (row: readonly number[]) => number) => rows.reduce((total, row) => total + of(row), 0);
  return columns.map((i) => [...columns.map((j) => sum((row) => row[i]! * row[j]!)), sum((row) => row[i]!)]);
}

/** Gaussian elimination with the largest pivot; a column without one gets 0. */
function solve(matrix: number[][]): readonly number[] {
  const size = matrix.length;
  const scale = matrix.map((row, i) => Math.sqrt(row[i]!) || 1);
  const a = matrix.map((row, i) => row.map((one, j) => one / scale[i]! / (j < size ? scale[j]! : 1)));
  for (let i = 0; i < size; i++) {
    const pivot = a.slice(i).reduce((best, row, k) => (Math.abs(row[i]!) > Math.abs(a[best]![i]!) ? i + k : best), i);
    [a[i], a[pivot]] = [a[pivot]!, a[i]!];
    if (Math.abs(a[i]![i]!) < 1e-12) continue;
    for (let k = 0; k < size; k++) {
      if (k === i) continue;
      const factor = a[k]![i]! / a[i]![i]!;
      for (let j = i; j <= size; j++) a[k]![j]! -= factor * a[i]![j]!;
    }
  }
  return a.map((row, i) => (Math.abs(row[i]!) < 1e-12 ? 0 : row[size]! / row[i]! / scale[i]!));
}
